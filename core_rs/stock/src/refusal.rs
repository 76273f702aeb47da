//! Why a call is refused: one closed list, with the status code, the words and the metadata of each.
//!
//! The same list is `lockstock.v1.Reason`; a test in the wire crate holds the two together, and
//! `docs/reasons.md` is generated from here.

use crate::ids::{LineNo, Micros, Units};

/// A gRPC status code, as far as refusals use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Malformed.
    InvalidArgument = 3,
    /// Unknown.
    NotFound = 5,
    /// The id or key is taken.
    AlreadyExists = 6,
    /// Not allowed.
    PermissionDenied = 7,
    /// Overload.
    ResourceExhausted = 8,
    /// Refused by stock, pool, limit, route or state.
    FailedPrecondition = 9,
    /// A stale expectation or version.
    Aborted = 10,
    /// No such method.
    Unimplemented = 12,
    /// A defect of ours.
    Internal = 13,
    /// Not now.
    Unavailable = 14,
}

impl Code {
    /// The name in docs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

/// Whether sending the same request again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not without changing the request.
    Never,
    /// When the world has changed (stock came in, another version was read).
    Later,
    /// Soon; a status of this kind carries a retry hint.
    Soon,
}

/// One short SKU of a refused order (`lockstock.v1.ShortSku`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShortSku {
    /// The SKU.
    pub sku: String,
    /// The lines that ask for it.
    pub lines: Vec<LineNo>,
    /// Their sum.
    pub asked: Units,
    /// What the plan's active warehouses could give.
    pub available_here: Units,
    /// Available in active warehouses outside the plan.
    pub available_elsewhere: Units,
    /// Available in paused warehouses.
    pub available_paused: Units,
    /// Locked by others.
    pub locked: Units,
    /// Promised without units.
    pub claimed: Units,
    /// When the next lock on it ends; `None` if none is near.
    pub next_unlock_at: Option<Micros>,
    /// On its way in.
    pub in_transit: Units,
    /// The next dated arrival.
    pub next_arrival_at: Option<Micros>,
}

/// How a field of a refusal becomes metadata.
trait Fact {
    fn fact(&self) -> Option<String>;
}

macro_rules! facts {
    ($($ty:ty),*) => {$(
        impl Fact for $ty {
            fn fact(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )*};
}

facts!(String, &'static str, i64, u32, u64, usize);

impl Fact for Option<String> {
    fn fact(&self) -> Option<String> {
        self.clone()
    }
}

impl Fact for Vec<ShortSku> {
    fn fact(&self) -> Option<String> {
        None
    }
}

macro_rules! refusals {
    ($( $number:literal $name:ident $reason:literal $code:ident $retry:ident { $($field:ident: $ty:ty),* $(,)? } $words:literal )*) => {
        /// The reasons, as a list to walk over. The number is that of `lockstock.v1.Reason`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        #[allow(missing_docs, reason = "each is described in errors.proto and docs/reasons.md")]
        pub enum Reason { $($name = $number),* }

        impl Reason {
            /// All reasons, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// `google.rpc.ErrorInfo.reason`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $reason),* }
            }

            /// The status code.
            #[must_use]
            pub const fn code(self) -> Code {
                match self { $(Self::$name => Code::$code),* }
            }

            /// Whether a retry can help.
            #[must_use]
            pub const fn retry(self) -> Retry {
                match self { $(Self::$name => Retry::$retry),* }
            }

            /// The names of the metadata.
            #[must_use]
            pub const fn metadata(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$(stringify!($field)),*]),* }
            }

            /// The words, with the metadata in braces.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self { $(Self::$name => $words),* }
            }
        }

        /// A refusal with what varies in it.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is described in errors.proto and docs/reasons.md")]
        pub enum Refusal { $($name { $($field: $ty),* }),* }

        impl Refusal {
            /// Which reason.
            #[must_use]
            pub const fn reason(&self) -> Reason {
                match self { $(Self::$name { .. } => Reason::$name),* }
            }

            /// What varies, by name.
            #[must_use]
            pub fn metadata(&self) -> Vec<(&'static str, String)> {
                match self { $(Self::$name { $($field),* } => {
                    #[allow(unused_mut, reason = "some refusals have no metadata")]
                    let mut facts: Vec<(&'static str, String)> = Vec::new();
                    $(if let Some(fact) = $field.fact() { facts.push((stringify!($field), fact)); })*
                    facts
                }),* }
            }
        }
    };
}

refusals! {
    1 MalformedMessage "MALFORMED_MESSAGE" InvalidArgument Never { cause: String }
        "the message cannot be read: {cause}"
    2 FieldRequired "FIELD_REQUIRED" InvalidArgument Never { field: String }
        "{field} must be set"
    3 IdInvalid "ID_INVALID" InvalidArgument Never { field: String }
        "{field} must be 1 to 64 bytes without control characters"
    4 TextTooLong "TEXT_TOO_LONG" InvalidArgument Never { field: String, limit: usize }
        "{field} is longer than {limit} bytes"
    5 QuantityOutOfRange "QUANTITY_OUT_OF_RANGE" InvalidArgument Never { field: String, value: String }
        "{field} is {value}: quantities are 1 to 10^12 whole units, summed over the lines of a SKU"
    6 DurationOutOfRange "DURATION_OUT_OF_RANGE" InvalidArgument Never { field: String, limit: String }
        "{field} is out of range: {limit}"
    7 EnumUnknown "ENUM_UNKNOWN" InvalidArgument Never { field: String, value: i64 }
        "{field} has no value {value}"
    8 TooManyLines "TOO_MANY_LINES" InvalidArgument Never { field: String, limit: usize }
        "{field} has more than {limit} entries"
    9 TooManyCommands "TOO_MANY_COMMANDS" InvalidArgument Never { limit: usize }
        "a batch has at most {limit} commands"
    10 LineRepeated "LINE_REPEATED" InvalidArgument Never { field: String, value: String }
        "{field} names {value} a second time"
    11 FieldsConflict "FIELDS_CONFLICT" InvalidArgument Never { field: String }
        "{field} cannot be set here together with what else is set"
    12 SameWarehouse "SAME_WAREHOUSE" InvalidArgument Never { warehouse: String }
        "from and to are the same warehouse, {warehouse}"
    13 RequestIdInvalid "REQUEST_ID_INVALID" InvalidArgument Never {}
        "request_id is not a UUIDv7"
    14 RequestIdAhead "REQUEST_ID_AHEAD" InvalidArgument Never {}
        "request_id is stamped more than 5 minutes ahead of the server's clock"
    15 PageTokenInvalid "PAGE_TOKEN_INVALID" InvalidArgument Never {}
        "page_token is not one this server made for this list"
    16 FieldMaskInvalid "FIELD_MASK_INVALID" InvalidArgument Never { field: String }
        "update_mask names {field}, which cannot be updated"
    17 NumberOutOfRange "NUMBER_OUT_OF_RANGE" InvalidArgument Never { field: String, value: String, limit: String }
        "{field} is {value}: it must be {limit}"

    20 SkuNotFound "SKU_NOT_FOUND" NotFound Later { sku: String } "there is no SKU {sku}"
    21 WarehouseNotFound "WAREHOUSE_NOT_FOUND" NotFound Later { warehouse: String } "there is no warehouse {warehouse}"
    22 RegionNotFound "REGION_NOT_FOUND" NotFound Later { region: String } "there is no region {region}"
    23 ChannelNotFound "CHANNEL_NOT_FOUND" NotFound Later { channel: String } "there is no channel {channel}"
    24 PoolNotFound "POOL_NOT_FOUND" NotFound Later { pool: String } "there is no pool {pool}"
    25 ReservationNotFound "RESERVATION_NOT_FOUND" NotFound Later { reservation: String }
        "there is no reservation {reservation}"
    26 LineNotFound "LINE_NOT_FOUND" NotFound Never { reservation: String, line: LineNo }
        "reservation {reservation} has no line {line}"
    27 TransferNotFound "TRANSFER_NOT_FOUND" NotFound Later { transfer: String, sku: Option<String> }
        "there is no such transfer, or no such SKU on it: {transfer}"

    40 RequestIdReused "REQUEST_ID_REUSED" AlreadyExists Never { field: String, sequence: u64 }
        "request_id was used for another request, sequence {sequence}, which differs in {field}"
    41 ReservationExists "RESERVATION_EXISTS" AlreadyExists Never { reservation: String }
        "there is a reservation {reservation} already"
    42 TransferExists "TRANSFER_EXISTS" AlreadyExists Never { transfer: String }
        "there is a transfer {transfer} already"
    43 ReceiptExists "RECEIPT_EXISTS" AlreadyExists Never { receipt: String, warehouse: String }
        "receipt {receipt} is known, for warehouse {warehouse}"
    44 DocumentExists "DOCUMENT_EXISTS" AlreadyExists Never { kind: &'static str, id: String }
        "there is a {kind} {id} already"

    60 InsufficientStock "INSUFFICIENT_STOCK" FailedPrecondition Later { shortages: Vec<ShortSku> }
        "not enough stock; every short SKU is in the details"
    61 ParcelLimit "PARCEL_LIMIT" FailedPrecondition Never { max_parcels: u32, parcels_needed: u32 }
        "it would take {parcels_needed} parcels, and {max_parcels} are allowed"
    62 NotRoutable "NOT_ROUTABLE" FailedPrecondition Later { region: Option<String>, sku: String }
        "no warehouse that is not closed covers the destination and keeps {sku}"
    63 QuantityNotHeld "QUANTITY_NOT_HELD" FailedPrecondition Later {
        state: &'static str, asked: Units, held: Units,
        owner: Option<String>, line: Option<String>, sku: Option<String>, warehouse: Option<String>,
    } "{asked} asked, {held} {state}"
    64 SurplusShort "SURPLUS_SHORT" FailedPrecondition Later { sku: String, asked: Units, surplus: Units }
        "{asked} of {sku} asked, but only {surplus} are not promised otherwise"
    65 OnHandShort "ON_HAND_SHORT" FailedPrecondition Later { sku: String, warehouse: String, asked: Units, held: Units }
        "{asked} of {sku} would leave {warehouse}, which has {held} good units on its books: report the short pick first"
    66 CounterOverflow "COUNTER_OVERFLOW" FailedPrecondition Never { sku: String, warehouse: String }
        "a counter of {sku} in {warehouse} would pass 10^15"
    67 WarehouseClosed "WAREHOUSE_CLOSED" FailedPrecondition Later { warehouse: String }
        "warehouse {warehouse} is closed"
    68 WarehouseNotEmpty "WAREHOUSE_NOT_EMPTY" FailedPrecondition Later { warehouse: String, sku: String }
        "warehouse {warehouse} cannot be closed: it still has units of {sku} on hand, in transit or returning"
    69 LockExpired "LOCK_EXPIRED" FailedPrecondition Never { reservation: String, deadline: Micros }
        "the lock of {reservation} has expired (deadline {deadline}, microseconds since 1970)"
    70 ExtendLimit "EXTEND_LIMIT" FailedPrecondition Never { reservation: String, limit: String }
        "the lock of {reservation} cannot be extended: {limit}"
    71 RefundDue "REFUND_DUE" FailedPrecondition Never { reservation: String }
        "reservation {reservation} was paid and sold out: a refund is due"
    72 ReturnExceedsShipped "RETURN_EXCEEDS_SHIPPED" FailedPrecondition Never {
        reservation: String, line: LineNo, asked: Units, held: Units,
    } "{asked} of line {line} of {reservation} would come back, and {held} are still out"
    73 ReceiptExceedsExpected "RECEIPT_EXCEEDS_EXPECTED" FailedPrecondition Never {
        owner: String, sku: String, asked: Units, held: Units,
    } "{asked} of {sku} arrived for {owner}, {held} expected: give a reason"
    74 TransferNotBalanced "TRANSFER_NOT_BALANCED" FailedPrecondition Never {
        transfer: String, sku: String, asked: Units, held: Units,
    } "{held} of {sku} of transfer {transfer} are open, {asked} are explained"
    75 TransferClosed "TRANSFER_CLOSED" FailedPrecondition Never { transfer: String } "transfer {transfer} is closed"
    76 BelowShipped "BELOW_SHIPPED" FailedPrecondition Never {
        reservation: String, line: LineNo, asked: Units, held: Units,
    } "{asked} of line {line} of {reservation} would be cut, and {held} have not shipped or ended"
    77 RequestTooOld "REQUEST_TOO_OLD" FailedPrecondition Never { horizon: u64 }
        "request_id is older than the server remembers (up to {horizon}, milliseconds since 1970)"
    78 ReferenceInvalid "REFERENCE_INVALID" FailedPrecondition Later { field: String, value: String }
        "{field} refers to {value}, which does not exist or would make a cycle"
    79 OrderState "ORDER_STATE" FailedPrecondition Later {
        order: String, state: String, verb: String, allowed: String,
    } "order {order} is {state}, where {verb} is not right; right are: {allowed}"
    80 PickupNotOffered "PICKUP_NOT_OFFERED" FailedPrecondition Later { warehouse: String }
        "warehouse {warehouse} offers no pickup"

    90 StaleValue "STALE_VALUE" Aborted Later { sku: String, warehouse: String, expected: Units, current: Units }
        "{sku} in {warehouse} is {current}, not {expected}"
    91 StaleVersion "STALE_VERSION" Aborted Later { id: String, expected: u64, current: u64 }
        "{id} is at version {current}, not {expected}"
    92 SweepBehind "SWEEP_BEHIND" Aborted Soon { swept: usize }
        "{swept} expired locks were swept and more are due: send it again"

    110 Overloaded "OVERLOADED" ResourceExhausted Soon { limit: String } "too much is in flight: {limit}"
    111 DiskLow "DISK_LOW" ResourceExhausted Soon { free: u64, floor: u64 }
        "{free} bytes of disk are free, below the floor of {floor}"
    112 MessageTooLarge "MESSAGE_TOO_LARGE" ResourceExhausted Never { limit: usize }
        "the message is longer than {limit} bytes"
    113 Draining "DRAINING" Unavailable Soon {} "the server is stopping"
    114 Frozen "FROZEN" Unavailable Soon {} "an operator has frozen all changes"

    115 PermissionDenied "PERMISSION_DENIED" PermissionDenied Never { method: String }
        "this caller may not call {method}"
    116 DatabaseAway "DATABASE_AWAY" Unavailable Soon { wanted: u64, as_of: u64 }
        "the database is away or behind: sequence {wanted} is wanted, it stands at {as_of}"

    130 MethodUnknown "METHOD_UNKNOWN" Unimplemented Never { method: String } "there is no method {method}"
    131 InvariantViolated "INVARIANT_VIOLATED" Internal Never { violation: String }
        "an invariant would have been violated ({violation}): nothing was changed"
}

impl Refusal {
    /// The words with what varies filled in.
    #[must_use]
    pub fn message(&self) -> String {
        let mut words = self.reason().words().to_owned();
        for (name, fact) in self.metadata() {
            words = words.replace(&format!("{{{name}}}"), &fact);
        }
        words
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.reason().name(), self.message())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_of_the_words_is_metadata() {
        for reason in Reason::ALL {
            for part in reason.words().split('{').skip(1) {
                let name = part.split('}').next().unwrap();
                assert!(reason.metadata().contains(&name), "{}: {name}", reason.name());
            }
        }
    }

    #[test]
    fn a_message_names_what_varies() {
        let refusal = Refusal::ParcelLimit { max_parcels: 1, parcels_needed: 3 };
        assert_eq!(refusal.to_string(), "PARCEL_LIMIT: it would take 3 parcels, and 1 are allowed");
    }
}
