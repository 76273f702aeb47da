//! Redis' protocol: replies come in the order of the commands.

use std::collections::VecDeque;

use super::{Protocol, Slot};
use crate::Result;

/// A connection to Redis.
#[derive(Debug, Default)]
pub struct Resp {
    /// Calls in order, and how many replies each still waits for.
    waiting: VecDeque<(Slot, usize)>,
}

impl Protocol for Resp {
    fn open(&mut self, _: &mut Vec<u8>) {}

    fn is_ready(&self) -> bool {
        true
    }

    fn call(&mut self, slot: Slot, commands: usize, body: &[u8], out: &mut Vec<u8>) {
        self.waiting.push_back((slot, commands));
        out.extend_from_slice(body);
    }

    fn receive(&mut self, input: &[u8], _: &mut Vec<u8>, done: &mut Vec<Slot>) -> Result<usize> {
        let mut taken = 0;
        while let Some(length) = reply(&input[taken..])? {
            taken += length;
            let Some((slot, replies)) = self.waiting.front_mut() else {
                return Err("Redis answers what nobody asked".into());
            };
            *replies -= 1;
            if *replies == 0 {
                done.push(*slot);
                self.waiting.pop_front();
            }
        }
        Ok(taken)
    }
}

/// The length of the first reply, if it is all there: a number or a text. Errors, and nil, are refusals.
fn reply(input: &[u8]) -> Result<Option<usize>> {
    let Some(end) = input.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
    let line = std::str::from_utf8(&input[1..end])?;
    match input[0] {
        b'+' | b':' => Ok(Some(end + 2)),
        b'$' => {
            let length = line.parse::<i64>()?;
            let length = usize::try_from(length).map_err(|_| "Redis answers nil")?;
            let all = end + 2 + length + 2;
            Ok((input.len() >= all).then_some(all))
        }
        b'-' => Err(format!("Redis refuses: {line}").into()),
        other => Err(format!("Redis answers with a reply of the kind {:?}", char::from(other)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_only_taken_whole() {
        assert_eq!(reply(b"$4\r\ndone\r\nmore").unwrap(), Some(10));
        for cut in 1..10 {
            assert_eq!(reply(&b"$4\r\ndone\r\n"[..cut]).unwrap(), None);
        }
        assert_eq!(reply(b":1\r\n").unwrap(), Some(4));
    }

    #[test]
    fn a_call_is_done_with_its_last_reply() {
        let (mut resp, mut out, mut done) = (Resp::default(), Vec::new(), Vec::new());
        resp.call(4, 2, b"ab", &mut out);
        resp.call(5, 1, b"c", &mut out);
        assert_eq!(out, b"abc");
        assert_eq!(resp.receive(b":1\r\n:1", &mut out, &mut done).unwrap(), 4);
        assert!(done.is_empty());
        assert_eq!(resp.receive(b":1\r\n+OK\r\n", &mut out, &mut done).unwrap(), 9);
        assert_eq!(done, [4, 5]);
    }

    #[test]
    fn an_error_and_nil_end_the_run() {
        assert!(reply(b"-SHORT no stock\r\n").unwrap_err().to_string().contains("SHORT"));
        assert!(reply(b"$-1\r\n").is_err());
        assert!(Resp::default().receive(b":1\r\n", &mut Vec::new(), &mut Vec::new()).is_err());
    }
}
