//! From messages to the engine's terms: every request is checked for its form and borrowed as a command. A
//! refusal names the path of the field (`lines[3].quantity`). Whether what is asked can be had is not known
//! here.

mod adjust;
mod amend;
mod documents;
mod form;
mod order;
mod reads;
mod receipt;
mod reservation;
mod transfer;

#[cfg(test)]
mod tests;

use lockstock_stock::check;
use lockstock_stock::command::{Command, Request, Service};
use lockstock_stock::event::Operation;
use lockstock_stock::ids::{Micros, RequestKey};
use lockstock_stock::limits::{ID_BYTES_MAX, Limits, REASON_BYTES_MAX};
use lockstock_stock::refusal::Refusal;
use prost::{DecodeError, Message};

pub(crate) use documents::{change, listing};
pub(crate) use reads::{Place, availability, dispatch, reservation_id, sales, skus, stock, warehouse_layer};

use crate::fingerprint;
use crate::proto::lockstock::v1::command::Operation as Asked;
use crate::proto::lockstock::v1::{self as pb, Cause};
use form::{At as _, Checked};

/// What checking needs to know of the node.
pub(crate) struct Context<'a> {
    /// Bounds of holds.
    pub limits: &'a Limits,
    /// The keyed hash of a buyer.
    pub buyer: &'a dyn Fn(&str) -> u128,
    /// The key of a request that came without one.
    pub fresh_key: &'a dyn Fn() -> RequestKey,
}

macro_rules! operations {
    ($($name:ident $request:ident),* $(,)?) => {
        /// Reads the request of a unary method of the service; `None` where there is no such operation.
        pub(crate) fn read(method: &str, bytes: &[u8]) -> Option<Result<Asked, DecodeError>> {
            match method {
                $(stringify!($name) => Some(pb::$request::decode(bytes).map(Asked::$name)),)*
                _ => None,
            }
        }

        /// The names of the operations, which are those of the unary methods.
        #[cfg(test)]
        pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// Which operation is asked.
        pub(crate) const fn operation(asked: &Asked) -> Operation {
            match asked { $(Asked::$name(_) => Operation::$name),* }
        }

        fn cause(asked: &Asked) -> Option<&Cause> {
            match asked { $(Asked::$name(request) => request.cause.as_ref()),* }
        }

        pub(crate) fn canonical(asked: &Asked) -> Vec<u8> {
            match asked { $(Asked::$name(request) => request.encode_to_vec()),* }
        }

        fn command<'a>(asked: &'a Asked, context: &Context<'_>) -> Checked<Command<'a>> {
            match asked { $(Asked::$name(request) => request.form(context)),* }
        }
    };
}

operations! {
    Lock LockRequest,
    LockAndDeduct LockAndDeductRequest,
    Unlock UnlockRequest,
    Deduct DeductRequest,
    Cancel CancelRequest,
    Extend ExtendRequest,
    Move MoveRequest,
    PushFulfilment PushFulfilmentRequest,
    Recall RecallRequest,
    Ship ShipRequest,
    ShortPick ShortPickRequest,
    ExpectReturn ExpectReturnRequest,
    CancelReturn CancelReturnRequest,
    Return ReturnRequest,
    Increase IncreaseRequest,
    Decrease DecreaseRequest,
    RecordLoss RecordLossRequest,
    OtherReceipt OtherReceiptRequest,
    Issue IssueRequest,
    MarkDefective MarkDefectiveRequest,
    Restore RestoreRequest,
    WriteOff WriteOffRequest,
    Set SetRequest,
    ExpectReceipt ExpectReceiptRequest,
    Receive ReceiveRequest,
    DraftTransfer DraftTransferRequest,
    CancelTransfer CancelTransferRequest,
    PushTransfer PushTransferRequest,
    RecallTransfer RecallTransferRequest,
    ShipTransfer ShipTransferRequest,
    ReceiveTransfer ReceiveTransferRequest,
    CloseTransfer CloseTransferRequest,
    Exchange ExchangeRequest,
    Amend AmendRequest,
}

/// A request message that is one operation.
trait Form {
    /// Checks the form of everything but the cause, and borrows the command.
    fn form<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>>;
}

/// Bytes that are not the message they should be.
pub(crate) fn malformed(error: &DecodeError) -> Refusal {
    Refusal::MalformedMessage { cause: error.to_string() }
}

/// Checks an operation and borrows it as a request of the engine.
pub(crate) fn request<'a>(asked: &'a Asked, context: &Context<'_>) -> Checked<Request<'a>> {
    let (key, reason, document) = match cause(asked) {
        None => ((context.fresh_key)(), "", ""),
        Some(cause) => (
            key(&cause.request_id, context)?,
            check::text("cause.reason", &cause.reason, REASON_BYTES_MAX)?,
            check::text("cause.document", &cause.document, ID_BYTES_MAX)?,
        ),
    };
    let command = command(asked, context)?;
    let fingerprint = fingerprint::of_operation(operation(asked), &canonical(asked));
    Ok(Request { key, fingerprint, reason, document, service: Service::Stock, command })
}

fn key(text: &str, context: &Context<'_>) -> Checked<RequestKey> {
    if text.is_empty() { Ok((context.fresh_key)()) } else { check::key(text) }
}

/// A hold that may be left out.
fn hold(field: &str, hold: Option<&prost_types::Duration>, context: &Context<'_>) -> Checked<Option<Micros>> {
    hold.map(|hold| form::hold(field, hold, context.limits)).transpose()
}

/// Each of a list, with the index in the path of a refusal.
fn each<'a, T, U>(field: &str, list: &'a [T], read: impl Fn(&'a T) -> Checked<U>) -> Checked<Vec<U>> {
    list.iter().enumerate().map(|(at, item)| read(item).at(|| format!("{field}[{at}]"))).collect()
}
