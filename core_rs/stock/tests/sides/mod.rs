//! The machine and the twin side by side, and what must hold after each command.

mod coverage;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lockstock_stock::command::Request;
use lockstock_stock::event::Event;
use lockstock_stock::ids::{Micros, RequestKey, Sequence};
use lockstock_stock::limits::Limits;
use lockstock_stock::machine::{Machine, Reply};
use lockstock_stock::refusal::Reason;
use lockstock_stock::state::State;

pub use coverage::Coverage;
use lockstock_twin::workload::Workload;
use lockstock_twin::{Twin, compare, judge};

pub struct Sides {
    machine: Machine,
    pub twin: Twin,
    /// Fed the journal alone.
    replayed: State,
    seed: u64,
    steps: u64,
    answered: BTreeMap<RequestKey, Sequence>,
    last: Vec<String>,
}

impl Sides {
    pub fn new(seed: u64, limits: Limits) -> Self {
        Self {
            machine: Machine::new(State::default(), limits),
            twin: Twin::new(limits),
            replayed: State::default(),
            seed,
            steps: 0,
            answered: BTreeMap::new(),
            last: Vec::new(),
        }
    }

    pub fn step(&mut self, request: &Request<'static>, now: Micros, coverage: &mut Coverage) {
        self.steps += 1;
        self.note(format!("{now} {:?} {:?} reason {:?}", request.service, request.command, request.reason));
        let horizon = self.machine.state().horizon_ms();
        let mut events = Vec::new();
        let reply = self.machine.step(&mut request.clone(), now, &mut events).kept();
        self.journal(&events);
        self.legal_horizon(horizon, now);
        let sequence = if let Reply::Done(answer) = &reply { answer.sequence } else { 0 };
        let verdict = self.twin.step(request, now, sequence, horizon);
        let first = self.answered.get(&request.key).copied();
        if let Reply::Done(answer) = &reply {
            self.answered.insert(request.key, answer.sequence);
        }
        coverage.count(request, &reply, &events);
        if let Err(difference) = judge::reply(&reply, &verdict, first) {
            self.fail(&format!("{difference}\n  machine {reply:?}\n  twin    {verdict:?}"));
        }
        self.twin.world.assert_sound();
        let swept = self.machine.state().deadlines().next().is_none_or(|(deadline, _)| deadline > now);
        if swept {
            let same = match self.steps % 10 {
                0 => compare::all(self.machine.state(), &self.twin.world),
                _ => compare::stock(self.machine.state(), &self.twin.world),
            };
            self.must(same);
        }
        if self.steps.is_multiple_of(40) {
            self.must(self.machine.state().check().map_err(|violation| format!("check: {violation}")));
        }
        if self.steps.is_multiple_of(150) {
            self.snapshot();
        }
    }

    /// What the engine does between commands.
    pub fn sweep(&mut self, workload: &mut Workload) {
        let limit = workload.rng.pick(&[1, 2, 256]);
        let mut events = Vec::new();
        let horizon = self.machine.state().horizon_ms();
        self.note(format!("{} sweep {limit}", workload.now));
        match self.machine.sweep(workload.now, limit, &mut events) {
            Ok(swept) => assert!(swept <= limit && events.len() <= 1),
            Err(violation) => self.fail(&format!("sweep: {violation}")),
        }
        if workload.rng.percent(10)
            && let Err(violation) = self.machine.checkpoint(workload.now, &mut events)
        {
            self.fail(&format!("checkpoint: {violation}"));
        }
        self.journal(&events);
        self.legal_horizon(horizon, workload.now);
    }

    pub fn finish(&mut self, now: Micros) {
        let mut events = Vec::new();
        let now = now + 100 * 60 * 60 * 1_000_000;
        while self.machine.sweep(now, 64, &mut events).is_ok_and(|swept| swept > 0) {}
        self.journal(&events);
        self.twin.world.expire(now);
        self.note("the end".to_owned());
        let end = compare::all(self.machine.state(), &self.twin.world);
        self.must(end);
        self.must(self.machine.state().check().map_err(|violation| format!("check: {violation}")));
        self.snapshot();
    }

    fn note(&mut self, line: String) {
        self.last.push(line);
        if self.last.len() > 25 {
            self.last.remove(0);
        }
    }

    fn must(&self, result: Result<(), String>) {
        if let Err(difference) = result {
            self.fail(&difference);
        }
    }

    fn fail(&self, difference: &str) -> ! {
        let mut text = String::new();
        for line in &self.last {
            writeln!(text, "{line}").unwrap();
        }
        panic!("LOCKSTOCK_SEED={} command {}\n{text}\n{difference}", self.seed, self.steps);
    }

    /// Replay is apply alone, over what the journal holds.
    fn journal(&mut self, events: &[Event]) {
        for event in events {
            let mut bytes = Vec::new();
            event.encode(&mut bytes);
            let read = match Event::decode(&bytes) {
                Ok(read) => read,
                Err(error) => self.fail(&format!("decode: {error:?} {event:?}")),
            };
            if read != *event {
                self.fail(&format!("an event changed in the journal\n  {event:?}\n  {read:?}"));
            }
            if let Err(violation) = self.replayed.apply(&read) {
                self.fail(&format!("replay: {violation}"));
            }
        }
        let (live, replayed) = (self.machine.state(), &self.replayed);
        if (live.sequence(), live.hash()) != (replayed.sequence(), replayed.hash()) {
            self.fail("the replayed state has another hash");
        }
    }

    fn snapshot(&self) {
        let state = self.machine.state();
        let mut bytes = Vec::new();
        state.write_snapshot(&mut bytes).unwrap();
        let read = match State::read_snapshot(&mut bytes.as_slice()) {
            Ok(read) => read,
            Err(error) => self.fail(&format!("snapshot: {error:?}")),
        };
        let mut again = Vec::new();
        read.write_snapshot(&mut again).unwrap();
        if read.hash() != state.hash() || again != bytes {
            self.fail("the snapshot reads as another state");
        }
    }

    /// Keys are forgotten only when they are old, or too many are known.
    fn legal_horizon(&self, before: u64, now: Micros) {
        let after = self.machine.state().horizon_ms();
        if after == before {
            return;
        }
        let oldest = u64::try_from((now - self.twin.limits.key_retention) / 1_000).unwrap();
        let full = self.twin.keys.len() > self.twin.limits.keys_max;
        if after < before || (after > oldest && !full) {
            self.fail(&format!("horizon {before} -> {after}, but keys up to {oldest} are old"));
        }
    }
}

/// The reasons that this workload cannot meet.
pub const NOT_HERE: &[Reason] = &[
    // Of form: the doors check it before a command stands.
    Reason::MalformedMessage,
    Reason::IdInvalid,
    Reason::TextTooLong,
    Reason::DurationOutOfRange,
    Reason::EnumUnknown,
    Reason::TooManyLines,
    Reason::TooManyCommands,
    Reason::LineRepeated,
    Reason::RequestIdInvalid,
    Reason::PageTokenInvalid,
    Reason::FieldMaskInvalid,
    Reason::NumberOutOfRange,
    Reason::PermissionDenied,
    Reason::MethodUnknown,
    Reason::MessageTooLarge,
    // Of planners and of the engine around the machine.
    Reason::ReferenceInvalid,
    Reason::OrderState,
    Reason::PickupNotOffered,
    Reason::DatabaseAway,
    Reason::RequestIdReused,
    Reason::Overloaded,
    Reason::DiskLow,
    Reason::Draining,
    Reason::Frozen,
    // Only near 10^15 units: bounds.rs. Only with thousands of due locks: sweeping.rs.
    Reason::CounterOverflow,
    Reason::SweepBehind,
    // Never.
    Reason::InvariantViolated,
];
