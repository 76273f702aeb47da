//! Between those who want a snapshot and the thread that writes it.

use std::time::Duration;

use lockstock_stock::ids::Sequence;
use parking_lot::{Condvar, Mutex};
use serde::Serialize;

/// A snapshot that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SnapshotInfo {
    /// The sequence it stands at.
    pub sequence: Sequence,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// Why there is no snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The engine stops.
    #[error("the engine is stopping, no snapshot is written")]
    Stopped,
    /// It could not be written; the journal is whole.
    #[error("the snapshot could not be written: {0}")]
    Failed(String),
}

/// A sealed run of the journal, ready to be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The checkpoint behind it.
    pub checkpoint: Sequence,
    /// How many requests it serves, counted from the start.
    pub requests: u64,
    /// Bytes journalled before it, counted from the start.
    pub bytes: u64,
}

#[derive(Default)]
struct Inner {
    requests: u64,
    served: u64,
    sealed: Option<Sealed>,
    outcome: Option<Result<SnapshotInfo, SnapshotError>>,
    newest: Option<SnapshotInfo>,
    error: Option<String>,
    stopped: bool,
}

/// The desk: requests in, sealed segments through, snapshots out.
#[derive(Default)]
pub(crate) struct Desk {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Desk {
    pub fn with_newest(newest: Option<SnapshotInfo>) -> Self {
        Self { inner: Mutex::new(Inner { newest, ..Inner::default() }), changed: Condvar::new() }
    }

    /// Asks for a snapshot of at least what has been journalled; the ticket to wait with.
    pub fn ask(&self) -> u64 {
        let mut inner = self.inner.lock();
        inner.requests += 1;
        inner.requests
    }

    pub fn requests(&self) -> u64 {
        self.inner.lock().requests
    }

    /// A segment has been sealed. A snapshotter that is behind goes to the newest one at once.
    pub fn sealed(&self, checkpoint: Sequence, requests: u64, bytes: u64) {
        self.inner.lock().sealed = Some(Sealed { checkpoint, requests, bytes });
        self.changed.notify_all();
    }

    /// Waits for the next sealed segment; `None` at the end.
    pub fn next(&self) -> Option<Sealed> {
        let mut inner = self.inner.lock();
        loop {
            if inner.stopped {
                return None;
            }
            if let Some(sealed) = inner.sealed.take() {
                return Some(sealed);
            }
            self.changed.wait(&mut inner);
        }
    }

    /// The next sealed segment whose checkpoint is durable, without waiting.
    #[cfg(any(test, feature = "testing"))]
    pub fn next_if_durable(&self, durable: Sequence) -> Option<Sealed> {
        let mut inner = self.inner.lock();
        let ready = inner.sealed.is_some_and(|sealed| sealed.checkpoint <= durable) && !inner.stopped;
        if ready { inner.sealed.take() } else { None }
    }

    pub fn stopped(&self) -> bool {
        self.inner.lock().stopped
    }

    /// Whether anybody waits for a snapshot that serves the requests up to `requests`.
    pub fn is_asked(&self, requests: u64) -> bool {
        self.inner.lock().served < requests
    }

    /// Leaves the disk to others for so long, unless somebody waits for this snapshot, or for the end.
    pub fn rest(&self, requests: u64, most: Duration) {
        let mut inner = self.inner.lock();
        if inner.served >= requests && !inner.stopped {
            self.changed.wait_for(&mut inner, most);
        }
    }

    /// What came of the requests up to `requests`.
    pub fn served(&self, requests: u64, outcome: Result<SnapshotInfo, SnapshotError>) {
        let mut inner = self.inner.lock();
        inner.served = inner.served.max(requests);
        match &outcome {
            Ok(info) => {
                inner.newest = Some(*info);
                inner.error = None;
            }
            Err(error) => inner.error = Some(error.to_string()),
        }
        inner.outcome = Some(outcome);
        self.changed.notify_all();
    }

    /// Waits until the request with this ticket has been served.
    pub fn wait(&self, ticket: u64) -> Result<SnapshotInfo, SnapshotError> {
        let mut inner = self.inner.lock();
        loop {
            if inner.served >= ticket {
                return inner.outcome.clone().unwrap_or(Err(SnapshotError::Stopped));
            }
            if inner.stopped {
                return Err(SnapshotError::Stopped);
            }
            self.changed.wait(&mut inner);
        }
    }

    /// The newest snapshot, and what went wrong with the last attempt.
    pub fn newest(&self) -> (Option<SnapshotInfo>, Option<String>) {
        let inner = self.inner.lock();
        (inner.newest, inner.error.clone())
    }

    pub fn stop(&self) {
        self.inner.lock().stopped = true;
        self.changed.notify_all();
    }
}
