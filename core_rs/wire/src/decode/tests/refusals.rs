//! What has not the right form is refused by the path of its field.

use super::*;

/// Reason and field of the refusal that a message must get.
fn refused(method: &str, message: &impl Message) -> (&'static str, String) {
    let refusal = sent(method, message).unwrap_err();
    let field = refusal.metadata().into_iter().find(|(name, _)| *name == "field");
    (refusal.reason().name(), field.map(|(_, field)| field).unwrap_or_default())
}

fn is(reason: &'static str, field: &str) -> (&'static str, String) {
    (reason, field.to_owned())
}

#[test]
fn of_a_lock() {
    use pb::lock_request::Source;
    let warehouses = |list: Vec<String>| Some(Source::Warehouses(pb::WarehouseList { warehouses: list }));
    let long = "x".repeat(65);
    let pool = |pool: &str| pb::OrderLine { pool: pool.to_owned(), ..order_line("BOOK", 1) };
    for (message, reason, field) in [
        (pb::LockRequest { reservation_id: id(""), ..lock() }, "FIELD_REQUIRED", "reservation_id"),
        (pb::LockRequest { reservation_id: long.clone(), ..lock() }, "ID_INVALID", "reservation_id"),
        (pb::LockRequest { lines: Vec::new(), ..lock() }, "FIELD_REQUIRED", "lines"),
        (pb::LockRequest { lines: vec![order_line("A", 1); 2_001], ..lock() }, "TOO_MANY_LINES", "lines"),
        (
            pb::LockRequest { lines: vec![order_line("A", 1), order_line("", 1)], ..lock() },
            "FIELD_REQUIRED",
            "lines[1].sku",
        ),
        (pb::LockRequest { lines: vec![order_line("a\nb", 1)], ..lock() }, "ID_INVALID", "lines[0].sku"),
        (
            pb::LockRequest { lines: vec![order_line("A", 0)], ..lock() },
            "QUANTITY_OUT_OF_RANGE",
            "lines[0].quantity",
        ),
        (pb::LockRequest { lines: vec![pool(&long)], ..lock() }, "ID_INVALID", "lines[0].pool"),
        (pb::LockRequest { source: None, ..lock() }, "FIELD_REQUIRED", "source"),
        (pb::LockRequest { source: Some(Source::Region(id(""))), ..lock() }, "FIELD_REQUIRED", "region"),
        (pb::LockRequest { source: warehouses(vec![]), ..lock() }, "FIELD_REQUIRED", "warehouses.warehouses"),
        (
            pb::LockRequest { source: warehouses(vec![id("A"), id("")]), ..lock() },
            "FIELD_REQUIRED",
            "warehouses.warehouses[1]",
        ),
        (
            pb::LockRequest { source: warehouses(vec![id("A"), id("A")]), ..lock() },
            "LINE_REPEATED",
            "warehouses.warehouses",
        ),
        (
            pb::LockRequest { source: warehouses(vec![id("A"); 1_001]), ..lock() },
            "TOO_MANY_LINES",
            "warehouses.warehouses",
        ),
        (pb::LockRequest { hold: Some(duration(0, 0)), ..lock() }, "DURATION_OUT_OF_RANGE", "hold"),
        (pb::LockRequest { hold: Some(duration(0, 999_999)), ..lock() }, "DURATION_OUT_OF_RANGE", "hold"),
        (pb::LockRequest { hold: Some(duration(86_400, 1_000)), ..lock() }, "DURATION_OUT_OF_RANGE", "hold"),
        (pb::LockRequest { hold: Some(duration(i64::MAX, 0)), ..lock() }, "DURATION_OUT_OF_RANGE", "hold"),
        (pb::LockRequest { channel: long.clone(), ..lock() }, "ID_INVALID", "channel"),
        (pb::LockRequest { buyer: long.clone(), ..lock() }, "TEXT_TOO_LONG", "buyer"),
        (pb::LockRequest { attributes: vec![0; 1_025].into(), ..lock() }, "TEXT_TOO_LONG", "attributes"),
    ] {
        assert_eq!(refused("Lock", &message), is(reason, field), "{field}");
    }
}

#[test]
fn of_a_cause() {
    let with = |cause| pb::LockRequest { cause: Some(cause), ..lock() };
    let reason = pb::Cause { reason: "x".repeat(257), ..Default::default() };
    assert_eq!(refused("Lock", &with(reason)), is("TEXT_TOO_LONG", "cause.reason"));
    let document = pb::Cause { document: "x".repeat(65), ..Default::default() };
    assert_eq!(refused("Lock", &with(document)), is("TEXT_TOO_LONG", "cause.document"));
    for request_id in ["abc", "0b7f5d3e-6a0c-4b52-9c5e-2d9f0f1c9a11"] {
        let cause = pb::Cause { request_id: id(request_id), ..Default::default() };
        assert_eq!(refused("Lock", &with(cause)), is("REQUEST_ID_INVALID", ""));
    }
}

#[test]
fn of_parts_of_a_reservation() {
    let unlock = |lines| pb::UnlockRequest { reservation_id: id("order"), lines, ..Default::default() };
    let short = |lines, warehouse: &str| pb::ShortPickRequest {
        reservation_id: id("order"),
        warehouse: warehouse.to_owned(),
        lines,
        ..Default::default()
    };
    let twice = vec![line(1, None), line(1, Some(2))];
    assert_eq!(refused("Unlock", &unlock(twice)), is("LINE_REPEATED", "lines"));
    assert_eq!(refused("Unlock", &unlock(vec![line(0, None)])), is("FIELD_REQUIRED", "lines[0].line"));
    let below = vec![line(1, Some(-1))];
    assert_eq!(refused("Unlock", &unlock(below)), is("QUANTITY_OUT_OF_RANGE", "lines[0].quantity"));
    let many = (1..=2_001).map(|at| line(at, None)).collect();
    assert_eq!(refused("Unlock", &unlock(many)), is("TOO_MANY_LINES", "lines"));
    assert_eq!(refused("ShortPick", &short(vec![], "SH")), is("FIELD_REQUIRED", "lines"));
    let open = vec![line(1, Some(1)), line(2, None)];
    assert_eq!(refused("ShortPick", &short(open, "SH")), is("FIELD_REQUIRED", "lines[1].quantity"));
    let named = vec![line(1, Some(1))];
    assert_eq!(refused("ShortPick", &short(named, "")), is("FIELD_REQUIRED", "warehouse"));
    let cancel = pb::CancelReturnRequest { reservation_id: id("order"), ..Default::default() };
    assert_eq!(refused("CancelReturn", &cancel), is("FIELD_REQUIRED", "warehouse"));
}

#[test]
fn of_an_extension_a_move_and_a_return() {
    let extend = pb::ExtendRequest { reservation_id: id("order"), ..Default::default() };
    assert_eq!(refused("Extend", &extend), is("FIELD_REQUIRED", "hold"));
    let to = |line, to: &str| pb::MoveRequest {
        reservation_id: id("order"),
        line,
        from_warehouse: id("SH"),
        to_warehouse: to.to_owned(),
        ..Default::default()
    };
    assert_eq!(refused("Move", &to(0, "BJ")), is("FIELD_REQUIRED", "line"));
    assert_eq!(refused("Move", &to(1, "")), is("FIELD_REQUIRED", "to_warehouse"));
    assert_eq!(refused("Move", &to(1, "SH")).0, "SAME_WAREHOUSE");
    for disposition in [0, 77] {
        let back = pb::ReturnRequest {
            reservation_id: id("order"),
            warehouse: id("SH"),
            lines: vec![pb::ReturnLine { line: 1, quantity: 1, disposition }],
            ..Default::default()
        };
        assert_eq!(refused("Return", &back), is("ENUM_UNKNOWN", "lines[0].disposition"));
    }
}

#[test]
fn of_a_set() {
    let line = pb::SetLine {
        sku: id("BOOK"),
        warehouse: id("SH"),
        target: pb::SetTarget::Available as i32,
        value: 1,
        expected: 1,
    };
    let set = |lines| pb::SetRequest { lines, cause: None };
    let below = pb::SetLine { value: -1, ..line.clone() };
    assert_eq!(refused("Set", &set(vec![below])), is("QUANTITY_OUT_OF_RANGE", "lines[0].value"));
    let open = pb::SetLine { target: 0, ..line.clone() };
    assert_eq!(refused("Set", &set(vec![open])), is("ENUM_UNKNOWN", "lines[0].target"));
    let elsewhere = pb::SetLine { warehouse: id("BJ"), ..line.clone() };
    assert!(sent("Set", &set(vec![line.clone(), elsewhere])).is_ok());
    assert_eq!(refused("Set", &set(vec![line.clone(), line])), is("LINE_REPEATED", "lines"));
}

#[test]
fn of_receipts_and_transfers() {
    let receive =
        |lines| pb::ReceiveRequest { receipt_id: id("po"), warehouse: id("SH"), lines, ..Default::default() };
    let arrival = pb::ReceiveLine { sku: id("BOOK"), good: 1, ..Default::default() };
    let nothing = pb::ReceiveLine { good: 0, ..arrival.clone() };
    assert_eq!(refused("Receive", &receive(vec![nothing])), is("QUANTITY_OUT_OF_RANGE", "lines[0].good"));
    let below = pb::ReceiveLine { missing: -1, ..arrival.clone() };
    assert_eq!(refused("Receive", &receive(vec![below])), is("QUANTITY_OUT_OF_RANGE", "lines[0].missing"));
    let twice = vec![arrival.clone(), arrival];
    assert_eq!(refused("Receive", &receive(twice)), is("LINE_REPEATED", "lines"));

    let expect = |expected_at, lines| pb::ExpectReceiptRequest {
        receipt_id: id("po"),
        warehouse: id("SH"),
        expected_at,
        lines,
        ..Default::default()
    };
    let early = Some(prost_types::Timestamp { seconds: -1, nanos: 0 });
    let message = expect(early, vec![sku("BOOK", Some(1))]);
    assert_eq!(refused("ExpectReceipt", &message), is("DURATION_OUT_OF_RANGE", "expected_at"));
    let message = expect(None, vec![sku("BOOK", None)]);
    assert_eq!(refused("ExpectReceipt", &message), is("FIELD_REQUIRED", "lines[0].quantity"));

    let draft = pb::DraftTransferRequest {
        transfer_id: id("t"),
        from_warehouse: id("SH"),
        to_warehouse: id("SH"),
        lines: vec![sku("BOOK", Some(1))],
        ..Default::default()
    };
    assert_eq!(refused("DraftTransfer", &draft).0, "SAME_WAREHOUSE");
    let ship = pb::ShipTransferRequest {
        transfer_id: id("t"),
        lines: vec![sku("BOOK", None), sku("BOOK", Some(1))],
        ..Default::default()
    };
    assert_eq!(refused("ShipTransfer", &ship), is("LINE_REPEATED", "lines"));
    let close = pb::CloseTransferRequest {
        transfer_id: id("t"),
        lines: vec![pb::TransferRest { sku: id("BOOK"), lost: -1, ..Default::default() }],
        ..Default::default()
    };
    assert_eq!(refused("CloseTransfer", &close), is("QUANTITY_OUT_OF_RANGE", "lines[0].lost"));
}

#[test]
fn of_an_exchange() {
    let exchange = |replacement| pb::ExchangeRequest {
        reservation_id: id("order"),
        warehouse: id("SH"),
        lines: vec![line(1, Some(1))],
        replacement,
        cause: None,
    };
    assert_eq!(refused("Exchange", &exchange(None)), is("FIELD_REQUIRED", "replacement"));
    let cause = Some(pb::Cause { reason: id("swap"), ..Default::default() });
    let message = exchange(Some(pb::LockAndDeductRequest { cause, ..replacement() }));
    assert_eq!(refused("Exchange", &message), is("FIELDS_CONFLICT", "replacement.cause"));
    let message =
        exchange(Some(pb::LockAndDeductRequest { lines: vec![order_line("", 1)], ..replacement() }));
    assert_eq!(refused("Exchange", &message), is("FIELD_REQUIRED", "replacement.lines[0].sku"));
}

#[test]
fn of_an_amendment() {
    let amend = |deltas| pb::AmendRequest { reservation_id: id("order"), deltas, ..Default::default() };
    let delta = |line, delta| pb::LineDelta { line, delta };
    assert_eq!(refused("Amend", &amend(vec![])), is("FIELD_REQUIRED", "deltas"));
    assert_eq!(refused("Amend", &amend(vec![delta(1, 0)])), is("QUANTITY_OUT_OF_RANGE", "deltas[0].delta"));
    assert_eq!(refused("Amend", &amend(vec![delta(1, 1), delta(1, 2)])), is("LINE_REPEATED", "deltas"));
    assert_eq!(refused("Amend", &amend(vec![delta(0, 1)])), is("FIELD_REQUIRED", "deltas[0].line"));
    let version = pb::AmendRequest { expected_version: -1, ..amend(vec![delta(1, 1)]) };
    assert_eq!(refused("Amend", &version), is("NUMBER_OUT_OF_RANGE", "expected_version"));
    let addition = pb::AmendRequest { additions: vec![order_line("PEN", -1)], ..amend(vec![]) };
    assert_eq!(refused("Amend", &addition), is("QUANTITY_OUT_OF_RANGE", "additions[0].quantity"));
}
