//! The steps of an order: they become the same commands as the operations on stock, under their own names.

use lockstock_stock::command::{Demand, From, Order, Picked, Selection, Wanted};
use lockstock_stock::decide;
use lockstock_stock::event::DeductionPolicy;

use super::*;
use crate::proto::lockstock::internal::v1 as seam;

fn to_region() -> pb::Destination {
    pb::Destination { region: id("CN"), ..Default::default() }
}

fn to_coordinates() -> pb::Destination {
    let coordinates = Some(pb::Coordinates { latitude: 31.2, longitude: 121.5 });
    pb::Destination { region: id("CN"), coordinates, ..Default::default() }
}

fn to_pickup() -> pb::Destination {
    pb::Destination { pickup: id("SH"), ..Default::default() }
}

fn place() -> pb::PlaceOrderRequest {
    pb::PlaceOrderRequest {
        order_id: id("order"),
        lines: vec![order_line("BOOK", 2)],
        destination: Some(to_region()),
        ..Default::default()
    }
}

fn plan(warehouses: &[&str]) -> seam::Planned {
    let warehouses = warehouses.iter().map(|at| id(at)).collect();
    seam::Planned { warehouses, destination: id("geo:31.2,121.5") }
}

fn planned(asked: pb::PlaceOrderRequest, planned: seam::Planned) -> seam::PlacePlannedRequest {
    seam::PlacePlannedRequest { asked: Some(asked), planned: Some(planned) }
}

fn order(from: From<'_>) -> Order<'_> {
    let lines = [Wanted { sku: "BOOK", quantity: 2, pool: "" }].into();
    let demand = Demand { lines, from, max_parcels: 0, allow_partial: false };
    Order { reservation: "order", demand, channel: "", buyer: 0, attributes: &[] }
}

fn refused(method: &str, message: &impl Message) -> (&'static str, String) {
    let refusal = sent(method, message).unwrap_err();
    let field = refusal.metadata().into_iter().find(|(name, _)| *name == "field");
    (refusal.reason().name(), field.map(|(_, field)| field).unwrap_or_default())
}

fn is(reason: &'static str, field: &str) -> (&'static str, String) {
    (reason, field.to_owned())
}

#[test]
fn an_order_goes_to_a_region_or_where_it_was_planned_for() {
    let placed = |from| shown(&Command::Place { order: order(from), hold: None, policy: None });
    assert_eq!(sent("PlaceOrder", &place()), placed(From::Region("CN")));
    let destination = "geo:31.2,121.5";
    let near = pb::PlaceOrderRequest { destination: Some(to_coordinates()), ..place() };
    let warehouses = vec!["BJ", "SH"];
    let expected = placed(From::Planned { region: Some("CN"), warehouses, destination });
    assert_eq!(sent("PlacePlanned", &planned(near.clone(), plan(&["BJ", "SH"]))), expected);
    let fetched = pb::PlaceOrderRequest { destination: Some(to_pickup()), ..place() };
    let expected = placed(From::Planned { region: None, warehouses: vec!["SH"], destination });
    assert_eq!(sent("PlacePlanned", &planned(fetched, plan(&["SH"]))), expected);
    // Nobody can serve it: the engine says so.
    let expected = placed(From::Planned { region: Some("CN"), warehouses: vec![], destination });
    assert_eq!(sent("PlacePlanned", &planned(near, plan(&[]))), expected);
}

#[test]
fn an_order_says_everything_that_can_be_said() {
    let message = pb::PlaceOrderRequest {
        hold: Some(duration(60, 0)),
        split: Some(pb::Split { max_parcels: 2, allow_partial: true }),
        channel: id("app"),
        buyer: id("ann"),
        deduction_policy: pb::DeductionPolicy::OnPayment as i32,
        attributes: b"gift".to_vec().into(),
        ..place()
    };
    let mut expected = order(From::Region("CN"));
    (expected.demand.max_parcels, expected.demand.allow_partial) = (2, true);
    (expected.channel, expected.buyer, expected.attributes) = ("app", 3, b"gift");
    let policy = Some(DeductionPolicy::OnPayment);
    let expected = Command::Place { order: expected, hold: Some(60_000_000), policy };
    assert_eq!(sent("PlaceOrder", &message), shown(&expected));
}

#[test]
fn a_pick_and_a_parcel() {
    let message = pb::ConfirmPickingRequest {
        order_id: id("order"),
        warehouse: id("SH"),
        lines: vec![pb::PickedLine { line: 1, picked: 2, short: 1 }],
        ..Default::default()
    };
    let expected = Command::ConfirmPicking {
        reservation: "order",
        warehouse: "SH",
        lines: vec![Picked { line: 1, picked: 2, short: 1 }],
    };
    assert_eq!(sent("ConfirmPicking", &message), shown(&expected));
    let message = pb::ShipOrderRequest {
        order_id: id("order"),
        attributes: b"DHL".to_vec().into(),
        ..Default::default()
    };
    let parcel = Selection { reservation: "order", warehouse: "", parts: Vec::new() };
    assert_eq!(sent("ShipOrder", &message), shown(&Command::ShipOrder { parcel, attributes: b"DHL" }));
}

#[test]
fn the_others_are_the_commands_of_the_operations_on_stock() {
    let lines = || vec![line(1, Some(2))];
    macro_rules! same {
        ($($step:ident $step_request:ident, $operation:ident $request:ident { $($field:ident: $value:expr),* });* $(;)?) => {$(
            let step = pb::$step_request { order_id: id("order"), $($field: $value,)* ..Default::default() };
            let asked = pb::$request { reservation_id: id("order"), $($field: $value,)* ..Default::default() };
            let command = sent(stringify!($operation), &asked);
            assert!(command.is_ok());
            assert_eq!(sent(stringify!($step), &step), command);
            let nobody = pb::$step_request { $($field: $value,)* ..Default::default() };
            assert_eq!(refused(stringify!($step), &nobody), is("FIELD_REQUIRED", "order_id"));
        )*};
    }
    same! {
        PayOrder PayOrderRequest, Deduct DeductRequest { lines: lines() };
        ExtendOrder ExtendOrderRequest, Extend ExtendRequest { hold: Some(duration(60, 0)) };
        AmendOrder AmendOrderRequest, Amend AmendRequest {
            expected_version: 7, deltas: vec![pb::LineDelta { line: 1, delta: -1 }],
            additions: vec![order_line("PEN", 1)], hold: Some(duration(60, 0))
        };
        MoveOrder MoveOrderRequest, Move MoveRequest {
            line: 1, from_warehouse: id("SH"), to_warehouse: id("BJ"), quantity: Some(2)
        };
        PushOrder PushOrderRequest, PushFulfilment PushFulfilmentRequest {
            warehouse: id("SH"), lines: lines()
        };
        RecallOrder RecallOrderRequest, Recall RecallRequest { warehouse: id("SH"), lines: lines() };
        ExpectOrderReturn ExpectOrderReturnRequest, ExpectReturn ExpectReturnRequest {
            warehouse: id("SH"), lines: lines()
        };
        CancelOrderReturn CancelOrderReturnRequest, CancelReturn CancelReturnRequest {
            warehouse: id("SH"), lines: lines()
        };
        TakeOrderReturn TakeOrderReturnRequest, Return ReturnRequest {
            warehouse: id("SH"),
            lines: vec![pb::ReturnLine {
                line: 1, quantity: 1, disposition: pb::Disposition::Sellable as i32
            }]
        };
    }
    let cancel = pb::CancelOrderRequest { order_id: id("order"), ..Default::default() };
    let all = Selection { reservation: "order", warehouse: "", parts: Vec::new() };
    assert_eq!(sent("CancelOrder", &cancel), shown(&Command::CancelOrder(all)));
}

#[test]
fn what_the_door_says_an_operation_is_the_machine_journals() {
    let exchange = pb::ExchangeOrderRequest {
        order_id: id("order"),
        warehouse: id("SH"),
        lines: vec![line(1, Some(1))],
        replacement: Some(pb::PlaceOrderRequest { order_id: id("new"), ..place() }),
        ..Default::default()
    };
    let journalled = |method: &str, message: &dyn Fn() -> Vec<u8>| {
        let message = message();
        let step = Step::read(Step::named(method).unwrap(), &message).unwrap();
        let limits = Limits::default();
        let said = step.operation();
        (said, decide::operation(&request(&step, &context(&limits)).unwrap()))
    };
    for (method, operation, bytes) in [
        ("PlaceOrder", Operation::PlaceOrder, place().encode_to_vec()),
        ("ExchangeOrder", Operation::ExchangeOrder, exchange.encode_to_vec()),
        (
            "PayOrder",
            Operation::PayOrder,
            pb::PayOrderRequest { order_id: id("order"), ..Default::default() }.encode_to_vec(),
        ),
        (
            "CancelOrder",
            Operation::CancelOrder,
            pb::CancelOrderRequest { order_id: id("order"), ..Default::default() }.encode_to_vec(),
        ),
        (
            "ShipOrder",
            Operation::ShipOrder,
            pb::ShipOrderRequest { order_id: id("order"), ..Default::default() }.encode_to_vec(),
        ),
    ] {
        assert_eq!(journalled(method, &|| bytes.clone()), (operation, operation));
    }
}

#[test]
fn a_plan_is_no_part_of_what_tells_a_retry() {
    let near = pb::PlaceOrderRequest { destination: Some(to_coordinates()), ..place() };
    let print = |warehouses: &[&str]| {
        with_request("PlacePlanned", &planned(near.clone(), plan(warehouses)), |it| it.fingerprint.clone())
    };
    assert_eq!(print(&["SH"]), print(&["BJ", "SH"]));
    let unplanned = with_request("PlaceOrder", &place(), |it| it.fingerprint.clone());
    let asked = planned(place(), plan(&["SH"]));
    assert_eq!(with_request("PlacePlanned", &asked, |it| it.fingerprint.clone()), unplanned);
    assert_ne!(print(&["SH"]), unplanned);
}

#[test]
fn what_has_not_the_right_form_is_refused_by_the_path_of_its_field() {
    let to = |destination| pb::PlaceOrderRequest { destination, ..place() };
    let nowhere = Some(pb::Destination::default());
    let both = Some(pb::Destination { pickup: id("SH"), region: id("CN"), coordinates: None });
    for (message, reason, field) in [
        (pb::PlaceOrderRequest { order_id: id(""), ..place() }, "FIELD_REQUIRED", "order_id"),
        (pb::PlaceOrderRequest { lines: vec![], ..place() }, "FIELD_REQUIRED", "lines"),
        (
            pb::PlaceOrderRequest { lines: vec![order_line("A", 0)], ..place() },
            "QUANTITY_OUT_OF_RANGE",
            "lines[0].quantity",
        ),
        (to(None), "FIELD_REQUIRED", "destination"),
        (to(nowhere), "FIELD_REQUIRED", "destination.region"),
        (to(both), "FIELDS_CONFLICT", "destination.pickup"),
        // Both need a plan.
        (to(Some(to_pickup())), "FIELDS_CONFLICT", "destination"),
        (to(Some(to_coordinates())), "FIELDS_CONFLICT", "destination"),
        (pb::PlaceOrderRequest { hold: Some(duration(0, 0)), ..place() }, "DURATION_OUT_OF_RANGE", "hold"),
        (pb::PlaceOrderRequest { deduction_policy: 9, ..place() }, "ENUM_UNKNOWN", "deduction_policy"),
        (
            pb::PlaceOrderRequest { attributes: vec![0; 1_025].into(), ..place() },
            "TEXT_TOO_LONG",
            "attributes",
        ),
    ] {
        assert_eq!(refused("PlaceOrder", &message), is(reason, field));
    }
    let near = || to(Some(to_coordinates()));
    for (message, reason, field) in [
        (seam::PlacePlannedRequest::default(), "FIELD_REQUIRED", "asked"),
        (seam::PlacePlannedRequest { asked: Some(near()), planned: None }, "FIELD_REQUIRED", "planned"),
        (planned(near(), plan(&["SH", "SH"])), "LINE_REPEATED", "planned.warehouses"),
        (planned(near(), plan(&[""])), "FIELD_REQUIRED", "planned.warehouses[0]"),
        (planned(near(), plan(&["SH"; 1_001])), "TOO_MANY_LINES", "planned.warehouses"),
        (
            planned(near(), seam::Planned { destination: "x".repeat(97), ..plan(&["SH"]) }),
            "TEXT_TOO_LONG",
            "planned.destination",
        ),
    ] {
        assert_eq!(refused("PlacePlanned", &message), is(reason, field));
    }
}

#[test]
fn of_a_pick_a_parcel_and_an_exchange() {
    let pick = |lines| pb::ConfirmPickingRequest {
        order_id: id("order"),
        warehouse: id("SH"),
        lines,
        ..Default::default()
    };
    let found = |line, picked, short| pb::PickedLine { line, picked, short };
    for (lines, reason, field) in [
        (vec![], "FIELD_REQUIRED", "lines"),
        (vec![found(1, 0, 0)], "QUANTITY_OUT_OF_RANGE", "lines[0].picked"),
        (vec![found(1, 2, -1)], "QUANTITY_OUT_OF_RANGE", "lines[0].short"),
        (vec![found(0, 1, 0)], "FIELD_REQUIRED", "lines[0].line"),
        (vec![found(1, 1, 0), found(1, 0, 1)], "LINE_REPEATED", "lines"),
    ] {
        assert_eq!(refused("ConfirmPicking", &pick(lines)), is(reason, field));
    }
    let nowhere = pb::ConfirmPickingRequest { warehouse: id(""), ..pick(vec![found(1, 1, 0)]) };
    assert_eq!(refused("ConfirmPicking", &nowhere), is("FIELD_REQUIRED", "warehouse"));
    let parcel = pb::ShipOrderRequest {
        order_id: id("order"),
        attributes: vec![0; 1_025].into(),
        ..Default::default()
    };
    assert_eq!(refused("ShipOrder", &parcel), is("TEXT_TOO_LONG", "attributes"));
    let swap = |replacement| pb::ExchangeOrderRequest {
        order_id: id("order"),
        warehouse: id("SH"),
        lines: vec![line(1, Some(1))],
        replacement,
        cause: None,
    };
    let cause = Some(pb::Cause { reason: id("swap"), ..Default::default() });
    for (replacement, reason, field) in [
        (None, "FIELD_REQUIRED", "replacement"),
        (Some(pb::PlaceOrderRequest { cause, ..place() }), "FIELDS_CONFLICT", "replacement.cause"),
        (
            Some(pb::PlaceOrderRequest { hold: Some(duration(60, 0)), ..place() }),
            "FIELDS_CONFLICT",
            "replacement.hold",
        ),
        (
            Some(pb::PlaceOrderRequest { deduction_policy: 1, ..place() }),
            "FIELDS_CONFLICT",
            "replacement.deduction_policy",
        ),
        (
            Some(pb::PlaceOrderRequest { destination: None, ..place() }),
            "FIELD_REQUIRED",
            "replacement.destination",
        ),
    ] {
        assert_eq!(refused("ExchangeOrder", &swap(replacement)), is(reason, field));
    }
}
