//! What happened: one journal record. Events carry effects (which units moved, which record was
//! created), never intentions, so that an old journal replays under new rules.

use crate::command::{DocumentKind, WarehouseState};
use crate::few::Few;
use crate::ids::{
    ChannelIx, Micros, OwnerNo, PoolIx, RegionIx, RequestKey, Sequence, SkuIx, Units, WarehouseIx,
};
use crate::movement::Movement;

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $number:literal $variant:ident $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant = $number),* }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The one of a number, if there is one.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }

            /// The name in answers, SQL and docs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

numbered! {
    /// What was done. The numbers are in the journal; 1 to 34 are also the field numbers of
    /// `lockstock.v1.Command`, 35 to 48 are the steps of `lockstock.v1.OrderService`.
    Operation {
        /// See `LockRequest`.
        1 Lock "LOCK",
        /// See `LockAndDeductRequest`.
        2 LockAndDeduct "LOCK_AND_DEDUCT",
        /// See `UnlockRequest`.
        3 Unlock "UNLOCK",
        /// See `DeductRequest`.
        4 Deduct "DEDUCT",
        /// See `CancelRequest`.
        5 Cancel "CANCEL",
        /// See `ExtendRequest`.
        6 Extend "EXTEND",
        /// See `MoveRequest`.
        7 Move "MOVE",
        /// See `PushFulfilmentRequest`.
        8 PushFulfilment "PUSH_FULFILMENT",
        /// See `RecallRequest`.
        9 Recall "RECALL",
        /// See `ShipRequest`.
        10 Ship "SHIP",
        /// See `ShortPickRequest`.
        11 ShortPick "SHORT_PICK",
        /// See `ExpectReturnRequest`.
        12 ExpectReturn "EXPECT_RETURN",
        /// See `CancelReturnRequest`.
        13 CancelReturn "CANCEL_RETURN",
        /// See `ReturnRequest`.
        14 Return "RETURN",
        /// See `IncreaseRequest`.
        15 Increase "INCREASE",
        /// See `DecreaseRequest`.
        16 Decrease "DECREASE",
        /// See `RecordLossRequest`.
        17 RecordLoss "RECORD_LOSS",
        /// See `OtherReceiptRequest`.
        18 OtherReceipt "OTHER_RECEIPT",
        /// See `IssueRequest`.
        19 Issue "ISSUE",
        /// See `MarkDefectiveRequest`.
        20 MarkDefective "MARK_DEFECTIVE",
        /// See `RestoreRequest`.
        21 Restore "RESTORE",
        /// See `WriteOffRequest`.
        22 WriteOff "WRITE_OFF",
        /// See `SetRequest`.
        23 Set "SET",
        /// See `ExpectReceiptRequest`.
        24 ExpectReceipt "EXPECT_RECEIPT",
        /// See `ReceiveRequest`.
        25 Receive "RECEIVE",
        /// See `DraftTransferRequest`.
        26 DraftTransfer "DRAFT_TRANSFER",
        /// See `CancelTransferRequest`.
        27 CancelTransfer "CANCEL_TRANSFER",
        /// See `PushTransferRequest`.
        28 PushTransfer "PUSH_TRANSFER",
        /// See `RecallTransferRequest`.
        29 RecallTransfer "RECALL_TRANSFER",
        /// See `ShipTransferRequest`.
        30 ShipTransfer "SHIP_TRANSFER",
        /// See `ReceiveTransferRequest`.
        31 ReceiveTransfer "RECEIVE_TRANSFER",
        /// See `CloseTransferRequest`.
        32 CloseTransfer "CLOSE_TRANSFER",
        /// See `ExchangeRequest`.
        33 Exchange "EXCHANGE",
        /// See `AmendRequest`.
        34 Amend "AMEND",
        /// See `PlaceOrderRequest`.
        35 PlaceOrder "PLACE_ORDER",
        /// See `PayOrderRequest`.
        36 PayOrder "PAY_ORDER",
        /// See `ExtendOrderRequest`.
        37 ExtendOrder "EXTEND_ORDER",
        /// See `CancelOrderRequest`.
        38 CancelOrder "CANCEL_ORDER",
        /// See `AmendOrderRequest`.
        39 AmendOrder "AMEND_ORDER",
        /// See `MoveOrderRequest`.
        40 MoveOrder "MOVE_ORDER",
        /// See `PushOrderRequest`.
        41 PushOrder "PUSH_ORDER",
        /// See `RecallOrderRequest`.
        42 RecallOrder "RECALL_ORDER",
        /// See `ConfirmPickingRequest`.
        43 ConfirmPicking "CONFIRM_PICKING",
        /// See `ShipOrderRequest`.
        44 ShipOrder "SHIP_ORDER",
        /// See `ExpectOrderReturnRequest`.
        45 ExpectOrderReturn "EXPECT_ORDER_RETURN",
        /// See `CancelOrderReturnRequest`.
        46 CancelOrderReturn "CANCEL_ORDER_RETURN",
        /// See `TakeOrderReturnRequest`.
        47 TakeOrderReturn "TAKE_ORDER_RETURN",
        /// See `ExchangeOrderRequest`.
        48 ExchangeOrder "EXCHANGE_ORDER",
        /// Master data, route plans.
        64 PutDocuments "PUT_DOCUMENTS",
        /// The engine's own: deadlines that have passed, request ids that are forgotten.
        65 Sweep "SWEEP",
        /// The engine's own: the state hash at the head of a segment.
        66 Checkpoint "CHECKPOINT",
    }
}

numbered! {
    /// What came of it.
    Outcome {
        /// As asked.
        1 Done "DONE",
        /// `ALLOW_PARTIAL` granted less.
        2 Partial "PARTIAL",
        /// A payment after the deadline took the same units again.
        3 Relocked "RELOCKED",
        /// A payment after the deadline found them gone.
        4 ExpiredSoldOut "EXPIRED_SOLD_OUT",
        /// A payment that takes the stock found it gone.
        5 SoldOut "SOLD_OUT",
    }
}

numbered! {
    /// When the stock of a line is taken: `domain.md` section 3. The numbers are those of
    /// `lockstock.v1.DeductionPolicy`.
    DeductionPolicy {
        /// Placing the order locks, payment deducts.
        1 OnOrder "ON_ORDER",
        /// Placing the order checks only, payment locks and deducts in one step.
        2 OnPayment "ON_PAYMENT",
    }
}

numbered! {
    /// What went wrong in the world.
    ExceptionKind {
        /// A recorded loss drove `available` below zero.
        1 Oversold "OVERSOLD",
        /// A short pick that nobody can replace.
        2 Claimed "CLAIMED",
        /// A recorded loss or a pause took units that are promised.
        3 PoolShort "POOL_SHORT",
    }
}

/// Hashes of a request's body, field by field (decision 9): enough to tell that a repeated key comes
/// with another body, and which field differs first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// Over all fields and the operation.
    pub digest: u64,
    /// (field number, hash), ordered by field number; 0 is the operation itself.
    pub fields: Vec<(u32, u32)>,
}

/// Something for a person to resolve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// What kind.
    pub kind: ExceptionKind,
    /// The SKU.
    pub sku: SkuIx,
    /// Where it showed.
    pub warehouse: WarehouseIx,
    /// Units short.
    pub quantity: Units,
    /// The reservation concerned.
    pub reservation: Option<OwnerNo>,
}

/// Where a reservation's units may come from; kept, because a late payment or an amendment routes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The plan of this region, as it is then.
    Region(RegionIx),
    /// These warehouses, in this order.
    Warehouses(Box<[WarehouseIx]>),
    /// These warehouses, in this order, planned for a destination within this region.
    Planned {
        /// The region of the destination.
        region: RegionIx,
        /// The plan.
        warehouses: Box<[WarehouseIx]>,
    },
}

impl Source {
    /// The region of the destination, if one was named.
    #[must_use]
    pub const fn region(&self) -> Option<RegionIx> {
        match self {
            Self::Region(region) | Self::Planned { region, .. } => Some(*region),
            Self::Warehouses(_) => None,
        }
    }

    /// The warehouses it lists itself; none where the region's plan lists them.
    #[must_use]
    pub fn listed(&self) -> &[WarehouseIx] {
        match self {
            Self::Region(_) => &[],
            Self::Warehouses(warehouses) | Self::Planned { warehouses, .. } => warehouses,
        }
    }
}

/// A line of a new reservation. Its counters start at zero; movements fill them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewLine {
    /// The SKU.
    pub sku: SkuIx,
    /// The pool.
    pub pool: PoolIx,
    /// When its stock is taken.
    pub policy: DeductionPolicy,
}

/// A new reservation; its number is the event's sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReservation {
    /// Its id.
    pub id: Box<str>,
    /// Where its units may come from.
    pub source: Source,
    /// Where it goes beyond its region, in the planner's words; may be empty.
    pub destination: Box<str>,
    /// The most parcels; 0 for no limit.
    pub max_parcels: u32,
    /// When its lock ends; 0 where nothing is locked.
    pub deadline: Micros,
    /// The channel.
    pub channel: Option<ChannelIx>,
    /// The keyed hash of the buyer; 0 for none.
    pub buyer: u128,
    /// What it says of itself.
    pub attributes: Box<[u8]>,
    /// Its lines, numbered from 1.
    pub lines: Few<NewLine>,
}

/// A new receipt; its number is the event's sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReceipt {
    /// Its id.
    pub id: Box<str>,
    /// Where the goods arrive.
    pub warehouse: WarehouseIx,
}

/// A new transfer; its number is the event's sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTransfer {
    /// Its id.
    pub id: Box<str>,
    /// The source.
    pub from: WarehouseIx,
    /// The destination.
    pub to: WarehouseIx,
    /// Its lines, numbered from 1; each SKU once.
    pub lines: Box<[SkuIx]>,
}

/// The live part of a document, with names resolved where they are indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LivePart {
    /// Of a region or a channel.
    Nothing,
    /// Of a SKU.
    Sku {
        /// Its category.
        category: Box<str>,
        /// When its stock is taken, if it says so.
        policy: Option<DeductionPolicy>,
    },
    /// Of a warehouse.
    Warehouse {
        /// Whether it works.
        state: WarehouseState,
        /// The SKUs it keeps, sorted; with `categories` empty too: everything.
        skus: Box<[Box<str>]>,
        /// The categories it keeps, sorted.
        categories: Box<[Box<str>]>,
    },
    /// Of a route plan.
    RoutePlan {
        /// In order.
        warehouses: Box<[WarehouseIx]>,
    },
    /// Of the shop.
    Shop {
        /// When stock is taken where the SKU does not say, if the shop says so.
        policy: Option<DeductionPolicy>,
    },
}

/// A document created or changed; its version is the event's sequence. A new SKU, warehouse, region or
/// channel gets the next index of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentChange {
    /// Its kind.
    pub kind: DocumentKind,
    /// Its id.
    pub id: Box<str>,
    /// The live part.
    pub live: LivePart,
    /// The whole document, opaque.
    pub body: Box<[u8]>,
}

/// One effect. They are applied in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Units moved.
    Movement(Movement),
    /// A reservation was created.
    Reservation(Box<NewReservation>),
    /// A reservation got one more line.
    ReservationLine {
        /// Which reservation.
        reservation: OwnerNo,
        /// The line; its number is the next one.
        line: NewLine,
    },
    /// A reservation's deadline was set; 0 where nothing is locked any more.
    Deadline {
        /// Which reservation.
        reservation: OwnerNo,
        /// When its lock ends.
        deadline: Micros,
        /// How often it has been extended.
        extensions: u32,
    },
    /// A payment found the units gone.
    RefundDue {
        /// Which reservation.
        reservation: OwnerNo,
    },
    /// A step that says something of itself (a parcel), or moves nothing (a pick without a short): it gives
    /// the reservation its version and stands in the history.
    Step {
        /// Which reservation.
        reservation: OwnerNo,
        /// What it says of itself; may be empty.
        attributes: Box<[u8]>,
    },
    /// A receipt was opened.
    Receipt(Box<NewReceipt>),
    /// A receipt got one more line.
    ReceiptLine {
        /// Which receipt.
        receipt: OwnerNo,
        /// The SKU; its line number is the next one.
        sku: SkuIx,
    },
    /// A receipt's date of arrival was set; 0 where it is not known.
    ReceiptExpectedAt {
        /// Which receipt.
        receipt: OwnerNo,
        /// When.
        expected_at: Micros,
    },
    /// A transfer was drafted.
    Transfer(Box<NewTransfer>),
    /// A transfer was closed.
    TransferClosed {
        /// Which transfer.
        transfer: OwnerNo,
    },
    /// Master data changed.
    Document(Box<DocumentChange>),
    /// Something for a person to resolve.
    Exception(Exception),
    /// All request ids whose stamp is at or before this one are forgotten. Milliseconds.
    Horizon {
        /// The largest stamp ever forgotten.
        stamp_ms: u64,
    },
    /// The state hash before this event.
    Checkpoint {
        /// The hash.
        state_hash: u64,
    },
}

/// One journal record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its sequence.
    pub sequence: Sequence,
    /// When it was applied, by the engine's clock; never before its predecessor.
    pub at: Micros,
    /// What was done.
    pub operation: Operation,
    /// The idempotency key; 0 for the engine's own.
    pub key: RequestKey,
    /// To recognise the same request again.
    pub fingerprint: Fingerprint,
    /// Why, in the caller's words.
    pub reason: Box<str>,
    /// The caller's document.
    pub document: Box<str>,
    /// What came of it.
    pub outcome: Outcome,
    /// False where a split was found greedily.
    pub split_exact: bool,
    /// The effects.
    pub changes: Vec<Change>,
}
