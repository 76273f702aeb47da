//! `Execute`: a stream of commands, answered in order. Commands that have arrived together are one step of
//! the engine's lock; a result leaves when it is durable.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec::IntoIter;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::Stream;
use tonic::{Status, Streaming};

use super::codec::Answer;
use super::lane::{Boxed, Node, status};
use super::peer::{Peer, Share};
use crate::door::Called;

/// Commands run under one hold of the engine's lock, which takes no more either.
const TOGETHER_MAX: usize = 256;

/// Commands that were run together, with their places in the window until all of their results have left.
struct Run {
    called: IntoIter<Called>,
    /// Their results, which the connection has not taken.
    share: Arc<Share>,
    _places: OwnedSemaphorePermit,
}

impl Run {
    fn next(&mut self) -> Option<(Called, Arc<Share>)> {
        Some((self.called.next()?, Arc::clone(&self.share)))
    }
}

/// Serves one stream until the caller has closed its side, or the lane stops: what was taken is answered.
pub(super) fn execute(node: Arc<Node>, peer: Peer, commands: Streaming<Bytes>) -> Results {
    // Never full: a run has at least one place of the window.
    let (runs, queue) = mpsc::channel(node.stream_window + 1);
    let taking = Arc::clone(&node);
    tokio::spawn(async move {
        if let Err(end) = take(taking, peer, commands, &runs).await {
            // A caller that has gone away needs no status.
            let _ = runs.send(Err(end)).await;
        }
    });
    Results { node, queue, run: None, waiting: None }
}

/// The results as they leave: in order, each when it is durable.
pub(super) struct Results {
    node: Arc<Node>,
    queue: mpsc::Receiver<Result<Run, Status>>,
    run: Option<Run>,
    /// The first of the run that may not leave yet.
    waiting: Option<Boxed<Result<Answer, Status>>>,
}

impl Stream for Results {
    type Item = Result<Answer, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                let result = ready!(waiting.as_mut().poll(cx));
                self.waiting = None;
                return Poll::Ready(Some(result));
            }
            if let Some((called, share)) = self.run.as_mut().and_then(Run::next) {
                let kept = move |bytes| Answer { bytes, _share: Some(share) };
                if self.node.may_leave(&called) {
                    return Poll::Ready(Some(self.node.finish(called).map(kept)));
                }
                let node = Arc::clone(&self.node);
                self.waiting = Some(Box::pin(async move { node.answer(called).await.map(kept) }));
                continue;
            }
            // Its places are free again.
            self.run = None;
            match ready!(self.queue.poll_recv(cx)) {
                Some(Ok(run)) => self.run = Some(run),
                Some(Err(end)) => return Poll::Ready(Some(Err(end))),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// Takes commands and runs them. `Err`: what the stream ends with.
async fn take(
    node: Arc<Node>,
    peer: Peer,
    mut commands: Streaming<Bytes>,
    runs: &mpsc::Sender<Result<Run, Status>>,
) -> Result<(), Status> {
    let window = Arc::new(Semaphore::new(node.stream_window));
    let mut stopping = node.stopping.clone();
    loop {
        let place = tokio::select! {
            biased;
            () = runs.closed() => return Ok(()),
            place = Arc::clone(&window).acquire_owned() => place,
        };
        let Ok(mut places) = place else { return Ok(()) };
        // Who takes no results is not asked for more commands.
        tokio::select! {
            biased;
            () = runs.closed() => return Ok(()),
            () = peer.unread.below(node.unread_bytes_max) => {}
        }
        let first = tokio::select! {
            biased;
            () = runs.closed() => return Ok(()),
            _ = stopping.wait_for(|stopping| *stopping) => return Err(status(node.door.abandoned())),
            first = commands.message() => first,
        };
        let Some(first) = first? else { return Ok(()) };
        let mut together = vec![first];
        let mut end = None;
        // Nobody else takes places: what is free stays so, and is taken at once.
        let most = TOGETHER_MAX.min(1 + window.available_permits());
        while together.len() < most && end.is_none() {
            match arrived(&mut commands).await {
                None => break,
                Some(Some(Ok(next))) => together.push(next),
                Some(None) => end = Some(Ok(())),
                Some(Some(Err(error))) => end = Some(Err(error)),
            }
        }
        let more = u32::try_from(together.len() - 1).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&window).acquire_many_owned(more).await else { return Ok(()) };
        places.merge(more);
        let called = node.door.execute(&together);
        let share = Arc::new(peer.unread.keep(called.iter().map(Called::bytes).sum()));
        let run = Run { called: called.into_iter(), share, _places: places };
        if runs.send(Ok(run)).await.is_err() {
            return Ok(());
        }
        if let Some(end) = end {
            return end;
        }
    }
}

/// What has arrived already: `None` for nothing yet, `Some(None)` for the end.
async fn arrived(commands: &mut Streaming<Bytes>) -> Option<Option<Result<Bytes, Status>>> {
    poll_fn(|cx| {
        Poll::Ready(match Pin::new(&mut *commands).poll_next(cx) {
            Poll::Ready(next) => Some(next),
            Poll::Pending => None,
        })
    })
    .await
}
