//! The three layers: the golden tables of `domain.md` section 2 through the calls, and what the layers show
//! beside them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may be blunt too"
)]

mod common;

use common::{DOCUMENTS, Shop, document, info_of, lock, stock_line};
use lockstock_wire::Caller;
use lockstock_wire::proto::lockstock::internal::v1::{self as seam, put_document};
use lockstock_wire::proto::lockstock::v1 as pb;
use pb::get_dispatch_stock_request::Place;
use prost::Message;

const GOLDEN: &str = "
    step                          | sales available / locked / sold | dispatch book / available | warehouse available / locked / shipped
    start                         | 30 / 0 / 0 | 30 / 30 | 30 / 0 / 0
    order 10                      | 20 / 10 / 0 | 30 / 20 | 30 / 0 / 0
    give back 1 before paying     | 21 / 9 / 0 | 30 / 21 | 30 / 0 / 0
    pay                           | 21 / 0 / 9 | 30 / 21 | 30 / 0 / 0
    push the fulfilment           | 21 / 0 / 9 | 30 / 21 | 21 / 9 / 0
    refund 2 before shipping      | 23 / 0 / 7 | 30 / 23 | 23 / 7 / 0
    ship                          | 23 / 0 / 7 | 23 / 23 | 23 / 0 / 7
    return 3, sellable            | 26 / 0 / 4 | 26 / 26 | 26 / 0 / 7
";

const REFUND_BEFORE_THE_PUSH: &str = "
    step                          | sales available / locked / sold | dispatch book / available | warehouse available / locked / shipped
    start                         | 30 / 0 / 0 | 30 / 30 | 30 / 0 / 0
    order 10                      | 20 / 10 / 0 | 30 / 20 | 30 / 0 / 0
    give back 1 before paying     | 21 / 9 / 0 | 30 / 21 | 30 / 0 / 0
    pay                           | 21 / 0 / 9 | 30 / 21 | 30 / 0 / 0
    refund 2 before shipping      | 23 / 0 / 7 | 30 / 23 | 30 / 0 / 0
    push the fulfilment           | 23 / 0 / 7 | 30 / 23 | 23 / 7 / 0
    ship                          | 23 / 0 / 7 | 23 / 23 | 23 / 0 / 7
    return 3, sellable            | 26 / 0 / 4 | 26 / 26 | 26 / 0 / 7
";

/// Does what a step is called.
fn take(shop: &Shop, step: &str, back_at: &str) {
    let reservation_id = "order".to_owned();
    let some = |quantity| vec![pb::LineQuantity { line: 1, quantity: Some(quantity) }];
    let done = |answer: Result<pb::Answer, _>| drop(answer.unwrap());
    match step {
        "start" => {}
        "order 10" => done(shop.call("Lock", &lock("order", 10))),
        "give back 1 before paying" => {
            let request = pb::UnlockRequest { reservation_id, lines: some(1), ..Default::default() };
            done(shop.call("Unlock", &request));
        }
        "pay" => {
            done(shop.call("Deduct", &pb::DeductRequest { reservation_id, ..Default::default() }));
        }
        "push the fulfilment" => {
            let request = pb::PushFulfilmentRequest { reservation_id, ..Default::default() };
            done(shop.call("PushFulfilment", &request));
        }
        "refund 2 before shipping" => {
            let request = pb::CancelRequest { reservation_id, lines: some(2), ..Default::default() };
            done(shop.call("Cancel", &request));
        }
        "ship" => done(shop.call("Ship", &pb::ShipRequest { reservation_id, ..Default::default() })),
        "return 3, sellable" => {
            let disposition = pb::Disposition::Sellable as i32;
            let lines = vec![pb::ReturnLine { line: 1, quantity: 3, disposition }];
            let warehouse = back_at.to_owned();
            let request = pb::ReturnRequest { reservation_id, warehouse, lines, ..Default::default() };
            done(shop.call("Return", &request));
        }
        other => panic!("there is no step {other:?}"),
    }
}

fn books() -> Vec<String> {
    vec!["BOOK".to_owned()]
}

/// The three layers of books as a table shows them.
fn shown(shop: &Shop) -> String {
    let sales: pb::GetSalesStockResponse = shop
        .call("GetSalesStock", &pb::GetSalesStockRequest { skus: books(), ..Default::default() })
        .unwrap();
    let dispatch: pb::GetDispatchStockResponse =
        shop.call("GetDispatchStock", &pb::GetDispatchStockRequest { skus: books(), place: None }).unwrap();
    let warehouse: pb::GetWarehouseStockResponse = shop
        .call("GetWarehouseStock", &pb::GetWarehouseStockRequest { skus: books(), ..Default::default() })
        .unwrap();
    assert_eq!((sales.sequence, dispatch.sequence), (warehouse.sequence, warehouse.sequence));
    let (sales, dispatch) = (&sales.stocks[0], &dispatch.stocks[0]);
    assert_eq!((sales.sellable, sales.shortage), (sales.available + sales.locked, 0));
    let sum = |of: fn(&pb::WarehouseStock) -> i64| warehouse.stocks.iter().map(of).sum::<i64>();
    format!(
        "{} / {} / {} | {} / {} | {} / {} / {}",
        sales.available,
        sales.locked,
        sales.sold,
        dispatch.book,
        dispatch.available,
        sum(|it| it.available),
        sum(|it| it.locked),
        sum(|it| it.shipped),
    )
}

fn follow(table: &str, stock: &[(&str, &str, i64)]) -> Shop {
    let shop = Shop::of(stock);
    let back_at = stock.last().unwrap().1;
    for row in table.trim().lines().skip(1) {
        let (step, expected) = row.split_once('|').unwrap();
        take(&shop, step.trim(), back_at);
        assert_eq!(shown(&shop), expected.trim(), "{step}");
    }
    let request = pb::GetWarehouseStockRequest { skus: books(), ..Default::default() };
    let layer: pb::GetWarehouseStockResponse = shop.call("GetWarehouseStock", &request).unwrap();
    let returned: Vec<_> = layer
        .stocks
        .iter()
        .filter(|it| it.returned > 0)
        .map(|it| (it.warehouse.as_str(), it.returned))
        .collect();
    assert_eq!(returned, [(back_at, 3)]);
    shop
}

#[test]
fn the_layers_follow_the_golden_table() {
    follow(GOLDEN, &[("BOOK", "SH", 30)]);
}

#[test]
fn the_layers_follow_the_golden_table_over_eight_warehouses() {
    let stock = [5, 5, 5, 3, 3, 3, 3, 3];
    let warehouses = ["W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8"];
    let stock: Vec<_> = warehouses.into_iter().zip(stock).map(|(at, units)| ("BOOK", at, units)).collect();
    follow(GOLDEN, &stock);
}

#[test]
fn the_layers_follow_the_refund_before_the_push() {
    follow(REFUND_BEFORE_THE_PUSH, &[("BOOK", "SH", 30)]);
}

fn sales(shop: &Shop, sku: &str) -> pb::SalesStock {
    let request = pb::GetSalesStockRequest { skus: vec![sku.to_owned()], ..Default::default() };
    let answer: pb::GetSalesStockResponse = shop.call("GetSalesStock", &request).unwrap();
    answer.stocks[0].clone()
}

fn dispatch(shop: &Shop, place: Option<Place>) -> pb::DispatchStock {
    let request = pb::GetDispatchStockRequest { skus: books(), place };
    let answer: pb::GetDispatchStockResponse = shop.call("GetDispatchStock", &request).unwrap();
    answer.stocks[0].clone()
}

#[test]
fn a_loss_below_nothing_reads_zero_in_the_shop_and_says_the_shortage() {
    let shop = Shop::of(&[("BOOK", "SH", 10)]);
    shop.call::<pb::Answer>("Lock", &lock("order", 8)).unwrap();
    let request = pb::RecordLossRequest { lines: vec![stock_line("BOOK", "SH", 5)], ..Default::default() };
    shop.call::<pb::Answer>("RecordLoss", &request).unwrap();
    let found = sales(&shop, "BOOK");
    assert_eq!((found.available, found.locked, found.sellable, found.shortage), (0, 8, 8, 3));
    assert_eq!(dispatch(&shop, None).available, -3);
}

#[test]
fn a_paused_warehouse_is_on_the_books_and_sells_nothing() {
    let shop = Shop::open();
    let live = seam::WarehouseLive { state: 2, ..Default::default() };
    let mut paused = document(seam::DocumentKind::Warehouse, "BJ", Some(put_document::Live::Warehouse(live)));
    paused.expected_version = -1;
    let change = seam::PutDocumentsRequest { documents: vec![paused], ..Default::default() };
    shop.planner::<seam::PutDocumentsResult>("PutDocuments", &change).unwrap();
    assert_eq!(sales(&shop, "BOOK").available, 100);
    assert_eq!((dispatch(&shop, None).book, dispatch(&shop, None).available), (105, 105));
}

#[test]
fn dispatch_is_everywhere_in_a_warehouse_or_in_the_warehouses_on_a_regions_plan() {
    let shop = Shop::open();
    let north = document(seam::DocumentKind::Region, "CN-N", None);
    let plan = put_document::Live::RoutePlan(seam::RoutePlanLive { warehouses: vec!["BJ".to_owned()] });
    let plan = document(seam::DocumentKind::RoutePlan, "CN-N", Some(plan));
    let nowhere = document(seam::DocumentKind::Region, "XX", None);
    let change = seam::PutDocumentsRequest { documents: vec![north, plan, nowhere], ..Default::default() };
    shop.planner::<seam::PutDocumentsResult>("PutDocuments", &change).unwrap();
    let book = |place| dispatch(&shop, place).book;
    assert_eq!(book(None), 105);
    assert_eq!(book(Some(Place::Warehouse("SH".to_owned()))), 100);
    assert_eq!(book(Some(Place::Region("CN".to_owned()))), 105);
    assert_eq!(book(Some(Place::Region("CN-N".to_owned()))), 5);
    assert_eq!(book(Some(Place::Region("XX".to_owned()))), 0);
}

#[test]
fn dispatch_shows_what_is_on_its_way_and_what_cannot_be_sold() {
    let shop = Shop::open();
    let lines = vec![pb::SkuQuantity { sku: "BOOK".to_owned(), quantity: Some(7) }];
    let expected = pb::ExpectReceiptRequest {
        receipt_id: "po".to_owned(),
        warehouse: "SH".to_owned(),
        lines,
        ..Default::default()
    };
    shop.call::<pb::Answer>("ExpectReceipt", &expected).unwrap();
    let damaged = pb::MarkDefectiveRequest { lines: vec![stock_line("BOOK", "BJ", 2)], ..Default::default() };
    shop.call::<pb::Answer>("MarkDefective", &damaged).unwrap();
    for step in ["order 10", "pay", "push the fulfilment", "ship"] {
        take(&shop, step, "SH");
    }
    let back = pb::ExpectReturnRequest {
        reservation_id: "order".to_owned(),
        warehouse: "SH".to_owned(),
        lines: vec![pb::LineQuantity { line: 1, quantity: Some(4) }],
        ..Default::default()
    };
    shop.call::<pb::Answer>("ExpectReturn", &back).unwrap();
    let found = dispatch(&shop, None);
    assert_eq!((found.in_transit, found.returning, found.unsellable), (7, 4, 2));
    assert_eq!((found.book, found.available), (95, 93));
}

#[test]
fn a_channel_must_be_known_and_reads_the_default_pool() {
    let shop = Shop::open();
    let web = document(seam::DocumentKind::Channel, "web", None);
    let change = seam::PutDocumentsRequest { documents: vec![web], ..Default::default() };
    shop.planner::<seam::PutDocumentsResult>("PutDocuments", &change).unwrap();
    let ask = |channel: &str| {
        let request = pb::GetSalesStockRequest { skus: books(), channel: channel.to_owned() };
        shop.call::<pb::GetSalesStockResponse>("GetSalesStock", &request)
    };
    assert_eq!(ask("web").unwrap().stocks, ask("").unwrap().stocks);
    assert_eq!(info_of(&ask("app").unwrap_err()).reason, "CHANNEL_NOT_FOUND");
}

#[test]
fn many_skus_are_answered_in_the_order_asked_as_each_alone() {
    let shop = Shop::open();
    let request = pb::BatchGetStockRequest { skus: vec!["PEN".to_owned(), "BOOK".to_owned()] };
    let many: pb::BatchGetStockResponse = shop.call("BatchGetStock", &request).unwrap();
    let one = |sku: &str| {
        let request = pb::GetStockRequest { sku: sku.to_owned(), ..Default::default() };
        shop.call::<pb::GetStockResponse>("GetStock", &request).unwrap()
    };
    assert_eq!(many.stocks, [one("PEN"), one("BOOK")]);
    assert_eq!(many.sequence, many.stocks[0].sequence);
    let request = pb::GetWarehouseStockRequest {
        skus: request.skus,
        warehouses: vec!["SH".to_owned(), "BJ".to_owned()],
    };
    let layer: pb::GetWarehouseStockResponse = shop.call("GetWarehouseStock", &request).unwrap();
    let shown: Vec<_> =
        layer.stocks.iter().map(|it| (it.sku.as_str(), it.warehouse.as_str(), it.available)).collect();
    assert_eq!(shown, [("PEN", "BJ", 0), ("PEN", "SH", 40), ("BOOK", "BJ", 5), ("BOOK", "SH", 100)]);
}

#[test]
fn what_the_layers_cannot_be_asked_is_refused_with_the_field() {
    let shop = Shop::open();
    let many = |count: usize| (0..count).map(|at| format!("sku-{at}")).collect::<Vec<_>>();
    let skus = |skus: Vec<String>| pb::BatchGetStockRequest { skus };
    let twice = vec!["BOOK".to_owned(), "BOOK".to_owned()];
    let empty_id = vec!["BOOK".to_owned(), String::new()];
    // The field of SKUs has the same number in all four.
    for method in ["BatchGetStock", "GetSalesStock", "GetDispatchStock", "GetWarehouseStock"] {
        for (list, reason, metadata) in [
            (Vec::new(), "FIELD_REQUIRED", ("field", "skus")),
            (many(2_001), "TOO_MANY_LINES", ("field", "skus")),
            (twice.clone(), "LINE_REPEATED", ("value", "BOOK")),
            (empty_id.clone(), "FIELD_REQUIRED", ("field", "skus[1]")),
            (many(2), "SKU_NOT_FOUND", ("sku", "sku-0")),
        ] {
            let request = skus(list).encode_to_vec();
            let failure = shop.bytes(&format!("{}{method}", common::STOCK), &request).unwrap_err();
            let info = info_of(&failure);
            assert_eq!((info.reason.as_str(), info.metadata[metadata.0].as_str()), (reason, metadata.1));
        }
    }
    let place = |place| pb::GetDispatchStockRequest { skus: books(), place: Some(place) };
    for (place, reason) in [
        (place(Place::Warehouse("XX".to_owned())), "WAREHOUSE_NOT_FOUND"),
        (place(Place::Region("XX".to_owned())), "REGION_NOT_FOUND"),
        (place(Place::Region(String::new())), "FIELD_REQUIRED"),
    ] {
        let failure = shop.call::<pb::GetDispatchStockResponse>("GetDispatchStock", &place).unwrap_err();
        assert_eq!(info_of(&failure).reason, reason);
    }
    let unknown = pb::GetWarehouseStockRequest { skus: books(), warehouses: vec!["XX".to_owned()] };
    let failure = shop.call::<pb::GetWarehouseStockResponse>("GetWarehouseStock", &unknown).unwrap_err();
    assert_eq!(info_of(&failure).reason, "WAREHOUSE_NOT_FOUND");
    let large = pb::GetWarehouseStockRequest { skus: many(1_001), warehouses: many(40) };
    let failure = shop.call::<pb::GetWarehouseStockResponse>("GetWarehouseStock", &large).unwrap_err();
    let info = info_of(&failure);
    assert_eq!((info.reason.as_str(), &*info.metadata["field"]), ("TOO_MANY_LINES", "levels"));
    assert_eq!(info.metadata["limit"], "40000");
}

#[test]
fn the_layers_are_open_to_callers_outside() {
    let shop = Shop::open();
    let request = pb::BatchGetStockRequest { skus: books() }.encode_to_vec();
    let path = format!("{}GetSalesStock", common::STOCK);
    let called = shop.door.call(Caller::Outside, &path, &request);
    assert!(shop.door.finish(called).is_ok());
    let called = shop.door.call(Caller::Outside, &format!("{DOCUMENTS}ListDocuments"), &[]);
    assert!(shop.door.finish(called).is_err());
}
