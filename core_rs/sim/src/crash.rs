//! After every crash: what was said is there, what was not said happened once or not at all, everything adds up.

use std::sync::PoisonError;

use lockstock_engine::stepped::Stepped;
use lockstock_engine::{OpenError, Recovery};
use lockstock_stock::command::{Command, Request};
use lockstock_stock::ids::Sequence;
use lockstock_stock::machine::Reply;
use lockstock_twin::compare;

use crate::clients::{Call, recalled};
use crate::damage::{Known, flip_one};
use crate::replay::{Replayed, straight};
use crate::run::World;

/// Whether a request was made by looking at the node's state before that was durable, as no client can.
fn names_a_version_after(request: &Request<'_>, last: Sequence) -> bool {
    matches!(request.command, Command::Amend { expected_version: Some(version), .. } if version > last)
}

/// First answers that are asked for again after a crash.
const RECALLS: usize = 6;

impl World {
    /// Recovers, also where the recovery itself is cut off; and looks at everything.
    pub fn start_again(&mut self) -> Result<Stepped, String> {
        self.machine.proved = self.database.sequence();
        if self.stepped {
            self.tally.count("restarts under a stepped clock");
        }
        (self.armed, self.squeezed, self.relieved, self.stepped) = (false, true, false, false);
        let (node, recovery) = loop {
            if self.rng.percent(20) {
                let ops = self.rng.next() % 6;
                self.disk().power_off_after(ops);
                self.armed = true;
            }
            match self.machine.open() {
                Ok(opened) => break opened,
                Err(error) => self.not_yet(&error)?,
            }
        };
        self.listen(&node);
        self.tally.count("recoveries");
        self.tally.add("torn tails", u64::from(recovery.torn_bytes > 0));
        self.tally.add("recoveries from a snapshot", u64::from(recovery.snapshot_sequence > 0));
        self.squeezed = node.engine().status().disk_free_bytes < u64::MAX;
        self.look_back(&node, &recovery)?;
        self.mark(98, &node);
        Ok(node)
    }

    /// Only what was put in its way may keep a node from starting.
    fn not_yet(&mut self, error: &OpenError) -> Result<(), String> {
        self.has_cause(&error.to_string()).map_err(|why| format!("the start is refused: {why}"))?;
        if self.disk().is_off() {
            self.die();
            self.tally.count("deaths amid a recovery");
        } else {
            self.disk().set_capacity(None);
        }
        Ok(())
    }

    fn look_back(&mut self, node: &Stepped, recovery: &Recovery) -> Result<(), String> {
        let last = recovery.sequence;
        let mut calls = std::mem::take(&mut self.calls);
        self.ledger.cut(last)?;
        // Nobody was ever shown a version that was lost; the number may have been given again since.
        calls.retain(|call| !names_a_version_after(&call.request, last));
        self.doubts.retain(|request| !names_a_version_after(request, last));
        let before_last_frame = self.boundary(last);
        // Before anything is swept: the hash of the node is the hash of the journal's end.
        let replayed = self.everything_holds(node)?;
        self.twin_goes_back(node, last)?;
        let known = Known { hashes: &replayed.hashes, before_last_frame };
        for _ in 0..self.rng.below(3) {
            flip_one(&self.machine, &known, &mut self.rng, &mut self.tally)?;
        }
        self.recall_some(node)?;
        self.ask_again(node, calls)
    }

    /// The end of the frame before the one that `last` ends; that one is a boundary from now on.
    fn boundary(&self, last: Sequence) -> Sequence {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let before = frames.range(..last).next_back().copied().unwrap_or(0);
        frames.insert(last);
        before
    }

    /// The twin is what it was when the journal ended, and agrees to the unit.
    fn twin_goes_back(&mut self, node: &Stepped, last: Sequence) -> Result<(), String> {
        self.past.split_off(&(last + 1));
        let Some((_, twin)) = self.past.last_key_value() else { return Err("no twin is left".to_owned()) };
        self.twin = twin.clone();
        self.past.retain({
            let newest = self.past.last_key_value().map_or(0, |(at, _)| *at);
            move |at, _| *at == newest
        });
        let stamp = node.look(lockstock_stock::state::State::clock);
        self.twin.world.expire(stamp);
        let now = node.engine().now();
        if now < stamp {
            return Err(format!("time has gone back: it is {now}, the last stamp was {stamp}"));
        }
        while node.sweep() > 0 {}
        self.twin.world.expire(now);
        self.twin.world.assert_sound();
        node.look(|state| compare::all(state, &self.twin.world))
            .map_err(|why| format!("after the recovery at {last} the twin disagrees: {why}"))
    }

    /// The straight replay, and everything that is compared with it. What is not durable yet is in no journal.
    pub fn everything_holds(&mut self, node: &Stepped) -> Result<Replayed, String> {
        node.look(lockstock_stock::state::State::check)
            .map_err(|violation| format!("an invariant does not hold: {violation}"))?;
        let durable = node.engine().durable();
        let journal = self.machine.layout().journal;
        let replayed = straight(self.disk(), &journal, durable)
            .map_err(|error| format!("the journal cannot be replayed from its first record: {error}"))?;
        let (sequence, hash) = node.look(|state| (state.sequence(), state.hash()));
        if sequence == durable && hash != replayed.state.hash() {
            let straight = replayed.state.hash();
            return Err(format!("at {sequence} the node has the hash {hash:016x}, a replay {straight:016x}"));
        }
        replayed.state.check().map_err(|violation| format!("a replay breaks an invariant: {violation}"))?;
        self.reads_were_true(&replayed)?;
        self.each_once(&replayed, durable)?;
        self.database_is_a_prefix(&replayed)?;
        if let Some(failure) = node.engine().status().failure {
            return Err(format!("the node says that it has failed: {failure}"));
        }
        Ok(replayed)
    }

    fn reads_were_true(&self, replayed: &Replayed) -> Result<(), String> {
        for (sequence, read) in &self.ledger.hashes {
            let hash = usize::try_from(*sequence).ok().and_then(|at| replayed.hashes.get(at));
            if hash != Some(read) {
                return Err(format!("{read:016x} was read at {sequence}, and the journal says {hash:x?}"));
            }
        }
        Ok(())
    }

    /// The journal has what the ledger has, each once, with the same answers, and nothing else.
    fn each_once(&self, replayed: &Replayed, durable: Sequence) -> Result<(), String> {
        let mut found = 0;
        for event in replayed.events.iter().filter(|event| event.key != 0) {
            let (key, sequence) = (event.key, event.sequence);
            let Some(entry) = self.ledger.entry(key).filter(|entry| entry.sequence == sequence) else {
                return Err(format!("the journal has {key:032x} at {sequence}, where nobody was granted it"));
            };
            found += 1;
            let answer = replayed.state.answer(event).kept();
            if answer != entry.answer {
                let first = &entry.answer;
                return Err(format!("the answer of {sequence} was {first:?} and is now {answer:?}"));
            }
        }
        let entries = self.ledger.entries().filter(|(_, entry)| entry.sequence <= durable).count();
        if found == entries {
            Ok(())
        } else {
            Err(format!("{entries} requests were granted, {found} are there"))
        }
    }

    fn database_is_a_prefix(&self, replayed: &Replayed) -> Result<(), String> {
        let at = self.database.sequence();
        let Some(events) = usize::try_from(at).ok().and_then(|at| replayed.events.get(..at)) else {
            return Err(format!("the database stands at {at}, the journal ends before it"));
        };
        let mut state = lockstock_stock::state::State::default();
        for event in events {
            state.apply(event).map_err(|violation| violation.to_string())?;
        }
        self.database.is_exact(&state, events)
    }

    /// First answers, as a client gets them.
    fn recall_some(&mut self, node: &Stepped) -> Result<(), String> {
        let told: Vec<_> =
            self.ledger.entries().filter(|(_, entry)| entry.told).map(|(key, _)| *key).collect();
        for _ in 0..RECALLS.min(told.len()) {
            let key = self.rng.pick(&told);
            let Some(entry) = self.ledger.entry(key) else { continue };
            recalled(node.engine(), entry, &entry.fingerprint)?;
        }
        Ok(())
    }

    /// Who got no answer asks again, at once or later: it is known exactly when it had taken effect.
    fn ask_again(&mut self, node: &Stepped, calls: Vec<Call>) -> Result<(), String> {
        for Call { client, request, reply, .. } in calls {
            let there = self.ledger.entry(request.key).is_some();
            if matches!(reply, Reply::Done(_)) {
                let what =
                    if there { "unanswered that had taken effect" } else { "unanswered that were lost" };
                self.tally.count(what);
            }
            if self.rng.percent(60) {
                self.carry_out(node, client, request)?;
            } else {
                self.doubts.push(request);
            }
        }
        Ok(())
    }
}
