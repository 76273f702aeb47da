//! The answer to an operation.

use lockstock_stock::answer::{NamedException, NamedMovement, View};
use lockstock_stock::check;
use lockstock_stock::ids::Micros;

use super::protobuf::{bytes, nested, nested_long, signed, text, truth, unsigned};
use super::{number, timestamp};

/// Appends an answer as the contract's message of that name; `replayed` where it is that of an earlier, identical
/// request.
pub(crate) fn append_answer(answer: &View<'_>, replayed: bool, out: &mut Vec<u8>) {
    let event = answer.event();
    signed(1, number(event.sequence), out);
    nested(2, out, |out| append_time(event.at, out));
    // The engine's own records have none.
    if event.key != 0 {
        bytes(3, &check::key_letters(event.key), out);
    }
    truth(4, replayed, out);
    // The numbers are the contract's; a test below holds the two lists together.
    unsigned(5, event.outcome as u64, out);
    name(6, answer.owner(), out);
    if let Some(deadline) = answer.deadline() {
        nested(7, out, |out| append_time(deadline, out));
    }
    for movement in answer.movements() {
        nested(8, out, |out| append_movement(&movement, out));
    }
    for (line, quantity) in answer.refused() {
        nested(9, out, |out| {
            unsigned(1, line.into(), out);
            signed(2, quantity, out);
        });
    }
    truth(10, event.split_exact, out);
    for exception in answer.exceptions() {
        nested(11, out, |out| append_exception(&exception, out));
    }
}

/// Appends an answer as the field `answer` of a `Result`.
pub(crate) fn append_result(answer: &View<'_>, replayed: bool, out: &mut Vec<u8>) {
    nested_long(1, out, |out| append_answer(answer, replayed, out));
}

/// Appends one of the `results` of a batch.
pub(crate) fn append_to_list(out: &mut Vec<u8>, result: impl FnOnce(&mut Vec<u8>)) {
    nested_long(1, out, result);
}

fn name(tag: u32, name: Option<&str>, out: &mut Vec<u8>) {
    if let Some(name) = name {
        text(tag, name, out);
    }
}

fn append_time(at: Micros, out: &mut Vec<u8>) {
    let time = timestamp(at);
    signed(1, time.seconds, out);
    signed(2, time.nanos.into(), out);
}

fn append_movement(movement: &NamedMovement<'_>, out: &mut Vec<u8>) {
    text(1, movement.kind.name(), out);
    text(2, &movement.sku, out);
    name(3, movement.warehouse.as_deref(), out);
    name(4, movement.owner.as_deref(), out);
    unsigned(5, movement.line.into(), out);
    signed(6, movement.quantity, out);
    name(7, movement.pool.as_deref(), out);
}

fn append_exception(exception: &NamedException<'_>, out: &mut Vec<u8>) {
    text(1, exception.kind.name(), out);
    text(2, &exception.sku, out);
    text(3, &exception.warehouse, out);
    signed(4, exception.quantity, out);
    name(5, exception.reservation.as_deref(), out);
}

#[cfg(test)]
mod tests {
    use lockstock_stock::event::{
        Change, Event, Exception, ExceptionKind, Fingerprint, NewReservation, Operation, Outcome, Source,
    };
    use lockstock_stock::few::Few;
    use lockstock_stock::ids::{OwnerNo, RegionIx, SHARED, SkuIx, WarehouseIx};
    use lockstock_stock::movement::{Kind, Movement};
    use lockstock_stock::state::State;
    use prost::Message;

    use super::*;
    use crate::proto::lockstock::v1;

    #[test]
    fn the_outcomes_of_the_core_and_of_the_contract_are_one_list() {
        let core: Vec<(i32, String)> =
            Outcome::ALL.iter().map(|it| (i32::from(*it as u8), format!("OUTCOME_{}", it.name()))).collect();
        let contract: Vec<(i32, String)> = (1..100)
            .filter_map(|number| v1::Outcome::try_from(number).ok())
            .map(|it| (it as i32, it.as_str_name().to_owned()))
            .collect();
        assert_eq!(core, contract);
    }

    #[test]
    fn every_part_of_an_answer_is_in_the_message() {
        let (sku, warehouse, owner) = (SkuIx(0), WarehouseIx(1), OwnerNo(7));
        let moved = |kind, quantity| {
            let (warehouse, owner) = (Some(warehouse), Some(owner));
            Change::Movement(Movement { kind, sku, warehouse, pool: SHARED, owner, line: 1, quantity })
        };
        let short =
            Exception { kind: ExceptionKind::Oversold, sku, warehouse, quantity: 2, reservation: None };
        let event = Event {
            sequence: 7,
            at: 2_000_001,
            operation: Operation::Lock,
            key: 0x018b_cfe5_6800_7000_8000_0000_0000_0001,
            fingerprint: Fingerprint::default(),
            reason: "".into(),
            document: "".into(),
            outcome: Outcome::Partial,
            split_exact: true,
            changes: vec![
                Change::Reservation(Box::new(NewReservation {
                    id: "order".into(),
                    source: Source::Region(RegionIx(0)),
                    destination: "".into(),
                    max_parcels: 0,
                    deadline: 3_000_000,
                    channel: None,
                    buyer: 0,
                    attributes: Box::default(),
                    lines: Few::new(),
                })),
                moved(Kind::Lock, 4),
                moved(Kind::Refuse, 6),
                Change::Exception(short),
            ],
        };
        // Of what a state does not know the names are numbers.
        let state = State::default();
        let given = state.answer(&event);
        let mut made = Vec::new();
        append_answer(&given, true, &mut made);
        let expected = v1::Answer {
            sequence: 7,
            applied_at: Some(prost_types::Timestamp { seconds: 2, nanos: 1_000 }),
            request_id: "018bcfe5-6800-7000-8000-000000000001".to_owned(),
            replayed: true,
            outcome: v1::Outcome::Partial as i32,
            owner: "order".to_owned(),
            deadline: Some(prost_types::Timestamp { seconds: 3, nanos: 0 }),
            movements: vec![v1::Movement {
                kind: "LOCK".to_owned(),
                sku: "#0".to_owned(),
                warehouse: "#1".to_owned(),
                owner: "order".to_owned(),
                line: 1,
                quantity: 4,
                pool: "SHARED".to_owned(),
            }],
            refused: vec![v1::RefusedLine { line: 1, quantity: 6 }],
            split_exact: true,
            exceptions: vec![v1::StockException {
                kind: "OVERSOLD".to_owned(),
                sku: "#0".to_owned(),
                warehouse: "#1".to_owned(),
                quantity: 2,
                reservation_id: String::new(),
            }],
        };
        assert_eq!(made, expected.encode_to_vec());
        let mut made = Vec::new();
        append_to_list(&mut made, |out| append_result(&given, true, out));
        let result = v1::Result { result: Some(v1::result::Result::Answer(expected)) };
        assert_eq!(made, v1::ExecuteBatchResponse { results: vec![result] }.encode_to_vec());
    }
}
