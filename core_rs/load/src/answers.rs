//! Answers are looked at: a figure made of refusals would be none.

use crate::protobuf::{Fields, Value};

/// What the answer to a call must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// An `Answer`: done, and not of an earlier request.
    Answer,
    /// A `Result` with such an answer.
    Result,
    /// An `ExecuteBatchResponse`: so many results.
    Results,
    /// What was sent: as long as that.
    Echo,
}

const DONE: u64 = 1;

/// Checks the answer to a call of so many commands, whose message had `sent` bytes.
pub fn check(expected: Expected, commands: usize, sent: usize, message: &[u8]) -> Result<(), String> {
    match expected {
        Expected::Answer => answer(message),
        Expected::Result => result(message),
        Expected::Results => {
            let mut results = 0;
            for field in Fields(message) {
                if let (1, Value::Bytes(bytes)) = field? {
                    result(bytes)?;
                    results += 1;
                }
            }
            (results == commands)
                .then_some(())
                .ok_or_else(|| format!("{commands} commands got {results} results"))
        }
        Expected::Echo => (message.len() == sent)
            .then_some(())
            .ok_or_else(|| format!("{sent} bytes came back as {}", message.len())),
    }
}

fn result(bytes: &[u8]) -> Result<(), String> {
    match Fields(bytes).next() {
        Some(Ok((1, Value::Bytes(bytes)))) => answer(bytes),
        Some(Ok((2, Value::Bytes(bytes)))) => Err(format!("a command was refused: {}", status(bytes))),
        _ => Err("a result that is neither answer nor status".to_owned()),
    }
}

fn answer(bytes: &[u8]) -> Result<(), String> {
    let mut outcome = 0;
    for field in Fields(bytes) {
        match field? {
            (4, Value::Number(1)) => return Err("an answer of an earlier request".to_owned()),
            (5, Value::Number(value)) => outcome = value,
            // Fields come in order; the rest is large and says nothing more.
            (6.., _) => break,
            _ => {}
        }
    }
    (outcome == DONE).then_some(()).ok_or_else(|| format!("an answer with the outcome {outcome}"))
}

/// The words of a `google.rpc.Status`.
fn status(bytes: &[u8]) -> String {
    let words = Fields(bytes).filter_map(Result::ok).find_map(|field| match field {
        (2, Value::Bytes(words)) => Some(String::from_utf8_lossy(words).into_owned()),
        _ => None,
    });
    words.unwrap_or_else(|| "without words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::{bytes, message, number};

    fn done() -> Vec<u8> {
        message(|out| {
            number(1, 7, out);
            number(5, DONE, out);
            bytes(6, b"r-1", out);
        })
    }

    #[test]
    fn an_answer_that_was_done_is_accepted() {
        assert_eq!(check(Expected::Answer, 1, 0, &done()), Ok(()));
    }

    #[test]
    fn a_repeated_answer_and_a_sold_out_one_are_not() {
        let repeated = message(|out| number(4, 1, out));
        assert!(check(Expected::Answer, 1, 0, &repeated).is_err());
        let sold_out = message(|out| number(5, 5, out));
        assert!(check(Expected::Answer, 1, 0, &sold_out).is_err());
        assert!(check(Expected::Answer, 1, 0, &[]).is_err());
    }

    #[test]
    fn one_refusal_among_many_results_is_found_and_said() {
        let refused = message(|out| bytes(2, &message(|status| bytes(2, b"no stock", status)), out));
        let good = message(|out| bytes(1, &done(), out));
        let results = message(|out| {
            bytes(1, &good, out);
            bytes(1, &refused, out);
        });
        let said = check(Expected::Results, 2, 0, &results).unwrap_err();
        assert!(said.contains("no stock"), "{said}");
    }

    #[test]
    fn a_batch_needs_a_result_for_every_command() {
        let good = message(|out| bytes(1, &done(), out));
        let results = message(|out| bytes(1, &good, out));
        assert_eq!(check(Expected::Results, 1, 0, &results), Ok(()));
        assert!(check(Expected::Results, 2, 0, &results).is_err());
    }
}
