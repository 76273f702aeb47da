//! From messages to the engine's terms: every request is checked for its form and borrowed as a command. A
//! refusal names the path of the field (`lines[3].quantity`). Whether what is asked can be had is not known
//! here.

mod adjust;
mod amend;
mod documents;
mod form;
mod order;
mod orders;
mod reads;
mod receipt;
mod reservation;
mod transfer;

#[cfg(test)]
mod tests;

use lockstock_stock::check;
use lockstock_stock::command::{Command, Request, Service};
use lockstock_stock::event::{Fingerprint, Operation};
use lockstock_stock::ids::{Micros, RequestKey};
use lockstock_stock::limits::{ID_BYTES_MAX, Limits, REASON_BYTES_MAX};
use lockstock_stock::refusal::Refusal;
use prost::{DecodeError, Message};

pub(crate) use documents::{change, fingerprint_of_change, listing, named};
pub(crate) use orders::{Planned, Step};
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

/// What can be asked as one step.
pub(crate) trait Asks {
    /// Which operation it is.
    fn operation(&self) -> Operation;
    /// Which service it is an operation of.
    fn service(&self) -> Service;
    /// Why it is asked.
    fn cause(&self) -> Option<&Cause>;
    /// The body as it is fingerprinted.
    fn canonical(&self) -> Vec<u8>;
    /// Checks the form of everything but the cause, and borrows the command.
    fn command<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>>;
}

macro_rules! asks {
    ($asked:ident of $service:ident: $($name:ident $request:ident),* $(,)?) => {
        impl Asks for $asked {
            fn operation(&self) -> Operation {
                match self { $($asked::$name(_) => Operation::$name),* }
            }

            fn service(&self) -> Service {
                Service::$service
            }

            fn cause(&self) -> Option<&Cause> {
                match self { $($asked::$name(request) => request.cause.as_ref()),* }
            }

            fn canonical(&self) -> Vec<u8> {
                match self { $($asked::$name(request) => request.encode_to_vec()),* }
            }

            fn command<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>> {
                match self { $($asked::$name(request) => request.form(context)),* }
            }
        }

        impl $asked {
            /// Reads the request of a unary method of the service; `None` where there is no such operation.
            pub(crate) fn read(method: &str, bytes: &[u8]) -> Option<Result<Self, DecodeError>> {
                match method {
                    $(stringify!($name) => Some(pb::$request::decode(bytes).map($asked::$name)),)*
                    _ => None,
                }
            }

            /// The names of the operations, which are those of the unary methods.
            #[cfg(test)]
            pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];
        }
    };
}
pub(super) use asks;

asks! {
    Asked of Stock:
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
pub(crate) fn request<'a>(asked: &'a impl Asks, context: &Context<'_>) -> Checked<Request<'a>> {
    let (key, reason, document) = match asked.cause() {
        None => ((context.fresh_key)(), "", ""),
        Some(cause) => (
            key(&cause.request_id, context)?,
            check::text("cause.reason", &cause.reason, REASON_BYTES_MAX)?,
            check::text("cause.document", &cause.document, ID_BYTES_MAX)?,
        ),
    };
    let command = asked.command(context)?;
    Ok(Request { key, fingerprint: fingerprint(asked), reason, document, service: asked.service(), command })
}

/// What tells an operation that is asked again from another.
pub(crate) fn fingerprint(asked: &impl Asks) -> Fingerprint {
    fingerprint::of_operation(asked.operation(), &asked.canonical())
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
