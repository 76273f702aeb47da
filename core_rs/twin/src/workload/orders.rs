//! Commands of buyers: locks, payments, fulfilments, returns.

use lockstock_stock::command::{
    Command, Demand, Disposition, From, Order, Part, Picked, Returned, Selection, Wanted, WarehouseState,
};
use lockstock_stock::event::DeductionPolicy::{OnOrder, OnPayment};
use lockstock_stock::ids::{LineNo, Micros, Units};
use lockstock_stock::limits::QUANTITY_MAX;

use super::{MINUTE, REGIONS, SECOND, WAREHOUSES, Workload, ids};
use crate::world::{Held, Line, Name, Reservation, World};

impl Workload {
    fn new_reservation(&mut self, world: &World) -> Name {
        if self.rng.percent(3)
            && let Some(id) = world.reservations.keys().next_back()
        {
            return id;
        }
        self.reservations += 1;
        ids().reservations[self.reservations - 1]
    }

    fn wanted(&mut self, most: i64) -> Wanted<'static> {
        let pool = match self.rng.below(50) {
            0 => "no-such-pool",
            1..=15 => "SHARED",
            _ => "",
        };
        let quantity = if self.rng.percent(1) { QUANTITY_MAX } else { self.rng.between(1, most) };
        Wanted { sku: self.sku(), quantity, pool }
    }

    fn order(&mut self, world: &World) -> Order<'static> {
        let reservation = self.new_reservation(world);
        let lines = 1 + self.rng.below(4);
        let most = self.rng.pick(&[3, 6, 12, 25]);
        let from = match self.rng.below(100) {
            0..=1 => From::Region("no-such-region"),
            2..=59 => From::Region(self.rng.pick(&REGIONS[..3])),
            60..=62 => From::Region("nowhere"),
            63..=64 => From::Warehouses(vec!["w1", "no-such-warehouse"]),
            65..=72 => From::Planned {
                region: self.rng.pick(&[None, Some(REGIONS[0]), Some(REGIONS[1]), Some("no-such-region")]),
                warehouses: self.rng.some(&WAREHOUSES, 6),
                destination: "geo:31.2,121.5",
            },
            _ => From::Warehouses(self.rng.some(&WAREHOUSES, 6)),
        };
        Order {
            reservation,
            demand: Demand {
                lines: (0..lines).map(|_| self.wanted(most)).collect(),
                from,
                max_parcels: self.rng.pick(&[0, 0, 0, 1, 2, 3, 4]),
                allow_partial: self.rng.percent(25),
            },
            channel: match self.rng.below(50) {
                0 => "no-such-channel",
                1..=20 => "web",
                _ => "",
            },
            buyer: self.rng.pick(&[0, 7]),
            attributes: self.rng.pick(&[&b""[..], b"gift"]),
        }
    }

    fn hold(&mut self) -> Micros {
        if self.rng.percent(10) { 1_000 } else { self.rng.between(SECOND, 25 * MINUTE) }
    }

    pub fn lock(&mut self, world: &World) -> Command<'static> {
        let order = self.order(world);
        let hold = if self.rng.percent(30) { None } else { Some(self.hold()) };
        Command::Lock { order, hold }
    }

    pub fn place_order(&mut self, world: &World) -> Command<'static> {
        let order = self.order(world);
        let hold = if self.rng.percent(40) { None } else { Some(self.hold()) };
        let policy = self.rng.pick(&[None, None, Some(OnOrder), Some(OnPayment), Some(OnPayment)]);
        Command::Place { order, hold, policy }
    }

    pub fn lock_and_deduct(&mut self, world: &World) -> Command<'static> {
        Command::LockAndDeduct { order: self.order(world) }
    }

    /// A reservation that has something, mostly.
    fn reservation(&mut self, world: &World, fits: impl Fn(&Reservation) -> bool) -> Name {
        let all: Vec<Name> = world.reservations.keys().copied().collect();
        let fitting: Vec<Name> =
            world.reservations.iter().filter(|(_, order)| fits(order)).map(|(id, _)| *id).collect();
        self.owner(&fitting, &all, "no-such-order")
    }

    /// Parts of a reservation: none, or some lines with fitting and unfitting quantities.
    fn parts(
        &mut self,
        order: Option<&Reservation>,
        always: bool,
        holds: impl Fn(&Line) -> Units,
    ) -> Vec<Part> {
        let lines: Vec<(LineNo, Units)> = match order {
            Some(order) => (1..).zip(order.lines.iter().map(holds)).collect(),
            None => vec![(1, 1)],
        };
        if !always && self.rng.percent(45) {
            return Vec::new();
        }
        let full: Vec<(LineNo, Units)> = lines.iter().copied().filter(|(_, units)| *units > 0).collect();
        let from = if full.is_empty() || self.rng.percent(8) { &lines } else { &full };
        let chosen = self.rng.some(from, 3);
        let mut parts = Vec::new();
        for (line, there) in chosen {
            let line = if self.rng.percent(2) { line + 40 } else { line };
            if parts.iter().any(|part: &Part| part.line == line) {
                continue;
            }
            let quantity = if !always && self.rng.percent(20) { None } else { Some(self.units(there)) };
            parts.push(Part { line, quantity });
        }
        parts
    }

    fn selection(
        &mut self,
        world: &World,
        fits: impl Fn(&Reservation) -> bool,
        holds: impl Fn(&Line) -> Units,
    ) -> Selection<'static> {
        let reservation = self.reservation(world, fits);
        let order = world.reservations.get(reservation).map(|order| &**order);
        let parts = self.parts(order, false, holds);
        Selection { reservation, warehouse: "", parts }
    }

    /// The same at a warehouse: one that holds something, mostly, or (where it may) at all of them.
    fn selection_at(
        &mut self,
        world: &World,
        anywhere: bool,
        always: bool,
        holds: fn(&Held) -> Units,
    ) -> Selection<'static> {
        let reservation = self.reservation(world, |order| order.sum(|line| line.sum(holds)) > 0);
        let order = world.reservations.get(reservation).map(|order| &**order);
        let mut warehouse = self.warehouse();
        if let Some(order) = order
            && !self.rng.percent(6)
        {
            let holding: Vec<Name> = order
                .lines
                .iter()
                .flat_map(|line| &line.held)
                .filter(|held| holds(held) > 0)
                .map(|held| held.warehouse)
                .collect();
            if !holding.is_empty() {
                warehouse = self.rng.pick(&holding);
            }
        }
        if anywhere && self.rng.percent(60) {
            warehouse = "";
        }
        let here =
            |held: &Held| if warehouse.is_empty() || held.warehouse == warehouse { holds(held) } else { 0 };
        let parts = self.parts(order, always, |line| line.sum(here));
        Selection { reservation, warehouse, parts }
    }

    pub fn unlock(&mut self, world: &World) -> Command<'static> {
        Command::Unlock(self.selection(world, |order| order.sum(|line| line.locked) > 0, |line| line.locked))
    }

    pub fn deduct(&mut self, world: &World) -> Command<'static> {
        let kind = self.rng.pick(&["waiting", "waiting", "expired", "both"]);
        let fits = move |order: &Reservation| {
            let (locked, expired) = (order.sum(|line| line.locked), order.sum(|line| line.expired));
            match kind {
                "waiting" => locked + order.sum(|line| line.wanted) > 0,
                "expired" => expired > 0,
                _ => locked > 0 && expired > 0,
            }
        };
        let units = |line: &Line| line.wanted + line.locked + line.expired;
        Command::Deduct(self.selection(world, fits, units))
    }

    pub fn cancel(&mut self, world: &World) -> Command<'static> {
        let claims = self.rng.percent(30);
        let paid = |line: &Line| line.claimed + line.sum(|held| held.allocated + held.picking);
        let fits =
            move |order: &Reservation| order.sum(|line| if claims { line.claimed } else { paid(line) }) > 0;
        Command::Cancel(self.selection(world, fits, paid))
    }

    pub fn cancel_order(&mut self, world: &World) -> Command<'static> {
        let left = |line: &Line| {
            line.wanted + line.claimed + line.locked + line.sum(|held| held.allocated + held.picking)
        };
        let lapsed = self.rng.percent(20);
        let fits = move |order: &Reservation| {
            if lapsed { order.sum(|line| line.expired) > 0 } else { order.sum(left) > 0 }
        };
        Command::CancelOrder(self.selection(world, fits, left))
    }

    pub fn extend(&mut self, world: &World) -> Command<'static> {
        let reservation = self.reservation(world, |order| order.sum(|line| line.locked) > 0);
        Command::Extend { reservation, hold: self.hold() }
    }

    /// A move that would take units which are claimed, where the shop has come to such a pass: out of a
    /// PAUSED warehouse into an ACTIVE one that has the units.
    fn move_into_claims(&mut self, world: &World) -> Option<Command<'static>> {
        let mut found = Vec::new();
        for (reservation, order) in &world.reservations {
            for (line, entry) in (1..).zip(&order.lines) {
                let paused = |held: &&Held| world.is(held.warehouse, WarehouseState::Paused);
                for held in entry.held.iter().filter(paused) {
                    let units = held.locked + held.allocated;
                    let roomy = |at: &&Name| {
                        world.is(at, WarehouseState::Active) && world.peek(entry.sku, at).available >= units
                    };
                    let targets = WAREHOUSES.iter().filter(roomy);
                    if units > world.free(entry.sku) && units > 0 {
                        found.extend(targets.map(|to| (*reservation, line, held.warehouse, *to)));
                    }
                }
            }
        }
        if found.is_empty() {
            return None;
        }
        let (reservation, line, from, to) = self.rng.pick(&found);
        Some(Command::Move { reservation, line, from, to, quantity: None })
    }

    pub fn move_units(&mut self, world: &World) -> Command<'static> {
        if self.rng.percent(80)
            && let Some(command) = self.move_into_claims(world)
        {
            return command;
        }
        let what = self.selection_at(world, false, true, |held| held.locked + held.allocated);
        let part = what.parts[0];
        let quantity = if self.rng.percent(30) { None } else { part.quantity };
        let to = self.warehouse();
        Command::Move { reservation: what.reservation, line: part.line, from: what.warehouse, to, quantity }
    }

    pub fn push_fulfilment(&mut self, world: &World) -> Command<'static> {
        Command::PushFulfilment(self.selection_at(world, true, false, |held| held.allocated))
    }

    pub fn recall(&mut self, world: &World) -> Command<'static> {
        Command::Recall(self.selection_at(world, true, false, |held| held.picking))
    }

    pub fn ship(&mut self, world: &World) -> Command<'static> {
        Command::Ship(self.selection_at(world, true, false, |held| held.allocated + held.picking))
    }

    pub fn ship_order(&mut self, world: &World) -> Command<'static> {
        let parcel = self.selection_at(world, true, false, |held| held.allocated + held.picking);
        Command::ShipOrder { parcel, attributes: self.rng.pick(&[&b""[..], b"parcel"]) }
    }

    pub fn confirm_picking(&mut self, world: &World) -> Command<'static> {
        let what = self.selection_at(world, false, true, |held| held.picking);
        let found = |part: &Part, short: Units| {
            let units = part.quantity.unwrap();
            let short = short.min(units);
            Picked { line: part.line, picked: units - short, short }
        };
        let lines = what.parts.iter().map(|part| found(part, self.rng.pick(&[0, 0, 1, 100]))).collect();
        Command::ConfirmPicking { reservation: what.reservation, warehouse: what.warehouse, lines }
    }

    pub fn short_pick(&mut self, world: &World) -> Command<'static> {
        Command::ShortPick(self.selection_at(world, false, true, |held| held.picking))
    }

    fn returning(&mut self, world: &World) -> Selection<'static> {
        let mut what = self.selection_at(world, false, true, |held| held.shipped);
        if self.rng.percent(30) {
            what.warehouse = self.warehouse();
        }
        what
    }

    pub fn expect_return(&mut self, world: &World) -> Command<'static> {
        Command::ExpectReturn(self.returning(world))
    }

    pub fn cancel_return(&mut self, world: &World) -> Command<'static> {
        Command::CancelReturn(self.selection_at(world, false, false, |held| held.returning))
    }

    pub fn take_back(&mut self, world: &World) -> Command<'static> {
        let expected = self.rng.percent(50);
        let what = if expected {
            self.selection_at(world, false, true, |held| held.returning)
        } else {
            self.returning(world)
        };
        let mut lines = Vec::new();
        for part in &what.parts {
            let mut rest = part.quantity.unwrap();
            while rest > 0 {
                let quantity = self.rng.between(1, rest);
                rest -= quantity;
                let disposition =
                    self.rng.pick(&[Disposition::Sellable, Disposition::Defective, Disposition::Lost]);
                lines.push(Returned { line: part.line, quantity, disposition });
            }
        }
        Command::Return { reservation: what.reservation, warehouse: what.warehouse, lines }
    }

    pub fn exchange(&mut self, world: &World) -> Command<'static> {
        let returned = self.returning(world);
        let mut replacement = self.order(world);
        while replacement.demand.lines.len() > 2 {
            replacement.demand.lines.pop();
        }
        for line in replacement.demand.lines.iter_mut() {
            line.quantity = self.rng.between(1, 3);
        }
        Command::Exchange { returned, replacement }
    }

    pub fn amend(&mut self, world: &World) -> Command<'static> {
        let live = |line: &Line| {
            line.wanted
                + line.locked
                + line.claimed
                + line.sum(|held| held.allocated + held.picking + held.shipped)
        };
        let reservation = self.reservation(world, |order| order.sum(live) > 0);
        let order = world.reservations.get(reservation).map(|order| &**order);
        let mut deltas = Vec::new();
        for part in self.parts(order, true, live) {
            let down = self.rng.percent(55);
            let units = if down { -part.quantity.unwrap() } else { self.rng.between(1, 6) };
            deltas.push((part.line, units));
        }
        let added = if self.rng.percent(30) { 1 + self.rng.below(2) } else { 0 };
        let additions: Vec<Wanted<'static>> = (0..added).map(|_| self.wanted(6)).collect();
        if !additions.is_empty() && self.rng.percent(40) {
            deltas.clear();
        }
        let version = order.and_then(|order| order.version);
        let expected_version = match self.rng.below(10) {
            0 => Some(version.map_or(1_000_000, |version| version + 1_000)),
            1..=3 => version,
            _ => None,
        };
        let locked = order.is_some_and(|order| order.sum(|line| line.locked) > 0);
        let grows = !additions.is_empty() || deltas.iter().any(|(_, delta)| *delta > 0);
        let hold = if grows && (self.rng.percent(5) || (!locked && self.rng.percent(50))) {
            Some(self.hold())
        } else {
            None
        };
        Command::Amend { reservation, expected_version, deltas, additions, hold }
    }
}
