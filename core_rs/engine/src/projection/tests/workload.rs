//! A seeded shop that meets every kind of movement: it looks at the state to know what could be done next.

use lockstock_stock::command::{
    Adjustment, Arrival, Command, Demand, Disposition, DocumentKind, From, Live, Order, Part, Picked,
    PutDocument, Request, Rest, Returned, SHOP_ID, Selection, Service, SetLine, SetTarget, SkuPart,
    StockLine, Wanted, WarehouseState,
};
use lockstock_stock::counters::{AllocationCounter, Counter, LineCounter, TransferCounter};
use lockstock_stock::event::{DeductionPolicy, Event, Fingerprint};
use lockstock_stock::ids::{LineNo, Micros, RequestKey, Units};
use lockstock_stock::limits::Limits;
use lockstock_stock::machine::Machine;
use lockstock_stock::state::{State, Transfer};

pub const SKUS: [&str; 4] = ["apple", "b\u{e9}ton", "c'andle\"", "d\\rum"];
pub const WAREHOUSES: [&str; 4] = ["W2", "w1", "\u{6d77}", "W10"];
const REGIONS: [&str; 2] = ["north", "south"];
const BODIES: [&[u8]; 4] = [b"{}", b"{\"name\":\"a\\tb\"}", b"\xff\xfe\x00", b"line\nfeed\ttab\\"];
const SECOND: Micros = 1_000_000;
const START: Micros = 1_700_000_000 * SECOND;

/// splitmix64.
pub struct Rng(pub u64);

impl Rng {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn units(&mut self, most: Units) -> Units {
        1 + Units::try_from(self.below(usize::try_from(most.max(1)).unwrap())).unwrap()
    }

    fn half(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// The shop, and every event it made.
pub struct Workload {
    pub machine: Machine,
    pub events: Vec<Event>,
    pub rng: Rng,
    now: Micros,
    keys: u128,
    reservations: Vec<&'static str>,
    receipts: Vec<&'static str>,
    transfers: Vec<&'static str>,
}

impl Workload {
    /// With master data and stock.
    pub fn new(seed: u64) -> Self {
        let mut shop = Self {
            machine: Machine::new(State::default(), Limits::default()),
            events: Vec::new(),
            rng: Rng(seed),
            now: START,
            keys: 0,
            reservations: Vec::new(),
            receipts: Vec::new(),
            transfers: Vec::new(),
        };
        let mut documents: Vec<_> = SKUS.map(|id| document(DocumentKind::Sku, id, sku("food"))).into();
        documents.extend(
            WAREHOUSES.map(|id| document(DocumentKind::Warehouse, id, warehouse(WarehouseState::Active))),
        );
        documents.extend(REGIONS.map(|id| document(DocumentKind::Region, id, Live::Nothing)));
        documents.push(document(DocumentKind::Channel, "web", Live::Nothing));
        documents.extend(REGIONS.map(|id| {
            document(DocumentKind::RoutePlan, id, Live::RoutePlan { warehouses: WAREHOUSES.into() })
        }));
        shop.run(Command::PutDocuments { documents });
        for sku in SKUS {
            for warehouse in WAREHOUSES {
                let lines = vec![StockLine { sku, warehouse, quantity: 30 }];
                shop.run(Command::Adjust { adjustment: Adjustment::OtherReceipt, lines });
            }
        }
        shop
    }

    /// Some commands, good and bad; time goes on, locks lapse, the engine keeps house.
    pub fn commands(&mut self, count: usize) {
        for _ in 0..count {
            self.now += Micros::try_from(self.rng.below(4_000)).unwrap() * 1_000;
            match self.rng.below(40) {
                0 => drop(self.machine.sweep(self.now, 256, &mut self.events).unwrap()),
                1 => self.machine.checkpoint(self.now, &mut self.events).unwrap(),
                2 => self.now += 30 * SECOND,
                _ => {
                    if let Some(command) = self.next() {
                        self.run(command);
                    }
                }
            }
        }
        assert!(self.machine.failed().is_none(), "{:?}", self.machine.failed());
    }

    fn run(&mut self, command: Command<'_>) {
        self.keys += 1;
        let stamp = RequestKey::from((self.now / 1_000).unsigned_abs());
        let key = (stamp << 80) | (7 << 76) | (2 << 62) | self.keys;
        let reason = self.rng.pick(&["because", "a\tb\nc\\d", "\u{1f4e6}"]);
        let fingerprint = Fingerprint { digest: 1, fields: vec![(0, 1)] };
        let service = self.rng.pick(&[Service::Stock, Service::Orders]);
        let mut request = Request { key, fingerprint, reason, document: "doc-1", service, command };
        self.machine.step(&mut request, self.now, &mut self.events);
    }

    fn next(&mut self) -> Option<Command<'static>> {
        match self.rng.below(20) {
            0..=3 => Some(self.buy()),
            4 => self.on_an_order(),
            5..=11 => self.on_a_reservation(),
            12..=14 => Some(self.supply()),
            15..=17 => self.transfer(),
            18 => Some(self.count()),
            _ => Some(self.master_data()),
        }
    }

    fn order(&mut self) -> Order<'static> {
        let id = new_id("order", &mut self.reservations);
        let lines = (0..=self.rng.below(3))
            .map(|_| Wanted { sku: self.rng.pick(&SKUS), quantity: self.rng.units(25), pool: "" })
            .collect();
        let first = self.rng.below(WAREHOUSES.len() - 1);
        let warehouses = vec![WAREHOUSES[first + 1], WAREHOUSES[first]];
        let from = match self.rng.below(4) {
            0 => From::Warehouses(warehouses),
            1 => From::Planned {
                region: self.rng.half().then_some(REGIONS[0]),
                warehouses,
                destination: self.rng.pick(&["geo:31.2,121.5", "pickup:w1"]),
            },
            _ => From::Region(self.rng.pick(&REGIONS)),
        };
        Order {
            reservation: id,
            demand: Demand { lines, from, max_parcels: 0, allow_partial: self.rng.half() },
            channel: self.rng.pick(&["", "web"]),
            buyer: if self.rng.half() { 0 } else { 0xfeed },
            attributes: self.rng.pick(&BODIES),
        }
    }

    fn buy(&mut self) -> Command<'static> {
        let order = self.order();
        let hold = Some(20 * SECOND);
        match self.rng.below(4) {
            0 => Command::LockAndDeduct { order },
            1 => Command::Lock { order, hold },
            _ => {
                let policy = self.rng.pick(&[None, None, Some(DeductionPolicy::OnPayment)]);
                Command::Place { order, hold, policy }
            }
        }
    }

    /// A reservation, line and warehouse with units in a state, and how many.
    fn held(&mut self, wanted: AllocationCounter) -> Option<(&'static str, LineNo, &'static str, Units)> {
        let start = self.rng.below(self.reservations.len().max(1));
        let state = self.machine.state();
        let ids = self.reservations[start..].iter().chain(&self.reservations[..start]);
        for id in ids {
            let Some(reservation) = state.find_reservation(id) else { continue };
            for (line, number) in reservation.lines.iter().zip(1..) {
                if let Some(at) = line.allocations.iter().find(|at| at.get(wanted) > 0) {
                    let warehouse = &*state.warehouse(at.warehouse()).id;
                    let warehouse = WAREHOUSES.into_iter().find(|id| *id == warehouse)?;
                    return Some((id, number, warehouse, at.get(wanted)));
                }
            }
        }
        None
    }

    /// Pays, or gives up, what an order wants.
    fn on_an_order(&mut self) -> Option<Command<'static>> {
        let state = self.machine.state();
        let wants = |id: &&&'static str| {
            let found = state.find_reservation(id);
            found.is_some_and(|found| found.total(LineCounter::Wanted) > 0)
        };
        let reservation = *self.reservations.iter().rev().find(wants)?;
        let all = Selection { reservation, warehouse: "", parts: Vec::new() };
        Some(if self.rng.below(4) == 0 { Command::CancelOrder(all) } else { Command::Deduct(all) })
    }

    fn on_a_reservation(&mut self) -> Option<Command<'static>> {
        use AllocationCounter::{Allocated, Locked, Picking, Returning, Shipped};
        let wanted =
            self.rng.pick(&[Locked, Locked, Allocated, Allocated, Picking, Picking, Shipped, Returning]);
        let (reservation, line, warehouse, held) = self.held(wanted)?;
        let quantity = self.rng.units(held);
        let part = Part { line, quantity: Some(quantity) };
        let some = Selection { reservation, warehouse: "", parts: vec![part] };
        let all = Selection { reservation, warehouse: "", parts: Vec::new() };
        let here = Selection { reservation, warehouse, parts: vec![part] };
        let other = self.rng.pick(&WAREHOUSES);
        let shift = Command::Move { reservation, line, from: warehouse, to: other, quantity: Some(quantity) };
        let disposition = self.rng.pick(&[Disposition::Sellable, Disposition::Defective, Disposition::Lost]);
        let back = Returned { line, quantity, disposition };
        Some(match (wanted, self.rng.below(6)) {
            (Locked, 0) => Command::Unlock(some),
            (Locked, 1 | 2) => Command::Deduct(all),
            (Locked, 3) => Command::Extend { reservation, hold: 25 * SECOND },
            (Locked, 4) | (Allocated, 0) => shift,
            (Locked, _) | (Allocated, 5) => self.amend(reservation, line),
            (Allocated, 1) if self.rng.half() => Command::CancelOrder(some),
            (Allocated, 1) => Command::Cancel(some),
            (Allocated, 2 | 3) => Command::PushFulfilment(all),
            (Allocated, _) => Command::Ship(some),
            (Picking, 0) => Command::Recall(here),
            (Picking, 1 | 2) => Command::ShortPick(here),
            (Picking, 3) => Command::Cancel(all),
            (Picking, 4) => {
                let lines = vec![Picked { line, picked: quantity, short: 0 }];
                Command::ConfirmPicking { reservation, warehouse, lines }
            }
            (Picking, _) if self.rng.half() => {
                Command::ShipOrder { parcel: here, attributes: self.rng.pick(&BODIES) }
            }
            (Picking, _) => Command::Ship(here),
            (Shipped, 0) => {
                let replacement = self.order();
                Command::Exchange { returned: here, replacement }
            }
            (Shipped, 1 | 2) => Command::ExpectReturn(here),
            (Returning, 0) => Command::CancelReturn(here),
            (Shipped | Returning, _) => Command::Return { reservation, warehouse, lines: vec![back] },
        })
    }

    fn amend(&mut self, reservation: &'static str, line: LineNo) -> Command<'static> {
        let delta = self.rng.units(3) * if self.rng.half() { 1 } else { -1 };
        let additions = (0..self.rng.below(3))
            .map(|_| Wanted { sku: self.rng.pick(&SKUS), quantity: self.rng.units(3), pool: "" })
            .collect();
        Command::Amend {
            reservation,
            expected_version: None,
            deltas: vec![(line, delta)],
            additions,
            hold: None,
        }
    }

    fn supply(&mut self) -> Command<'static> {
        let warehouse = self.rng.pick(&WAREHOUSES);
        if self.receipts.is_empty() || self.rng.below(3) == 0 {
            let receipt = new_id("receipt", &mut self.receipts);
            let lines = SKUS[self.rng.below(3)..]
                .iter()
                .map(|sku| SkuPart { sku, quantity: Some(self.rng.units(20)) })
                .collect();
            let expected_at = self.rng.pick(&[0, START + 1]);
            return Command::ExpectReceipt { receipt, warehouse, expected_at, lines };
        }
        let receipt = self.rng.pick(&self.receipts);
        let state = self.machine.state();
        let warehouse = state.find_receipt(receipt).map_or(warehouse, |receipt| {
            let id = &*state.warehouse(receipt.warehouse).id;
            WAREHOUSES.into_iter().find(|known| *known == id).unwrap()
        });
        let arrival = Arrival {
            sku: self.rng.pick(&SKUS),
            good: self.rng.units(9),
            defective: self.rng.units(3) - 1,
            missing: self.rng.units(3) - 1,
        };
        Command::Receive { receipt, warehouse, lines: vec![arrival] }
    }

    fn transfer(&mut self) -> Option<Command<'static>> {
        if self.transfers.is_empty() || self.rng.below(4) == 0 {
            let transfer = new_id("transfer", &mut self.transfers);
            let lines = SKUS[self.rng.below(3)..]
                .iter()
                .map(|sku| SkuPart { sku, quantity: Some(self.rng.units(5)) })
                .collect();
            let (from, to) = (self.rng.pick(&WAREHOUSES), self.rng.pick(&WAREHOUSES));
            return Some(Command::DraftTransfer { transfer, from, to, lines });
        }
        let transfer = self.rng.pick(&self.transfers);
        let rest: Vec<_> = self.rest(self.machine.state().find_transfer(transfer)?);
        let sku = self.rng.pick(&SKUS);
        let one = vec![SkuPart { sku, quantity: Some(1) }];
        Some(match self.rng.below(10) {
            0 => Command::CancelTransfer { transfer, lines: one },
            1 => Command::CancelTransfer { transfer, lines: Vec::new() },
            2 | 3 => Command::PushTransfer { transfer, lines: Vec::new() },
            4 => Command::RecallTransfer { transfer, lines: one },
            5 | 6 => Command::ShipTransfer { transfer, lines: Vec::new() },
            7 => {
                let arrival = Arrival { sku, good: 1, defective: self.rng.units(2) - 1, missing: 0 };
                Command::ReceiveTransfer { transfer, lines: vec![arrival] }
            }
            _ => {
                let lines = rest.into_iter().map(|(sku, units)| self.close(sku, units)).collect();
                Command::CloseTransfer { transfer, lines }
            }
        })
    }

    fn rest(&self, transfer: &Transfer) -> Vec<(&'static str, Units)> {
        let name = |ix| SKUS.into_iter().find(|id| *id == &*self.machine.state().sku(ix).id).unwrap();
        let lines = transfer.lines.iter().map(|line| (name(line.sku), line.get(TransferCounter::InTransit)));
        lines.filter(|(_, units)| *units > 0).collect()
    }

    fn close(&mut self, sku: &'static str, units: Units) -> Rest<'static> {
        let mut rest = Rest { sku, restored: 0, damaged: 0, lost: 0 };
        match self.rng.below(3) {
            0 => rest.restored = units,
            1 => rest.damaged = units,
            _ => rest.lost = units,
        }
        rest
    }

    fn count(&mut self) -> Command<'static> {
        use Adjustment::{
            Decrease, Increase, Issue, MarkDefective, OtherReceipt, RecordLoss, Restore, WriteOff,
        };
        let (sku, warehouse) = (self.rng.pick(&SKUS), self.rng.pick(&WAREHOUSES));
        if self.rng.below(4) == 0 {
            let state = self.machine.state();
            let (ix, at) = (state.find_sku(sku).unwrap(), state.find_warehouse(warehouse).unwrap());
            let expected = state.cell(ix, at).get(Counter::Available);
            let value = (expected + self.rng.units(9) - 5).max(0);
            let lines = vec![SetLine { sku, warehouse, target: SetTarget::Available, value, expected }];
            return Command::Set { lines };
        }
        let kinds = [Increase, Decrease, RecordLoss, OtherReceipt, Issue, MarkDefective, Restore, WriteOff];
        let adjustment = self.rng.pick(&kinds);
        let lines = vec![StockLine { sku, warehouse, quantity: self.rng.units(6) }];
        Command::Adjust { adjustment, lines }
    }

    fn master_data(&mut self) -> Command<'static> {
        let body = self.rng.pick(&BODIES);
        let policy = self.rng.pick(&[None, Some(DeductionPolicy::OnOrder), Some(DeductionPolicy::OnPayment)]);
        let mut changed = if self.rng.below(6) == 0 {
            document(DocumentKind::Shop, SHOP_ID, Live::Shop { policy })
        } else if self.rng.half() {
            let category = self.rng.pick(&["food", "", "\u{97f3}"]);
            document(DocumentKind::Sku, self.rng.pick(&SKUS), sku(category))
        } else {
            let state =
                self.rng.pick(&[WarehouseState::Active, WarehouseState::Active, WarehouseState::Paused]);
            document(DocumentKind::Warehouse, self.rng.pick(&WAREHOUSES), warehouse(state))
        };
        changed.body = body;
        Command::PutDocuments { documents: vec![changed] }
    }
}

fn new_id(kind: &str, ids: &mut Vec<&'static str>) -> &'static str {
    let id = String::leak(format!("{kind}-{}", ids.len()));
    ids.push(id);
    id
}

fn document<'a>(kind: DocumentKind, id: &'a str, live: Live<'a>) -> PutDocument<'a> {
    PutDocument { kind, id, expected_version: None, live, body: b"{}" }
}

const fn sku(category: &str) -> Live<'_> {
    Live::Sku { category, policy: None }
}

const fn warehouse(state: WarehouseState) -> Live<'static> {
    Live::Warehouse { state, skus: Vec::new(), categories: Vec::new() }
}
