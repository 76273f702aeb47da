//! A node with a shop in it.

#![allow(dead_code, reason = "each test crate uses its part")]

use std::sync::Arc;
use std::time::Duration;

use lockstock_engine::{Config, Engine};
use lockstock_wire::proto::google::rpc;
use lockstock_wire::proto::lockstock::internal::v1::{self as seam, put_document};
use lockstock_wire::proto::lockstock::v1::{self as pb, command};
use lockstock_wire::status::{ErrorInfo, Failure};
use lockstock_wire::{Caller, Door};
use prost::{Message, Name};

pub const DOCUMENTS: &str = "/lockstock.internal.v1.Documents/";
pub const STOCK: &str = "/lockstock.v1.StockService/";

pub struct Shop {
    pub door: Arc<Door>,
    _dir: tempfile::TempDir,
}

impl Shop {
    /// 100 books and 40 pens in SH, 5 books in BJ.
    pub fn open() -> Self {
        Self::of(&[("BOOK", "SH", 100), ("PEN", "SH", 40), ("BOOK", "BJ", 5)])
    }

    /// With units of SKUs in warehouses, all of which serve region CN, in this order.
    pub fn of(stock: &[(&str, &str, i64)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::new(dir.path());
        config.disk_floor_bytes = 0;
        config.segment_bytes = 4 << 20;
        let (engine, _) = Engine::open(config).unwrap();
        let shop = Self { door: Arc::new(Door::new(engine, Duration::from_millis(100)).unwrap()), _dir: dir };
        let documents = seam::PutDocumentsRequest { documents: master_data(stock), ..Default::default() };
        shop.planner::<seam::PutDocumentsResult>("PutDocuments", &documents).unwrap();
        let lines = stock.iter().map(|(sku, warehouse, quantity)| stock_line(sku, warehouse, *quantity));
        let opening = pb::OtherReceiptRequest { lines: lines.collect(), ..Default::default() };
        shop.call::<pb::Answer>("OtherReceipt", &opening).unwrap();
        shop
    }

    /// The bytes of an answer, once they may leave.
    pub fn bytes(&self, path: &str, request: &[u8]) -> Result<Vec<u8>, Failure> {
        let called = self.door.call(Caller::Planner, path, request);
        self.door.engine().wait_durable(called.seen).unwrap();
        self.door.finish(called)
    }

    pub fn call<A: Message + Default>(&self, method: &str, request: &impl Message) -> Result<A, Failure> {
        let bytes = self.bytes(&format!("{STOCK}{method}"), &request.encode_to_vec())?;
        Ok(A::decode(bytes.as_slice()).unwrap())
    }

    pub fn planner<A: Message + Default>(&self, method: &str, request: &impl Message) -> Result<A, Failure> {
        let bytes = self.bytes(&format!("{DOCUMENTS}{method}"), &request.encode_to_vec())?;
        Ok(A::decode(bytes.as_slice()).unwrap())
    }

    pub fn available(&self, sku: &str, warehouse: &str) -> i64 {
        let request = pb::GetStockRequest { sku: sku.to_owned(), warehouses: vec![warehouse.to_owned()] };
        self.call::<pb::GetStockResponse>("GetStock", &request).unwrap().levels[0].available
    }
}

fn master_data(stock: &[(&str, &str, i64)]) -> Vec<seam::PutDocument> {
    use put_document::Live;
    let (mut skus, mut warehouses) = (Vec::new(), Vec::new());
    for (sku, warehouse, _) in stock {
        for (id, ids) in [(sku, &mut skus), (warehouse, &mut warehouses)] {
            if !ids.contains(id) {
                ids.push(*id);
            }
        }
    }
    let plan = seam::RoutePlanLive { warehouses: warehouses.iter().map(|id| (*id).to_owned()).collect() };
    let live = seam::WarehouseLive { state: 1, ..Default::default() };
    let sku = |id| document(seam::DocumentKind::Sku, id, Some(Live::Sku(seam::SkuLive::default())));
    let warehouse = |id| document(seam::DocumentKind::Warehouse, id, Some(Live::Warehouse(live.clone())));
    let mut documents: Vec<_> = skus.into_iter().map(sku).collect();
    documents.extend(warehouses.into_iter().map(warehouse));
    documents.push(document(seam::DocumentKind::Region, "CN", None));
    documents.push(document(seam::DocumentKind::RoutePlan, "CN", Some(Live::RoutePlan(plan))));
    documents
}

/// A document that is not there yet.
pub fn document(kind: seam::DocumentKind, id: &str, live: Option<put_document::Live>) -> seam::PutDocument {
    seam::PutDocument {
        kind: kind as i32,
        id: id.to_owned(),
        expected_version: 0,
        live,
        body: format!("{{\"id\":\"{id}\"}}").into_bytes().into(),
    }
}

pub fn stock_line(sku: &str, warehouse: &str, quantity: i64) -> pb::StockLine {
    pb::StockLine { sku: sku.to_owned(), warehouse: warehouse.to_owned(), quantity }
}

/// A good lock of books for region CN.
pub fn lock(reservation: &str, quantity: i64) -> pb::LockRequest {
    pb::LockRequest {
        reservation_id: reservation.to_owned(),
        lines: vec![pb::OrderLine { sku: "BOOK".to_owned(), quantity, pool: String::new() }],
        source: Some(pb::lock_request::Source::Region("CN".to_owned())),
        ..Default::default()
    }
}

/// The same under a request id.
pub fn lock_as(request_id: &str, reservation: &str, quantity: i64) -> pb::LockRequest {
    let cause = pb::Cause { request_id: request_id.to_owned(), ..Default::default() };
    pb::LockRequest { cause: Some(cause), ..lock(reservation, quantity) }
}

pub fn command(lock: pb::LockRequest) -> pb::Command {
    pb::Command { operation: Some(command::Operation::Lock(lock)) }
}

/// A fresh request id, stamped with the machine's time.
pub fn request_id() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut noise = [0; 16];
    getrandom::fill(&mut noise).unwrap();
    let stamp = u64::try_from(now.as_millis()).unwrap();
    lockstock_stock::check::key_text(lockstock_stock::check::new_key(stamp, u128::from_be_bytes(noise)))
}

/// The reason of a status, and its metadata.
pub fn info(status: &rpc::Status) -> ErrorInfo {
    let url = format!("type.googleapis.com/{}", ErrorInfo::full_name());
    let detail =
        status.details.iter().find(|detail| detail.type_url == url).expect("every status has an ErrorInfo");
    ErrorInfo::decode(detail.value.as_slice()).unwrap()
}

pub fn info_of(failure: &Failure) -> ErrorInfo {
    let status = rpc::Status::decode(failure.status.as_slice()).unwrap();
    assert_eq!((status.code, &status.message), (failure.code, &failure.message));
    info(&status)
}

/// The reason of a result that must be a refusal.
pub fn refused(result: &pb::Result) -> ErrorInfo {
    match &result.result {
        Some(pb::result::Result::Status(status)) => info(status),
        other => panic!("not refused: {other:?}"),
    }
}

/// The answer of a result that must be one.
pub fn answered(result: &pb::Result) -> &pb::Answer {
    match &result.result {
        Some(pb::result::Result::Answer(answer)) => answer,
        other => panic!("no answer: {other:?}"),
    }
}
