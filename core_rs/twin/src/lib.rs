//! The naive twin: domain.md section 3 for units on hand, written a second time from domain.md and the
//! contract alone, slow and obvious. It shares the words of a command with the machine, and nothing else.
//!
//! A command is carried out on a copy of the world; whatever rule it breaks on the way is noted; if any
//! was broken the copy is thrown away. Where a command breaks several rules the contract does not say
//! which is named, so a refusal is the list of all of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a twin may be blunt: it is run by tests"
)]
#![allow(missing_docs, clippy::missing_panics_doc, reason = "its words are those of domain.md")]

pub mod compare;
mod documents;
mod fulfilment;
pub mod judge;
mod orders;
pub mod rng;
pub mod routing;
mod sourcing;
mod stock;
mod supply;
pub mod workload;
pub mod world;

use std::collections::BTreeMap;

use lockstock_stock::command::{Command, Request};
use lockstock_stock::event::{ExceptionKind, Outcome};
use lockstock_stock::ids::{LineNo, Micros, RequestKey, Units, stamp_ms};
use lockstock_stock::limits::{KEY_AHEAD_MS_MAX, Limits, QUANTITY_MAX};
use lockstock_stock::refusal::{Reason, ShortSku};

use world::{Name, World};

/// What came of a command that was granted.
#[derive(Clone, Debug)]
pub struct Done {
    pub outcome: Outcome,
    /// What `ALLOW_PARTIAL` did not grant.
    pub refused: Vec<(LineNo, Units)>,
    pub split_exact: bool,
    /// (kind, SKU, warehouse, units short, reservation), in any order.
    pub exceptions: Vec<(ExceptionKind, Name, Name, Units, Option<Name>)>,
}

impl Done {
    fn plain() -> Self {
        Self { outcome: Outcome::Done, refused: Vec::new(), split_exact: true, exceptions: Vec::new() }
    }
}

/// Every rule that a command broke.
#[derive(Clone, Debug, Default)]
pub struct Broken {
    pub reasons: Vec<Reason>,
    /// What `INSUFFICIENT_STOCK` must list.
    pub shortages: Vec<ShortSku>,
    /// What `PARCEL_LIMIT` must say.
    pub parcels_needed: Option<u32>,
}

impl Broken {
    fn rule(&mut self, reason: Reason) {
        self.reasons.push(reason);
    }

    fn unless(&mut self, kept: bool, reason: Reason) -> bool {
        if !kept {
            self.rule(reason);
        }
        kept
    }
}

/// What the twin says to a request.
#[derive(Clone, Debug)]
pub enum Verdict {
    Done(Done),
    Refused(Broken),
    /// The key is known; whether the body is the same.
    Known {
        same: bool,
    },
}

/// What is true only while one command is carried out.
struct Attempt<'a> {
    world: World,
    broken: Broken,
    done: Done,
    limits: &'a Limits,
    now: Micros,
    reason: &'a str,
    sequence: u64,
}

#[derive(Clone)]
pub struct Twin {
    pub world: World,
    pub keys: BTreeMap<RequestKey, u64>,
    pub limits: Limits,
}

impl Twin {
    pub fn new(limits: Limits) -> Self {
        Self { world: World::default(), keys: BTreeMap::new(), limits }
    }

    /// Carries a request out. `sequence` is the number its event gets if it is granted; keys stamped at
    /// or before `horizon_ms` are forgotten.
    pub fn step(
        &mut self,
        request: &Request<'static>,
        now: Micros,
        sequence: u64,
        horizon_ms: u64,
    ) -> Verdict {
        self.world.expire(now);
        let stamp = stamp_ms(request.key);
        if stamp > horizon_ms
            && let Some(digest) = self.keys.get(&request.key)
        {
            return Verdict::Known { same: *digest == request.fingerprint.digest };
        }
        let now_ms = u64::try_from(now / 1_000).unwrap();
        let retained_from_ms = u64::try_from((now - self.limits.key_retention).max(0) / 1_000).unwrap();
        for (broken, reason) in [
            (stamp <= horizon_ms || stamp < retained_from_ms, Reason::RequestTooOld),
            (stamp > now_ms + KEY_AHEAD_MS_MAX, Reason::RequestIdAhead),
        ] {
            if broken {
                return Verdict::Refused(Broken { reasons: vec![reason], ..Broken::default() });
            }
        }
        let mut attempt = Attempt {
            world: self.world.clone(),
            broken: Broken::default(),
            done: Done::plain(),
            limits: &self.limits,
            now,
            reason: request.reason,
            sequence,
        };
        attempt.carry_out(&request.command);
        let Attempt { world, broken, done, .. } = attempt;
        if !broken.reasons.is_empty() {
            return Verdict::Refused(broken);
        }
        self.world = world;
        self.keys.insert(request.key, request.fingerprint.digest);
        Verdict::Done(done)
    }
}

impl Attempt<'_> {
    fn carry_out(&mut self, command: &Command<'static>) {
        match command {
            Command::Lock { order, hold } => self.lock(order, *hold),
            Command::LockAndDeduct { order } => self.lock_and_deduct(order),
            Command::Place { order, hold, policy } => self.place(order, *hold, *policy),
            Command::Unlock(what) => self.unlock(what),
            Command::Deduct(what) => self.deduct(what),
            Command::Cancel(what) => self.cancel(what),
            Command::CancelOrder(what) => self.cancel_order(what),
            Command::Extend { reservation, hold } => self.extend(reservation, *hold),
            Command::Move { reservation, line, from, to, quantity } => {
                self.move_units(reservation, *line, from, to, *quantity);
            }
            Command::PushFulfilment(what) => self.push_fulfilment(what),
            Command::Recall(what) => self.recall(what),
            Command::Ship(what) => self.ship(what),
            Command::ShipOrder { parcel, .. } => self.ship_order(parcel),
            Command::ConfirmPicking { reservation, warehouse, lines } => {
                self.confirm_picking(reservation, warehouse, lines);
            }
            Command::ShortPick(what) => self.short_pick(what),
            Command::ExpectReturn(what) => self.expect_return(what),
            Command::CancelReturn(what) => self.cancel_return(what),
            Command::Return { reservation, warehouse, lines } => {
                self.take_back(reservation, warehouse, lines);
            }
            Command::Adjust { adjustment, lines } => self.adjust(*adjustment, lines),
            Command::Set { lines } => self.set(lines),
            Command::ExpectReceipt { receipt, warehouse, expected_at, lines } => {
                self.expect_receipt(receipt, warehouse, *expected_at, lines);
            }
            Command::Receive { receipt, warehouse, lines } => self.receive(receipt, warehouse, lines),
            Command::DraftTransfer { transfer, from, to, lines } => self.draft(transfer, from, to, lines),
            Command::CancelTransfer { transfer, lines } => self.cancel_transfer(transfer, lines),
            Command::PushTransfer { transfer, lines } => self.push_transfer(transfer, lines),
            Command::RecallTransfer { transfer, lines } => self.recall_transfer(transfer, lines),
            Command::ShipTransfer { transfer, lines } => self.ship_transfer(transfer, lines),
            Command::ReceiveTransfer { transfer, lines } => self.receive_transfer(transfer, lines),
            Command::CloseTransfer { transfer, lines } => self.close_transfer(transfer, lines),
            Command::Exchange { returned, replacement } => {
                self.expect_return(returned);
                self.lock_and_deduct(replacement);
            }
            Command::Amend { reservation, expected_version, deltas, additions, hold } => {
                self.amend(reservation, *expected_version, deltas, additions, *hold);
            }
            Command::PutDocuments { documents } => self.put(documents),
        }
    }

    fn rule(&mut self, reason: Reason) {
        self.broken.rule(reason);
    }

    fn unless(&mut self, kept: bool, reason: Reason) -> bool {
        self.broken.unless(kept, reason)
    }

    fn clean(&self) -> bool {
        self.broken.reasons.is_empty()
    }

    fn knows_sku(&mut self, sku: Name) -> bool {
        let known = self.world.skus.contains_key(sku);
        self.unless(known, Reason::SkuNotFound)
    }

    /// A warehouse that a command works at: known and not CLOSED.
    fn works_at(&mut self, warehouse: Name) -> bool {
        use lockstock_stock::command::WarehouseState::Closed;
        let known = self.world.warehouses.contains_key(warehouse);
        let closed = self.world.is(warehouse, Closed);
        self.unless(known, Reason::WarehouseNotFound) && self.unless(!closed, Reason::WarehouseClosed)
    }

    /// One SKU in one operation adds up to at most 10^12.
    fn sums_in_range(&mut self, lines: impl Iterator<Item = (Name, Units)>) {
        let mut sums: BTreeMap<Name, Units> = BTreeMap::new();
        for (sku, units) in lines {
            *sums.entry(sku).or_default() += units;
        }
        let fits = sums.values().all(|sum| *sum <= QUANTITY_MAX);
        self.unless(fits, Reason::QuantityOutOfRange);
    }

    /// What is taken outside of a pool at ACTIVE warehouses must not be promised otherwise: `before` is
    /// the world without it.
    fn surplus_covers(&mut self, before: &World) {
        let skus: Vec<Name> = before.skus.keys().copied().collect();
        for sku in skus {
            let (was, is) = (before.free(sku), self.world.free(sku));
            self.unless(is >= was || is >= 0, Reason::SurplusShort);
        }
    }
}
