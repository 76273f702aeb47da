//! The steps of an order through the door, as the planners hand them on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod common;

use common::{Shop, info_of, request_id};
use lockstock_wire::Caller;
use lockstock_wire::proto::lockstock::internal::v1::{self as seam, put_document};
use lockstock_wire::proto::lockstock::v1 as pb;
use lockstock_wire::status::Failure;
use prost::Message;

const ORDERS: &str = "/lockstock.v1.OrderService/";
const PLANNED: &str = "/lockstock.internal.v1.Orders/";

fn step(shop: &Shop, method: &str, request: &impl Message) -> Result<pb::Answer, Failure> {
    let bytes = shop.bytes(&format!("{ORDERS}{method}"), &request.encode_to_vec())?;
    Ok(pb::Answer::decode(bytes.as_slice()).unwrap())
}

fn planned(shop: &Shop, method: &str, request: &impl Message) -> Result<pb::Answer, Failure> {
    let bytes = shop.bytes(&format!("{PLANNED}{method}"), &request.encode_to_vec())?;
    Ok(pb::Answer::decode(bytes.as_slice()).unwrap())
}

fn cause() -> pb::Cause {
    pb::Cause { request_id: request_id(), ..Default::default() }
}

fn line(sku: &str, quantity: i64) -> pb::OrderLine {
    pb::OrderLine { sku: sku.to_owned(), quantity, pool: String::new() }
}

fn place(order: &str, lines: Vec<pb::OrderLine>) -> pb::PlaceOrderRequest {
    pb::PlaceOrderRequest {
        cause: Some(cause()),
        order_id: order.to_owned(),
        lines,
        destination: Some(pb::Destination { region: "CN".to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

fn pay(order: &str) -> pb::PayOrderRequest {
    pb::PayOrderRequest { cause: Some(cause()), order_id: order.to_owned(), lines: Vec::new() }
}

fn reservation(shop: &Shop, order: &str) -> pb::Reservation {
    let request = pb::GetReservationRequest { reservation_id: order.to_owned() };
    shop.call("GetReservation", &request).unwrap()
}

fn put(
    shop: &Shop,
    kind: seam::DocumentKind,
    id: &str,
    live: put_document::Live,
) -> seam::PutDocumentsResult {
    let document = seam::PutDocument {
        kind: kind as i32,
        id: id.to_owned(),
        expected_version: -1,
        live: Some(live),
        body: b"{}".to_vec().into(),
    };
    let change = seam::PutDocumentsRequest { documents: vec![document], ..Default::default() };
    shop.planner("PutDocuments", &change).unwrap()
}

#[test]
fn an_order_is_placed_under_the_rules_of_its_skus_paid_and_shown() {
    let shop = Shop::open();
    let on_payment = pb::DeductionPolicy::OnPayment as i32;
    let live = seam::SkuLive { category: String::new(), deduction_policy: on_payment };
    put(&shop, seam::DocumentKind::Sku, "PEN", put_document::Live::Sku(live));
    let placed = step(&shop, "PlaceOrder", &place("order", vec![line("BOOK", 2), line("PEN", 3)])).unwrap();
    assert_eq!((placed.owner.as_str(), placed.outcome()), ("order", pb::Outcome::Done));
    let found = reservation(&shop, "order");
    assert_eq!((found.state(), found.region.as_str()), (pb::ReservationState::Locked, "CN"));
    let shown: Vec<_> = found.lines.iter().map(|it| (it.locked, it.wanted, it.deduction_policy())).collect();
    let expected = [(2, 0, pb::DeductionPolicy::OnOrder), (0, 3, pb::DeductionPolicy::OnPayment)];
    assert_eq!(shown, expected);
    let kinds: Vec<String> =
        step(&shop, "PayOrder", &pay("order")).unwrap().movements.into_iter().map(|it| it.kind).collect();
    assert_eq!(kinds, ["DEDUCT", "TAKE_ON_PAYMENT"]);
    let again = step(&shop, "PayOrder", &pay("order")).unwrap_err();
    assert_eq!(info_of(&again).reason, "QUANTITY_NOT_HELD");
}

#[test]
fn an_order_that_waits_for_its_payment_is_placed_and_a_payment_too_late_is_answered() {
    let shop = Shop::open();
    let on_payment = pb::DeductionPolicy::OnPayment as i32;
    let wish =
        pb::PlaceOrderRequest { deduction_policy: on_payment, ..place("order", vec![line("PEN", 40)]) };
    assert_eq!(step(&shop, "PlaceOrder", &wish).unwrap().deadline, None);
    assert_eq!(reservation(&shop, "order").state(), pb::ReservationState::Placed);
    step(&shop, "PlaceOrder", &place("quick", vec![line("PEN", 1)])).unwrap();
    let payment = pay("order");
    let answer = step(&shop, "PayOrder", &payment).unwrap();
    assert_eq!(answer.outcome(), pb::Outcome::SoldOut);
    assert_eq!(reservation(&shop, "order").state(), pb::ReservationState::RefundDue);
    // The same payment again gets the same answer.
    assert_eq!(step(&shop, "PayOrder", &payment).unwrap(), pb::Answer { replayed: true, ..answer });
}

#[test]
fn a_planned_order_goes_where_it_was_planned_and_a_retry_may_be_planned_otherwise() {
    let shop = Shop::open();
    let coordinates = Some(pb::Coordinates { latitude: 31.2, longitude: 121.5 });
    let destination = Some(pb::Destination { region: "CN".to_owned(), coordinates, ..Default::default() });
    let asked = pb::PlaceOrderRequest { destination, ..place("order", vec![line("BOOK", 2)]) };
    let with = |warehouses: &[&str]| seam::PlacePlannedRequest {
        asked: Some(asked.clone()),
        planned: Some(seam::Planned {
            warehouses: warehouses.iter().map(|at| (*at).to_owned()).collect(),
            destination: "geo:31.2,121.5".to_owned(),
        }),
    };
    let first = planned(&shop, "PlacePlanned", &with(&["BJ", "SH"])).unwrap();
    assert_eq!(first.movements[0].warehouse, "BJ");
    let again = planned(&shop, "PlacePlanned", &with(&["SH"])).unwrap();
    assert_eq!(again, pb::Answer { replayed: true, ..first });
    let found = reservation(&shop, "order");
    assert_eq!((found.region.as_str(), found.warehouses.len()), ("CN", 2));
    assert_eq!(found.destination, "geo:31.2,121.5");
    // Without its plan it is no order that the engine can route.
    let failure = step(&shop, "PlaceOrder", &asked).unwrap_err();
    assert_eq!(info_of(&failure).metadata["field"], "destination");
}

#[test]
fn a_key_that_is_used_again_names_what_differs_in_the_words_of_orders() {
    let shop = Shop::open();
    let first = place("order", vec![line("BOOK", 2)]);
    step(&shop, "PlaceOrder", &first).unwrap();
    for (changed, field) in [
        (pb::PlaceOrderRequest { order_id: "other".to_owned(), ..first.clone() }, "order_id"),
        (pb::PlaceOrderRequest { lines: vec![line("BOOK", 3)], ..first.clone() }, "lines"),
        (pb::PlaceOrderRequest { deduction_policy: 1, ..first.clone() }, "deduction_policy"),
    ] {
        let failure = step(&shop, "PlaceOrder", &changed).unwrap_err();
        let info = info_of(&failure);
        assert_eq!((info.reason.as_str(), info.metadata["field"].as_str()), ("REQUEST_ID_REUSED", field));
    }
    let payment = pb::PayOrderRequest { cause: first.cause, ..pay("order") };
    assert_eq!(info_of(&step(&shop, "PayOrder", &payment).unwrap_err()).metadata["field"], "operation");
}

#[test]
fn orders_cannot_be_reached_past_the_planners() {
    let shop = Shop::open();
    for path in [format!("{ORDERS}PayOrder"), format!("{PLANNED}PlacePlanned")] {
        let called = shop.door.call(Caller::Outside, &path, &[]);
        assert_eq!(info_of(&shop.door.finish(called).unwrap_err()).reason, "METHOD_UNKNOWN");
    }
}

#[test]
fn the_shop_is_one_document_and_documents_are_read_by_id() {
    let shop = Shop::open();
    let live = || put_document::Live::Shop(seam::ShopLive { deduction_policy: 2 });
    put(&shop, seam::DocumentKind::Shop, "shop", live());
    step(&shop, "PlaceOrder", &place("order", vec![line("BOOK", 1)])).unwrap();
    assert_eq!(reservation(&shop, "order").state(), pb::ReservationState::Placed);
    let document = seam::PutDocument {
        kind: seam::DocumentKind::Shop as i32,
        id: "another".to_owned(),
        live: Some(live()),
        ..Default::default()
    };
    let change = seam::PutDocumentsRequest { documents: vec![document], ..Default::default() };
    let failure = shop.planner::<seam::PutDocumentsResult>("PutDocuments", &change).unwrap_err();
    assert_eq!(info_of(&failure).metadata["field"], "documents[0].id");

    let ask = |kind: seam::DocumentKind, ids: &[&str]| seam::GetDocumentsRequest {
        kind: kind as i32,
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    let read = |request: &seam::GetDocumentsRequest| {
        shop.planner::<seam::GetDocumentsResponse>("GetDocuments", request)
    };
    let found = read(&ask(seam::DocumentKind::Sku, &["PEN", "NONE", "BOOK"])).unwrap();
    let ids: Vec<_> = found.documents.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["PEN", "BOOK"]);
    assert_eq!(read(&ask(seam::DocumentKind::Shop, &["shop"])).unwrap().documents[0].body.to_vec(), b"{}");
    for (request, reason) in [
        (ask(seam::DocumentKind::Sku, &[]), "FIELD_REQUIRED"),
        (ask(seam::DocumentKind::Sku, &vec!["x"; 10_001]), "TOO_MANY_LINES"),
        (ask(seam::DocumentKind::Unspecified, &["x"]), "ENUM_UNKNOWN"),
    ] {
        assert_eq!(info_of(&read(&request).unwrap_err()).reason, reason);
    }
}
