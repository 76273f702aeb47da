//! Reading early. What commands and events look for lies anywhere in large tables, and a processor that is asked for one
//! thing after the other waits for the memory each time; asked for what many look for, it waits about once. So before
//! some of them run all that they name is looked for, in rounds: what one round reads says where the next one looks.
//! Nothing is decided here and nothing kept; who runs looks again, in the caches now.

use std::hint::black_box;

use super::{Sku, State};
use crate::event::{Change, Event};
use crate::ids::SkuIx;

/// So many look together: more than the reads that a processor has under way at once (some ten), and few enough that
/// what was read is still in the nearest cache when the last of them runs.
pub const TOGETHER: usize = 16;

/// So many reservations stand in the caches, as far as they are in use: then reading early only costs.
const RESERVATIONS_CACHED: usize = 1 << 17;
/// The same for SKUs.
const SKUS_CACHED: usize = 1 << 14;

impl State {
    /// Whether reading early is worth while.
    pub(crate) fn is_large(&self) -> bool {
        self.reservations.len() > RESERVATIONS_CACHED || self.skus.len() > SKUS_CACHED
    }

    /// Reads what commands will look for that name these reservations, be they there or not, and these SKUs.
    pub(crate) fn prefetch_names(&self, reservations: &[&str], skus: &[&str]) {
        self.reservations.prefetch(reservations);
        let places = self.sku_names.prefetch(skus);
        prefetch_skus(places.map(|place| place.and_then(|place| self.skus.get(place))));
    }

    /// Reads what the first [`TOGETHER`] of these events will look for when they are applied, if that is worth while.
    pub fn prefetch(&self, events: &[Event]) {
        if self.is_large() {
            self.prefetch_events(events);
        }
    }

    /// They may come from a disk: nothing in them is believed.
    fn prefetch_events(&self, events: &[Event]) {
        let changes = || events.iter().take(TOGETHER).flat_map(|event| &event.changes);
        let mut skus = [None; TOGETHER];
        let mut owners = [None; TOGETHER];
        let movements = changes().filter_map(|change| match change {
            Change::Movement(movement) => Some(movement),
            _ => None,
        });
        let mut last = None;
        for ((sku, owner), movement) in skus.iter_mut().zip(&mut owners).zip(movements) {
            *sku = self.another(&mut last, movement.sku);
            *owner = movement.owner;
        }
        let mut ids = [""; TOGETHER];
        let new = changes().filter_map(|change| match change {
            Change::Reservation(new) => Some(&*new.id),
            _ => None,
        });
        let count = ids.iter_mut().zip(new).map(|(room, id)| *room = id).count();
        self.reservations.prefetch(&ids[..count]);
        self.reservations.prefetch_numbers(owners);
        prefetch_skus(skus);
    }

    /// A SKU, if it is there and not the one before: in a flash sale all are the same.
    fn another(&self, last: &mut Option<SkuIx>, sku: SkuIx) -> Option<&Sku> {
        if last.replace(sku) == Some(sku) { None } else { self.skus.get(sku.at()) }
    }
}

fn prefetch_skus(skus: [Option<&Sku>; TOGETHER]) {
    for sku in skus.into_iter().flatten() {
        // Fields from end to end: it is longer than a line of memory.
        let id = sku.id.as_bytes().first();
        black_box((sku.counters, sku.pools.first(), sku.cells.list().len(), id, sku.policy));
    }
    for sku in skus.into_iter().flatten() {
        black_box(sku.cells.first_stocked().copied());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{OwnerNo, PoolIx, WarehouseIx};
    use crate::movement::{Kind, Movement};
    use crate::state::testing::next;

    #[test]
    fn nothing_is_believed_of_what_is_read_early() {
        let state = State::default();
        let (hash, sequence) = (state.hash(), state.sequence());
        let nowhere = Movement {
            kind: Kind::Lock,
            sku: SkuIx(u32::MAX),
            warehouse: Some(WarehouseIx(u32::MAX)),
            pool: PoolIx(u32::MAX),
            owner: Some(OwnerNo(u64::MAX)),
            line: u32::MAX,
            quantity: i64::MIN,
        };
        let events: Vec<Event> =
            (0..2 * TOGETHER).map(|_| next(&state, vec![Change::Movement(nowhere); 3])).collect();
        state.prefetch_events(&events);
        let names = ["", "nobody", "a name that is longer than what stands in place of a name"];
        state.prefetch_names(&names, &names);
        state.prefetch_names(&[], &["BOOK"; 2 * TOGETHER]);
        assert_eq!((state.hash(), state.sequence()), (hash, sequence));
        assert_eq!(state.check(), Ok(()));
    }
}
