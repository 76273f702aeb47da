//! `Execute`: a stream of commands, answered in order. Commands that have arrived together are one step of
//! the engine's lock; a result leaves when it is durable.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::Stream as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::codec::Answer;
use super::lane::{Node, status};
use super::peer::{Peer, Share};
use crate::door::Called;

/// The results, as they leave.
pub(super) type Results = ReceiverStream<Result<Answer, Status>>;

/// Commands run under one hold of the engine's lock, which takes no more either.
const TOGETHER_MAX: usize = 256;
/// Results between us and the connection; more wait in order behind them.
const LEAVING_MAX: usize = 256;

/// Commands that were run together, with their places in the window.
struct Run {
    called: Vec<Called>,
    /// Their results, which the connection has not taken.
    share: Arc<Share>,
    places: OwnedSemaphorePermit,
}

/// Serves one stream until the caller has closed its side, or the lane stops: what was taken is answered.
pub(super) fn execute(node: Arc<Node>, peer: Peer, commands: Streaming<Bytes>) -> Results {
    let (leaving, results) = mpsc::channel(LEAVING_MAX);
    let (runs, queue) = mpsc::channel(node.stream_window);
    let taken = tokio::spawn(take(Arc::clone(&node), peer, commands, runs));
    tokio::spawn(async move {
        if give(&node, queue, &leaving).await
            && let Ok(Err(end)) = taken.await
        {
            // A caller that has gone away needs no status.
            let _ = leaving.send(Err(end)).await;
        }
    });
    ReceiverStream::new(results)
}

/// Takes commands and runs them. `Err`: what the stream ends with.
async fn take(
    node: Arc<Node>,
    peer: Peer,
    mut commands: Streaming<Bytes>,
    runs: mpsc::Sender<Run>,
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
        while together.len() < TOGETHER_MAX {
            let Ok(place) = Arc::clone(&window).try_acquire_owned() else { break };
            match arrived(&mut commands).await {
                None => break,
                Some(Some(Ok(next))) => {
                    together.push(next);
                    places.merge(place);
                }
                Some(None) => end = Some(Ok(())),
                Some(Some(Err(error))) => end = Some(Err(error)),
            }
            if end.is_some() {
                break;
            }
        }
        let called = node.door.execute(&together);
        let share = Arc::new(peer.unread.keep(called.iter().map(Called::bytes).sum()));
        if runs.send(Run { called, share, places }).await.is_err() {
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

/// Gives the results in order, each when it is durable. False when the caller has gone or the node has failed.
async fn give(
    node: &Arc<Node>,
    mut queue: mpsc::Receiver<Run>,
    leaving: &mpsc::Sender<Result<Answer, Status>>,
) -> bool {
    while let Some(run) = queue.recv().await {
        for called in run.called {
            let result = node.answer(called).await;
            let result = result.map(|bytes| Answer { bytes, _share: Some(Arc::clone(&run.share)) });
            let failed = result.is_err();
            if leaving.send(result).await.is_err() || failed {
                return false;
            }
        }
        drop(run.places);
    }
    true
}
