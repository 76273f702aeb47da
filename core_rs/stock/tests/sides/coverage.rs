//! What a run has met: so that agreement is not agreement about nothing.

use std::collections::BTreeMap;
use std::fmt;

use lockstock_stock::command::Request;
use lockstock_stock::decide::operation;
use lockstock_stock::event::{Change, Event, ExceptionKind, Operation, Outcome};
use lockstock_stock::machine::Reply;
use lockstock_stock::movement::Kind;
use lockstock_stock::refusal::Reason;

use super::NOT_HERE;

#[derive(Default)]
pub struct Coverage {
    granted: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
    reasons: BTreeMap<&'static str, u64>,
    failures: BTreeMap<(&'static str, &'static str), u64>,
    outcomes: BTreeMap<&'static str, u64>,
    kinds: BTreeMap<&'static str, u64>,
    exceptions: BTreeMap<&'static str, u64>,
    repeated: u64,
    reused: u64,
    greedy: u64,
}

/// What the contract says that each operation fails with, beside names that are not known.
const FAILS_WITH: &[(Operation, &[Reason])] = {
    use Reason as R;
    &[
        (Operation::Lock, &[R::InsufficientStock, R::ParcelLimit, R::NotRoutable, R::ReservationExists]),
        (Operation::LockAndDeduct, &[R::InsufficientStock, R::ParcelLimit, R::NotRoutable]),
        (Operation::Unlock, &[R::QuantityNotHeld, R::LockExpired]),
        (Operation::Deduct, &[R::QuantityNotHeld, R::RefundDue]),
        (Operation::Cancel, &[R::QuantityNotHeld]),
        (Operation::Extend, &[R::ExtendLimit, R::LockExpired, R::QuantityNotHeld]),
        (Operation::Move, &[R::QuantityNotHeld, R::SurplusShort, R::SameWarehouse]),
        (Operation::PushFulfilment, &[R::QuantityNotHeld]),
        (Operation::Recall, &[R::QuantityNotHeld]),
        (Operation::Ship, &[R::QuantityNotHeld, R::OnHandShort]),
        (Operation::ShortPick, &[R::QuantityNotHeld]),
        (Operation::ExpectReturn, &[R::ReturnExceedsShipped]),
        (Operation::CancelReturn, &[R::QuantityNotHeld]),
        (Operation::Return, &[R::ReturnExceedsShipped]),
        (Operation::Decrease, &[R::QuantityNotHeld, R::SurplusShort]),
        (Operation::RecordLoss, &[R::OnHandShort]),
        (Operation::Issue, &[R::QuantityNotHeld, R::SurplusShort]),
        (Operation::MarkDefective, &[R::QuantityNotHeld, R::SurplusShort]),
        (Operation::Restore, &[R::QuantityNotHeld]),
        (Operation::WriteOff, &[R::QuantityNotHeld]),
        (Operation::Set, &[R::StaleValue, R::QuantityNotHeld, R::SurplusShort]),
        (Operation::ExpectReceipt, &[R::ReceiptExists]),
        (Operation::Receive, &[R::ReceiptExceedsExpected, R::ReceiptExists]),
        (
            Operation::DraftTransfer,
            &[R::QuantityNotHeld, R::SurplusShort, R::TransferExists, R::SameWarehouse],
        ),
        (Operation::CancelTransfer, &[R::QuantityNotHeld, R::TransferClosed]),
        (Operation::PushTransfer, &[R::QuantityNotHeld, R::TransferClosed]),
        (Operation::RecallTransfer, &[R::QuantityNotHeld, R::TransferClosed]),
        (
            Operation::ShipTransfer,
            &[R::QuantityNotHeld, R::OnHandShort, R::TransferClosed, R::WarehouseClosed],
        ),
        (Operation::ReceiveTransfer, &[R::ReceiptExceedsExpected, R::TransferClosed]),
        (Operation::CloseTransfer, &[R::TransferNotBalanced, R::TransferClosed, R::WarehouseClosed]),
        (Operation::Exchange, &[R::ReturnExceedsShipped, R::InsufficientStock]),
        (
            Operation::Amend,
            &[R::BelowShipped, R::InsufficientStock, R::ParcelLimit, R::StaleVersion, R::FieldsConflict],
        ),
        (Operation::PutDocuments, &[R::WarehouseNotEmpty, R::DocumentExists, R::StaleVersion]),
        (
            Operation::PlaceOrder,
            &[R::InsufficientStock, R::ParcelLimit, R::NotRoutable, R::ReservationExists],
        ),
        (Operation::PayOrder, &[R::QuantityNotHeld, R::RefundDue]),
        (Operation::ExtendOrder, &[R::ExtendLimit, R::LockExpired, R::QuantityNotHeld]),
        (Operation::CancelOrder, &[R::QuantityNotHeld, R::LockExpired]),
        (
            Operation::AmendOrder,
            &[R::BelowShipped, R::InsufficientStock, R::ParcelLimit, R::StaleVersion, R::FieldsConflict],
        ),
        (Operation::MoveOrder, &[R::QuantityNotHeld, R::SameWarehouse]),
        (Operation::PushOrder, &[R::QuantityNotHeld]),
        (Operation::RecallOrder, &[R::QuantityNotHeld]),
        (Operation::ConfirmPicking, &[R::QuantityNotHeld, R::LineNotFound]),
        (Operation::ShipOrder, &[R::QuantityNotHeld, R::FieldRequired, R::OnHandShort]),
        (Operation::ExpectOrderReturn, &[R::ReturnExceedsShipped]),
        (Operation::CancelOrderReturn, &[R::QuantityNotHeld]),
        (Operation::TakeOrderReturn, &[R::ReturnExceedsShipped]),
        (Operation::ExchangeOrder, &[R::ReturnExceedsShipped, R::InsufficientStock]),
    ]
};

impl Coverage {
    pub fn count(&mut self, request: &Request<'_>, reply: &Reply, events: &[Event]) {
        let name = operation(request).name();
        match reply {
            Reply::Done(answer) => {
                *self.granted.entry(name).or_default() += 1;
                *self.outcomes.entry(answer.outcome.name()).or_default() += 1;
                self.greedy += u64::from(!answer.split_exact);
                for exception in &answer.exceptions {
                    *self.exceptions.entry(exception.kind.name()).or_default() += 1;
                }
            }
            Reply::Refused(refusal) => {
                *self.refused.entry(name).or_default() += 1;
                *self.reasons.entry(refusal.reason().name()).or_default() += 1;
                *self.failures.entry((name, refusal.reason().name())).or_default() += 1;
            }
            Reply::Known { same: true, .. } => self.repeated += 1,
            Reply::Known { same: false, .. } => self.reused += 1,
        }
        for change in events.iter().flat_map(|event| &event.changes) {
            if let Change::Movement(movement) = change {
                *self.kinds.entry(movement.kind.name()).or_default() += 1;
            }
        }
    }

    /// Every operation granted and refused, every reason, outcome, kind of movement and exception met.
    pub fn assert_nothing_was_left_out(&self) {
        let engine_own = [Operation::Sweep, Operation::Checkpoint];
        let operations = Operation::ALL.iter().filter(|operation| !engine_own.contains(operation));
        let mut missing = Vec::new();
        let mut need = |what: &str, name: &'static str, counts: &BTreeMap<&'static str, u64>| {
            if counts.get(name).copied().unwrap_or(0) < 5 {
                missing.push(format!("{what} {name}"));
            }
        };
        for operation in operations {
            need("granted", operation.name(), &self.granted);
            need("refused", operation.name(), &self.refused);
        }
        for reason in Reason::ALL.iter().filter(|reason| !NOT_HERE.contains(reason)) {
            need("reason", reason.name(), &self.reasons);
        }
        for outcome in Outcome::ALL {
            need("outcome", outcome.name(), &self.outcomes);
        }
        for kind in Kind::ALL {
            need("movement", kind.name(), &self.kinds);
        }
        for exception in ExceptionKind::ALL {
            need("exception", exception.name(), &self.exceptions);
        }
        for (operation, reasons) in FAILS_WITH {
            for reason in *reasons {
                let met = self.failures.get(&(operation.name(), reason.name())).copied().unwrap_or(0);
                if met == 0 {
                    missing.push(format!("{} refused with {}", operation.name(), reason.name()));
                }
            }
        }
        assert!(missing.is_empty(), "hardly met: {missing:?}\n{self}");
        assert!(self.repeated > 100 && self.reused > 20 && self.greedy > 5, "{self}");
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, counts) in [
            ("granted", &self.granted),
            ("refused", &self.refused),
            ("reasons", &self.reasons),
            ("outcomes", &self.outcomes),
            ("movements", &self.kinds),
            ("exceptions", &self.exceptions),
        ] {
            writeln!(f, "{title}: {counts:?}")?;
        }
        write!(f, "repeated {}, reused {}, greedy {}", self.repeated, self.reused, self.greedy)
    }
}
