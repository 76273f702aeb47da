//! What one connection makes the lane keep: requests that have not come in full, and answers that were not
//! taken. Both are bounded in bytes, so that a caller who sends half of everything, or reads nothing, costs a
//! known amount and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

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

/// How much of something is kept: bytes for a connection, places for a stream.
#[derive(Debug, Default)]
pub(super) struct Account {
    kept: AtomicUsize,
    less: Notify,
}

impl Account {
    pub fn kept(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    /// Keeps so much until what is given back is dropped.
    pub fn keep(self: &Arc<Self>, much: usize) -> Share {
        self.kept.fetch_add(much, Ordering::Relaxed);
        Share { account: Arc::clone(self), much }
    }

    /// Until less than `most` is kept.
    pub async fn below(&self, most: usize) {
        loop {
            // Asked for before it is looked: nothing that happens in between is missed.
            let less = self.less.notified();
            if self.kept() < most {
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
    much: usize,
}

impl Share {
    /// Keeps so much, more or less than before.
    pub fn set(&mut self, much: usize) {
        self.account.kept.fetch_add(much, Ordering::Relaxed);
        self.account.kept.fetch_sub(self.much, Ordering::Relaxed);
        if much < self.much {
            self.account.less.notify_waiters();
        }
        self.much = much;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// What an answer keeps until the connection has taken all of it: a share, or several of different accounts.
pub(super) type Kept = Arc<[Share]>;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_account_is_below_its_bound_again_when_a_share_is_dropped() {
        let account = Arc::new(Account::default());
        let (first, second) = (account.keep(6), account.keep(5));
        assert_eq!(account.kept(), 11);
        let waiting = {
            let account = Arc::clone(&account);
            tokio::spawn(async move { account.below(10).await })
        };
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        waiting.await.unwrap();
        drop(second);
        assert_eq!(account.kept(), 0);
    }

    #[test]
    fn a_share_that_grows_and_shrinks_is_given_back_as_a_whole() {
        let account = Arc::new(Account::default());
        let mut share = account.keep(1);
        share.set(3);
        assert_eq!(account.kept(), 3);
        share.set(2);
        assert_eq!(account.kept(), 2);
        drop(share);
        assert_eq!(account.kept(), 0, "given back once");
    }
}
