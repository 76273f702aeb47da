//! A small shop for tests that tell a story: a machine, a clock, and short words for commands.
#![allow(dead_code, reason = "each test file tells other stories")]

use lockstock_stock::answer::Answer;
use lockstock_stock::command::{
    Adjustment, Command, Demand, DocumentKind, From, Live, Order, Part, Picked, PutDocument, Request,
    Returned, Selection, Service, StockLine, Wanted, WarehouseState,
};
use lockstock_stock::counters::{AllocationCounter, Counter, LineCounter};
use lockstock_stock::event::{DeductionPolicy, Event, Fingerprint, Operation};
use lockstock_stock::ids::{LineNo, Micros, RequestKey, Units};
use lockstock_stock::limits::Limits;
use lockstock_stock::machine::{Machine, Reply};
use lockstock_stock::refusal::{Reason, Refusal};
use lockstock_stock::state::{Reservation, State};

pub const SECOND: Micros = 1_000_000;
pub const MINUTE: Micros = 60 * SECOND;

pub struct Shop {
    pub machine: Machine,
    pub now: Micros,
    keys: u128,
    /// The journal.
    pub events: Vec<Event>,
}

impl Shop {
    /// These SKUs, these warehouses, and a region `here` whose plan is the warehouses in their order.
    pub fn open(skus: &[&'static str], warehouses: &[&'static str]) -> Self {
        let machine = Machine::new(State::default(), Limits::default());
        let mut shop = Self { machine, now: 1_700_000_000 * SECOND, keys: 0, events: Vec::new() };
        let sku =
            |id: &&'static str| document(DocumentKind::Sku, id, Live::Sku { category: "", policy: None });
        let mut documents: Vec<PutDocument<'static>> = skus.iter().map(sku).collect();
        documents.extend(warehouses.iter().map(|id| warehouse(id, WarehouseState::Active)));
        documents.push(document(DocumentKind::Region, "here", Live::Nothing));
        documents.push(document(
            DocumentKind::RoutePlan,
            "here",
            Live::RoutePlan { warehouses: warehouses.to_vec() },
        ));
        shop.done(Command::PutDocuments { documents });
        shop
    }

    /// A new request for a command, with a key of its own.
    pub fn request(&mut self, command: Command<'static>) -> Request<'static> {
        self.keys += 1;
        let stamp = RequestKey::from(u64::try_from(self.now / 1_000).unwrap());
        let digest = u64::try_from(self.keys).unwrap();
        Request {
            key: (stamp << 80) | (7 << 76) | (2 << 62) | self.keys,
            fingerprint: Fingerprint { digest, fields: vec![(0, 1)] },
            reason: "",
            document: "",
            service: Service::Stock,
            command,
        }
    }

    pub fn send(&mut self, mut request: Request<'static>) -> Reply {
        let before = self.machine.state().hash();
        let mut events = Vec::new();
        let reply = self.machine.step(&mut request, self.now, &mut events).kept();
        if let Reply::Refused(_) | Reply::Known { .. } = &reply {
            // Only what a sweep did may differ.
            let swept = events.iter().all(|event| event.operation == Operation::Sweep);
            assert!(swept && (!events.is_empty() || self.machine.state().hash() == before), "{reply:?}");
        }
        self.events.append(&mut events);
        self.machine.state().check().unwrap();
        reply
    }

    pub fn done(&mut self, command: Command<'static>) -> Answer {
        let request = self.request(command);
        match self.send(request) {
            Reply::Done(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub fn refused(&mut self, command: Command<'static>) -> Refusal {
        let request = self.request(command);
        match self.send(request) {
            Reply::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        }
    }

    pub fn refused_with(&mut self, reason: Reason, command: Command<'static>) {
        let refusal = self.refused(command);
        assert_eq!(refusal.reason(), reason, "{refusal}");
    }

    pub fn stock(&mut self, sku: &'static str, warehouse: &'static str, units: Units) {
        self.done(adjust(Adjustment::OtherReceipt, sku, warehouse, units));
    }

    pub fn put_warehouse(&mut self, id: &'static str, state: WarehouseState) -> Answer {
        self.done(Command::PutDocuments { documents: vec![warehouse(id, state)] })
    }

    pub fn count(&self, sku: &str, warehouse: &str, counter: Counter) -> Units {
        let state = self.machine.state();
        let (sku, warehouse) = (state.find_sku(sku).unwrap(), state.find_warehouse(warehouse).unwrap());
        state.cell(sku, warehouse).get(counter)
    }

    pub fn available(&self, sku: &str, warehouse: &str) -> Units {
        self.count(sku, warehouse, Counter::Available)
    }

    pub fn claimed(&self, sku: &str) -> Units {
        let state = self.machine.state();
        state.sku(state.find_sku(sku).unwrap()).claimed()
    }

    pub fn free(&self, sku: &str) -> Units {
        let state = self.machine.state();
        state.free(state.find_sku(sku).unwrap())
    }

    pub fn reservation(&self, id: &str) -> &Reservation {
        self.machine.state().find_reservation(id).unwrap()
    }

    pub fn line(&self, id: &str, line: usize, counter: LineCounter) -> Units {
        self.reservation(id).lines[line - 1].get(counter)
    }

    /// (warehouse, units) of a line, in order, without empty ones.
    pub fn held(&self, id: &str, line: usize, counter: AllocationCounter) -> Vec<(String, Units)> {
        let state = self.machine.state();
        let allocations = self.reservation(id).lines[line - 1].allocations.iter();
        allocations
            .map(|at| (state.warehouse(at.warehouse()).id.to_string(), at.get(counter)))
            .filter(|(_, units)| *units != 0)
            .collect()
    }
}

pub fn document(kind: DocumentKind, id: &'static str, live: Live<'static>) -> PutDocument<'static> {
    PutDocument { kind, id, expected_version: None, live, body: b"" }
}

pub fn warehouse(id: &'static str, state: WarehouseState) -> PutDocument<'static> {
    document(DocumentKind::Warehouse, id, Live::Warehouse { state, skus: Vec::new(), categories: Vec::new() })
}

pub fn wanted(sku: &'static str, quantity: Units) -> Wanted<'static> {
    Wanted { sku, quantity, pool: "" }
}

pub fn demand(lines: &[(&'static str, Units)]) -> Demand<'static> {
    Demand {
        lines: lines.iter().map(|(sku, quantity)| wanted(sku, *quantity)).collect(),
        from: From::Region("here"),
        max_parcels: 0,
        allow_partial: false,
    }
}

pub fn order(reservation: &'static str, lines: &[(&'static str, Units)]) -> Order<'static> {
    Order { reservation, demand: demand(lines), channel: "", buyer: 0, attributes: b"" }
}

pub fn lock(reservation: &'static str, lines: &[(&'static str, Units)]) -> Command<'static> {
    Command::Lock { order: order(reservation, lines), hold: None }
}

pub fn lock_for(
    reservation: &'static str,
    lines: &[(&'static str, Units)],
    hold: Micros,
) -> Command<'static> {
    Command::Lock { order: order(reservation, lines), hold: Some(hold) }
}

pub fn lock_and_deduct(reservation: &'static str, lines: &[(&'static str, Units)]) -> Command<'static> {
    Command::LockAndDeduct { order: order(reservation, lines) }
}

/// An order under this rule, whatever SKUs and shop say.
pub fn place(
    reservation: &'static str,
    lines: &[(&'static str, Units)],
    policy: DeductionPolicy,
) -> Command<'static> {
    Command::Place { order: order(reservation, lines), hold: None, policy: Some(policy) }
}

/// What a warehouse found: (line, picked, short).
pub fn confirm_picking(
    reservation: &'static str,
    warehouse: &'static str,
    lines: &[(LineNo, Units, Units)],
) -> Command<'static> {
    let lines =
        lines.iter().map(|(line, picked, short)| Picked { line: *line, picked: *picked, short: *short });
    Command::ConfirmPicking { reservation, warehouse, lines: lines.collect() }
}

/// All of a reservation that is in the state the command needs.
pub fn all(reservation: &'static str) -> Selection<'static> {
    Selection { reservation, warehouse: "", parts: Vec::new() }
}

pub fn parts(reservation: &'static str, parts: &[(LineNo, Units)]) -> Selection<'static> {
    at(reservation, "", parts)
}

pub fn at(
    reservation: &'static str,
    warehouse: &'static str,
    parts: &[(LineNo, Units)],
) -> Selection<'static> {
    let part = |(line, units): &(LineNo, Units)| Part { line: *line, quantity: Some(*units) };
    Selection { reservation, warehouse, parts: parts.iter().map(part).collect() }
}

pub fn adjust(
    adjustment: Adjustment,
    sku: &'static str,
    warehouse: &'static str,
    quantity: Units,
) -> Command<'static> {
    Command::Adjust { adjustment, lines: vec![StockLine { sku, warehouse, quantity }] }
}

pub fn amend(reservation: &'static str, deltas: &[(LineNo, Units)]) -> Command<'static> {
    Command::Amend {
        reservation,
        expected_version: None,
        deltas: deltas.to_vec(),
        additions: Vec::new(),
        hold: None,
    }
}

pub fn returned(reservation: &'static str, warehouse: &'static str, lines: &[Returned]) -> Command<'static> {
    Command::Return { reservation, warehouse, lines: lines.to_vec() }
}
