//! Messages as they are: the door reads and writes them itself.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use super::peer::Share;

/// Hands bytes through.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    /// What has come of a message that is not read yet.
    pub arriving: Arc<Share>,
}

/// The bytes of an answer, with their share of what the connection has not taken.
pub(super) struct Answer {
    pub bytes: Vec<u8>,
    /// `None`: small, or counted elsewhere.
    pub _share: Option<Arc<Share>>,
}

impl Codec for Raw {
    type Encode = Answer;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for Raw {
    type Item = Answer;
    type Error = Status;

    fn encode(&mut self, item: Answer, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.reserve(item.bytes.len());
        to.put_slice(&item.bytes);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        self.arriving.clear();
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
