//! The state machine as the engine drives it: recognise, sweep, decide, check, apply.

use crate::answer::{Answer, View};
use crate::command::{Command, Request};
use crate::counters::Counter;
use crate::decide::{checkpoint, decide, named, subject, sweep};
use crate::event::{Change, Event, Operation, Outcome};
use crate::ids::{Micros, OwnerNo, Sequence, stamp_ms};
use crate::limits::{KEY_AHEAD_MS_MAX, Limits, SWEEP_PER_COMMAND, SWEEP_PER_HOLD};
use crate::movement::Kind;
use crate::refusal::Refusal;
use crate::state::{State, TOGETHER, Violation};

/// Due locks that a command sweeps before it is decided, whether it is short or not: so few that they cost
/// next to nothing, so many that a route is seldom chosen around units that are free again.
const SWEEP_PER_STEP: usize = 64;
/// Request ids that one sweep forgets at most.
const FORGET_PER_SWEEP: usize = 4_096;
/// How long a request id may stay beyond its retention before a sweep is made for it alone: so that at a
/// steady load ids leave a second at a time, not one with every command.
const FORGET_SLACK_MS: u64 = 1_000;
const MICROS_PER_MS: Micros = 1_000;

/// What became of a request; an answer is looked at in passing ([`View`]) or kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<A = Answer> {
    /// It was done now.
    Done(A),
    /// Its key was used before.
    Known {
        /// By this event.
        sequence: Sequence,
        /// Whether the body is the same.
        same: bool,
    },
    /// It changed nothing.
    Refused(Refusal),
}

impl<A> Reply<A> {
    /// With another answer in place of its own.
    pub fn map<B>(self, answer: impl FnOnce(A) -> B) -> Reply<B> {
        match self {
            Self::Done(done) => Reply::Done(answer(done)),
            Self::Known { sequence, same } => Reply::Known { sequence, same },
            Self::Refused(refusal) => Reply::Refused(refusal),
        }
    }
}

impl Reply<View<'_>> {
    /// The same for whoever outlives the state.
    #[must_use]
    pub fn kept(self) -> Reply {
        self.map(|answer| answer.kept())
    }
}

/// A state, and the rules it is driven by.
#[derive(Debug)]
pub struct Machine {
    state: State,
    limits: Limits,
    failed: Option<Violation>,
    /// The changes' lists of events that are gone, empty: they serve the next commands.
    rooms: Vec<Vec<Change>>,
}

impl Machine {
    /// A machine over a state that was recovered, or over an empty one.
    #[must_use]
    pub const fn new(state: State, limits: Limits) -> Self {
        Self { state, limits, failed: None, rooms: Vec::new() }
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The first violation, if an event ever violated an invariant: it was refused and changed nothing, but
    /// the machine is not to be trusted further.
    #[must_use]
    pub const fn failed(&self) -> Option<&Violation> {
        self.failed.as_ref()
    }

    /// Reads what the first [`TOGETHER`] of these commands will look for when they are run; nothing changes, and
    /// nothing need come of them.
    pub fn prefetch<'a>(&self, commands: impl Iterator<Item = &'a Command<'a>>) {
        if !self.state.is_large() {
            return;
        }
        let (mut ids, mut skus) = ([""; TOGETHER], [""; TOGETHER]);
        let (mut reservations, mut wanted) = (0, 0_usize);
        for command in commands.take(TOGETHER) {
            let (reservation, lines) = named(command);
            if let Some(id) = reservation {
                ids[reservations] = id;
                reservations += 1;
            }
            // Those of a flash sale all name the same one.
            if let Some(line) = lines.first()
                && wanted.checked_sub(1).is_none_or(|last| skus[last] != line.sku)
            {
                skus[wanted] = line.sku;
                wanted += 1;
            }
        }
        self.state.prefetch_names(&ids[..reservations], &skus[..wanted]);
    }

    /// Runs a request, whose fingerprint becomes the event's. The events to be journalled, in order, are pushed; a
    /// refused request may still have swept locks that were due.
    pub fn step<'m>(
        &'m mut self,
        request: &mut Request<'_>,
        now: Micros,
        events: &'m mut Vec<Event>,
    ) -> Reply<View<'m>> {
        self.perform(request, now, events).map(|at| self.state.answer(&events[at]))
    }

    /// The same for whoever answers later, from the event: its place among `events`.
    pub fn perform(
        &mut self,
        request: &mut Request<'_>,
        now: Micros,
        events: &mut Vec<Event>,
    ) -> Reply<usize> {
        let now = now.max(self.state.clock());
        if let Some(reply) = self.recognise(request, now) {
            return reply;
        }
        match self.run(request, now, events) {
            Ok(()) => Reply::Done(events.len() - 1),
            Err(refusal) => Reply::Refused(refusal),
        }
    }

    /// What a key is answered with that was used before, or cannot be told from one that was.
    fn recognise<A>(&self, request: &Request<'_>, now: Micros) -> Option<Reply<A>> {
        if request.key == 0 {
            return None;
        }
        let (stamp, horizon) = (stamp_ms(request.key), self.state.horizon_ms());
        if stamp > in_ms(now) + KEY_AHEAD_MS_MAX {
            return Some(Reply::Refused(Refusal::RequestIdAhead {}));
        }
        if let Some(known) = self.state.known_key(request.key) {
            let same = known.digest == request.fingerprint.digest;
            return Some(Reply::Known { sequence: known.sequence, same });
        }
        // Who sends a key that is forgotten as soon as it is used could not ask again what came of it.
        let horizon = horizon.max(self.retained_from(now).saturating_sub(1));
        (stamp <= horizon).then_some(Reply::Refused(Refusal::RequestTooOld { horizon }))
    }

    /// Request ids with older stamps may be forgotten.
    fn retained_from(&self, now: Micros) -> u64 {
        in_ms(now.saturating_sub(self.limits.key_retention))
    }

    fn run(
        &mut self,
        request: &mut Request<'_>,
        now: Micros,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        // After a violation nothing is swept that a command does not need: one bad lock must not refuse all.
        let mut swept = if self.failed.is_none() { self.expire_due(now, SWEEP_PER_STEP, events)? } else { 0 };
        self.expire_subject(request, now, events)?;
        loop {
            let room = self.rooms.pop().unwrap_or_default();
            let decided = decide(&self.state, &self.limits, request, now, room);
            if !falls_short(&decided) || !self.due(now) {
                let mut event = decided?;
                event.fingerprint = std::mem::take(&mut request.fingerprint);
                self.accept(&event).map_err(violated)?;
                events.push(event);
                return Ok(());
            }
            if swept >= SWEEP_PER_COMMAND {
                return Err(Refusal::SweepBehind { swept });
            }
            let limit = SWEEP_PER_HOLD.min(SWEEP_PER_COMMAND - swept);
            swept += self.expire_due(now, limit, events)?;
        }
    }

    /// A command on a reservation whose lock is due finds it expired.
    fn expire_subject(
        &mut self,
        request: &Request<'_>,
        now: Micros,
        events: &mut Vec<Event>,
    ) -> Result<(), Refusal> {
        let reservation = subject(&request.command).and_then(|id| self.state.find_reservation(id));
        let due = reservation.filter(|it| it.due().is_some_and(|deadline| deadline <= now)).map(|it| it.no);
        self.expire(due, None, now, events).map(|_| ()).map_err(violated)
    }

    fn expire_due(&mut self, now: Micros, limit: usize, events: &mut Vec<Event>) -> Result<usize, Refusal> {
        if !self.due(now) {
            return Ok(0);
        }
        let due = self.due_locks(now, limit);
        self.expire(due, None, now, events).map_err(violated)
    }

    fn expire(
        &mut self,
        expired: impl IntoIterator<Item = OwnerNo>,
        horizon_ms: Option<u64>,
        now: Micros,
        events: &mut Vec<Event>,
    ) -> Result<usize, Violation> {
        let mut count = 0;
        let expired = expired.into_iter().inspect(|_| count += 1);
        let Some(event) = sweep(&self.state, expired, horizon_ms, now) else { return Ok(0) };
        self.accept(&event)?;
        events.push(event);
        Ok(count)
    }

    /// Whether a lock's deadline has passed.
    fn due(&self, now: Micros) -> bool {
        self.state.next_deadline().is_some_and(|deadline| deadline <= now)
    }

    fn due_locks(&self, now: Micros, limit: usize) -> Vec<OwnerNo> {
        let due = self.state.deadlines().take_while(|(deadline, _)| *deadline <= now);
        due.take(limit).map(|(_, no)| no).collect()
    }

    fn accept(&mut self, event: &Event) -> Result<(), Violation> {
        self.state.apply(event).inspect_err(|violation| {
            self.failed.get_or_insert_with(|| violation.clone());
        })
    }

    /// Takes an event back that nobody needs any more.
    pub fn reuse(&mut self, event: Event) {
        // One of thousands of lines should not keep its memory for ever.
        const KEPT: usize = 64;
        let mut room = event.changes;
        if room.capacity() <= KEPT && self.rooms.len() < TOGETHER {
            room.clear();
            self.rooms.push(room);
        }
    }

    /// At most one SWEEP event: up to `limit` due locks expire, old keys are forgotten. The locks swept.
    pub fn sweep(&mut self, now: Micros, limit: usize, events: &mut Vec<Event>) -> Result<usize, Violation> {
        let now = now.max(self.state.clock());
        let due = self.due_locks(now, limit);
        let horizon_ms = self.horizon(now, !due.is_empty());
        self.expire(due, horizon_ms, now, events)
    }

    /// The stamp up to which request ids are to be forgotten, if any are.
    fn horizon(&self, now: Micros, sweeping: bool) -> Option<u64> {
        let keys = || self.state.keys.iter().map(|(key, _)| stamp_ms(key));
        let (oldest, _) = self.state.keys.first()?;
        let retained_from = self.retained_from(now);
        let slack = if sweeping { 0 } else { FORGET_SLACK_MS };
        let count = self.state.known_keys();
        if count > self.limits.keys_max {
            // A few more than needed, so that the next command does not find it full again.
            let excess = count - self.limits.keys_max + self.limits.keys_max / 64;
            return keys().take(excess.min(FORGET_PER_SWEEP)).last();
        }
        if stamp_ms(oldest).saturating_add(slack) >= retained_from {
            return None;
        }
        let old = keys().take(FORGET_PER_SWEEP).take_while(|stamp| *stamp < retained_from);
        old.last()
    }

    /// A CHECKPOINT event with the hash of the state before it.
    pub fn checkpoint(&mut self, now: Micros, events: &mut Vec<Event>) -> Result<(), Violation> {
        let event = checkpoint(&self.state, now);
        self.accept(&event)?;
        events.push(event);
        Ok(())
    }
}

#[allow(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
fn violated(violation: Violation) -> Refusal {
    Refusal::InvariantViolated { violation: violation.to_string() }
}

fn in_ms(now: Micros) -> u64 {
    u64::try_from(now / MICROS_PER_MS).unwrap_or(0)
}

/// Whether units that locks still hold after their deadline could change the decision: it is a shortage of
/// `available`, or it depends on the very number (a set, a repair, an exception).
fn falls_short(decided: &Result<Event, Refusal>) -> bool {
    match decided {
        Ok(event) => {
            matches!(event.outcome, Outcome::Partial | Outcome::ExpiredSoldOut | Outcome::SoldOut)
                || event.operation == Operation::Set
                || event.changes.iter().any(|change| match change {
                    Change::Exception(_) => true,
                    Change::Movement(movement) => movement.kind == Kind::ShortPickRepair,
                    _ => false,
                })
        }
        Err(
            Refusal::InsufficientStock { .. }
            | Refusal::ParcelLimit { .. }
            | Refusal::SurplusShort { .. }
            | Refusal::StaleValue { .. },
        ) => true,
        Err(Refusal::QuantityNotHeld { state, .. }) => *state == Counter::Available.name(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::new_key;
    use crate::command::{
        Adjustment, Command, Demand, DocumentKind, From, Live, Order, PutDocument, Service, StockLine,
        Wanted, WarehouseState,
    };
    use crate::event::Fingerprint;
    use crate::ids::{RequestKey, SkuIx, WarehouseIx};

    const START: Micros = 1_700_000_000_000_000;

    fn request(key: RequestKey, command: Command<'_>) -> Request<'_> {
        let fingerprint = Fingerprint::default();
        Request { key, fingerprint, reason: "", document: "", service: Service::Stock, command }
    }

    fn stock(quantity: i64) -> Command<'static> {
        let lines = vec![StockLine { sku: "BOOK", warehouse: "SH", quantity }];
        Command::Adjust { adjustment: Adjustment::OtherReceipt, lines }
    }

    fn shop(limits: Limits) -> Machine {
        let mut machine = Machine::new(State::default(), limits);
        let put = |kind, id, live| PutDocument { kind, id, expected_version: Some(0), live, body: b"" };
        let works = WarehouseState::Active;
        let documents = vec![
            put(DocumentKind::Sku, "BOOK", Live::Sku { category: "", policy: None }),
            put(
                DocumentKind::Warehouse,
                "SH",
                Live::Warehouse { state: works, skus: vec![], categories: vec![] },
            ),
        ];
        let mut events = Vec::new();
        let reply = machine.step(&mut request(0, Command::PutDocuments { documents }), START, &mut events);
        assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
        machine
    }

    fn order() -> Order<'static> {
        let lines = [Wanted { sku: "BOOK", quantity: 1, pool: "" }].into();
        let from = From::Warehouses(vec!["SH"]);
        let demand = Demand { lines, from, max_parcels: 0, allow_partial: false };
        Order { reservation: "O1", demand, channel: "", buyer: 0, attributes: b"" }
    }

    #[test]
    fn beyond_their_number_the_oldest_request_ids_are_forgotten_by_a_sweep() {
        let mut machine = shop(Limits { keys_max: 3, ..Limits::default() });
        let mut events = Vec::new();
        let first = 1_700_000_000_000;
        for stamp in first..first + 5 {
            let reply = machine.step(&mut request(new_key(stamp, 0), stock(1)), START, &mut events);
            assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
        }
        assert_eq!(machine.sweep(START, 256, &mut events), Ok(0));
        assert_eq!((machine.state().known_keys(), machine.state().horizon_ms()), (3, first + 1));
        let reply = machine.step(&mut request(new_key(first + 1, 0), stock(1)), START, &mut events);
        assert_eq!(reply.kept(), Reply::Refused(Refusal::RequestTooOld { horizon: first + 1 }));
        let reply = machine.step(&mut request(new_key(first + 2, 0), stock(1)), START, &mut events);
        assert!(matches!(reply, Reply::Known { same: true, .. }), "{reply:?}");
        let before = events.len();
        assert_eq!(machine.sweep(START, 256, &mut events), Ok(0));
        assert_eq!(events.len(), before, "nothing to do makes no event");
    }

    #[test]
    fn time_does_not_go_below_the_last_event() {
        let mut machine = shop(Limits::default());
        let mut events = Vec::new();
        machine.step(&mut request(0, stock(1)), START - 10, &mut events);
        assert_eq!(events[0].at, START);
        machine.checkpoint(START - 20, &mut events).unwrap();
        assert_eq!((events[1].at, events[1].operation), (START, Operation::Checkpoint));
        assert_eq!(events[1].sequence, events[0].sequence + 1);
    }

    #[test]
    fn a_violated_invariant_refuses_its_command_changes_nothing_and_is_told() {
        let mut machine = shop(Limits::default());
        let mut events = Vec::new();
        machine.step(&mut request(0, stock(5)), START, &mut events);
        // A defect of ours: units that came from nowhere.
        let cells = machine.state.skus[SkuIx(0).at()].cells.list_mut();
        let cell = cells.iter_mut().find(|(at, _)| *at == WarehouseIx(0)).map(|(_, cell)| cell).unwrap();
        cell.0[Counter::Available.at()] += 1;
        let (hash, made) = (machine.state().hash(), events.len());
        let reply =
            machine.step(&mut request(0, Command::Lock { order: order(), hold: None }), START, &mut events);
        assert!(matches!(reply, Reply::Refused(Refusal::InvariantViolated { .. })), "{reply:?}");
        assert!(machine.failed().is_some());
        assert_eq!((machine.state().hash(), events.len()), (hash, made));
        assert!(machine.state().find_reservation("O1").is_none());
    }

    #[test]
    fn what_is_read_early_changes_nothing_that_comes_of_it() {
        let names: Vec<String> = (0..20_000).map(|number| format!("SKU-{number}")).collect();
        let sell = |early: bool| {
            let (mut machine, mut events) = (shop(Limits::default()), Vec::new());
            let put = |id| {
                let (kind, live) = (DocumentKind::Sku, Live::Sku { category: "", policy: None });
                PutDocument { kind, id, expected_version: Some(0), live, body: b"" }
            };
            let documents = names.iter().map(|id| put(&**id)).collect();
            let put = machine.step(&mut request(0, Command::PutDocuments { documents }), START, &mut events);
            assert!(matches!(put, Reply::Done(_)) && machine.state().is_large());
            let ids: Vec<String> = (0..40).map(|number| format!("O{}", number / 2)).collect();
            let lock = |id| {
                let lines = [Wanted { sku: &names[19_999], quantity: 1, pool: "" }].into();
                let from = From::Warehouses(vec!["SH"]);
                let demand = Demand { lines, from, max_parcels: 0, allow_partial: false };
                let order = Order { reservation: id, demand, channel: "", buyer: 0, attributes: b"" };
                Command::LockAndDeduct { order }
            };
            let units = [StockLine { sku: &names[19_999], warehouse: "SH", quantity: 15 }].into();
            let stocked = Command::Adjust { adjustment: Adjustment::OtherReceipt, lines: units };
            let mut commands = vec![stocked];
            commands.extend(ids.iter().map(|id| lock(id)));
            let replies: Vec<Reply> = commands
                .iter()
                .enumerate()
                .map(|(at, command)| {
                    if early && at % TOGETHER == 0 {
                        machine.prefetch(commands[at..].iter());
                    }
                    machine.step(&mut request(0, command.clone()), START, &mut events).kept()
                })
                .collect();
            let mut again = shop(Limits::default()).state;
            if early {
                again.prefetch(&events);
            }
            assert!(events.iter().all(|event| again.apply(event).is_ok()));
            assert_eq!(again.hash(), machine.state().hash());
            (replies, again.hash())
        };
        assert_eq!(sell(true), sell(false));
    }
}
