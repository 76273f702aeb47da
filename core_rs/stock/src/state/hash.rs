//! The state hash: a sum, modulo 2^64, of what every field contributes.
//!
//! A number contributes `value * weight(entity, field)`, so that a movement updates the sum with one
//! multiplication; what is created once, or replaced as a whole, contributes a hash of itself, and what
//! exists contributes even when all its numbers are zero. Weights are odd: a number that changes always
//! changes the sum. The functions below are part of the journal's format (checkpoints hold the sum): they
//! never change. Indexes that follow from other fields contribute nothing; [`State::check`] compares them.
//!
//! [`State::check`]: super::State::check

use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use super::reservation::Said;
use super::{Document, KnownKey, Line, Receipt, Reservation, Transfer};
use crate::command::DocumentKind;
use crate::event::{DeductionPolicy, Source};
use crate::ids::{LineNo, OwnerNo, PoolIx, RequestKey, SkuIx, WarehouseIx};

/// The kinds of entities. The number separates their hashes.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(crate) enum Entity {
    State = 1,
    Sku,
    Category,
    Cell,
    PoolCell,
    Warehouse,
    AssortmentSku,
    AssortmentCategory,
    Region,
    Plan,
    Channel,
    Pool,
    Document,
    Reservation,
    Line,
    Allocation,
    Receipt,
    ReceiptLine,
    Transfer,
    TransferLine,
    Key,
    Text,
    Policy,
}

/// The numbers of the state itself.
pub(crate) mod of_state {
    pub(crate) const SEQUENCE: usize = 0;
    pub(crate) const CLOCK: usize = 1;
    pub(crate) const HORIZON: usize = 2;
}

/// The numbers of a reservation.
pub(crate) mod of_reservation {
    pub(crate) const DEADLINE: usize = 0;
    pub(crate) const EXTENSIONS: usize = 1;
    pub(crate) const VERSION: usize = 2;
    pub(crate) const REFUND_DUE: usize = 3;
}

/// The one number that a warehouse (its state), a receipt (its date), a transfer (closed) and a policy have.
pub(crate) const ONLY: usize = 0;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of splitmix64: a bijection that spreads every bit over all.
pub(crate) const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// One more word of a record.
pub(crate) const fn join(hash: u64, word: u64) -> u64 {
    mix(hash ^ word.wrapping_add(GOLDEN))
}

const fn start(entity: Entity) -> u64 {
    mix((entity as u64).wrapping_mul(GOLDEN))
}

/// The hash of bytes.
pub(crate) fn bytes(bytes: &[u8]) -> u64 {
    // What most do not say costs nothing.
    const NOTHING: u64 = join(start(Entity::Text), 0);
    if bytes.is_empty() {
        return NOTHING;
    }
    let mut hash = join(start(Entity::Text), bytes.len() as u64);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = join(hash, u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = join(hash, u64::from_le_bytes(word));
    }
    hash
}

/// What a number contributes, or its change.
pub(crate) const fn number(entity: u64, field: usize, value: i64) -> u64 {
    value.cast_unsigned().wrapping_mul(weight(entity, field))
}

/// The weight of an entity's number.
pub(crate) const fn weight(entity: u64, field: usize) -> u64 {
    mix(entity.wrapping_add((field as u64 + 1).wrapping_mul(GOLDEN))) | 1
}

/// What an array of counters contributes.
pub(crate) fn counters(entity: u64, counters: &[i64]) -> u64 {
    counters
        .iter()
        .enumerate()
        .fold(0, |sum: u64, (field, units)| sum.wrapping_add(number(entity, field, *units)))
}

/// The entity of the state's own numbers.
pub(crate) const STATE: u64 = start(Entity::State);

/// A (SKU, warehouse).
pub(crate) fn cell(sku: SkuIx, warehouse: WarehouseIx) -> u64 {
    join(join(start(Entity::Cell), u64::from(sku.0)), u64::from(warehouse.0))
}

/// A (SKU, pool).
pub(crate) fn pool_cell(sku: SkuIx, pool: PoolIx) -> u64 {
    join(join(start(Entity::PoolCell), u64::from(sku.0)), u64::from(pool.0))
}

/// What stands in a table by index: SKUs, warehouses, regions, channels, pools.
pub(crate) fn entry(entity: Entity, index: u32) -> u64 {
    join(start(entity), u64::from(index))
}

/// An entry's text: its id, a SKU's category, one name of an assortment.
pub(crate) fn text(entity: Entity, index: u32, text: &str) -> u64 {
    join(entry(entity, index), bytes(text.as_bytes()))
}

/// Where a SKU's policy stands.
pub(crate) fn sku_policy(sku: SkuIx) -> u64 {
    entry(Entity::Policy, sku.0)
}

/// Where the shop's policy stands: among the numbers of no SKU.
pub(crate) const SHOP_POLICY: u64 = start(Entity::Policy);

/// When stock is taken, where it is said.
pub(crate) fn policy(entity: u64, policy: Option<DeductionPolicy>) -> u64 {
    number(entity, ONLY, policy.map_or(0, |policy| policy as i64))
}

/// A region's plan.
pub(crate) fn plan(region: u32, plan: &[WarehouseIx]) -> u64 {
    warehouses(entry(Entity::Plan, region), plan)
}

fn warehouses(hash: u64, list: &[WarehouseIx]) -> u64 {
    list.iter().fold(join(hash, list.len() as u64), |hash, at| join(hash, u64::from(at.0)))
}

/// A document.
pub(crate) fn document(kind: DocumentKind, id: &str, document: &Document) -> u64 {
    let hash = join(join(start(Entity::Document), kind as u64), bytes(id.as_bytes()));
    join(join(hash, document.version), bytes(&document.body))
}

/// An owner, for its numbers.
pub(crate) fn owner(entity: Entity, no: OwnerNo) -> u64 {
    join(start(entity), no.0)
}

/// What of a reservation never changes.
pub(crate) fn reservation(entity: u64, reservation: &Reservation) -> u64 {
    let hash = join(entity, bytes(reservation.id.as_bytes()));
    let hash = match &*reservation.source() {
        Source::Region(region) => join(join(hash, 1), u64::from(region.0)),
        Source::Warehouses(list) => warehouses(join(hash, 2), list),
        Source::Planned { region, warehouses: list } => {
            warehouses(join(join(hash, 3), u64::from(region.0)), list)
        }
    };
    let Said { destination, max_parcels, channel, buyer, attributes } = reservation.said();
    let hash = join(hash, bytes(destination.as_bytes()));
    let hash = join(join(hash, u64::from(max_parcels)), reservation.created_at.cast_unsigned());
    let hash = join(hash, channel.map_or(0, |channel| u64::from(channel.0) + 1));
    join(wide(hash, buyer), bytes(attributes))
}

const fn wide(hash: u64, word: u128) -> u64 {
    let [low, high] = halves(word);
    join(join(hash, low), high)
}

/// A line of an owner.
pub(crate) fn owner_line(entity: Entity, no: OwnerNo, line: LineNo) -> u64 {
    join(owner(entity, no), u64::from(line))
}

/// That a line stands there, for this SKU and pool, and under which rule.
pub(crate) fn line(entity: u64, line: &Line) -> u64 {
    join(join(join(entity, u64::from(line.sku.0)), u64::from(line.pool.0)), line.policy() as u64)
}

/// That a line of a receipt or a transfer stands there, for this SKU.
pub(crate) fn goods_line(entity: u64, sku: SkuIx) -> u64 {
    join(entity, u64::from(sku.0))
}

/// The n-th allocation of a line: the order counts.
pub(crate) fn allocation(no: OwnerNo, line: LineNo, position: usize) -> u64 {
    join(owner_line(Entity::Allocation, no, line), position as u64)
}

/// That an allocation stands there, for this warehouse.
pub(crate) fn allocated_at(entity: u64, warehouse: WarehouseIx) -> u64 {
    join(entity, u64::from(warehouse.0))
}

/// What of a receipt never changes.
pub(crate) fn receipt(receipt: &Receipt) -> u64 {
    let hash = join(owner(Entity::Receipt, receipt.no), bytes(receipt.id.as_bytes()));
    join(hash, u64::from(receipt.warehouse.0))
}

/// What of a transfer never changes.
pub(crate) fn transfer(transfer: &Transfer) -> u64 {
    let hash = join(owner(Entity::Transfer, transfer.no), bytes(transfer.id.as_bytes()));
    join(join(hash, u64::from(transfer.from.0)), u64::from(transfer.to.0))
}

/// A request id that is remembered.
pub(crate) fn key(key: RequestKey, known: KnownKey) -> u64 {
    join(join(wide(start(Entity::Key), key), known.sequence), known.digest)
}

/// The hasher of maps by number: our own numbers need no defence against chosen collisions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, text: &[u8]) {
        self.0 = join(self.0, bytes(text));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = join(self.0, word);
    }
}

/// Builds [`NumberHasher`]s.
pub(crate) type Numbers = BuildHasherDefault<NumberHasher>;

/// The hasher of maps by name: under a seed that nobody outside knows, for names come from callers. No part of any
/// format, so it may be a quick one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Texts {
    seed: [u64; 2],
}

impl Default for Texts {
    fn default() -> Self {
        let seeds = RandomState::new();
        Self { seed: [0_u8, 1].map(|number| seeds.hash_one(number)) }
    }
}

impl Texts {
    /// The hash of one name: sixteen bytes at a time, the last of them once more where they are not a whole number of
    /// times sixteen.
    pub(crate) fn of(self, name: &[u8]) -> u64 {
        let Self { seed: [seed, key] } = self;
        let more = |hash: u64, part: &[u8; 16]| {
            let [low, high] = halves(u128::from_le_bytes(*part));
            folded(hash ^ low, key ^ high)
        };
        let start = seed ^ name.len() as u64;
        let hash = if let Some(last) = name.last_chunk() {
            more(name.as_chunks().0.iter().fold(start, more), last)
        } else {
            let mut part = [0; 16];
            part[..name.len()].copy_from_slice(name);
            more(start, &part)
        };
        folded(hash, key)
    }
}

/// The product, one half over the other.
const fn folded(a: u64, b: u64) -> u64 {
    let [low, high] = halves((a as u128).wrapping_mul(b as u128));
    low ^ high
}

#[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
const fn halves(word: u128) -> [u64; 2] {
    [word as u64, (word >> 64) as u64]
}

impl BuildHasher for Texts {
    type Hasher = TextHasher;

    fn build_hasher(&self) -> TextHasher {
        TextHasher { texts: *self, hash: 0 }
    }
}

/// What [`Texts`] builds: for one text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextHasher {
    texts: Texts,
    hash: u64,
}

impl Hasher for TextHasher {
    fn finish(&self) -> u64 {
        self.hash
    }

    fn write(&mut self, text: &[u8]) {
        self.hash = self.texts.of(text);
    }

    fn write_u8(&mut self, _end: u8) {
        // A text ends with a byte of its own; its length has been hashed already.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_are_the_same_for_ever() {
        assert_eq!(mix(1), 0x5692_161D_100B_05E5);
        assert_eq!(bytes(b"lockstock, for ever"), 0xF7D3_7861_EE2F_E4D2);
        assert_eq!(cell(SkuIx(3), WarehouseIx(5)), 0x57B7_8CEE_8930_B8AA);
        assert_eq!(weight(cell(SkuIx(3), WarehouseIx(5)), 2), 0x8BA0_2587_F495_9BE9);
    }

    #[test]
    fn texts_that_differ_only_in_padding_hash_apart() {
        assert_ne!(bytes(b""), bytes(b"\0"));
        assert_ne!(bytes(b"a"), bytes(b"a\0"));
        assert_ne!(bytes(b"12345678"), bytes(b"12345678\0"));
    }

    #[test]
    fn weights_are_odd_so_every_change_of_a_number_shows() {
        for field in 0..1_000 {
            assert_eq!(weight(cell(SkuIx(7), WarehouseIx(9)), field) % 2, 1);
        }
    }
}
