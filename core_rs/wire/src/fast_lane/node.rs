//! What every call needs: the door, who may go through it, and when an answer may leave.

use std::sync::Arc;

use lockstock_stock::refusal::Refusal;
use tokio::sync::{Semaphore, watch};
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::reply::status;
use super::settings::Settings;
use super::waiters::{Abandoned, Waiters};
use crate::door::{Called, Door};

/// Whether a caller, by what its metadata says, may call a method: the hook that both doors ask first.
pub type Authorize = dyn Fn(&MetadataMap, &str) -> bool + Send + Sync;

/// What every call needs.
pub(super) struct Node {
    pub door: Arc<Door>,
    /// None: everybody may call everything.
    pub authorize: Option<Arc<Authorize>>,
    pub waiters: Waiters,
    pub settings: Settings,
    /// For long batches, one for each that may run at once: what is made of one on its way is kept until it has run.
    pub batches: Semaphore,
    /// For parts of long work, one for each that may run before others are served.
    pub turns: Semaphore,
    /// Becomes true when the lane stops: streams end then.
    pub stopping: watch::Receiver<bool>,
}

impl Node {
    /// What a call is refused with where the hook does not allow it.
    pub fn denied(&self, head: &http::request::Parts) -> Option<Status> {
        let allows = self.authorize.as_ref()?;
        let (caller, method) = (MetadataMap::from_headers(head.headers.clone()), head.uri.path());
        let refusal = || Refusal::PermissionDenied { method: method.to_owned() };
        (!allows(&caller, method)).then(|| status(self.door.failure(&refusal())))
    }

    /// What a call is refused with whose connection has so much open already.
    pub fn overloaded(&self, name: &str, most: usize) -> Status {
        let limit = format!("{name} of this connection {most}");
        status(self.door.failure(&Refusal::Overloaded { limit }))
    }

    /// Has the door run a batch, with pauses.
    pub async fn batch(&self, bytes: &[u8]) -> Called {
        // Nobody closes it.
        let _place = self.batches.acquire().await;
        self.door.batch(bytes, || self.pause()).await
    }

    /// Between two parts of long work others are served: those who wait for the disk, for which this thread has to let go
    /// of the processor, and those who have come meanwhile. Of all who pause one goes on at a time.
    pub async fn pause(&self) {
        let _turn = self.turns.acquire().await;
        self.waiters.attend_if_due(self.door.engine());
        tokio::task::yield_now().await;
    }

    /// The answer to a call whose turn has come, if it need not be read from the journal.
    pub fn finish(&self, called: Called) -> Result<Vec<u8>, Status> {
        self.door.finish(called).map_err(status)
    }

    /// The answer to a call whose turn has come, some of which stands in the journal.
    pub async fn read(self: Arc<Self>, called: Called) -> Result<Vec<u8>, Status> {
        let node = Arc::clone(&self);
        let read = tokio::task::spawn_blocking(move || node.door.finish(called));
        read.await.unwrap_or_else(|_| Err(self.door.abandoned())).map_err(status)
    }

    /// The answer to a call, as soon as its turn has come.
    pub async fn answer(self: Arc<Self>, called: Called) -> Result<Vec<u8>, Status> {
        self.waiters.turn().wait(called.seen).await.map_err(|gone| self.abandoned(gone))?;
        if called.reads_journal() { self.read(called).await } else { self.finish(called) }
    }

    /// What a call is answered with that is not durable and will not be.
    pub fn abandoned(&self, _: Abandoned) -> Status {
        status(self.door.abandoned())
    }
}
