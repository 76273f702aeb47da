//! What the core is by itself: its reasons, movements, columns and limits, for docs and tests.

use lockstock_stock::limits::{self as bounds, Limits};
use lockstock_stock::movement::{Kind, OwnerKind, Sign};
use lockstock_stock::refusal::{Reason, Retry};
use lockstock_wire::door::MESSAGE_BYTES_MAX;
use pyo3::prelude::*;
use serde_json::{Value, json};

/// The closed list of reasons, as JSON.
#[pyfunction]
pub fn reasons() -> String {
    let reason = |reason: &Reason| {
        json!({
            "number": *reason as u16,
            "name": reason.name(),
            "code": reason.code().name(),
            "retry": match reason.retry() {
                Retry::Never => "never",
                Retry::Later => "later",
                Retry::Soon => "soon",
            },
            "metadata": reason.metadata(),
            "words": reason.words(),
        })
    };
    Reason::ALL.iter().map(reason).collect::<Value>().to_string()
}

/// `[[counter, sign], ...]` of one kind of counters.
macro_rules! signs {
    ($list:expr) => {
        $list.iter().map(|(counter, sign): &(_, Sign)| json!([counter.name(), sign])).collect::<Value>()
    };
}

/// The table of movements, as JSON.
#[pyfunction]
pub fn movements() -> String {
    let movement = |kind: &Kind| {
        let row = kind.row();
        json!({
            "number": *kind as u8,
            "name": kind.name(),
            "owner": match kind.owner() {
                OwnerKind::None => "none",
                OwnerKind::Reservation => "reservation",
                OwnerKind::Transfer => "transfer",
                OwnerKind::Receipt => "receipt",
            },
            "cell": signs!(row.cell),
            "pool": signs!(row.pool),
            "sku": signs!(row.sku),
            "line": signs!(row.line),
            "allocation": signs!(row.allocation),
            "transfer": signs!(row.transfer),
            "receipt": signs!(row.receipt),
        })
    };
    Kind::ALL.iter().map(movement).collect::<Value>().to_string()
}

/// The column table of the projection, as JSON.
#[pyfunction]
pub fn columns() -> String {
    lockstock_engine::projection::columns()
}

/// The limits of the contract and the defaults of the settable ones, as JSON.
#[pyfunction]
pub fn limits() -> String {
    let defaults = Limits::default();
    json!({
        "quantity_max": bounds::QUANTITY_MAX,
        "counter_max": bounds::COUNTER_MAX,
        "lines_max": bounds::LINES_MAX,
        "warehouses_max": bounds::WAREHOUSES_MAX,
        "levels_max": bounds::LEVELS_MAX,
        "commands_max": bounds::COMMANDS_MAX,
        "id_bytes_max": bounds::ID_BYTES_MAX,
        "reason_bytes_max": bounds::REASON_BYTES_MAX,
        "attributes_bytes_max": bounds::ATTRIBUTES_BYTES_MAX,
        "message_bytes_max": MESSAGE_BYTES_MAX,
        "request_id_ahead_ms_max": bounds::KEY_AHEAD_MS_MAX,
        "sweep_per_hold": bounds::SWEEP_PER_HOLD,
        "sweep_per_command": bounds::SWEEP_PER_COMMAND,
        "exact_candidates_max": bounds::EXACT_CANDIDATES_MAX,
        "exact_parcels_max": bounds::EXACT_PARCELS_MAX,
        "next_unlock_scan_max": bounds::NEXT_UNLOCK_SCAN_MAX,
        "hold_min_us": bounds::HOLD_MIN,
        "hold_default_us": defaults.hold_default,
        "hold_max_us": defaults.hold_max,
        "extensions_max": defaults.extensions_max,
        "lock_lifetime_max_us": defaults.lock_lifetime_max,
        "request_id_retention_us": defaults.key_retention,
        "request_ids_max": defaults.keys_max,
    })
    .to_string()
}
