//! What the engine's lock guards: the machine, the clock, and the records that are not yet in the journal.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use lockstock_stock::command::Request;
use lockstock_stock::event::Event;
use lockstock_stock::ids::{Micros, Sequence};
use lockstock_stock::limits::SWEEP_PER_HOLD;
use lockstock_stock::machine::{Machine, Reply};
use lockstock_stock::refusal::{Reason, Refusal};
use lockstock_stock::state::State;
use lockstock_stock::state::Violation;

use crate::clock::Clock;
use crate::engine::{Judged, Told};
use crate::shared::Shared;

/// Encoded records that wait for the journal: `[u32 length][bytes]` each, in order, without a gap.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    pub first: Sequence,
    pub last: Sequence,
    pub bytes: Vec<u8>,
}

impl Buffer {
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn records(&self) -> u64 {
        if self.is_empty() { 0 } else { self.last - self.first + 1 }
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// False where a record is longer than its length field can say; nothing is added then.
    fn push(&mut self, event: &Event) -> bool {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        event.encode(&mut self.bytes);
        let Ok(length) = u32::try_from(self.bytes.len() - start - 4) else {
            self.bytes.truncate(start);
            return false;
        };
        self.bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
        if start == 0 {
            self.first = event.sequence;
        }
        self.last = event.sequence;
        true
    }
}

/// What waits in the buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub records: u64,
    /// How long the first of them does.
    pub time: Duration,
}

/// What the lock guards.
pub(crate) struct Core {
    machine: Machine,
    clock: Box<dyn Clock>,
    buffer: Buffer,
    /// When the first record came into it, as far as somebody looked.
    filling: Option<Instant>,
    /// Scratch, empty between two groups of steps.
    events: Vec<Event>,
    /// What became of each command of a group, in order, with the place of its event.
    came: Vec<Result<Reply<usize>, Refusal>>,
    /// A snapshot is asked for: the segment is to be sealed.
    seal: bool,
    /// The journal thread takes what is in the buffer and ends: nothing may be added any more.
    closing: bool,
}

impl Core {
    pub fn new(machine: Machine, clock: Box<dyn Clock>) -> Self {
        Self {
            machine,
            clock,
            buffer: Buffer::default(),
            filling: None,
            events: Vec::new(),
            came: Vec::new(),
            seal: false,
            closing: false,
        }
    }

    pub fn state(&self) -> &State {
        self.machine.state()
    }

    pub fn clock_steps(&self) -> u64 {
        self.clock.steps()
    }

    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// What waits for the journal at the end of a hold that began at `begun`.
    pub fn waiting(&mut self, begun: Instant) -> Waiting {
        let records = self.buffer.records();
        if records == 0 {
            return Waiting { records, time: Duration::ZERO };
        }
        let since = *self.filling.get_or_insert(begun);
        Waiting { records, time: begun.saturating_duration_since(since) }
    }

    pub fn closing(&self) -> bool {
        self.closing
    }

    pub fn close(&mut self) {
        self.closing = true;
    }

    pub fn ask_to_seal(&mut self) {
        self.seal = true;
    }

    pub fn wants_seal(&self) -> bool {
        self.seal
    }

    /// Never below the last journalled stamp, whatever the clock says.
    pub fn now(&mut self) -> Micros {
        self.clock.now().max(self.machine.state().clock())
    }

    /// Whether events may still be made.
    pub fn writable(&self, shared: &Shared) -> bool {
        !self.closing && shared.health.fatal().is_none()
    }

    /// The beginning of a hold: the time of everything in it, and deadlines that have passed. Whether more
    /// may be due than one hold sweeps.
    pub fn begin(&mut self, shared: &Shared) -> (Micros, bool) {
        let now = self.now();
        let swept = self.sweep(shared, now, SWEEP_PER_HOLD);
        (now, swept >= SWEEP_PER_HOLD)
    }

    /// Expires due locks; how many. A freeze stops expiries too; after a violation only commands that need
    /// the units sweep, each with its own refusal, so that one bad lock cannot stall every hold.
    pub fn sweep(&mut self, shared: &Shared, now: Micros, limit: usize) -> usize {
        if !self.writable(shared) || shared.admission.frozen() || shared.health.violation().is_some() {
            return 0;
        }
        let swept = self.machine.sweep(now, limit, &mut self.events);
        self.absorb(shared);
        match swept {
            Ok(swept) => {
                shared.meters.swept.fetch_add(swept as u64, Ordering::Relaxed);
                swept
            }
            Err(violation) => {
                note(shared, &violation);
                0
            }
        }
    }

    /// Reads what the next commands will look for.
    pub fn prefetch(&self, next: &[Judged<'_>]) {
        self.machine.prefetch(next.iter().flatten().map(|request| &request.command));
    }

    /// One command; what became of it is told with those that ran beside it ([`Core::tell`]).
    pub fn step(&mut self, shared: &Shared, request: &mut Request<'_>, now: Micros) {
        let reply = if self.writable(shared) {
            self.machine.perform(request, now, &mut self.events)
        } else {
            Reply::Refused(Refusal::Draining {})
        };
        match &reply {
            Reply::Done(_) => {}
            Reply::Known { .. } => {
                shared.meters.repeated.fetch_add(1, Ordering::Relaxed);
            }
            Reply::Refused(refusal) => {
                shared.meters.refusal(refusal.reason());
                if refusal.reason() == Reason::InvariantViolated {
                    shared.health.violated(&refusal.message());
                }
            }
        }
        self.came.push(Ok(reply));
    }

    /// A command that was refused before it came here, in its place.
    pub fn pass(&mut self, refusal: Refusal) {
        self.came.push(Err(refusal));
    }

    /// Tells what became of the commands since the last time, in order, and encodes their records.
    pub fn tell(&mut self, shared: &Shared, tell: &mut impl FnMut(Told<'_>)) {
        let Self { came, machine, events, .. } = self;
        for came in came.drain(..) {
            tell(came.map(|reply| reply.map(|at| machine.state().answer(&events[at]))));
        }
        self.absorb(shared);
    }

    /// Hands the buffer over and leaves an empty one.
    pub fn take(&mut self, spare: Buffer) -> Buffer {
        self.filling = None;
        std::mem::replace(&mut self.buffer, spare)
    }

    /// Writes the state hash as the first record of an empty buffer, which begins the next segment; its
    /// sequence.
    pub fn checkpoint(&mut self, shared: &Shared) -> Option<Sequence> {
        self.seal = false;
        let now = self.now();
        let done = self.machine.checkpoint(now, &mut self.events);
        self.absorb(shared);
        match done {
            Ok(()) => {
                shared.meters.checkpoints.fetch_add(1, Ordering::Relaxed);
                Some(self.machine.state().sequence())
            }
            Err(violation) => {
                note(shared, &violation);
                None
            }
        }
    }

    /// Encodes what the machine has applied. It cannot be taken back, so a record that cannot be written
    /// ends the service.
    fn absorb(&mut self, shared: &Shared) {
        let before = self.buffer.bytes.len();
        for event in self.events.drain(..) {
            shared.meters.operation(event.operation, event.outcome);
            if !self.buffer.push(&event) {
                shared
                    .fail(&format!("the record of sequence {} is too long to be journalled", event.sequence));
            }
            self.machine.reuse(event);
        }
        let added = (self.buffer.bytes.len() - before) as u64;
        if added > 0 {
            shared.bytes_in_flight.fetch_add(added, Ordering::Relaxed);
            shared.applied.store(self.machine.state().sequence(), Ordering::Release);
        }
    }
}

fn note(shared: &Shared, violation: &Violation) {
    shared.health.violated(&violation.to_string());
}
