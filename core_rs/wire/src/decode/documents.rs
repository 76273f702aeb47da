//! Master data from the planners.

use lockstock_stock::check;
use lockstock_stock::command::{
    Command, DocumentKind, Live, PutDocument, Request, SHOP_ID, Service, WarehouseState,
};
use lockstock_stock::event::Fingerprint;
use lockstock_stock::refusal::Refusal;
use prost::Message;

use super::form::{self, Checked};
use super::{Context, each, key};
use crate::fingerprint;
use crate::proto::lockstock::internal::v1::{
    self as pb, GetDocumentsRequest, ListDocumentsRequest, PutDocumentsRequest, put_document,
};

/// The most documents of one read.
const LISTING_MAX: usize = 10_000;

/// A change of documents as a request of the engine.
pub(crate) fn change<'a>(change: &'a PutDocumentsRequest, context: &Context<'_>) -> Checked<Request<'a>> {
    let key = key(&change.request_id, context)?;
    if change.documents.is_empty() {
        return Err(form::missing("documents"));
    }
    let documents: Vec<_> = each("documents", &change.documents, document)?;
    check::unique("documents", documents.iter().map(|it| format!("{:?} {}", it.kind, it.id)))?;
    Ok(Request {
        key,
        fingerprint: fingerprint_of_change(change),
        reason: "",
        document: "",
        service: Service::Stock,
        command: Command::PutDocuments { documents },
    })
}

/// What tells a change that is asked again from another: what the caller sent, without what is put.
pub(crate) fn fingerprint_of_change(change: &PutDocumentsRequest) -> Fingerprint {
    let sent = PutDocumentsRequest {
        method: change.method.clone(),
        asked: change.asked.clone(),
        update_mask: change.update_mask.clone(),
        ..PutDocumentsRequest::default()
    };
    fingerprint::of_documents(&sent.encode_to_vec())
}

fn kind(field: &str, number: i32) -> Checked<DocumentKind> {
    match pb::DocumentKind::try_from(number) {
        Ok(pb::DocumentKind::Sku) => Ok(DocumentKind::Sku),
        Ok(pb::DocumentKind::Warehouse) => Ok(DocumentKind::Warehouse),
        Ok(pb::DocumentKind::Region) => Ok(DocumentKind::Region),
        Ok(pb::DocumentKind::Channel) => Ok(DocumentKind::Channel),
        Ok(pb::DocumentKind::RoutePlan) => Ok(DocumentKind::RoutePlan),
        Ok(pb::DocumentKind::Shop) => Ok(DocumentKind::Shop),
        Ok(pb::DocumentKind::Unspecified) | Err(_) => Err(form::unknown(field, number)),
    }
}

fn document(document: &pb::PutDocument) -> Checked<PutDocument<'_>> {
    let kind = kind("kind", document.kind)?;
    let id = check::id("id", &document.id)?;
    if kind == DocumentKind::Shop && id != SHOP_ID {
        return Err(Refusal::FieldsConflict { field: "id".to_owned() });
    }
    Ok(PutDocument {
        kind,
        id,
        expected_version: match document.expected_version {
            -1 => None,
            version => Some(
                u64::try_from(version)
                    .map_err(|_| form::out_of_range("expected_version", version, "-1 or above"))?,
            ),
        },
        live: live(kind, document.live.as_ref())?,
        body: &document.body,
    })
}

fn live(kind: DocumentKind, live: Option<&put_document::Live>) -> Checked<Live<'_>> {
    use put_document::Live as L;
    match (kind, live) {
        (DocumentKind::Region | DocumentKind::Channel, None) => Ok(Live::Nothing),
        (DocumentKind::Sku, Some(L::Sku(sku))) => Ok(Live::Sku {
            category: check::optional_id("sku.category", &sku.category)?,
            policy: form::policy("sku.deduction_policy", sku.deduction_policy)?,
        }),
        (DocumentKind::Shop, Some(L::Shop(shop))) => {
            Ok(Live::Shop { policy: form::policy("shop.deduction_policy", shop.deduction_policy)? })
        }
        (DocumentKind::Warehouse, Some(L::Warehouse(warehouse))) => Ok(Live::Warehouse {
            state: match warehouse.state {
                1 => WarehouseState::Active,
                2 => WarehouseState::Paused,
                3 => WarehouseState::Closed,
                other => return Err(form::unknown("warehouse.state", other)),
            },
            skus: form::ids("warehouse.skus", &warehouse.skus)?,
            categories: form::ids("warehouse.categories", &warehouse.categories)?,
        }),
        (DocumentKind::RoutePlan, Some(L::RoutePlan(plan))) => {
            Ok(Live::RoutePlan { warehouses: form::ids("route_plan.warehouses", &plan.warehouses)? })
        }
        (_, None) => Err(form::missing("live")),
        (_, Some(_)) => Err(Refusal::FieldsConflict { field: "live".to_owned() }),
    }
}

/// Which documents to read, by id.
pub(crate) fn named(request: &GetDocumentsRequest) -> Checked<(DocumentKind, &[String])> {
    let kind = kind("kind", request.kind)?;
    match request.ids.len() {
        0 => Err(form::missing("ids")),
        1..=LISTING_MAX => Ok((kind, &request.ids)),
        _ => Err(Refusal::TooManyLines { field: "ids".to_owned(), limit: LISTING_MAX }),
    }
}

/// Which documents to list.
pub(crate) struct Listing<'a> {
    pub kind: DocumentKind,
    pub after: &'a str,
    pub limit: usize,
    pub only: &'a str,
}

/// The question after a run of documents.
pub(crate) fn listing(request: &ListDocumentsRequest) -> Checked<Listing<'_>> {
    let limit = usize::try_from(request.limit)
        .ok()
        .filter(|limit| (1..=LISTING_MAX).contains(limit))
        .ok_or_else(|| form::out_of_range("limit", i64::from(request.limit), "1 to 10000"))?;
    Ok(Listing { kind: kind("kind", request.kind)?, after: &request.after, limit, only: &request.id })
}
