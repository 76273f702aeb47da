//! The first answer again.

use lockstock_engine::{Engine, RecallError};
use lockstock_stock::answer::View;
use lockstock_stock::event::{Change, Event, Fingerprint, Operation};
use lockstock_stock::ids::Sequence;
use lockstock_stock::refusal::Refusal;

use crate::encode::number;
use crate::fingerprint::field_name;
use crate::proto::lockstock::internal::v1::Document;

/// Shows the first answer, or names what differs. The sequence must be durable.
pub(crate) fn recall<R>(
    engine: &Engine,
    sequence: Sequence,
    operation: Operation,
    fingerprint: &Fingerprint,
    show: impl FnOnce(View<'_>) -> R,
) -> Result<R, Refusal> {
    engine.recall(sequence, fingerprint, show).map_err(|error| refusal(&error, operation))
}

fn refusal(error: &RecallError, operation: Operation) -> Refusal {
    match error {
        RecallError::Reused { field, sequence } => {
            Refusal::RequestIdReused { field: field_name(operation, *field), sequence: *sequence }
        }
        // What was acknowledged can be read again: that it cannot is a defect, ours or the disk's.
        other => Refusal::InvariantViolated { violation: other.to_string() },
    }
}

/// The documents as a change put them; none of an operation on stock.
pub(crate) fn documents(event: &Event) -> Vec<Document> {
    let put = event.changes.iter().filter_map(|change| match change {
        Change::Document(document) => Some(document),
        _ => None,
    });
    put.map(|document| Document {
        id: document.id.to_string(),
        version: number(event.sequence),
        body: bytes::Bytes::copy_from_slice(&document.body),
        kind: i32::from(document.kind as u8),
    })
    .collect()
}
