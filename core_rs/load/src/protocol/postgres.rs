//! The protocol of `PostgreSQL`, as far as a prepared statement needs it. The server must trust us.

use std::collections::VecDeque;

use super::{Protocol, Slot};
use crate::Result;

/// A connection to `PostgreSQL`.
#[derive(Debug)]
pub struct Postgres {
    user: String,
    database: String,
    statement: String,
    /// `ReadyForQuery` that are to come before calls may be made: of the start, of the preparation.
    before_ready: u32,
    /// Calls in order, and how many transactions each still waits for.
    waiting: VecDeque<(Slot, usize)>,
}

impl Postgres {
    /// Prepares `statement`, which takes four parameters, under the name that bodies call.
    pub fn new(user: &str, database: &str, statement: &str) -> Self {
        Self {
            user: user.to_owned(),
            database: database.to_owned(),
            statement: statement.to_owned(),
            before_ready: 2,
            waiting: VecDeque::new(),
        }
    }
}

fn frame(kind: Option<u8>, body: &[u8], out: &mut Vec<u8>) {
    out.extend(kind);
    out.extend_from_slice(&u32::try_from(body.len() + 4).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(body);
}

impl Protocol for Postgres {
    fn open(&mut self, out: &mut Vec<u8>) {
        let version = 3_u32 << 16;
        let mut start = version.to_be_bytes().to_vec();
        for text in ["user", &self.user, "database", &self.database] {
            start.extend_from_slice(text.as_bytes());
            start.push(0);
        }
        start.push(0);
        frame(None, &start, out);
        let mut parse = b"work\0".to_vec();
        parse.extend_from_slice(self.statement.as_bytes());
        parse.extend_from_slice(&[0, 0, 0]);
        frame(Some(b'P'), &parse, out);
        frame(Some(b'S'), &[], out);
    }

    fn is_ready(&self) -> bool {
        self.before_ready == 0
    }

    fn call(&mut self, slot: Slot, commands: usize, body: &[u8], out: &mut Vec<u8>) {
        self.waiting.push_back((slot, commands));
        out.extend_from_slice(body);
    }

    fn receive(&mut self, input: &[u8], _: &mut Vec<u8>, done: &mut Vec<Slot>) -> Result<usize> {
        let mut taken = 0;
        while let Some((kind, body)) = message(&input[taken..]) {
            taken += 5 + body.len();
            match kind {
                b'E' => return Err(format!("PostgreSQL refuses: {}", words(body)).into()),
                b'R' if body != [0; 4] => return Err("PostgreSQL wants a password; it must trust us".into()),
                b'Z' if self.before_ready > 0 => self.before_ready -= 1,
                b'Z' => {
                    let Some((slot, transactions)) = self.waiting.front_mut() else {
                        return Err("PostgreSQL answers what nobody asked".into());
                    };
                    *transactions -= 1;
                    if *transactions == 0 {
                        done.push(*slot);
                        self.waiting.pop_front();
                    }
                }
                _ => {}
            }
        }
        Ok(taken)
    }
}

/// The kind and the body of the first message, if it is all there.
fn message(input: &[u8]) -> Option<(u8, &[u8])> {
    let (&kind, rest) = input.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?.checked_sub(4)?;
    rest.get(..length).map(|body| (kind, body))
}

/// The words of an error: the field `M`.
fn words(body: &[u8]) -> String {
    let field = body.split(|byte| *byte == 0).find(|field| field.first() == Some(&b'M'));
    field.map_or_else(String::new, |field| String::from_utf8_lossy(&field[1..]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &[u8] = b"Z\0\0\0\x05I";

    #[test]
    fn calls_may_be_made_once_the_statement_is_prepared() {
        let mut postgres = Postgres::new("u", "d", "SELECT 1");
        let (mut out, mut done) = (Vec::new(), Vec::new());
        postgres.open(&mut out);
        assert!(out.windows(8).any(|part| part == b"SELECT 1"));
        assert!(!postgres.is_ready());
        let greeting = [b"R\0\0\0\x08\0\0\0\0", READY, b"1\0\0\0\x04", READY].concat();
        assert_eq!(postgres.receive(&greeting, &mut out, &mut done).unwrap(), greeting.len());
        assert!(postgres.is_ready() && done.is_empty());
        postgres.call(3, 2, b"x", &mut out);
        postgres.receive(READY, &mut out, &mut done).unwrap();
        assert!(done.is_empty());
        postgres.receive(READY, &mut out, &mut done).unwrap();
        assert_eq!(done, [3]);
    }

    #[test]
    fn an_error_is_said_in_its_own_words() {
        let error = b"E\0\0\0\x13SERROR\0Mno stock\0".map(|byte| byte);
        let mut postgres = Postgres::new("u", "d", "s");
        let mut framed = error.to_vec();
        let length = u32::try_from(framed.len() - 1).unwrap();
        framed[1..5].copy_from_slice(&length.to_be_bytes());
        let said = postgres.receive(&framed, &mut Vec::new(), &mut Vec::new()).unwrap_err().to_string();
        assert!(said.contains("no stock"), "{said}");
    }

    #[test]
    fn a_message_is_only_taken_whole() {
        assert_eq!(message(&READY[..5]), None);
        assert_eq!(message(READY), Some((b'Z', b"I".as_slice())));
    }
}
