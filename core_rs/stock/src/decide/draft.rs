//! An event in the making. What a command takes is taken here at once, so that a later line, or a second
//! line on the same cell, is judged by what is left: checking and taking cannot fall apart.

use super::ledger::Ledger;
use crate::command::{Request, WarehouseState};
use crate::counters::{
    ALLOCATION_COUNTERS, AllocationCounter, COUNTERS, Cell, Counter, LINE_COUNTERS, POOL_COUNTERS,
    PoolCounter, RECEIPT_COUNTERS, ReceiptCounter, SkuCounter, TRANSFER_COUNTERS, TransferCounter,
};
use crate::event::{Change, Event, Exception, ExceptionKind, Fingerprint, Operation, Outcome};
use crate::ids::{LineNo, Micros, OwnerNo, PoolIx, RequestKey, SHARED, SkuIx, Units, WarehouseIx};
use crate::limits::COUNTER_MAX;
use crate::movement::{Kind, Movement, OwnerKind, Row};
use crate::refusal::Refusal;
use crate::state::State;

/// Room for the counters of any owner's line.
const OWNER_COUNTERS: usize = LINE_COUNTERS;
const _: () = assert!(TRANSFER_COUNTERS <= OWNER_COUNTERS && RECEIPT_COUNTERS <= OWNER_COUNTERS);

/// Where a movement stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub sku: SkuIx,
    pub warehouse: Option<WarehouseIx>,
    pub pool: PoolIx,
    pub owner: Option<OwnerNo>,
    pub line: LineNo,
}

impl Spot {
    /// Stock alone.
    pub const fn stock(sku: SkuIx, warehouse: WarehouseIx) -> Self {
        Self { sku, warehouse: Some(warehouse), pool: SHARED, owner: None, line: 0 }
    }

    /// A line of a transfer or a receipt.
    pub const fn goods(sku: SkuIx, warehouse: WarehouseIx, owner: OwnerNo, line: LineNo) -> Self {
        Self { sku, warehouse: Some(warehouse), pool: SHARED, owner: Some(owner), line }
    }

    /// A line of a reservation, nowhere yet.
    pub const fn line(sku: SkuIx, pool: PoolIx, owner: OwnerNo, line: LineNo) -> Self {
        Self { sku, warehouse: None, pool, owner: Some(owner), line }
    }

    /// The same line at a warehouse.
    pub const fn at(self, warehouse: WarehouseIx) -> Self {
        Self { warehouse: Some(warehouse), ..self }
    }
}

/// An event in the making.
#[derive(Debug)]
pub(super) struct Draft<'s> {
    pub state: &'s State,
    pub now: Micros,
    /// The number of a reservation, transfer or receipt that this event creates.
    pub own: OwnerNo,
    pub outcome: Outcome,
    pub split_exact: bool,
    changes: Vec<Change>,
    cells: Ledger<(SkuIx, WarehouseIx), COUNTERS>,
    pools: Ledger<(SkuIx, PoolIx), POOL_COUNTERS>,
    /// Per SKU: what is claimed, and by how much `free` differs from the state's.
    skus: Ledger<SkuIx, 2>,
    lines: Ledger<(OwnerNo, LineNo), OWNER_COUNTERS>,
    allocations: Ledger<(OwnerNo, LineNo, WarehouseIx), ALLOCATION_COUNTERS>,
}

const CLAIMED: usize = SkuCounter::Claimed.at();
const FREE_CHANGE: usize = 1;

impl<'s> Draft<'s> {
    pub fn new(state: &'s State, now: Micros, changes: Vec<Change>) -> Self {
        Self {
            state,
            now: now.max(state.clock()),
            own: OwnerNo(state.sequence() + 1),
            outcome: Outcome::Done,
            split_exact: true,
            changes,
            cells: Ledger::default(),
            pools: Ledger::default(),
            skus: Ledger::default(),
            lines: Ledger::default(),
            allocations: Ledger::default(),
        }
    }

    /// A change that is no movement.
    pub fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Moves units; nothing where there are none. Refuses where a counter would pass its bound.
    pub fn post(&mut self, kind: Kind, spot: Spot, quantity: Units) -> Result<(), Refusal> {
        if quantity == 0 {
            return Ok(());
        }
        if !self.fits(kind, spot, quantity) {
            let warehouse = spot.warehouse.map_or("", |at| &*self.state.warehouse(at).id);
            return Err(Refusal::CounterOverflow {
                sku: self.state.sku(spot.sku).id.to_string(),
                warehouse: warehouse.to_owned(),
            });
        }
        let Spot { sku, pool, owner, line, .. } = spot;
        // A movement stands at a warehouse exactly where its kind touches a cell.
        let warehouse = spot.warehouse.filter(|_| !kind.row().cell.is_empty());
        let movement = Movement { kind, sku, warehouse, pool, owner, line, quantity };
        self.changes.push(Change::Movement(movement));
        Ok(())
    }

    /// Counts a movement in as if it had happened, for a dry run.
    pub fn suppose(&mut self, movement: &Movement) {
        let Movement { kind, sku, warehouse, pool, owner, line, quantity } = *movement;
        self.fits(kind, Spot { sku, warehouse, pool, owner, line }, quantity);
    }

    /// Posts to every counter of the row; false where one would pass its bound.
    fn fits(&mut self, kind: Kind, spot: Spot, q: Units) -> bool {
        let (state, row, sku) = (self.state, kind.row(), spot.sku);
        let mut fits = true;
        if let Some(warehouse) = spot.warehouse.filter(|_| !row.cell.is_empty()) {
            let counters = self.cells.touch((sku, warehouse), || state.cell(sku, warehouse).0);
            fits &= add(counters, row.cell.iter().map(|(c, sign)| (c.at(), *sign)), q);
            // With `on_hand` bounded too, what is promised can always be given back.
            fits &= Cell(*counters).on_hand() <= COUNTER_MAX;
            self.follow_free(row, sku, warehouse, q);
        }
        if !row.pool.is_empty() {
            let counters = self.pools.touch((sku, spot.pool), || pool_cell(state, sku, spot.pool));
            fits &= add(counters, row.pool.iter().map(|(c, sign)| (c.at(), *sign)), q);
        }
        if !row.sku.is_empty() {
            let counters = self.touch_sku(sku);
            fits &= add(counters, row.sku.iter().map(|(c, sign)| (c.at(), *sign)), q);
            counters[FREE_CHANGE] -= row.sku.iter().map(|(_, sign)| sign * q).sum::<Units>();
        }
        if let Some(owner) = spot.owner {
            fits &= self.post_owner(kind, (owner, spot.line), spot.warehouse, q);
        }
        fits
    }

    fn post_owner(
        &mut self,
        kind: Kind,
        line: (OwnerNo, LineNo),
        warehouse: Option<WarehouseIx>,
        q: Units,
    ) -> bool {
        let (state, row) = (self.state, kind.row());
        // What this event creates starts at zero; the state is not asked for it.
        let known = line.0 != self.own;
        let load = || if known { owner_line(state, kind.owner(), line) } else { [0; OWNER_COUNTERS] };
        let counters = self.lines.touch(line, load);
        let mut fits = add(counters, row.line.iter().map(|(c, sign)| (c.at(), *sign)), q)
            && add(counters, row.transfer.iter().map(|(c, sign)| (c.at(), *sign)), q)
            && add(counters, row.receipt.iter().map(|(c, sign)| (c.at(), *sign)), q);
        if let Some(warehouse) = warehouse.filter(|_| !row.allocation.is_empty()) {
            let key = (line.0, line.1, warehouse);
            let load = || if known { allocation(state, key) } else { [0; ALLOCATION_COUNTERS] };
            let counters = self.allocations.touch(key, load);
            fits &= add(counters, row.allocation.iter().map(|(c, sign)| (c.at(), *sign)), q);
        }
        fits
    }

    fn follow_free(&mut self, row: &Row, sku: SkuIx, warehouse: WarehouseIx, q: Units) {
        let change: Units =
            row.cell.iter().filter(|(c, _)| *c == Counter::Available).map(|(_, sign)| sign * q).sum();
        if change != 0 && self.is_active(warehouse) {
            self.touch_sku(sku)[FREE_CHANGE] += change;
        }
    }

    fn touch_sku(&mut self, sku: SkuIx) -> &mut [Units; 2] {
        let state = self.state;
        self.skus.touch(sku, || [state.sku(sku).claimed(), 0])
    }

    pub fn is_active(&self, warehouse: WarehouseIx) -> bool {
        self.state.warehouse(warehouse).state == WarehouseState::Active
    }

    /// The counters of a cell, this event's movements included.
    pub fn cell(&self, sku: SkuIx, warehouse: WarehouseIx) -> Cell {
        self.cells.get((sku, warehouse)).map_or_else(|| self.state.cell(sku, warehouse), |at| Cell(*at))
    }

    pub fn available(&self, sku: SkuIx, warehouse: WarehouseIx) -> Units {
        let here = self.cells.get((sku, warehouse));
        here.map_or_else(|| self.state.available(sku, warehouse), |at| at[Counter::Available.at()])
    }

    /// What may be taken outside of pools, this event's movements included.
    pub fn free(&self, sku: SkuIx) -> Units {
        self.state.free(sku) + self.skus.get(sku).map_or(0, |at| at[FREE_CHANGE])
    }

    pub fn claimed(&self, sku: SkuIx) -> Units {
        self.skus.get(sku).map_or_else(|| self.state.sku(sku).claimed(), |at| at[CLAIMED])
    }

    /// One counter of a transfer's line.
    pub fn of_transfer(&self, owner: OwnerNo, line: LineNo, counter: TransferCounter) -> Units {
        let key = (owner, line);
        let load = || owner_line(self.state, OwnerKind::Transfer, key);
        self.lines.get(key).copied().unwrap_or_else(load)[counter.at()]
    }

    /// What a receipt's line still expects.
    pub fn expected(&self, owner: OwnerNo, line: LineNo) -> Units {
        let key = (owner, line);
        let load = || owner_line(self.state, OwnerKind::Receipt, key);
        self.lines.get(key).copied().unwrap_or_else(load)[ReceiptCounter::Expected.at()]
    }

    /// One counter of a line at a warehouse.
    pub fn held(
        &self,
        owner: OwnerNo,
        line: LineNo,
        warehouse: WarehouseIx,
        counter: AllocationCounter,
    ) -> Units {
        let key = (owner, line, warehouse);
        self.allocations.get(key).copied().unwrap_or_else(|| allocation(self.state, key))[counter.at()]
    }

    /// The cells this event touches, in the order of first use.
    pub fn touched(&self) -> impl Iterator<Item = (SkuIx, WarehouseIx)> + '_ {
        self.cells.entries().map(|(key, _)| key)
    }

    /// Good units leave a warehouse only if they are on its books: to be asked after the last movement.
    pub fn check_on_hand(&self) -> Result<(), Refusal> {
        let good = |cell: &Cell| cell.on_hand() - cell.get(Counter::Defective);
        for ((sku, warehouse), counters) in self.cells.entries() {
            let after = good(&Cell(*counters));
            if after < 0 {
                let held = good(&self.state.cell(sku, warehouse));
                return Err(Refusal::OnHandShort {
                    sku: self.state.sku(sku).id.to_string(),
                    warehouse: self.state.warehouse(warehouse).id.to_string(),
                    asked: held - after,
                    held,
                });
            }
        }
        Ok(())
    }

    /// Puts it on record where promises are not covered any more, or less than before.
    pub fn note_pools_short(&mut self) {
        let short: Vec<Exception> = self
            .skus
            .entries()
            .filter(|(sku, counters)| counters[FREE_CHANGE] < 0 && self.free(*sku) < 0)
            .filter_map(|(sku, _)| {
                let warehouse = self.touched().find(|(at, place)| *at == sku && self.is_active(*place))?.1;
                let quantity = -self.free(sku);
                Some(Exception {
                    kind: ExceptionKind::PoolShort,
                    sku,
                    warehouse,
                    quantity,
                    reservation: None,
                })
            })
            .collect();
        self.changes.extend(short.into_iter().map(Change::Exception));
    }

    /// The event, but for the fingerprint: the request gives it away once the event stands.
    pub fn finish(&mut self, operation: Operation, request: &Request<'_>) -> Event {
        self.event(operation, request.key, request.reason, request.document)
    }

    /// An event of the engine's own: nobody asked for it.
    pub fn finish_own(&mut self, operation: Operation) -> Event {
        self.event(operation, 0, "", "")
    }

    fn event(&mut self, operation: Operation, key: RequestKey, reason: &str, document: &str) -> Event {
        Event {
            sequence: self.own.0,
            at: self.now,
            operation,
            key,
            fingerprint: Fingerprint::default(),
            reason: kept(reason),
            document: kept(document),
            outcome: self.outcome,
            split_exact: self.split_exact,
            changes: std::mem::take(&mut self.changes),
        }
    }
}

/// A text of the caller's; most say nothing.
fn kept(text: &str) -> Box<str> {
    if text.is_empty() { Box::default() } else { text.into() }
}

/// Adds to counters; false where one would pass its bound.
fn add<const N: usize>(
    counters: &mut [Units; N],
    changes: impl Iterator<Item = (usize, Units)>,
    q: Units,
) -> bool {
    let mut fits = true;
    for (at, sign) in changes {
        // Counters stay within 10^15 and quantities within a few of that: the sum cannot overflow.
        counters[at] += sign * q;
        fits &= (-COUNTER_MAX..=COUNTER_MAX).contains(&counters[at]);
    }
    fits
}

fn pool_cell(state: &State, sku: SkuIx, pool: PoolIx) -> [Units; POOL_COUNTERS] {
    let cells = state.sku(sku).pools();
    cells.iter().find(|(at, _)| *at == pool).map_or([0; POOL_COUNTERS], |(_, cell)| {
        let mut counters = [0; POOL_COUNTERS];
        for counter in PoolCounter::ALL {
            counters[counter.at()] = cell.get(*counter);
        }
        counters
    })
}

fn owner_line(state: &State, kind: OwnerKind, (owner, line): (OwnerNo, LineNo)) -> [Units; OWNER_COUNTERS] {
    let at = (line as usize).wrapping_sub(1);
    let known = match kind {
        OwnerKind::None => None,
        OwnerKind::Reservation => {
            state.reservation(owner).and_then(|it| it.lines.get(at)).map(|line| line.counters.all())
        }
        OwnerKind::Transfer => {
            state.transfer(owner).and_then(|it| it.lines.get(at)).map(|line| widened(&line.counters))
        }
        OwnerKind::Receipt => {
            state.receipt(owner).and_then(|it| it.lines.get(at)).map(|line| widened(&line.counters))
        }
    };
    known.unwrap_or([0; OWNER_COUNTERS])
}

fn widened(known: &[Units]) -> [Units; OWNER_COUNTERS] {
    let mut counters = [0; OWNER_COUNTERS];
    for (counter, units) in counters.iter_mut().zip(known) {
        *counter = *units;
    }
    counters
}

fn allocation(
    state: &State,
    (owner, line, warehouse): (OwnerNo, LineNo, WarehouseIx),
) -> [Units; ALLOCATION_COUNTERS] {
    let at = (line as usize).wrapping_sub(1);
    let line = state.reservation(owner).and_then(|it| it.lines.get(at));
    line.and_then(|line| line.allocation(warehouse)).map_or([0; ALLOCATION_COUNTERS], |it| it.counters.all())
}
