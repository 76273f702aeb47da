//! What one connection makes the lane keep: requests that have not come in full, and answers that were not
//! taken. Both are bounded in bytes, so that a caller who sends half of everything, or reads nothing, costs a
//! known amount and no more.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::Notify;
use tonic::Status;
use tonic::body::Body;

/// A call may always have so much, in bytes: what is smaller is bounded by the number of calls.
pub(super) const SMALL: usize = 16 << 10;

/// One connection, as its calls see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Peer {
    /// Bytes of requests that have not come in full.
    pub unfinished: Arc<Account>,
    /// Bytes of answers that were not taken.
    pub unread: Arc<Account>,
}

/// Bytes that are kept for a connection.
#[derive(Debug, Default)]
pub(super) struct Account {
    bytes: AtomicUsize,
    less: Notify,
}

impl Account {
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Keeps so many bytes until what is given back is dropped.
    pub fn keep(self: &Arc<Self>, bytes: usize) -> Share {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Share { account: Arc::clone(self), bytes: AtomicUsize::new(bytes) }
    }

    /// Until fewer bytes than `most` are kept.
    pub async fn below(&self, most: usize) {
        loop {
            // Asked for before it is looked: nothing that happens in between is missed.
            let less = self.less.notified();
            if self.bytes() < most {
                return;
            }
            less.await;
        }
    }
}

/// A part of an account; dropped, it is given back.
#[derive(Debug)]
pub(super) struct Share {
    account: Arc<Account>,
    bytes: AtomicUsize,
}

impl Share {
    /// Keeps more; how much it is now.
    fn add(&self, bytes: usize) -> usize {
        self.account.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// Gives all of it back.
    pub fn clear(&self) {
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        if bytes > 0 {
            self.account.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.account.less.notify_waiters();
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Bytes on their way out; their share goes when the connection has taken them.
struct Owned {
    bytes: Bytes,
    _share: Arc<Share>,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The body of an answer that is accounted for until the connection has taken all of it.
pub(super) struct Leaving {
    pub body: Body,
    pub share: Arc<Share>,
}

impl http_body::Body for Leaving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let share = Arc::clone(&self.share);
        Pin::new(&mut self.body)
            .poll_frame(cx)
            .map_ok(|frame| frame.map_data(|bytes| Bytes::from_owner(Owned { bytes, _share: share })))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a request that is accounted for until its messages are read.
pub(super) struct Arriving {
    pub body: Body,
    /// Cleared by whoever has read a message.
    pub share: Arc<Share>,
    /// The most that a connection may have.
    pub most: usize,
    /// What the call ends with beyond it.
    pub refusal: Box<dyn Fn() -> Status + Send>,
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(bytes) = frame.data_ref()
            && self.share.add(bytes.len()) > SMALL
            && self.share.account.bytes() > self.most
        {
            return Poll::Ready(Some(Err((self.refusal)())));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_account_is_below_its_bound_again_when_a_share_is_dropped() {
        let account = Arc::new(Account::default());
        let (first, second) = (account.keep(6), account.keep(5));
        assert_eq!(account.bytes(), 11);
        let waiting = {
            let account = Arc::clone(&account);
            tokio::spawn(async move { account.below(10).await })
        };
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        waiting.await.unwrap();
        second.clear();
        assert_eq!(account.bytes(), 0);
        drop(second);
        assert_eq!(account.bytes(), 0, "given back once");
    }

    #[test]
    fn a_share_that_grows_is_given_back_as_a_whole() {
        let account = Arc::new(Account::default());
        let share = account.keep(1);
        assert_eq!(share.add(2), 3);
        drop(share);
        assert_eq!(account.bytes(), 0);
    }
}
