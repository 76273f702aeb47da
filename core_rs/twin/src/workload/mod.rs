//! A seeded shop: few SKUs, few warehouses and many commands, good and bad, so that collisions,
//! shortages and splits are frequent. It looks at the twin to know what could be done next.

mod orders;
mod shop;
mod supply;

use std::fmt::Write as _;
use std::sync::OnceLock;

use lockstock_stock::command::{Command, Request, Service};
use lockstock_stock::event::Fingerprint;
use lockstock_stock::ids::{Micros, RequestKey, Units};
use lockstock_stock::limits::Limits;

use crate::rng::Rng;
use crate::world::{Name, World};

pub const SKUS: [Name; 5] = ["apple", "bread", "candle", "drum", "egg"];
pub const WAREHOUSES: [Name; 6] = ["w1", "w2", "w3", "w4", "w5", "w6"];
pub const REGIONS: [Name; 4] = ["north", "south", "east", "nowhere"];
pub const CATEGORIES: [Name; 3] = ["food", "home", ""];

const SECOND: Micros = 1_000_000;
const MINUTE: Micros = 60 * SECOND;
/// Some day in 2023.
pub const START: Micros = 1_700_000_000 * SECOND;

/// Tight, so that they are met.
pub fn limits(seed: u64) -> Limits {
    Limits {
        hold_default: 10 * MINUTE,
        extensions_max: 2,
        lock_lifetime_max: 40 * MINUTE,
        key_retention: if seed.is_multiple_of(2) { 120 * MINUTE } else { 96 * 60 * MINUTE },
        keys_max: if seed.is_multiple_of(5) { 100 } else { 1_000_000 },
        ..Limits::default()
    }
}

/// Ids of what commands create, made once a process.
struct Ids {
    reservations: Vec<Name>,
    receipts: Vec<Name>,
    transfers: Vec<Name>,
    extras: Vec<Name>,
}

fn ids() -> &'static Ids {
    static IDS: OnceLock<Ids> = OnceLock::new();
    let run = |prefix: &str| -> Vec<Name> {
        (0..2_000).map(|n| &*String::leak(format!("{prefix}{n:04}"))).collect()
    };
    IDS.get_or_init(|| Ids {
        reservations: run("order-"),
        receipts: run("receipt-"),
        transfers: run("transfer-"),
        extras: run("extra-"),
    })
}

/// How the next request relates to earlier ones.
enum Repeat {
    No,
    Same,
    OtherBody,
}

pub struct Workload {
    pub rng: Rng,
    pub now: Micros,
    reservations: usize,
    receipts: usize,
    transfers: usize,
    extras: usize,
    keys: u128,
    history: Vec<Request<'static>>,
    /// How many of a hundred shelves open with units, and with how many at most.
    fullness: u64,
    richness: i64,
}

impl Workload {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            now: START,
            reservations: 0,
            receipts: 0,
            transfers: 0,
            extras: 0,
            keys: 0,
            history: Vec::new(),
            fullness: [15, 50, 60][usize::try_from(seed % 3).unwrap()],
            richness: [3, 10, 40][usize::try_from(seed % 3).unwrap()],
        }
    }

    /// Time goes on: mostly seconds, sometimes long enough for locks to lapse, sometimes to the very
    /// microsecond at which the next one does.
    pub fn tick(&mut self, world: &World) {
        let ahead = world.reservations.values().filter(|order| order.sum(|line| line.locked) > 0);
        let next = ahead.map(|order| order.deadline).filter(|deadline| *deadline > self.now).min();
        if let Some(deadline) = next
            && self.rng.percent(4)
        {
            self.now = deadline;
            return;
        }
        self.now += match self.rng.below(100) {
            0..=29 => 0,
            30..=84 => self.rng.between(1, 20 * SECOND),
            85..=97 => self.rng.between(SECOND, 4 * MINUTE),
            _ => self.rng.between(5 * MINUTE, 30 * MINUTE),
        };
    }

    /// A key with a good stamp.
    fn key(&mut self, stamp_ms: i64) -> RequestKey {
        self.keys += 1;
        (RequestKey::from(u64::try_from(stamp_ms).unwrap()) << 80) | (0x7 << 76) | (0b10 << 62) | self.keys
    }

    pub fn request(&mut self, command: Command<'static>) -> Request<'static> {
        let now_ms = self.now / 1_000;
        let stamp = match self.rng.below(100) {
            0 => now_ms + 301_000,
            1 => now_ms - 3 * 60 * 60_000,
            2..=20 => now_ms - self.rng.between(0, 60_000),
            _ => now_ms,
        };
        let reason = if self.rng.percent(60) { "because" } else { "" };
        let key = self.key(stamp);
        let service = if self.rng.percent(40) { Service::Orders } else { Service::Stock };
        let request = Request {
            key,
            fingerprint: fingerprint(&command, reason),
            reason,
            document: "doc",
            service,
            command,
        };
        self.history.push(request.clone());
        request
    }

    /// The next request: a new one, or one of the last again.
    pub fn next(&mut self, world: &World) -> Request<'static> {
        let repeat = match self.rng.below(100) {
            0..=4 => Repeat::Same,
            5..=6 => Repeat::OtherBody,
            _ => Repeat::No,
        };
        if !matches!(repeat, Repeat::No) && !self.history.is_empty() {
            let reach = if self.rng.percent(70) { 10 } else { self.history.len() };
            let back = self.rng.below(reach.min(self.history.len()));
            let old = self.history[self.history.len() - 1 - back].clone();
            if matches!(repeat, Repeat::Same) {
                return old;
            }
            let command = self.command(world);
            return Request { fingerprint: fingerprint(&command, old.reason), command, ..old };
        }
        let command = self.command(world);
        self.request(command)
    }

    fn command(&mut self, world: &World) -> Command<'static> {
        type Make = fn(&mut Workload, &World) -> Command<'static>;
        const TABLE: [(usize, Make); 34] = [
            (14, Workload::lock),
            (12, Workload::place_order),
            (3, Workload::cancel_order),
            (4, Workload::confirm_picking),
            (4, Workload::ship_order),
            (4, Workload::lock_and_deduct),
            (4, Workload::unlock),
            (10, Workload::deduct),
            (4, Workload::cancel),
            (3, Workload::extend),
            (7, Workload::move_units),
            (5, Workload::push_fulfilment),
            (2, Workload::recall),
            (6, Workload::ship),
            (3, Workload::short_pick),
            (3, Workload::expect_return),
            (2, Workload::cancel_return),
            (3, Workload::take_back),
            (2, Workload::exchange),
            (6, Workload::amend),
            (3, Workload::increase),
            (2, Workload::other_receipt),
            (8, Workload::adjust),
            (3, Workload::set),
            (3, Workload::expect_receipt),
            (4, Workload::receive),
            (4, Workload::draft),
            (2, Workload::cancel_transfer),
            (2, Workload::push_transfer),
            (2, Workload::recall_transfer),
            (3, Workload::ship_transfer),
            (3, Workload::receive_transfer),
            (3, Workload::close_transfer),
            (4, Workload::put_documents),
        ];
        let mut at = self.rng.below(TABLE.iter().map(|(weight, _)| weight).sum());
        for (weight, make) in TABLE {
            if at < weight {
                return make(self, world);
            }
            at -= weight;
        }
        unreachable!("the weights add up")
    }

    // Names and numbers, some of them wrong.

    fn sku(&mut self) -> Name {
        if self.rng.percent(2) { "no-such-sku" } else { self.rng.pick(&SKUS) }
    }

    fn warehouse(&mut self) -> Name {
        if self.rng.percent(2) { "no-such-warehouse" } else { self.rng.pick(&WAREHOUSES) }
    }

    /// Units where `there` are: mostly some of them, sometimes all, sometimes too many.
    fn units(&mut self, there: Units) -> Units {
        match self.rng.below(10) {
            0 => there.max(0) + self.rng.between(1, 3),
            1..=3 if there > 0 => there,
            _ if there > 0 => self.rng.between(1, there),
            _ => self.rng.between(1, 4),
        }
    }

    /// One of the ids for which something holds, mostly.
    fn owner(&mut self, fitting: &[Name], all: &[Name], unknown: Name) -> Name {
        if self.rng.percent(2) || all.is_empty() {
            return unknown;
        }
        let from = if fitting.is_empty() || self.rng.percent(8) { all } else { fitting };
        // The newest are the busiest.
        let newest = if self.rng.percent(60) { from.len().saturating_sub(8) } else { 0 };
        self.rng.pick(&from[newest..])
    }
}

pub fn fingerprint(command: &Command<'static>, reason: &str) -> Fingerprint {
    let mut text = String::new();
    write!(text, "{command:?} {reason}").unwrap();
    let digest = text
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
    Fingerprint { digest, fields: vec![(0, u32::try_from(digest >> 32).unwrap())] }
}
