//! What can be asked of the state machine. Borrowed from the decoded message: nothing is copied until a
//! command is granted. Quantities and ids have passed [`crate::check`] before they stand here.

use crate::event::{DeductionPolicy, Fingerprint};
use crate::few::Few;
use crate::ids::{LineNo, Micros, RequestKey, Units};

/// Which service was asked: the same command is another operation of each, with a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The operations on stock.
    Stock,
    /// The steps of an order.
    Orders,
}

/// A command with what every operation carries.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The idempotency key; 0 only for the engine's own.
    pub key: RequestKey,
    /// Hashes of the body, field by field, to tell a retry from a reuse.
    pub fingerprint: Fingerprint,
    /// Why, in the caller's words.
    pub reason: &'a str,
    /// The caller's document.
    pub document: &'a str,
    /// Whom it was asked of.
    pub service: Service,
    /// What is asked.
    pub command: Command<'a>,
}

/// One line that a buyer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The SKU.
    pub sku: &'a str,
    /// Units.
    pub quantity: Units,
    /// The pool; empty for `SHARED`.
    pub pool: &'a str,
}

/// Where units may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From<'a> {
    /// The installed plan of a region.
    Region(&'a str),
    /// These warehouses, in this order.
    Warehouses(Vec<&'a str>),
    /// These warehouses, in this order, planned for a destination.
    Planned {
        /// The region of the destination; a pickup has none.
        region: Option<&'a str>,
        /// The plan.
        warehouses: Vec<&'a str>,
        /// The destination in the planner's words.
        destination: &'a str,
    },
}

/// What an order wants, from where, and how it may be split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand<'a> {
    /// The lines, at least one.
    pub lines: Few<Wanted<'a>>,
    /// Where from.
    pub from: From<'a>,
    /// The most parcels; 0 for no limit, 1 for `SHIP_COMPLETE`.
    pub max_parcels: u32,
    /// Grant what there is.
    pub allow_partial: bool,
}

/// A new reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order<'a> {
    /// Its id.
    pub reservation: &'a str,
    /// What it wants.
    pub demand: Demand<'a>,
    /// The channel; empty for none.
    pub channel: &'a str,
    /// The keyed hash of the buyer; 0 for none.
    pub buyer: u128,
    /// What it says of itself.
    pub attributes: &'a [u8],
}

/// A line of a reservation and how much of it; `None` is all that is in the state the operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The line.
    pub line: LineNo,
    /// Units.
    pub quantity: Option<Units>,
}

/// Parts of a reservation; no parts is everything in the state the operation needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection<'a> {
    /// The reservation.
    pub reservation: &'a str,
    /// Only at this warehouse; empty for all.
    pub warehouse: &'a str,
    /// The parts; each line once.
    pub parts: Vec<Part>,
}

/// What a warehouse found of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picked {
    /// The line.
    pub line: LineNo,
    /// Units that lie ready.
    pub picked: Units,
    /// Units that cannot be found.
    pub short: Units,
}

/// Units of a SKU in a warehouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockLine<'a> {
    /// The SKU.
    pub sku: &'a str,
    /// The warehouse.
    pub warehouse: &'a str,
    /// Units.
    pub quantity: Units,
}

/// Units of a SKU on a document; `None` is all that are in the state the operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkuPart<'a> {
    /// The SKU.
    pub sku: &'a str,
    /// Units.
    pub quantity: Option<Units>,
}

/// What becomes of a returned unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Back on the shelf.
    Sellable,
    /// On the shelf, not sellable.
    Defective,
    /// Gone.
    Lost,
}

/// One line of a return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The reservation's line.
    pub line: LineNo,
    /// Units.
    pub quantity: Units,
    /// What becomes of them.
    pub disposition: Disposition,
}

/// Which number a set sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTarget {
    /// The counter `available`.
    Available,
    /// The sum `on_hand`.
    OnHand,
}

/// One number to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetLine<'a> {
    /// The SKU.
    pub sku: &'a str,
    /// The warehouse.
    pub warehouse: &'a str,
    /// Which number.
    pub target: SetTarget,
    /// Its new value.
    pub value: Units,
    /// The value it is believed to have.
    pub expected: Units,
}

/// Goods that arrived for one SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// The SKU.
    pub sku: &'a str,
    /// Sellable.
    pub good: Units,
    /// Not sellable.
    pub defective: Units,
    /// Will not come (receipts only; 0 on a transfer).
    pub missing: Units,
}

/// What became of the units of a transfer that were shipped and not received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest<'a> {
    /// The SKU.
    pub sku: &'a str,
    /// At the source.
    pub restored: Units,
    /// At the destination, damaged.
    pub damaged: Units,
    /// Gone.
    pub lost: Units,
}

/// The kinds of adjustments: one verb of the table of operations each, over stock lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// available +, found +.
    Increase,
    /// available -, lost +, never below zero.
    Decrease,
    /// available -, lost +, may go below zero.
    RecordLoss,
    /// available +, received +.
    OtherReceipt,
    /// available -, shipped +.
    Issue,
    /// available -, defective +.
    MarkDefective,
    /// defective -, available +.
    Restore,
    /// defective -, `written_off` +.
    WriteOff,
}

/// Whether a warehouse works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum WarehouseState {
    /// Open for everything.
    Active = 1,
    /// No new locks.
    Paused = 2,
    /// Nothing.
    Closed = 3,
}

/// The kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DocumentKind {
    /// A SKU.
    Sku = 1,
    /// A warehouse.
    Warehouse = 2,
    /// A region.
    Region = 3,
    /// A channel.
    Channel = 4,
    /// The route plan of the region with the same id.
    RoutePlan = 5,
    /// The shop's rules; its only id is [`SHOP_ID`].
    Shop = 6,
}

impl DocumentKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Sku, Self::Warehouse, Self::Region, Self::Channel, Self::RoutePlan, Self::Shop];
}

/// The id of the one document of the kind `Shop`.
pub const SHOP_ID: &str = "shop";

/// The part of a document that the engine keeps in its own terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Live<'a> {
    /// Regions and channels have none.
    Nothing,
    /// Of a SKU.
    Sku {
        /// What assortments name it by; may be empty.
        category: &'a str,
        /// When its stock is taken, if it says so.
        policy: Option<DeductionPolicy>,
    },
    /// Of a warehouse.
    Warehouse {
        /// Whether it works.
        state: WarehouseState,
        /// The SKUs it keeps (they need not exist yet).
        skus: Vec<&'a str>,
        /// The categories it keeps; with `skus` empty too: everything.
        categories: Vec<&'a str>,
    },
    /// Of a route plan: every warehouse short of closed that covers the region, in order.
    RoutePlan {
        /// The warehouses; they may be created by the same request.
        warehouses: Vec<&'a str>,
    },
    /// Of the shop.
    Shop {
        /// When stock is taken where the SKU does not say, if the shop says so.
        policy: Option<DeductionPolicy>,
    },
}

/// A document to put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutDocument<'a> {
    /// Its kind.
    pub kind: DocumentKind,
    /// Its id.
    pub id: &'a str,
    /// `Some(0)`: it must not exist; `Some(n)`: it must stand at n; `None`: any, or none.
    pub expected_version: Option<u64>,
    /// The live part, of the document's kind.
    pub live: Live<'a>,
    /// The whole document, opaque.
    pub body: &'a [u8],
}

/// The operations. The numbers are in [`crate::event::Operation`].
#[derive(Clone, Debug)]
pub enum Command<'a> {
    /// Promise units until a deadline.
    Lock {
        /// The new reservation.
        order: Order<'a>,
        /// The hold; `None` for the default.
        hold: Option<Micros>,
    },
    /// Place an order: what is taken on order is promised until a deadline, what is taken on payment is
    /// checked only.
    Place {
        /// The new reservation.
        order: Order<'a>,
        /// The hold; `None` for the default.
        hold: Option<Micros>,
        /// When stock is taken, for every line; `None` for the rule of each SKU, else of the shop.
        policy: Option<DeductionPolicy>,
    },
    /// Promise and pay in one step.
    LockAndDeduct {
        /// The new reservation.
        order: Order<'a>,
    },
    /// Give locked units back. (`Selection::warehouse` is empty.)
    Unlock(Selection<'a>),
    /// Locked units are paid, wanted ones are taken. (`Selection::warehouse` is empty.)
    Deduct(Selection<'a>),
    /// Paid units are cancelled. (`Selection::warehouse` is empty.)
    Cancel(Selection<'a>),
    /// Units that have not shipped are cancelled, paid or not. (`Selection::warehouse` is empty.)
    CancelOrder(Selection<'a>),
    /// Move the deadline to now + hold.
    Extend {
        /// The reservation.
        reservation: &'a str,
        /// From now.
        hold: Micros,
    },
    /// Re-route units of a line.
    Move {
        /// The reservation.
        reservation: &'a str,
        /// The line.
        line: LineNo,
        /// From here.
        from: &'a str,
        /// To there.
        to: &'a str,
        /// Units; `None` for all locked and allocated at `from`.
        quantity: Option<Units>,
    },
    /// Hand paid units to the warehouse.
    PushFulfilment(Selection<'a>),
    /// Take a fulfilment back.
    Recall(Selection<'a>),
    /// Goods leave.
    Ship(Selection<'a>),
    /// A parcel of an order leaves one warehouse. (`Selection::warehouse` may be empty where the order stands
    /// in one warehouse only.)
    ShipOrder {
        /// What is in it.
        parcel: Selection<'a>,
        /// What the parcel says of itself.
        attributes: &'a [u8],
    },
    /// A warehouse reports its pick.
    ConfirmPicking {
        /// The reservation.
        reservation: &'a str,
        /// The warehouse.
        warehouse: &'a str,
        /// What it found; each line once, at least one unit of it.
        lines: Vec<Picked>,
    },
    /// Units cannot be found. (Every part has a quantity; the warehouse is named.)
    ShortPick(Selection<'a>),
    /// Units are on their way back. (Every part has a quantity; the warehouse is named.)
    ExpectReturn(Selection<'a>),
    /// Units will not come back. (The warehouse is named.)
    CancelReturn(Selection<'a>),
    /// Units have come back.
    Return {
        /// The reservation.
        reservation: &'a str,
        /// Where.
        warehouse: &'a str,
        /// What.
        lines: Vec<Returned>,
    },
    /// Units come or go beside orders.
    Adjust {
        /// Which verb.
        adjustment: Adjustment,
        /// What and where.
        lines: Vec<StockLine<'a>>,
    },
    /// Compare and set.
    Set {
        /// The numbers; each (SKU, warehouse) once.
        lines: Vec<SetLine<'a>>,
    },
    /// Goods are on their way in.
    ExpectReceipt {
        /// The receipt.
        receipt: &'a str,
        /// Where.
        warehouse: &'a str,
        /// When; 0 if not known.
        expected_at: Micros,
        /// What; every quantity is given.
        lines: Vec<SkuPart<'a>>,
    },
    /// Goods arrive.
    Receive {
        /// The receipt.
        receipt: &'a str,
        /// Where.
        warehouse: &'a str,
        /// What; each SKU once.
        lines: Vec<Arrival<'a>>,
    },
    /// Plan a transfer.
    DraftTransfer {
        /// The new transfer.
        transfer: &'a str,
        /// The source.
        from: &'a str,
        /// The destination.
        to: &'a str,
        /// What; every quantity is given.
        lines: Vec<SkuPart<'a>>,
    },
    /// Undo what has not shipped.
    CancelTransfer {
        /// The transfer.
        transfer: &'a str,
        /// What; empty for everything.
        lines: Vec<SkuPart<'a>>,
    },
    /// Hand a transfer to the source.
    PushTransfer {
        /// The transfer.
        transfer: &'a str,
        /// What; empty for everything.
        lines: Vec<SkuPart<'a>>,
    },
    /// Take a transfer back from the source.
    RecallTransfer {
        /// The transfer.
        transfer: &'a str,
        /// What; empty for everything.
        lines: Vec<SkuPart<'a>>,
    },
    /// A transfer leaves.
    ShipTransfer {
        /// The transfer.
        transfer: &'a str,
        /// What; empty for everything.
        lines: Vec<SkuPart<'a>>,
    },
    /// A transfer arrives.
    ReceiveTransfer {
        /// The transfer.
        transfer: &'a str,
        /// What; each SKU once; `missing` is 0.
        lines: Vec<Arrival<'a>>,
    },
    /// Explain the rest of a transfer and end it.
    CloseTransfer {
        /// The transfer.
        transfer: &'a str,
        /// The rest, by SKU; each once.
        lines: Vec<Rest<'a>>,
    },
    /// Expect a return and lock and deduct its replacement, both or neither.
    Exchange {
        /// What comes back. (Every part has a quantity; the warehouse is named.)
        returned: Selection<'a>,
        /// What goes out.
        replacement: Order<'a>,
    },
    /// Edit an order by delta.
    Amend {
        /// The reservation.
        reservation: &'a str,
        /// The version it must stand at; `None` for any.
        expected_version: Option<u64>,
        /// Changes of lines, each line once; no delta is zero.
        deltas: Vec<(LineNo, Units)>,
        /// New lines.
        additions: Vec<Wanted<'a>>,
        /// The deadline of an increase on an order with nothing locked.
        hold: Option<Micros>,
    },
    /// Put documents together, or none.
    PutDocuments {
        /// At least one.
        documents: Vec<PutDocument<'a>>,
    },
}

impl Command<'_> {
    /// Whether it promises new units: what admission refuses first under pressure (decision 11).
    #[must_use]
    pub const fn promises(&self) -> bool {
        matches!(
            self,
            Self::Lock { .. }
                | Self::Place { .. }
                | Self::LockAndDeduct { .. }
                | Self::DraftTransfer { .. }
                | Self::Exchange { .. }
        )
    }
}
