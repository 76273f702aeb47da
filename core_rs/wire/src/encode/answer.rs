//! The answer to an operation.

use std::sync::Arc;

use lockstock_stock::answer::{Answer, NamedException, NamedMovement};

use super::{key_text, number, timestamp};
use crate::proto::lockstock::v1;

/// An answer as a message; `replayed` where it is that of an earlier, identical request.
pub(crate) fn answer(answer: &Answer, replayed: bool) -> v1::Answer {
    v1::Answer {
        sequence: number(answer.sequence),
        applied_at: Some(timestamp(answer.at)),
        request_id: key_text(answer.key),
        replayed,
        // The numbers are the contract's; a test below holds the two lists together.
        outcome: i32::from(answer.outcome as u8),
        owner: text(answer.owner.as_ref()),
        deadline: answer.deadline.map(timestamp),
        movements: answer.movements.iter().map(movement).collect(),
        refused: answer.refused.iter().map(|&(line, quantity)| v1::RefusedLine { line, quantity }).collect(),
        split_exact: answer.split_exact,
        exceptions: answer.exceptions.iter().map(exception).collect(),
    }
}

fn text(text: Option<&Arc<str>>) -> String {
    text.map_or_else(String::new, |text| (**text).to_owned())
}

fn movement(movement: &NamedMovement) -> v1::Movement {
    v1::Movement {
        kind: movement.kind.name().to_owned(),
        sku: (*movement.sku).to_owned(),
        warehouse: text(movement.warehouse.as_ref()),
        owner: text(movement.owner.as_ref()),
        line: movement.line,
        quantity: movement.quantity,
        pool: text(movement.pool.as_ref()),
    }
}

fn exception(exception: &NamedException) -> v1::StockException {
    v1::StockException {
        kind: exception.kind.name().to_owned(),
        sku: (*exception.sku).to_owned(),
        warehouse: (*exception.warehouse).to_owned(),
        quantity: exception.quantity,
        reservation_id: text(exception.reservation.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use lockstock_stock::event::{ExceptionKind, Outcome};
    use lockstock_stock::movement::Kind;

    use super::*;

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
        let it = |text: &str| -> Arc<str> { Arc::from(text) };
        let given = Answer {
            sequence: 7,
            at: 2_000_001,
            key: 0x018b_cfe5_6800_7000_8000_0000_0000_0001,
            outcome: Outcome::Partial,
            owner: Some(it("order")),
            deadline: Some(3_000_000),
            movements: [NamedMovement {
                kind: Kind::Lock,
                sku: it("BOOK"),
                warehouse: Some(it("SH")),
                owner: Some(it("order")),
                line: 1,
                quantity: 4,
                pool: Some(it("SHARED")),
            }]
            .into(),
            refused: vec![(1, 6)],
            split_exact: true,
            exceptions: vec![NamedException {
                kind: ExceptionKind::Oversold,
                sku: it("BOOK"),
                warehouse: it("SH"),
                quantity: 2,
                reservation: None,
            }],
        };
        let made = answer(&given, true);
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
                sku: "BOOK".to_owned(),
                warehouse: "SH".to_owned(),
                owner: "order".to_owned(),
                line: 1,
                quantity: 4,
                pool: "SHARED".to_owned(),
            }],
            refused: vec![v1::RefusedLine { line: 1, quantity: 6 }],
            split_exact: true,
            exceptions: vec![v1::StockException {
                kind: "OVERSOLD".to_owned(),
                sku: "BOOK".to_owned(),
                warehouse: "SH".to_owned(),
                quantity: 2,
                reservation_id: String::new(),
            }],
        };
        assert_eq!(made, expected);
    }
}
