//! Bytes of callers as text that every database can keep, and that tells which bytes they were.
//!
//! UTF-8 without NUL (which `PostgreSQL` refuses) stands as it is. Anything else, and anything that begins like
//! the escape, is `\x` and hexadecimal digits, as `PostgreSQL` writes bytes.

use std::borrow::Cow;
use std::fmt::Write as _;

use lockstock_stock::command::{DocumentKind, WarehouseState};
use lockstock_stock::ids::RequestKey;

const ESCAPE: &str = "\\x";

/// Opaque bytes as text.
pub(super) fn of_bytes(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.starts_with(ESCAPE) && !text.contains('\0') => Cow::Borrowed(text),
        _ => {
            let mut out = String::with_capacity(ESCAPE.len() + 2 * bytes.len());
            out.push_str(ESCAPE);
            for byte in bytes {
                // Writing to a String cannot fail.
                let _ = write!(out, "{byte:02x}");
            }
            Cow::Owned(out)
        }
    }
}

/// A request id in the form callers write it; empty for the engine's own.
pub(super) fn of_key(key: RequestKey) -> String {
    if key == 0 {
        return String::new();
    }
    let digits = format!("{key:032x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// The keyed hash of a buyer: 32 hexadecimal digits; empty for none.
pub fn of_buyer(buyer: u128) -> String {
    if buyer == 0 { String::new() } else { format!("{buyer:032x}") }
}

/// Names as a JSON array; ids have no control characters.
pub(super) fn of_list(names: &[&str]) -> String {
    serde_json::Value::from(names.to_vec()).to_string()
}

/// The kind of a document.
pub(super) const fn of_kind(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Sku => "SKU",
        DocumentKind::Warehouse => "WAREHOUSE",
        DocumentKind::Region => "REGION",
        DocumentKind::Channel => "CHANNEL",
        DocumentKind::RoutePlan => "ROUTE_PLAN",
        DocumentKind::Shop => "SHOP",
    }
}

/// The state of a warehouse.
pub(super) const fn of_state(state: WarehouseState) -> &'static str {
    match state {
        WarehouseState::Active => "ACTIVE",
        WarehouseState::Paused => "PAUSED",
        WarehouseState::Closed => "CLOSED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stands_as_it_is_and_other_bytes_as_digits() {
        for (bytes, text) in [
            (&b"{\"a\":1}"[..], "{\"a\":1}"),
            (b"", ""),
            (b"\xff\x00", "\\xff00"),
            (b"a\0b", "\\x610062"),
            (b"\\x61", "\\x5c783631"),
            ("\u{a3}\t\n\\y".as_bytes(), "\u{a3}\t\n\\y"),
        ] {
            assert_eq!(of_bytes(bytes), text);
        }
    }

    #[test]
    fn a_request_id_is_written_as_callers_write_it() {
        assert_eq!(of_key(0x0190_0000_0000_7000_8000_0000_0000_0001), "01900000-0000-7000-8000-000000000001");
        assert_eq!(of_key(0), "");
        assert_eq!(of_buyer(0xab), "000000000000000000000000000000ab");
        assert_eq!(of_buyer(0), "");
    }
}
