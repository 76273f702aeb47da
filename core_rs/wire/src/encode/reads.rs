//! What a dry run would do, and documents: views of the state at one sequence. Like all reads they run under the
//! engine's lock, so they copy and do no more; serialising comes after it.

use lockstock_stock::command::DocumentKind;
use lockstock_stock::decide::Availability;
use lockstock_stock::refusal::{Code, Refusal};
use lockstock_stock::state::{Document, State};

use super::number;
use crate::proto::lockstock::{internal, v1};
use crate::status::short_sku;

/// A dry run of a lock. What stock, route or parcels refuse is the answer; what is unknown is a failure of
/// the question.
pub(crate) fn availability(
    state: &State,
    dry_run: Result<Availability, Refusal>,
) -> Result<v1::CheckAvailabilityResponse, Refusal> {
    let mut response =
        v1::CheckAvailabilityResponse { sequence: number(state.sequence()), ..Default::default() };
    match dry_run {
        Ok(found) => {
            response.lockable = true;
            response.plan = found
                .plan
                .into_iter()
                .map(|(line, at, quantity)| v1::PlannedUnits {
                    line,
                    warehouse: (*state.warehouse(at).id).to_owned(),
                    quantity,
                })
                .collect();
            response.refused = found
                .refused
                .into_iter()
                .map(|(line, quantity)| v1::RefusedLine { line, quantity })
                .collect();
        }
        Err(refusal) if refusal.reason().code() == Code::FailedPrecondition => {
            response.reason = refusal.reason() as i32;
            match refusal {
                Refusal::InsufficientStock { shortages } => {
                    response.shortages = shortages.iter().map(short_sku).collect();
                }
                Refusal::ParcelLimit { parcels_needed, .. } => response.parcels_needed = parcels_needed,
                _ => {}
            }
        }
        Err(refusal) => return Err(refusal),
    }
    Ok(response)
}

/// A run of documents of a kind, ordered by id: those after `after`, or the one that is named.
pub(crate) fn documents(
    state: &State,
    kind: DocumentKind,
    after: &str,
    limit: usize,
    only: &str,
) -> internal::v1::ListDocumentsResponse {
    let documents = if only.is_empty() {
        state.documents(kind, after).take(limit).map(|(id, found)| document(kind, id, found)).collect()
    } else {
        state.document(kind, only).into_iter().map(|found| document(kind, only, found)).collect()
    };
    internal::v1::ListDocumentsResponse { sequence: number(state.sequence()), documents }
}

/// The documents of a kind that there are of these ids, in their order.
pub(crate) fn named_documents(
    state: &State,
    kind: DocumentKind,
    ids: &[String],
) -> internal::v1::GetDocumentsResponse {
    let found = ids.iter().filter_map(|id| Some(document(kind, id, state.document(kind, id)?)));
    internal::v1::GetDocumentsResponse { sequence: number(state.sequence()), documents: found.collect() }
}

fn document(kind: DocumentKind, id: &str, document: &Document) -> internal::v1::Document {
    internal::v1::Document {
        id: id.to_owned(),
        version: number(document.version),
        body: bytes::Bytes::copy_from_slice(&document.body),
        kind: i32::from(kind as u8),
    }
}
