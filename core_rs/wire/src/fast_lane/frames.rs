//! Messages as they travel in gRPC: each behind a flag and its length.

use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};
use tonic::Status;

/// The flag (compressed or not) and the length of a message, which stand before it.
const HEAD_BYTES: usize = 5;

/// What has come of a request and was not taken, a message at a time.
///
/// Nearly every request is one message in one piece, which is handed on as it came.
#[derive(Debug)]
pub(super) struct Frames {
    /// The longest message that is taken.
    most: usize,
    /// One piece of what was sent, as long as `joined` is empty.
    piece: Bytes,
    /// Several.
    joined: BytesMut,
}

impl Frames {
    pub fn new(most: usize) -> Self {
        Self { most, piece: Bytes::new(), joined: BytesMut::new() }
    }

    /// Bytes that wait for the rest of their message.
    pub fn len(&self) -> usize {
        self.piece.len() + self.joined.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn push(&mut self, piece: Bytes) {
        if self.is_empty() {
            self.piece = piece;
            return;
        }
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&std::mem::take(&mut self.piece));
        }
        self.joined.extend_from_slice(&piece);
    }

    /// The next message, if it is there in full.
    pub fn next(&mut self) -> Result<Option<Bytes>, Status> {
        let there: &[u8] = if self.joined.is_empty() { &self.piece } else { &self.joined };
        let Some((&[flag, ref length @ ..], rest)) = there.split_first_chunk::<HEAD_BYTES>() else {
            return Ok(None);
        };
        match flag {
            0 => {}
            1 => return Err(Status::internal("a message is said to be compressed, and by nothing")),
            flag => return Err(Status::internal(format!("the flag before a message is 0 or 1, not {flag}"))),
        }
        let length = u32::from_be_bytes(*length) as usize;
        if length > self.most {
            let most = self.most;
            return Err(Status::out_of_range(format!("a message has {length} bytes, the limit is {most}")));
        }
        if rest.len() < length {
            return Ok(None);
        }
        Ok(Some(if self.joined.is_empty() {
            self.piece.advance(HEAD_BYTES);
            self.piece.split_to(length)
        } else {
            self.joined.advance(HEAD_BYTES);
            self.joined.split_to(length).freeze()
        }))
    }
}

/// Bytes on their way out. What they take of an account is given back when the connection has taken them.
#[derive(Debug)]
pub(super) struct Leaving<S> {
    head: [u8; HEAD_BYTES],
    /// Of head and bytes together, how many have been taken.
    taken: usize,
    bytes: Vec<u8>,
    _kept: Option<S>,
}

impl<S> Leaving<S> {
    /// One message.
    pub fn message(bytes: Vec<u8>, kept: Option<S>) -> Self {
        Self { head: head(bytes.len()), taken: 0, bytes, _kept: kept }
    }

    /// Messages that stand behind their heads already, or what another has framed.
    pub const fn framed(bytes: Vec<u8>, kept: Option<S>) -> Self {
        Self { head: [0; HEAD_BYTES], taken: HEAD_BYTES, bytes, _kept: kept }
    }

    fn halves(&self) -> (&[u8], &[u8]) {
        let head = self.head.get(self.taken..).unwrap_or_default();
        (head, &self.bytes[self.taken.saturating_sub(HEAD_BYTES)..])
    }
}

impl<S> Buf for Leaving<S> {
    fn remaining(&self) -> usize {
        HEAD_BYTES + self.bytes.len() - self.taken
    }

    fn chunk(&self) -> &[u8] {
        let (head, bytes) = self.halves();
        if head.is_empty() { bytes } else { head }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let (head, bytes) = self.halves();
        let mut filled = 0;
        for (slice, half) in slices.iter_mut().zip([head, bytes].into_iter().filter(|half| !half.is_empty()))
        {
            *slice = IoSlice::new(half);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, count: usize) {
        self.taken += count;
    }
}

/// Appends one message, framed.
pub(super) fn append(message: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(&head(message.len()));
    to.extend_from_slice(message);
}

/// Not compressed. Our own answers are far shorter than 4 GiB: 8,190 results of some KiB.
fn head(length: usize) -> [u8; HEAD_BYTES] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [0, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(messages: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for message in messages {
            append(message, &mut bytes);
        }
        bytes
    }

    #[test]
    fn messages_are_the_same_however_they_come_in_pieces() {
        let messages: [&[u8]; 4] = [b"one", b"", b"a longer one, over several pieces", b"x"];
        let bytes = framed(&messages);
        for size in 1..=bytes.len() {
            let (mut frames, mut taken) = (Frames::new(100), Vec::new());
            for piece in bytes.chunks(size) {
                frames.push(Bytes::copy_from_slice(piece));
                while let Some(message) = frames.next().unwrap() {
                    taken.push(message);
                }
            }
            assert_eq!(taken, messages, "in pieces of {size}");
            assert!(frames.is_empty());
        }
    }

    #[test]
    fn what_is_no_message_has_its_status() {
        let refused = |bytes: &[u8]| {
            let mut frames = Frames::new(2);
            frames.push(Bytes::copy_from_slice(bytes));
            let status = frames.next().unwrap_err();
            (status.code(), status.message().to_owned())
        };
        let internal = |message: &str| (tonic::Code::Internal, message.to_owned());
        assert_eq!(refused(&[1, 0, 0, 0, 0]), internal("a message is said to be compressed, and by nothing"));
        assert_eq!(refused(&[7, 0, 0, 0, 0]), internal("the flag before a message is 0 or 1, not 7"));
        let long = (tonic::Code::OutOfRange, "a message has 3 bytes, the limit is 2".to_owned());
        assert_eq!(refused(&[0, 0, 0, 0, 3]), long, "before the message has come");
    }

    #[test]
    fn what_leaves_is_head_and_bytes_however_it_is_taken() {
        let whole = framed(&[b"message"]);
        for step in 1..=whole.len() {
            let mut leaving = Leaving::<()>::message(b"message".to_vec(), None);
            let mut taken = Vec::new();
            while leaving.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 3];
                let filled = leaving.chunks_vectored(&mut slices);
                let in_slices: usize = slices[..filled].iter().map(|slice| slice.len()).sum();
                assert_eq!(in_slices, leaving.remaining());
                let chunk = &leaving.chunk()[..step.min(leaving.chunk().len())];
                taken.extend_from_slice(chunk);
                let count = chunk.len();
                leaving.advance(count);
            }
            assert_eq!(taken, whole);
        }
        let mut framed = Leaving::<()>::framed(whole.clone(), None);
        assert_eq!(framed.copy_to_bytes(whole.len()), whole);
    }
}
