//! An event as JSON for people, with names for indexes.

use lockstock_stock::command::{DocumentKind, WarehouseState};
use lockstock_stock::event::{Change, DeductionPolicy, Event, Exception, LivePart, NewLine, NewReservation};
use lockstock_stock::ids::{OwnerNo, RequestKey, SkuIx, WarehouseIx};
use lockstock_stock::movement::Movement;
use lockstock_stock::state::State;
use serde_json::{Value, json};

use crate::status::{hash_text, hex_text, uuid_text};

/// An event that `state` has applied, now or long ago.
pub(crate) fn event_json(state: &State, event: &Event) -> Value {
    let names = Names(state);
    json!({
        "sequence": event.sequence,
        "at": event.at,
        "operation": event.operation.name(),
        "request_id": key(event.key),
        "reason": event.reason,
        "document": event.document,
        "outcome": event.outcome.name(),
        "split_exact": event.split_exact,
        "digest": hash_text(event.fingerprint.digest),
        "changes": event.changes.iter().map(|change| names.change(change)).collect::<Vec<_>>(),
    })
}

fn key(key: RequestKey) -> Option<String> {
    (key != 0).then(|| uuid_text(key.to_be_bytes()))
}

/// Opaque bytes: as text where they are text.
fn bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "hex": hex_text(bytes) }),
    }
}

const fn kind_name(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Sku => "SKU",
        DocumentKind::Warehouse => "WAREHOUSE",
        DocumentKind::Region => "REGION",
        DocumentKind::Channel => "CHANNEL",
        DocumentKind::RoutePlan => "ROUTE_PLAN",
        DocumentKind::Shop => "SHOP",
    }
}

const fn state_name(state: WarehouseState) -> &'static str {
    match state {
        WarehouseState::Active => "ACTIVE",
        WarehouseState::Paused => "PAUSED",
        WarehouseState::Closed => "CLOSED",
    }
}

struct Names<'a>(&'a State);

impl Names<'_> {
    fn sku(&self, sku: SkuIx) -> &str {
        &self.0.sku(sku).id
    }

    fn warehouse(&self, warehouse: WarehouseIx) -> &str {
        &self.0.warehouse(warehouse).id
    }

    /// The number alone where the owner is gone from the state.
    fn owner(&self, no: OwnerNo) -> Value {
        let state = self.0;
        let id = state.reservation(no).map(|owner| &*owner.id);
        let id = id.or_else(|| state.transfer(no).map(|owner| &*owner.id));
        let id = id.or_else(|| state.receipt(no).map(|owner| &*owner.id));
        id.map_or_else(|| json!({ "no": no.0 }), |id| json!(id))
    }

    fn change(&self, change: &Change) -> Value {
        match change {
            Change::Movement(movement) => self.movement(movement),
            Change::Reservation(reservation) => self.reservation(reservation),
            Change::ReservationLine { reservation, line } => json!({
                "change": "RESERVATION_LINE", "reservation": self.owner(*reservation),
                "line": self.line(line),
            }),
            Change::Deadline { reservation, deadline, extensions } => json!({
                "change": "DEADLINE", "reservation": self.owner(*reservation),
                "deadline": deadline, "extensions": extensions,
            }),
            Change::RefundDue { reservation } => {
                json!({ "change": "REFUND_DUE", "reservation": self.owner(*reservation) })
            }
            Change::Step { reservation, attributes } => json!({
                "change": "STEP", "reservation": self.owner(*reservation), "attributes": bytes(attributes),
            }),
            Change::Receipt(receipt) => json!({
                "change": "RECEIPT", "receipt": receipt.id, "warehouse": self.warehouse(receipt.warehouse),
            }),
            Change::ReceiptLine { receipt, sku } => json!({
                "change": "RECEIPT_LINE", "receipt": self.owner(*receipt), "sku": self.sku(*sku),
            }),
            Change::ReceiptExpectedAt { receipt, expected_at } => json!({
                "change": "RECEIPT_EXPECTED_AT", "receipt": self.owner(*receipt), "expected_at": expected_at,
            }),
            Change::Transfer(transfer) => json!({
                "change": "TRANSFER", "transfer": transfer.id,
                "from": self.warehouse(transfer.from), "to": self.warehouse(transfer.to),
                "skus": transfer.lines.iter().map(|sku| self.sku(*sku)).collect::<Vec<_>>(),
            }),
            Change::TransferClosed { transfer } => {
                json!({ "change": "TRANSFER_CLOSED", "transfer": self.owner(*transfer) })
            }
            Change::Document(document) => json!({
                "change": "DOCUMENT", "kind": kind_name(document.kind), "id": document.id,
                "live": self.live(&document.live), "body": bytes(&document.body),
            }),
            Change::Exception(exception) => self.exception(exception),
            Change::Horizon { stamp_ms } => json!({ "change": "HORIZON", "stamp_ms": stamp_ms }),
            Change::Checkpoint { state_hash } => {
                json!({ "change": "CHECKPOINT", "state_hash": hash_text(*state_hash) })
            }
        }
    }

    fn movement(&self, movement: &Movement) -> Value {
        let pool = (!movement.kind.row().pool.is_empty()).then(|| &**self.0.pool(movement.pool));
        json!({
            "change": "MOVEMENT", "kind": movement.kind.name(), "sku": self.sku(movement.sku),
            "warehouse": movement.warehouse.map(|warehouse| self.warehouse(warehouse)),
            "pool": pool,
            "owner": movement.owner.map(|owner| self.owner(owner)), "line": movement.line,
            "quantity": movement.quantity,
        })
    }

    fn reservation(&self, reservation: &NewReservation) -> Value {
        let listed = reservation.source.listed().iter().map(|at| self.warehouse(*at)).collect::<Vec<_>>();
        let source = json!({
            "region": reservation.source.region().map(|region| &*self.0.region(region).id),
            "warehouses": listed,
        });
        json!({
            "change": "RESERVATION", "reservation": reservation.id, "from": source,
            "destination": reservation.destination,
            "max_parcels": reservation.max_parcels, "deadline": reservation.deadline,
            "channel": reservation.channel.map(|channel| &**self.0.channel(channel)),
            "buyer": (reservation.buyer != 0).then(|| format!("{:032x}", reservation.buyer)),
            "attributes": bytes(&reservation.attributes),
            "lines": reservation.lines.iter().map(|line| self.line(line)).collect::<Vec<_>>(),
        })
    }

    fn line(&self, line: &NewLine) -> Value {
        json!({
            "sku": self.sku(line.sku), "pool": &**self.0.pool(line.pool),
            "deduction_policy": line.policy.name(),
        })
    }

    fn exception(&self, exception: &Exception) -> Value {
        json!({
            "change": "EXCEPTION", "kind": exception.kind.name(), "sku": self.sku(exception.sku),
            "warehouse": self.warehouse(exception.warehouse), "quantity": exception.quantity,
            "reservation": exception.reservation.map(|no| self.owner(no)),
        })
    }

    fn live(&self, live: &LivePart) -> Value {
        match live {
            LivePart::Nothing => Value::Null,
            LivePart::Sku { category, policy } => {
                json!({ "category": category, "deduction_policy": policy.map(DeductionPolicy::name) })
            }
            LivePart::Shop { policy } => {
                json!({ "deduction_policy": policy.map(DeductionPolicy::name) })
            }
            LivePart::Warehouse { state, skus, categories } => {
                json!({ "state": state_name(*state), "skus": skus, "categories": categories })
            }
            LivePart::RoutePlan { warehouses } => {
                json!({ "warehouses": warehouses.iter().map(|at| self.warehouse(*at)).collect::<Vec<_>>() })
            }
        }
    }
}
