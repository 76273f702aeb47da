//! What a call says: its head, and the messages of its body as they come in.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, HeaderName};
use tonic::Status;
use tonic::metadata::MetadataValue;

use super::frames::Frames;
use super::node::Node;
use super::peer::{Account, SMALL, Share};

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: &str = "grpc-accept-encoding";
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// How long a caller waits, if it says so. What is no such time says nothing.
pub(super) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let (unit, digits) = headers.get(&GRPC_TIMEOUT)?.as_bytes().split_last()?;
    // At most eight digits, by the protocol.
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(number * 3_600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Nothing is taken that is compressed.
fn plain(headers: &HeaderMap) -> Result<(), Status> {
    let Some(encoding) = headers.get(&GRPC_ENCODING).filter(|encoding| *encoding != "identity") else {
        return Ok(());
    };
    let name = String::from_utf8_lossy(encoding.as_bytes());
    let mut status = Status::unimplemented(format!("messages compressed with {name} are not taken"));
    status.metadata_mut().insert(GRPC_ACCEPT_ENCODING, MetadataValue::from_static("identity"));
    Err(status)
}

/// The messages of a call. What has come of one that is not there in full counts for its connection.
pub(super) struct Arriving {
    node: Arc<Node>,
    body: RecvStream,
    frames: Frames,
    /// The only message of a call that has one, until its body ends.
    only: Option<Bytes>,
    unfinished: Arc<Account>,
    share: Option<Share>,
}

impl Arriving {
    pub fn new(
        node: &Arc<Node>,
        unfinished: &Arc<Account>,
        headers: &HeaderMap,
        body: RecvStream,
    ) -> Result<Self, Status> {
        plain(headers)?;
        Ok(Self {
            node: Arc::clone(node),
            body,
            frames: Frames::new(node.settings.message_bytes_max),
            only: None,
            unfinished: Arc::clone(unfinished),
            share: None,
        })
    }

    /// The next message; `None` at the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Status>> {
        loop {
            if let Some(message) = self.frames.next()? {
                self.count()?;
                return Poll::Ready(Ok(Some(message)));
            }
            self.count()?;
            let Some(piece) = ready!(self.body.poll_data(cx)) else {
                let whole = self.frames.is_empty();
                let cut_off = || Status::internal("the request ends within a message");
                return Poll::Ready(if whole { Ok(None) } else { Err(cut_off()) });
            };
            let taken = piece.and_then(|piece| {
                // It is ours now, and what may be ours is counted elsewhere.
                self.body.flow_control().release_capacity(piece.len()).map(|()| piece)
            });
            self.frames.push(taken.map_err(|gone| Status::cancelled(gone.to_string()))?);
        }
    }

    /// The one message of a call that has one, when all of it has come.
    pub fn poll_only(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Status>> {
        loop {
            // Nearly always at once: the message came with the end.
            if self.frames.is_empty()
                && self.body.is_end_stream()
                && let Some(only) = self.only.take()
            {
                self.share = None;
                return Poll::Ready(Ok(only));
            }
            if let Some(message) = ready!(self.poll_next(cx))? {
                // Of several the first is the call's.
                self.only.get_or_insert(message);
                continue;
            }
            self.share = None;
            return Poll::Ready(self.only.take().ok_or_else(|| Status::internal("the call has no message")));
        }
    }

    /// Counts what waits here. Refused where the connection has too much of it.
    fn count(&mut self) -> Result<(), Status> {
        let waits = self.frames.len() + self.only.as_ref().map_or(0, Bytes::len);
        match &mut self.share {
            Some(share) => share.set(waits),
            // Nothing mostly, and then there is nothing to count.
            None if waits == 0 => return Ok(()),
            share => *share = Some(self.unfinished.keep(waits)),
        }
        let most = self.node.settings.unfinished_bytes_max;
        if waits > SMALL && self.unfinished.kept() > most {
            return Err(self.node.overloaded("unfinished_bytes_max", most));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_timeout_is_a_number_of_up_to_eight_digits_and_a_unit() {
        let said = |text: &'static str| {
            timeout(&HeaderMap::from_iter([(GRPC_TIMEOUT, HeaderValue::from_static(text))]))
        };
        assert_eq!(said("2H"), Some(Duration::from_secs(7_200)));
        assert_eq!(said("3M"), Some(Duration::from_secs(180)));
        assert_eq!(said("99999999S"), Some(Duration::from_secs(99_999_999)));
        assert_eq!(said("15m"), Some(Duration::from_millis(15)));
        assert_eq!(said("7u"), Some(Duration::from_micros(7)));
        assert_eq!(said("0n"), Some(Duration::ZERO));
        for nonsense in ["", "S", "5", "5s", "-5S", "123456789S", "1.5S", "5 S"] {
            assert_eq!(said(nonsense), None, "{nonsense:?}");
        }
        assert_eq!(timeout(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_compressed_is_refused_by_name() {
        let with = |encoding: &'static str| {
            plain(&HeaderMap::from_iter([(GRPC_ENCODING, HeaderValue::from_static(encoding))]))
        };
        assert!(plain(&HeaderMap::new()).is_ok() && with("identity").is_ok());
        let refused = with("gzip").unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unimplemented);
        assert_eq!(refused.message(), "messages compressed with gzip are not taken");
        assert_eq!(refused.metadata().get(GRPC_ACCEPT_ENCODING).unwrap(), "identity");
    }
}
