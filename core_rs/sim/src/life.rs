//! What happens while a node lives: one thing after another, chosen by the seed.

use std::io::ErrorKind;

use lockstock_engine::EARLY_PERCENT;
use lockstock_engine::clock::Source;
use lockstock_engine::projection::Format;
use lockstock_engine::stepped::Stepped;
use lockstock_journal::SEGMENT_BYTES_MIN;
use lockstock_journal::disk::Disk;
use lockstock_journal::disk::faulty::Op;
use lockstock_stock::command::Request;
use lockstock_stock::decide::operation;
use lockstock_stock::ids::{Micros, stamp_ms};
use lockstock_stock::machine::Reply;
use lockstock_stock::refusal::Reason;
use lockstock_twin::{compare, judge};

use crate::clients::Call;
use crate::machine::DISK_FLOOR;
use crate::run::World;

const CLIENTS: usize = 4;
const HOUR: Micros = 60 * 60 * 1_000_000;
/// The clock slews by one part in so many, once in ten milliseconds at most.
const SLEW_PART: Micros = 2_000;
const COMPARE_EVERY: Micros = 10_000;

impl World {
    /// Until the node ends or its time is up.
    pub fn live(&mut self, node: &mut Stepped) -> Result<(), String> {
        let steps = 20 + self.rng.below(60);
        for _ in 0..steps {
            let dice = self.rng.next() % 100;
            match dice {
                0..=37 => self.send(node)?,
                38..=57 => self.commit(node)?,
                58..=69 => self.tell(node, 70)?,
                70..=77 => self.pass_time(node)?,
                78..=81 => {
                    node.sweep();
                }
                82..=86 => self.project(node)?,
                87..=88 => node.ask_for_snapshot(),
                89..=91 => self.snapshot(node),
                92..=94 => self.read(node),
                95..=96 => self.arm(),
                97 => self.squeeze_or_free(node)?,
                98 => self.step_clock(node)?,
                _ => self.sample(node)?,
            }
            self.mark(dice, node);
            if node.engine().failed().is_some() || self.disk().is_off() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Somebody asks for something: something new, the same again, what was given up earlier.
    fn send(&mut self, node: &Stepped) -> Result<(), String> {
        let client = self.rng.below(CLIENTS);
        let waits_for = self.calls.iter().rev().find(|call| call.client == client);
        let request = match waits_for.map(|call| call.request.clone()) {
            // Out of patience: the same again while the first is on its way, or something else for now.
            Some(request) if self.rng.percent(40) => request,
            Some(request) => {
                self.doubts.push(request);
                self.new_request(node)
            }
            None if !self.doubts.is_empty() && self.rng.percent(25) => {
                let at = self.rng.below(self.doubts.len());
                self.doubts.swap_remove(at)
            }
            None => self.new_request(node),
        };
        self.carry_out(node, client, request)
    }

    fn new_request(&mut self, node: &Stepped) -> Request<'static> {
        self.workload.now = node.engine().now();
        self.workload.next(&self.twin.world)
    }

    /// One request through the engine, and what must be said to it.
    pub fn carry_out(
        &mut self,
        node: &Stepped,
        client: usize,
        request: Request<'static>,
    ) -> Result<(), String> {
        self.tally.count("operations");
        let engine = node.engine();
        let now = engine.now();
        let refused = self.refused_at_the_door(node, &request);
        let executed = engine.execute(vec![request.clone()]);
        let Some(reply) = executed.replies.into_iter().next() else {
            return Err("a request got no reply".to_owned());
        };
        let call = Call { client, request, reply, seen: executed.seen };
        self.door(&call, refused)?;
        if refused.is_none() {
            self.judge(node, &call, now)?;
        }
        self.calls.push(call);
        Ok(())
    }

    /// What admission must say, from what is in flight and what the disk has free.
    fn refused_at_the_door(&self, node: &Stepped, request: &Request<'_>) -> Option<Reason> {
        let max = self.machine.config().in_flight_records_max;
        let promises = request.command.promises();
        let in_flight = node.look(lockstock_stock::state::State::sequence) - node.engine().durable();
        let bound = if promises { max * EARLY_PERCENT / 100 } else { max };
        if in_flight >= bound {
            return Some(Reason::Overloaded);
        }
        let low = self.squeezed && promises && node.engine().status().disk_free_bytes < DISK_FLOOR;
        (low && !self.is_retry(node, request)).then_some(Reason::DiskLow)
    }

    /// Whether the request was carried out before, and is not forgotten.
    fn is_retry(&self, node: &Stepped, request: &Request<'_>) -> bool {
        let horizon = node.look(lockstock_stock::state::State::horizon_ms);
        stamp_ms(request.key) > horizon && self.twin.keys.contains_key(&request.key)
    }

    fn door(&mut self, call: &Call, expected: Option<Reason>) -> Result<(), String> {
        const AT_THE_DOOR: [Reason; 4] =
            [Reason::Overloaded, Reason::DiskLow, Reason::Draining, Reason::Frozen];
        let reason = match &call.reply {
            Reply::Refused(refusal) => Some(refusal.reason()).filter(|reason| AT_THE_DOOR.contains(reason)),
            _ => None,
        };
        if reason != expected {
            let reply = &call.reply;
            return Err(format!("the door must say {expected:?}, and what was said is {reply:?}"));
        }
        match reason {
            Some(Reason::DiskLow) => self.tally.count("refused while the disk was low"),
            Some(_) => self.tally.count("refused by admission"),
            None => {}
        }
        Ok(())
    }

    /// The twin carries out the same, and says the same.
    fn judge(&mut self, node: &Stepped, call: &Call, now: Micros) -> Result<(), String> {
        let Call { request, reply, .. } = call;
        let horizon = node.look(lockstock_stock::state::State::horizon_ms);
        let first = self.ledger.entry(request.key).map(|entry| entry.sequence);
        let sequence = if let Reply::Done(answer) = reply { answer.sequence } else { 0 };
        let verdict = self.twin.step(request, now, sequence, horizon);
        judge::reply(reply, &verdict, first).map_err(|why| {
            format!("the twin: {why}\n  machine {reply:?}\n  twin    {verdict:?}\n  asked   {request:?}")
        })?;
        if let Reply::Done(answer) = reply {
            self.ledger.done(request, answer)?;
            self.past.insert(sequence, self.twin.clone());
            self.operations.insert(operation(request).name());
            if request.command.promises() {
                self.tally.add("locks granted when the disk was free again", u64::from(self.relieved));
                self.relieved = false;
            } else if self.squeezed && node.engine().status().disk_free_bytes < DISK_FLOOR {
                self.tally.count("granted while the disk was low");
            }
        }
        if self.rng.percent(10) {
            node.look(|state| compare::stock(state, &self.twin.world))
                .map_err(|why| format!("the twin: {why}"))?;
        }
        Ok(())
    }

    /// Half a turn of the journal thread: what happens between the halves happens while a batch is synced.
    fn commit(&mut self, node: &mut Stepped) -> Result<(), String> {
        if node.has_batch() {
            self.write(node)
        } else {
            {
                node.take_batch();
                Ok(())
            }
        }
    }

    fn write(&mut self, node: &mut Stepped) -> Result<(), String> {
        if node.write_batch() {
            return Ok(());
        }
        let why = node.engine().failed().map(|failed| failed.to_string()).unwrap_or_default();
        self.has_cause(&why)
    }

    /// Until nothing is in flight.
    pub fn commit_all(&mut self, node: &mut Stepped) -> Result<(), String> {
        while node.take_batch() {
            self.write(node)?;
        }
        Ok(())
    }

    /// Answers leave: whatever saw nothing that is not durable, and this often of a hundred.
    pub fn tell(&mut self, node: &Stepped, chance: u64) -> Result<(), String> {
        let engine = node.engine();
        let mut told = Ok(());
        for call in std::mem::take(&mut self.calls) {
            if told.is_ok() && call.seen <= engine.durable() && self.rng.percent(chance) {
                told = self.ledger.tell(engine, &call, &mut self.tally);
                if told.is_ok() {
                    continue;
                }
            }
            self.calls.push(call);
        }
        told
    }

    /// A read, told at once if what it saw is durable.
    fn read(&mut self, node: &Stepped) {
        let engine = node.engine();
        let ((sequence, hash), seen) = engine.read(|state, _| (state.sequence(), state.hash()));
        if seen <= engine.durable() {
            self.ledger.hashes.insert(sequence, hash);
            self.ledger.seen = self.ledger.seen.max(seen);
            self.tally.count("reads");
        }
    }

    fn snapshot(&mut self, node: &mut Stepped) {
        self.tally.add("snapshots", u64::from(node.snapshot()));
    }

    /// A transaction begins, or ends one way or the other.
    fn project(&mut self, node: &Stepped) -> Result<(), String> {
        if let Some(batch) = self.staged.take() {
            if self.rng.percent(80) {
                self.tally.count("transactions");
                return self.database.commit(&batch);
            }
            self.tally.count("transactions rolled back");
            return Ok(());
        }
        let most = 1 + self.rng.below(60);
        self.stage(node, most)
    }

    fn stage(&mut self, node: &Stepped, most: usize) -> Result<(), String> {
        let after = self.database.sequence();
        let batch = self.projection.batch(node.engine(), after, most, Format::Json);
        self.staged = batch.map_err(|error| format!("the projection: {error}"))?;
        Ok(())
    }

    /// The projection reaches the end of the journal.
    pub fn database_catches_up(&mut self, node: &mut Stepped) -> Result<(), String> {
        self.commit_all(node)?;
        loop {
            let Some(batch) = self.staged.take() else {
                self.stage(node, 1_000)?;
                if self.staged.is_none() {
                    return Ok(());
                }
                continue;
            };
            self.database.commit(&batch)?;
        }
    }

    /// Time goes on, by both clocks; the engine's time goes with the monotonic one.
    fn pass_time(&mut self, node: &Stepped) -> Result<(), String> {
        let before = node.engine().now();
        self.workload.now = before;
        self.workload.tick(&self.twin.world);
        let passed = self.workload.now - before;
        self.machine.clocks.pass(passed, self.rng.between(-1, 1) * passed / 10_000);
        let went = node.engine().now() - before;
        let most = passed + (passed + COMPARE_EVERY) / SLEW_PART + 1;
        if (0..=most).contains(&went) {
            Ok(())
        } else {
            Err(format!("in {passed} microseconds the engine's time went {went}"))
        }
    }

    /// Somebody sets the system's clock by an hour.
    fn step_clock(&mut self, node: &Stepped) -> Result<(), String> {
        let before = node.engine().now();
        let by = if self.rng.percent(50) { HOUR } else { -HOUR };
        self.machine.clocks.step(by);
        self.machine.clocks.pass(COMPARE_EVERY, 0);
        self.stepped = true;
        self.tally.count("clock steps");
        let went = node.engine().now() - before;
        if (0..=2 * COMPARE_EVERY + HOUR / SLEW_PART).contains(&went) {
            Ok(())
        } else {
            let wall = self.machine.clocks.wall();
            Err(format!("a step of the wall by {by} to {wall} moved the engine's time by {went}"))
        }
    }

    /// Something will go wrong before long.
    fn arm(&mut self) {
        self.armed = true;
        let soon = 1 + self.rng.next() % 8;
        if self.rng.percent(50) {
            self.disk().power_off_after(soon);
            return;
        }
        let op = self.rng.pick(&[
            Op::Write,
            Op::Write,
            Op::Sync,
            Op::Sync,
            Op::Create,
            Op::Allocate,
            Op::Rename,
            Op::SyncDir,
        ]);
        self.disk().fail(op, soon, ErrorKind::Other);
    }

    /// The disk fills up, or is free again.
    fn squeeze_or_free(&mut self, node: &Stepped) -> Result<(), String> {
        let low = self.squeezed && node.engine().status().disk_free_bytes < DISK_FLOOR;
        if low {
            self.disk().set_capacity(None);
        } else {
            let room = self.rng.pick(&[0, SEGMENT_BYTES_MIN, 3 * SEGMENT_BYTES_MIN, DISK_FLOOR]);
            let used = self.disk().used();
            self.disk().set_capacity(Some(used + room));
            self.squeezed = true;
        }
        self.sample(node)?;
        self.relieved = low;
        Ok(())
    }

    fn sample(&mut self, node: &Stepped) -> Result<(), String> {
        node.sample_disk();
        let free =
            self.disk().free_bytes(&self.machine.layout().journal).map_err(|error| error.to_string())?;
        let sampled = node.engine().status().disk_free_bytes;
        if sampled == free { Ok(()) } else { Err(format!("{free} bytes are free, the node says {sampled}")) }
    }
}
