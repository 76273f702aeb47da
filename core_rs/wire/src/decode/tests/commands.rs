//! Each request becomes its command.

use lockstock_stock::command::{
    Adjustment, Arrival, Demand, Disposition, From, Order, Part, Rest, Returned, Selection, SetLine,
    SetTarget, SkuPart, StockLine, Wanted,
};

use super::*;

fn wanted(sku: &str, quantity: i64) -> Wanted<'_> {
    Wanted { sku, quantity, pool: "" }
}

fn demand<'a>(lines: Vec<Wanted<'a>>, from: From<'a>) -> Demand<'a> {
    Demand { lines: lines.into_iter().collect(), from, max_parcels: 0, allow_partial: false }
}

fn order<'a>(reservation: &'a str, demand: Demand<'a>) -> Order<'a> {
    Order { reservation, demand, channel: "", buyer: 0, attributes: &[] }
}

fn part(line: u32, quantity: Option<i64>) -> Part {
    Part { line, quantity }
}

#[test]
fn a_lock_with_everything_that_can_be_said() {
    let message = pb::LockRequest {
        cause: Some(pb::Cause {
            request_id: id("018bcfe5-6800-7000-8000-000000000001"),
            reason: id("bought"),
            document: id("cart-7"),
        }),
        reservation_id: id("order"),
        lines: vec![order_line("BOOK", 2), pb::OrderLine { pool: id("SHARED"), ..order_line("BOOK", 3) }],
        source: Some(pb::lock_request::Source::Warehouses(pb::WarehouseList {
            warehouses: vec![id("SH"), id("BJ")],
        })),
        hold: Some(duration(1, 500_000_000)),
        split: Some(pb::Split { max_parcels: 2, allow_partial: true }),
        channel: id("app"),
        buyer: id("ann"),
        attributes: b"gift".to_vec().into(),
    };
    let expected = Command::Lock {
        order: Order {
            reservation: "order",
            demand: Demand {
                lines: [wanted("BOOK", 2), Wanted { pool: "SHARED", ..wanted("BOOK", 3) }].into(),
                from: From::Warehouses(vec!["SH", "BJ"]),
                max_parcels: 2,
                allow_partial: true,
            },
            channel: "app",
            // The fake hash of a buyer is the length of its name.
            buyer: 3,
            attributes: b"gift",
        },
        hold: Some(1_500_000),
    };
    let of_cause = |request: &Request<'_>| {
        (
            request.key,
            request.reason.to_owned(),
            request.document.to_owned(),
            format!("{:?}", request.command),
        )
    };
    let key = 0x018b_cfe5_6800_7000_8000_0000_0000_0001;
    let expected = (key, id("bought"), id("cart-7"), format!("{expected:?}"));
    assert_eq!(with_request("Lock", &message, of_cause), Ok(expected));
}

#[test]
fn a_lock_with_as_little_as_can_be_said() {
    let expected = Command::Lock {
        order: order("order", demand(vec![wanted("BOOK", 2)], From::Region("CN"))),
        hold: None,
    };
    assert_eq!(sent("Lock", &lock()), shown(&expected));
    assert_eq!(with_request("Lock", &lock(), |request| request.key), Ok(FRESH));
    let empty_cause = pb::LockRequest { cause: Some(pb::Cause::default()), ..lock() };
    assert_eq!(with_request("Lock", &empty_cause, |request| request.key), Ok(FRESH));
}

#[test]
fn a_lock_and_deduct() {
    let expected =
        Command::LockAndDeduct { order: order("new", demand(vec![wanted("PEN", 1)], From::Region("CN"))) };
    assert_eq!(sent("LockAndDeduct", &replacement()), shown(&expected));
}

#[test]
fn operations_on_everything_a_reservation_has_in_a_state() {
    let lines = || vec![line(2, Some(5)), line(1, None)];
    let selection =
        || Selection { reservation: "order", warehouse: "", parts: vec![part(2, Some(5)), part(1, None)] };
    let unlock = pb::UnlockRequest { reservation_id: id("order"), lines: lines(), ..Default::default() };
    assert_eq!(sent("Unlock", &unlock), shown(&Command::Unlock(selection())));
    let deduct = pb::DeductRequest { reservation_id: id("order"), lines: lines(), ..Default::default() };
    assert_eq!(sent("Deduct", &deduct), shown(&Command::Deduct(selection())));
    let cancel = pb::CancelRequest { reservation_id: id("order"), lines: lines(), ..Default::default() };
    assert_eq!(sent("Cancel", &cancel), shown(&Command::Cancel(selection())));
    let all = pb::DeductRequest { reservation_id: id("order"), ..Default::default() };
    let everything = Selection { parts: Vec::new(), ..selection() };
    assert_eq!(sent("Deduct", &all), shown(&Command::Deduct(everything)));
}

macro_rules! at_a_warehouse {
    ($($name:ident $request:ident),*) => {
        #[test]
        fn operations_on_a_reservation_at_a_warehouse() {
            $({
                let message = pb::$request {
                    reservation_id: id("order"),
                    warehouse: id("SH"),
                    lines: vec![line(1, Some(4))],
                    ..Default::default()
                };
                let parts = vec![part(1, Some(4))];
                let expected = Command::$name(Selection { reservation: "order", warehouse: "SH", parts });
                assert_eq!(sent(stringify!($name), &message), shown(&expected));
            })*
        }
    };
}

at_a_warehouse!(
    PushFulfilment PushFulfilmentRequest,
    Recall RecallRequest,
    Ship ShipRequest,
    ShortPick ShortPickRequest,
    ExpectReturn ExpectReturnRequest,
    CancelReturn CancelReturnRequest
);

#[test]
fn an_extension_and_a_move() {
    let extend =
        pb::ExtendRequest { reservation_id: id("order"), hold: Some(duration(60, 0)), ..Default::default() };
    let expected = Command::Extend { reservation: "order", hold: 60_000_000 };
    assert_eq!(sent("Extend", &extend), shown(&expected));
    let re_route = pb::MoveRequest {
        reservation_id: id("order"),
        line: 3,
        from_warehouse: id("SH"),
        to_warehouse: id("BJ"),
        quantity: None,
        ..Default::default()
    };
    let expected = Command::Move { reservation: "order", line: 3, from: "SH", to: "BJ", quantity: None };
    assert_eq!(sent("Move", &re_route), shown(&expected));
}

#[test]
fn a_return_names_a_line_once_for_each_disposition() {
    let returned = |quantity, disposition: pb::Disposition| pb::ReturnLine {
        line: 1,
        quantity,
        disposition: disposition as i32,
    };
    let message = pb::ReturnRequest {
        reservation_id: id("order"),
        warehouse: id("SH"),
        lines: vec![
            returned(3, pb::Disposition::Sellable),
            returned(2, pb::Disposition::Defective),
            returned(1, pb::Disposition::Lost),
        ],
        ..Default::default()
    };
    let lines = [(3, Disposition::Sellable), (2, Disposition::Defective), (1, Disposition::Lost)]
        .map(|(quantity, disposition)| Returned { line: 1, quantity, disposition });
    let expected = Command::Return { reservation: "order", warehouse: "SH", lines: lines.to_vec() };
    assert_eq!(sent("Return", &message), shown(&expected));
}

macro_rules! adjustments {
    ($($name:ident $request:ident),*) => {
        #[test]
        fn adjustments_may_name_a_cell_twice_for_they_are_summed_later() {
            $({
                let line = |quantity| pb::StockLine { sku: id("BOOK"), warehouse: id("SH"), quantity };
                let message = pb::$request { lines: vec![line(1), line(1_000_000_000_000)], cause: None };
                let lines = [1, 1_000_000_000_000]
                    .map(|quantity| StockLine { sku: "BOOK", warehouse: "SH", quantity })
                    .to_vec();
                let expected = Command::Adjust { adjustment: Adjustment::$name, lines };
                assert_eq!(sent(stringify!($name), &message), shown(&expected));
            })*
        }
    };
}

adjustments!(
    Increase IncreaseRequest,
    Decrease DecreaseRequest,
    RecordLoss RecordLossRequest,
    OtherReceipt OtherReceiptRequest,
    Issue IssueRequest,
    MarkDefective MarkDefectiveRequest,
    Restore RestoreRequest,
    WriteOff WriteOffRequest
);

#[test]
fn a_set_may_expect_a_number_below_zero_and_set_it_to_none() {
    let message = pb::SetRequest {
        lines: vec![pb::SetLine {
            sku: id("BOOK"),
            warehouse: id("SH"),
            target: pb::SetTarget::OnHand as i32,
            value: 0,
            expected: -4,
        }],
        cause: None,
    };
    let line = SetLine { sku: "BOOK", warehouse: "SH", target: SetTarget::OnHand, value: 0, expected: -4 };
    assert_eq!(sent("Set", &message), shown(&Command::Set { lines: vec![line] }));
}

#[test]
fn goods_on_their_way_in_and_their_arrival() {
    let expect = pb::ExpectReceiptRequest {
        receipt_id: id("po"),
        warehouse: id("SH"),
        expected_at: Some(prost_types::Timestamp { seconds: 2, nanos: 1_000 }),
        lines: vec![sku("BOOK", Some(5)), sku("BOOK", Some(6))],
        ..Default::default()
    };
    let lines = [5, 6].map(|quantity| SkuPart { sku: "BOOK", quantity: Some(quantity) }).to_vec();
    let expected = Command::ExpectReceipt { receipt: "po", warehouse: "SH", expected_at: 2_000_001, lines };
    assert_eq!(sent("ExpectReceipt", &expect), shown(&expected));
    let receive = pb::ReceiveRequest {
        receipt_id: id("po"),
        warehouse: id("SH"),
        lines: vec![pb::ReceiveLine { sku: id("BOOK"), good: 3, defective: 0, missing: 2 }],
        ..Default::default()
    };
    let lines = vec![Arrival { sku: "BOOK", good: 3, defective: 0, missing: 2 }];
    let expected = Command::Receive { receipt: "po", warehouse: "SH", lines };
    assert_eq!(sent("Receive", &receive), shown(&expected));
}

#[test]
fn a_transfer_from_draft_to_close() {
    let draft = pb::DraftTransferRequest {
        transfer_id: id("t"),
        from_warehouse: id("SH"),
        to_warehouse: id("BJ"),
        lines: vec![sku("BOOK", Some(5))],
        ..Default::default()
    };
    let lines = vec![SkuPart { sku: "BOOK", quantity: Some(5) }];
    let expected = Command::DraftTransfer { transfer: "t", from: "SH", to: "BJ", lines };
    assert_eq!(sent("DraftTransfer", &draft), shown(&expected));
    let receive = pb::ReceiveTransferRequest {
        transfer_id: id("t"),
        lines: vec![pb::TransferArrival { sku: id("BOOK"), good: 0, defective: 1 }],
        ..Default::default()
    };
    let lines = vec![Arrival { sku: "BOOK", good: 0, defective: 1, missing: 0 }];
    assert_eq!(sent("ReceiveTransfer", &receive), shown(&Command::ReceiveTransfer { transfer: "t", lines }));
    let close = pb::CloseTransferRequest {
        transfer_id: id("t"),
        lines: vec![pb::TransferRest { sku: id("BOOK"), restored: 1, damaged: 2, lost: 3 }],
        ..Default::default()
    };
    let lines = vec![Rest { sku: "BOOK", restored: 1, damaged: 2, lost: 3 }];
    assert_eq!(sent("CloseTransfer", &close), shown(&Command::CloseTransfer { transfer: "t", lines }));
}

macro_rules! parts_of_a_transfer {
    ($($name:ident $request:ident),*) => {
        #[test]
        fn parts_of_a_transfer_may_leave_the_quantity_out() {
            $({
                let message =
                    pb::$request { transfer_id: id("t"), lines: vec![sku("BOOK", None)], ..Default::default() };
                let lines = vec![SkuPart { sku: "BOOK", quantity: None }];
                assert_eq!(sent(stringify!($name), &message), shown(&Command::$name { transfer: "t", lines }));
            })*
        }
    };
}

parts_of_a_transfer!(
    CancelTransfer CancelTransferRequest,
    PushTransfer PushTransferRequest,
    RecallTransfer RecallTransferRequest,
    ShipTransfer ShipTransferRequest
);

#[test]
fn an_exchange_is_a_return_and_a_new_order_of_one_cause() {
    let message = pb::ExchangeRequest {
        reservation_id: id("order"),
        warehouse: id("SH"),
        lines: vec![line(1, Some(1))],
        replacement: Some(pb::LockAndDeductRequest { cause: Some(pb::Cause::default()), ..replacement() }),
        cause: None,
    };
    let expected = Command::Exchange {
        returned: Selection { reservation: "order", warehouse: "SH", parts: vec![part(1, Some(1))] },
        replacement: order("new", demand(vec![wanted("PEN", 1)], From::Region("CN"))),
    };
    assert_eq!(sent("Exchange", &message), shown(&expected));
}

#[test]
fn an_amendment_by_deltas_and_additions() {
    let message = pb::AmendRequest {
        reservation_id: id("order"),
        expected_version: 9,
        deltas: vec![pb::LineDelta { line: 1, delta: -2 }, pb::LineDelta { line: 2, delta: 1 }],
        additions: vec![order_line("PEN", 1)],
        hold: Some(duration(5, 0)),
        cause: None,
    };
    let expected = Command::Amend {
        reservation: "order",
        expected_version: Some(9),
        deltas: vec![(1, -2), (2, 1)],
        additions: vec![wanted("PEN", 1)],
        hold: Some(5_000_000),
    };
    assert_eq!(sent("Amend", &message), shown(&expected));
}
