//! The buyers' side: who waits for what, what was told to whom, and what must be true of it for ever.

use std::collections::BTreeMap;

use lockstock_engine::{Engine, RecallError};
use lockstock_stock::answer::Answer;
use lockstock_stock::command::Request;
use lockstock_stock::event::Fingerprint;
use lockstock_stock::ids::{RequestKey, Sequence};
use lockstock_stock::machine::Reply;

use crate::tally::Tally;

/// A request on its way: carried out, not yet answered.
pub struct Call {
    /// Whose.
    pub client: usize,
    /// What was asked.
    pub request: Request<'static>,
    /// What is to be said, once `seen` is durable.
    pub reply: Reply,
    /// The newest sequence the reply saw.
    pub seen: Sequence,
}

/// What the first request with a key did.
pub struct Entry {
    /// The event.
    pub sequence: Sequence,
    /// What was asked, to ask it again.
    pub fingerprint: Fingerprint,
    /// What was or will be answered.
    pub answer: Answer,
    /// Whether anybody was told.
    pub told: bool,
}

/// Everything that took effect, by key, and everything that was said.
#[derive(Default)]
pub struct Ledger {
    entries: BTreeMap<RequestKey, Entry>,
    /// The newest sequence that anything said has seen, refusals and reads included.
    pub seen: Sequence,
    /// State hashes that were read.
    pub hashes: BTreeMap<Sequence, u64>,
}

impl Ledger {
    /// What a key has done.
    pub fn entry(&self, key: RequestKey) -> Option<&Entry> {
        self.entries.get(&key)
    }

    /// All, by key.
    pub fn entries(&self) -> impl Iterator<Item = (&RequestKey, &Entry)> {
        self.entries.iter()
    }

    /// A request was carried out; not yet told.
    pub fn done(&mut self, request: &Request<'_>, answer: &Answer) -> Result<(), String> {
        let (key, sequence) = (request.key, answer.sequence);
        let entry =
            Entry { sequence, fingerprint: request.fingerprint.clone(), answer: answer.clone(), told: false };
        match self.entries.insert(key, entry) {
            Some(first) => Err(format!(
                "the key {key:032x} took effect twice: first as {}, now as {sequence}",
                first.sequence
            )),
            None => Ok(()),
        }
    }

    /// A reply leaves: from now on it must be true after every crash.
    pub fn tell(&mut self, engine: &Engine, call: &Call, tally: &mut Tally) -> Result<(), String> {
        self.seen = self.seen.max(call.seen);
        let key = call.request.key;
        match &call.reply {
            Reply::Refused(_) => tally.count("refusals"),
            Reply::Done(_) => {
                tally.count("answers");
                if let Some(entry) = self.entries.get_mut(&key) {
                    entry.told = true;
                }
            }
            Reply::Known { sequence, .. } => {
                let Some(entry) = self.entries.get_mut(&key) else {
                    return Err(format!(
                        "the key {key:032x} is known as {sequence} and was never carried out"
                    ));
                };
                entry.told = true;
                let same = call.request.fingerprint == entry.fingerprint;
                tally.count(if same { "repeated answers" } else { "reused keys" });
                recalled(engine, entry, &call.request.fingerprint)?;
            }
        }
        Ok(())
    }

    /// After a crash the journal ends at `last`: who was told of more was lied to; the rest never happened.
    pub fn cut(&mut self, last: Sequence) -> Result<(), String> {
        if self.seen > last {
            let seen = self.seen;
            return Err(format!("a reply that saw sequence {seen} has left, and the journal ends at {last}"));
        }
        for (key, entry) in &self.entries {
            if entry.told && entry.sequence > last {
                let sequence = entry.sequence;
                return Err(format!(
                    "the request {key:032x} was acknowledged as {sequence}, and the journal ends at {last}"
                ));
            }
        }
        self.entries.retain(|_, entry| entry.sequence <= last);
        Ok(())
    }
}

/// A repeated request gets the first answer; with another body it is told so.
pub fn recalled(engine: &Engine, entry: &Entry, asked: &Fingerprint) -> Result<(), String> {
    let sequence = entry.sequence;
    match engine.recall(sequence, asked, |answer| answer.kept()) {
        Ok(_) if *asked != entry.fingerprint => {
            Err(format!("a request with another body got the answer of sequence {sequence}"))
        }
        Ok(answer) if answer != entry.answer => {
            let first = &entry.answer;
            Err(format!("the answer of {sequence} was {first:?} and is now {answer:?}"))
        }
        Ok(_) => Ok(()),
        Err(RecallError::Reused { .. }) if *asked != entry.fingerprint => Ok(()),
        Err(error) => Err(format!("the answer of {sequence} is gone: {error}")),
    }
}
