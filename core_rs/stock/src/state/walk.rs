//! The state hash from scratch: a walk over everything, to compare with the sum that `apply` keeps.

use std::collections::HashSet;
use std::sync::Arc;

use super::hash::{self, Entity, of_reservation, of_state};
use super::{Receipt, Reservation, Sku, State, Transfer, Warehouse};
use crate::ids::{LineNo, PoolIx, SkuIx};

/// A sum modulo 2^64.
struct Sum(u64);

impl Sum {
    const fn add(&mut self, contribution: u64) {
        self.0 = self.0.wrapping_add(contribution);
    }
}

impl State {
    /// The state hash, computed by walking the state. Takes as long as the state is large.
    #[must_use]
    pub fn hash_from_scratch(&self) -> u64 {
        let mut sum = Sum(0);
        sum.add(hash::number(hash::STATE, of_state::SEQUENCE, self.sequence.cast_signed()));
        sum.add(hash::number(hash::STATE, of_state::CLOCK, self.clock));
        sum.add(hash::number(hash::STATE, of_state::HORIZON, self.horizon_ms.cast_signed()));
        (0..).zip(&self.skus).for_each(|(ix, sku)| add_sku(&mut sum, ix, sku));
        (0..).zip(&self.warehouses).for_each(|(ix, warehouse)| add_warehouse(&mut sum, ix, warehouse));
        for (ix, region) in (0..).zip(&self.regions) {
            sum.add(hash::text(Entity::Region, ix, &region.id));
            sum.add(hash::plan(ix, &region.plan));
        }
        (0..).zip(&self.channels).for_each(|(ix, id)| sum.add(hash::text(Entity::Channel, ix, id)));
        (0..).zip(&self.pools).for_each(|(ix, id)| sum.add(hash::text(Entity::Pool, ix, id)));
        sum.add(hash::policy(hash::SHOP_POLICY, self.shop_policy));
        for (kind, documents) in &self.documents {
            for (id, document) in documents {
                sum.add(hash::document(*kind, id, document));
            }
        }
        self.reservations.values().for_each(|reservation| sum.add(reservation_contribution(reservation)));
        self.receipts.values().for_each(|receipt| sum.add(receipt_contribution(receipt)));
        self.transfers.values().for_each(|transfer| sum.add(transfer_contribution(transfer)));
        self.keys.iter().for_each(|(key, known)| sum.add(hash::key(key, known)));
        sum.0
    }
}

fn add_sku(sum: &mut Sum, ix: u32, sku: &Sku) {
    sum.add(hash::text(Entity::Sku, ix, &sku.id));
    sum.add(hash::text(Entity::Category, ix, &sku.category));
    sum.add(hash::policy(hash::sku_policy(SkuIx(ix)), sku.policy));
    sum.add(hash::counters(hash::entry(Entity::Sku, ix), &sku.counters));
    for (warehouse, cell) in sku.cells() {
        let entity = hash::cell(SkuIx(ix), *warehouse);
        sum.add(entity);
        sum.add(hash::counters(entity, &cell.0));
    }
    for (pool, cell) in &sku.pools {
        let entity = hash::pool_cell(SkuIx(ix), PoolIx(pool.0));
        sum.add(entity);
        sum.add(hash::counters(entity, &cell.0));
    }
}

fn add_warehouse(sum: &mut Sum, ix: u32, warehouse: &Warehouse) {
    let mut names = |entity: Entity, names: &HashSet<Arc<str>>| {
        for name in names {
            sum.add(hash::text(entity, ix, name));
        }
    };
    names(Entity::AssortmentSku, &warehouse.assortment.skus);
    names(Entity::AssortmentCategory, &warehouse.assortment.categories);
    sum.add(hash::text(Entity::Warehouse, ix, &warehouse.id));
    sum.add(hash::number(hash::entry(Entity::Warehouse, ix), hash::ONLY, warehouse.state as i64));
}

/// What a reservation contributes, with all of its lines.
pub(crate) fn reservation_contribution(reservation: &Reservation) -> u64 {
    let mut sum = Sum(0);
    let entity = hash::owner(Entity::Reservation, reservation.no);
    sum.add(hash::reservation(entity, reservation));
    for (field, value) in [
        (of_reservation::DEADLINE, reservation.deadline),
        (of_reservation::EXTENSIONS, i64::from(reservation.extensions)),
        (of_reservation::VERSION, reservation.version.cast_signed()),
        (of_reservation::REFUND_DUE, i64::from(reservation.refund_due())),
    ] {
        sum.add(hash::number(entity, field, value));
    }
    for (number, line) in (1..).zip(&reservation.lines) {
        let entity = hash::owner_line(Entity::Line, reservation.no, number);
        sum.add(hash::line(entity, line));
        sum.add(hash::counters(entity, &line.counters.all()));
        for (position, allocation) in line.allocations.iter().enumerate() {
            let entity = hash::allocation(reservation.no, number, position);
            sum.add(hash::allocated_at(entity, allocation.warehouse()));
            sum.add(hash::counters(entity, &allocation.counters.all()));
        }
    }
    sum.0
}

/// What a receipt contributes, with all of its lines.
pub(crate) fn receipt_contribution(receipt: &Receipt) -> u64 {
    let mut sum = Sum(0);
    sum.add(hash::receipt(receipt));
    sum.add(hash::number(hash::owner(Entity::Receipt, receipt.no), hash::ONLY, receipt.expected_at));
    let lines = receipt.lines.iter().map(|line| (line.sku, line.counters.as_slice()));
    add_goods(&mut sum, |number| hash::owner_line(Entity::ReceiptLine, receipt.no, number), lines);
    sum.0
}

/// What a transfer contributes, with all of its lines.
pub(crate) fn transfer_contribution(transfer: &Transfer) -> u64 {
    let mut sum = Sum(0);
    sum.add(hash::transfer(transfer));
    sum.add(hash::number(hash::owner(Entity::Transfer, transfer.no), hash::ONLY, i64::from(transfer.closed)));
    let lines = transfer.lines.iter().map(|line| (line.sku, line.counters.as_slice()));
    add_goods(&mut sum, |number| hash::owner_line(Entity::TransferLine, transfer.no, number), lines);
    sum.0
}

fn add_goods<'a>(
    sum: &mut Sum,
    entity: impl Fn(LineNo) -> u64,
    lines: impl Iterator<Item = (SkuIx, &'a [i64])>,
) {
    for (number, (sku, counters)) in (1..).zip(lines) {
        sum.add(hash::goods_line(entity(number), sku));
        sum.add(hash::counters(entity(number), counters));
    }
}
