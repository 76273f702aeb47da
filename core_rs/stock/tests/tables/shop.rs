//! A machine that a table drives, and a second state that replays what it journals.

use std::collections::{BTreeMap, BTreeSet};

use lockstock_stock::answer::Answer;
use lockstock_stock::check::new_key;
use lockstock_stock::command::{Request, Service};
use lockstock_stock::decide;
use lockstock_stock::event::{Event, Fingerprint, Operation};
use lockstock_stock::ids::{Micros, RequestKey};
use lockstock_stock::limits::Limits;
use lockstock_stock::machine::{Machine, Reply};
use lockstock_stock::refusal::{Reason, Refusal};
use lockstock_stock::state::State;

use crate::words::{Parsed, Words, command, demand, duration, number};

/// What was met on the way.
#[derive(Default)]
pub struct Met {
    pub operations: BTreeSet<Operation>,
    pub reasons: BTreeSet<Reason>,
}

impl Met {
    pub fn add(&mut self, other: Self) {
        self.operations.extend(other.operations);
        self.reasons.extend(other.reasons);
    }
}

pub struct Shop {
    pub machine: Machine,
    pub now: Micros,
    pub met: Met,
    replayed: State,
    keys: BTreeMap<String, RequestKey>,
    made: u128,
}

impl Shop {
    pub fn new() -> Self {
        let limits = Limits { extensions_max: 2, lock_lifetime_max: 3 * 3_600_000_000, ..Limits::default() };
        Self {
            machine: Machine::new(State::default(), limits),
            now: 1_700_000_000_000_000,
            met: Met::default(),
            replayed: State::default(),
            keys: BTreeMap::new(),
            made: 0,
        }
    }

    /// Runs one line of a table.
    pub fn line(&mut self, line: &str) -> Parsed<()> {
        let (said, expected) =
            line.split_once("->").map_or((line, None), |(said, expected)| (said, Some(expected)));
        let (verb, text) = said.trim().split_once(' ').unwrap_or((said.trim(), ""));
        match verb {
            "repeat" => {
                let (times, line) = text.trim().split_once(' ').ok_or("what is repeated?")?;
                for _ in 0..number::<usize>(times)? {
                    self.line(line)?;
                }
            }
            "tick" => self.now += duration(text.trim())?,
            "sweep" => self.sweep(text, expected)?,
            "available" => self.available(text, expected.ok_or("available says what")?)?,
            "expect" => self.expect(text)?,
            _ => self.command(verb, text, expected.unwrap_or("DONE"))?,
        }
        self.machine.state().check().map_err(|violation| violation.to_string())
    }

    /// At the end of a scene: replay is `apply` alone and gives the same state.
    pub fn end(&self) {
        assert!(self.machine.failed().is_none(), "{:?}", self.machine.failed());
        assert_eq!(self.replayed.hash(), self.machine.state().hash());
    }

    fn replay(&mut self, events: &[Event]) -> Parsed<()> {
        for event in events {
            self.met.operations.insert(event.operation);
            self.replayed.apply(event).map_err(|violation| violation.to_string())?;
        }
        Ok(())
    }

    fn sweep(&mut self, text: &str, expected: Option<&str>) -> Parsed<()> {
        let limit = if text.is_empty() { 256 } else { number(text.trim())? };
        let mut events = Vec::new();
        let swept =
            self.machine.sweep(self.now, limit, &mut events).map_err(|violation| violation.to_string())?;
        self.replay(&events)?;
        match expected.map(|text| number::<usize>(text.trim())).transpose()? {
            Some(expected) if expected != swept => Err(format!("{swept} were swept")),
            _ => Ok(()),
        }
    }

    fn key(&mut self, words: &Words<'_>) -> Parsed<RequestKey> {
        if let Some(known) = words.named("key").and_then(|name| self.keys.get(name)) {
            return Ok(*known);
        }
        let stamp = self.now + words.named("stamp").map_or(Ok(0), duration)?;
        self.made += 1;
        let key = new_key(u64::try_from(stamp / 1_000).map_err(|_| "a stamp before 1970")?, self.made);
        if let Some(name) = words.named("key") {
            self.keys.insert(name.to_owned(), key);
        }
        Ok(key)
    }

    fn command(&mut self, verb: &str, text: &str, expected: &str) -> Parsed<()> {
        let (service, verb) = match verb.strip_prefix('.') {
            Some(verb) => (Service::Orders, verb),
            None => (Service::Stock, verb),
        };
        let command = command(verb, text, self.now)?.ok_or_else(|| format!("{verb} is no verb"))?;
        let words = Words::new(text);
        let digest = said(verb, text);
        let mut request = Request {
            key: self.key(&words)?,
            fingerprint: Fingerprint { digest, fields: vec![(0, 1)] },
            reason: words.named("reason").unwrap_or_default(),
            document: "",
            service,
            command,
        };
        let before = self.machine.state().hash();
        let mut events = Vec::new();
        let reply = self.machine.step(&mut request, self.now, &mut events).kept();
        self.replay(&events)?;
        let mut wanted = Words::new(expected);
        let outcome = wanted.word()?;
        match reply {
            Reply::Done(answer) => compare_answer(outcome, &mut wanted, &answer),
            Reply::Known { same, .. } => {
                let said = if same { "KNOWN" } else { "REUSED" };
                if outcome == said { Ok(()) } else { Err(format!("{said} was answered")) }
            }
            Reply::Refused(refusal) => {
                self.met.reasons.insert(refusal.reason());
                if events.is_empty() && self.machine.state().hash() != before {
                    return Err("a refusal changed the state".to_owned());
                }
                compare_refusal(outcome, &wanted, &refusal)
            }
        }
    }

    fn available(&mut self, text: &str, expected: &str) -> Parsed<()> {
        let demand = demand(&mut Words::new(text))?;
        let state = self.machine.state();
        let before = state.hash();
        let mut wanted = Words::new(expected);
        let reply = decide::availability(state, self.now, &demand);
        if state.hash() != before {
            return Err("a dry run changed the state".to_owned());
        }
        match reply {
            Ok(availability) => {
                let plan = availability.plan.iter();
                let said: Vec<String> = plan
                    .map(|(line, at, units)| format!("{line}@{}:{units}", state.warehouse(*at).id))
                    .chain(availability.refused.iter().map(|(line, units)| format!("{line}@-:{units}")))
                    .collect();
                if wanted.rest() == said { Ok(()) } else { Err(said.join(" ")) }
            }
            Err(refusal) => {
                let reason = wanted.word()?;
                self.met.reasons.insert(refusal.reason());
                compare_refusal(reason, &wanted, &refusal)
            }
        }
    }
}

/// A digest of what was said, without the words that are not part of a body.
fn said(verb: &str, text: &str) -> u64 {
    let words = std::iter::once(verb).chain(text.split_whitespace());
    let body = words.filter(|word| !word.starts_with("key=") && !word.starts_with("stamp="));
    body.flat_map(|word| word.bytes().chain([b' '])).fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The outcome; then, where they are named, all movements (`LOCK:1@SH:3`), what was refused (`refused=1:2`),
/// exceptions (`exception=CLAIMED:BOOK@SH:3`) and `greedy`.
fn compare_answer(outcome: &str, wanted: &mut Words<'_>, answer: &Answer) -> Parsed<()> {
    let greedy = wanted.flag("greedy");
    let moved: Vec<String> = answer
        .movements
        .iter()
        .map(|it| {
            format!(
                "{}:{}@{}:{}",
                it.kind.name(),
                it.line,
                it.warehouse.as_deref().unwrap_or("-"),
                it.quantity
            )
        })
        .collect();
    let refused: Vec<String> = answer.refused.iter().map(|(line, units)| format!("{line}:{units}")).collect();
    let exceptions: Vec<String> = answer
        .exceptions
        .iter()
        .map(|it| format!("{}:{}@{}:{}", it.kind.name(), it.sku, it.warehouse, it.quantity))
        .collect();
    let said = format!(
        "{} {} refused={} exception={} greedy={}",
        answer.outcome.name(),
        moved.join(" "),
        refused.join(","),
        exceptions.join(","),
        !answer.split_exact,
    );
    let movements = wanted.rest();
    let fits = outcome == answer.outcome.name()
        && (movements.is_empty() || movements == moved || (movements == ["nothing"] && moved.is_empty()))
        && wanted.named("refused").unwrap_or_default() == refused.join(",")
        && wanted.named("exception").unwrap_or_default() == exceptions.join(",")
        && greedy != answer.split_exact;
    if fits { Ok(()) } else { Err(said) }
}

/// The reason and, as far as they are named, its facts; of a shortage the facts of its first SKU too.
fn compare_refusal(reason: &str, wanted: &Words<'_>, refusal: &Refusal) -> Parsed<()> {
    let mut facts: BTreeMap<String, String> =
        refusal.metadata().into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect();
    if let Refusal::InsufficientStock { shortages } = refusal {
        facts.insert(
            "short".to_owned(),
            shortages.iter().map(|it| it.sku.as_str()).collect::<Vec<_>>().join(","),
        );
        if let Some(first) = shortages.first() {
            let lines: Vec<String> = first.lines.iter().map(ToString::to_string).collect();
            facts.insert("lines".to_owned(), lines.join(","));
            for (name, units) in [
                ("asked", first.asked),
                ("here", first.available_here),
                ("elsewhere", first.available_elsewhere),
                ("paused", first.available_paused),
                ("locked", first.locked),
                ("claimed", first.claimed),
                ("in_transit", first.in_transit),
            ] {
                facts.insert(name.to_owned(), units.to_string());
            }
            let at = |at: Option<Micros>| {
                at.map_or_else(
                    || "never".to_owned(),
                    |at| ((at - 1_700_000_000_000_000) / 60_000_000).to_string(),
                )
            };
            facts.insert("next_unlock".to_owned(), at(first.next_unlock_at));
            facts.insert("next_arrival".to_owned(), at(first.next_arrival_at));
        }
    }
    // A fact with spaces is written with underscores.
    let fits =
        |(name, value): &(&str, &str)| facts.get(*name).is_some_and(|fact| fact.replace(' ', "_") == *value);
    if reason == refusal.reason().name() && wanted.all_named().iter().all(fits) {
        Ok(())
    } else {
        Err(format!("{} {facts:?}", refusal.reason().name()))
    }
}
