//! The column table: which tables the database has, and how a batch changes each of their columns.
//!
//! The order of the columns is the order of the values in a row: keys, then columns that are set, then
//! columns that are added to. `server/lockstock_server/projection/schema.py` is the same table for
//! `SQLAlchemy`; a test holds the two together.

use lockstock_stock::counters::{
    ALLOCATION_COUNTERS, AllocationCounter, COUNTERS, Counter, LINE_COUNTERS, LineCounter, POOL_COUNTERS,
    PoolCounter, RECEIPT_COUNTERS, ReceiptCounter, SKU_COUNTERS, SkuCounter, TRANSFER_COUNTERS,
    TransferCounter,
};
use serde_json::{Map, Value, json};

/// What a column holds. Times are integers: microseconds since 1970-01-01 UTC, 0 for "never".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A name, or bytes as [text](super::text); empty for "none".
    Text,
    /// 64 bits, signed.
    Integer,
    /// Yes or no.
    Boolean,
}

impl Type {
    /// The name in [`columns`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
        }
    }
}

/// A column that is not a counter.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub holds: Type,
}

/// A table, and how a batch changes it.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// What a row is found by.
    pub key: &'static [Column],
    /// The last value wins; an absent one (NULL in a batch, never in the database) keeps what stands there.
    pub set: &'static [Column],
    /// Counters: a batch carries what is added; a new row starts at zero.
    pub add: &'static [&'static str],
    /// Whether rows are only ever appended.
    pub history: bool,
}

impl Table {
    /// How many values a row has.
    pub const fn width(&self) -> usize {
        self.key.len() + self.set.len() + self.add.len()
    }
}

const fn text(name: &'static str) -> Column {
    Column { name, holds: Type::Text }
}

const fn integer(name: &'static str) -> Column {
    Column { name, holds: Type::Integer }
}

const fn boolean(name: &'static str) -> Column {
    Column { name, holds: Type::Boolean }
}

macro_rules! names {
    ($counter:ident, $count:ident) => {{
        const NAMES: [&str; $count] = {
            let mut names = [""; $count];
            let mut at = 0;
            while at < $count {
                names[at] = $counter::ALL[at].name();
                at += 1;
            }
            names
        };
        &NAMES
    }};
}

/// A table whose rows change.
const fn live(
    name: &'static str,
    key: &'static [Column],
    set: &'static [Column],
    add: &'static [&'static str],
) -> Table {
    Table { name, key, set, add, history: false }
}

/// A table whose rows are appended.
const fn history(name: &'static str, key: &'static [Column], set: &'static [Column]) -> Table {
    Table { name, key, set, add: &[], history: true }
}

/// Master data as the planners keep it, with the sequence of its last change.
pub(super) const DOCUMENTS: Table =
    live("documents", &[text("kind"), text("id")], &[integer("version"), text("body")], &[]);

/// Per SKU.
pub(super) const SKUS: Table =
    live("skus", &[text("sku")], &[text("category")], names!(SkuCounter, SKU_COUNTERS));

/// Per warehouse.
pub(super) const WAREHOUSES: Table = live("warehouses", &[text("warehouse")], &[text("state")], &[]);

/// Per SKU and warehouse, from the first movement on.
pub(super) const STOCK: Table =
    live("stock", &[text("sku"), text("warehouse")], &[], names!(Counter, COUNTERS));

/// Per SKU and pool, from the first movement on.
pub(super) const POOL_STOCK: Table =
    live("pool_stock", &[text("sku"), text("pool")], &[], names!(PoolCounter, POOL_COUNTERS));

/// Per reservation. `no` is the sequence of the event that created it, `version` of the last one on it; its
/// units come from `warehouses` (a JSON array of names), or from the plan of `region` where that is empty. A plan
/// made for a `destination` within a region has both.
pub(super) const RESERVATIONS: Table = live(
    "reservations",
    &[text("reservation")],
    &[
        integer("no"),
        integer("created_at"),
        integer("deadline"),
        integer("extensions"),
        integer("version"),
        boolean("refund_due"),
        text("region"),
        text("warehouses"),
        text("destination"),
        integer("max_parcels"),
        text("channel"),
        text("buyer"),
        text("attributes"),
    ],
    &[],
);

/// Per line of a reservation.
pub(super) const RESERVATION_LINES: Table = live(
    "reservation_lines",
    &[text("reservation"), integer("line")],
    &[text("sku"), text("pool"), text("deduction_policy")],
    names!(LineCounter, LINE_COUNTERS),
);

/// Per line of a reservation and warehouse; `position` counts the line's warehouses from 0 in the order in
/// which units first came to them.
pub(super) const ALLOCATIONS: Table = live(
    "allocations",
    &[text("reservation"), integer("line"), text("warehouse")],
    &[integer("position")],
    names!(AllocationCounter, ALLOCATION_COUNTERS),
);

/// Per receipt. `no` is the sequence of the event that opened it.
pub(super) const RECEIPTS: Table =
    live("receipts", &[text("receipt")], &[integer("no"), text("warehouse"), integer("expected_at")], &[]);

/// Per line of a receipt.
pub(super) const RECEIPT_LINES: Table = live(
    "receipt_lines",
    &[text("receipt"), integer("line")],
    &[text("sku")],
    names!(ReceiptCounter, RECEIPT_COUNTERS),
);

/// Per transfer. `no` is the sequence of the event that drafted it.
pub(super) const TRANSFERS: Table = live(
    "transfers",
    &[text("transfer")],
    &[integer("no"), text("from_warehouse"), text("to_warehouse"), boolean("closed")],
    &[],
);

/// Per line of a transfer.
pub(super) const TRANSFER_LINES: Table = live(
    "transfer_lines",
    &[text("transfer"), integer("line")],
    &[text("sku")],
    names!(TransferCounter, TRANSFER_COUNTERS),
);

/// Every event of the journal. `owner` is the reservation, transfer or receipt that it is about, as in its answer;
/// `attributes` is what a step of an order says of itself.
pub(super) const OPERATIONS: Table = history(
    "operations",
    &[integer("sequence")],
    &[
        integer("at"),
        text("operation"),
        text("request_id"),
        text("reason"),
        text("document"),
        text("outcome"),
        text("owner"),
        text("attributes"),
    ],
);

/// Every movement of every event.
pub(super) const MOVEMENTS: Table = history(
    "movements",
    &[integer("sequence"), integer("ordinal")],
    &[
        text("kind"),
        text("sku"),
        text("warehouse"),
        text("pool"),
        text("owner"),
        integer("line"),
        integer("quantity"),
    ],
);

/// Every exception of every event.
pub(super) const EXCEPTIONS: Table = history(
    "exceptions",
    &[integer("sequence"), integer("ordinal")],
    &[text("kind"), text("sku"), text("warehouse"), integer("quantity"), text("reservation")],
);

/// Every document as it was put.
pub(super) const DOCUMENT_VERSIONS: Table = history(
    "document_versions",
    &[integer("sequence"), integer("ordinal")],
    &[text("kind"), text("id"), text("body")],
);

/// Every table that rows are made for, in the order in which a batch names them.
pub const TABLES: &[Table] = &[
    DOCUMENTS,
    SKUS,
    WAREHOUSES,
    STOCK,
    POOL_STOCK,
    RESERVATIONS,
    RESERVATION_LINES,
    ALLOCATIONS,
    RECEIPTS,
    RECEIPT_LINES,
    TRANSFERS,
    TRANSFER_LINES,
    OPERATIONS,
    MOVEMENTS,
    EXCEPTIONS,
    DOCUMENT_VERSIONS,
];

/// A table by name.
pub fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

/// The column table as JSON: by table `key`, `set` and `add` (lists of columns, in the order of a row's
/// values), `holds` (what each column that is not a counter holds) and `history`.
pub fn columns() -> String {
    let names = |columns: &[Column]| columns.iter().map(|column| column.name).collect::<Vec<_>>();
    let tables = TABLES.iter().map(|table| {
        let holds: Map<String, Value> = table
            .key
            .iter()
            .chain(table.set)
            .map(|column| (column.name.to_owned(), column.holds.name().into()))
            .collect();
        let face = json!({
            "key": names(table.key),
            "set": names(table.set),
            "add": table.add,
            "holds": holds,
            "history": table.history,
        });
        (table.name.to_owned(), face)
    });
    Value::Object(tables.collect()).to_string()
}
