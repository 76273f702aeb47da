//! `Execute`: a stream of commands, answered in order. Commands that have arrived together are one step of
//! the engine's lock; results that may leave together are one piece of the answer.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec::IntoIter;

use tokio::task::JoinHandle;
use tonic::Status;

use super::frames::{self, Leaving};
use super::node::Node;
use super::peer::{Account, Kept, Peer};
use super::reply::{self, Out, Respond};
use super::request::Arriving;
use super::waiters::Turn;
use crate::door::Called;

/// Commands run together, some 200 us. Where more have come, others are served before the next.
const TOGETHER_MAX: usize = 64;
/// Bytes from which on results leave without waiting for more.
const PIECE_BYTES: usize = 32 << 10;

/// Serves one stream until the caller has closed its side, or the lane stops: what was taken is answered.
pub(super) async fn execute(node: Arc<Node>, peer: Peer, arriving: Arriving, mut respond: Respond) {
    // A caller that has gone away needs nothing.
    let Ok(out) = reply::begin(&mut respond) else { return };
    let mut execution = Execution::new(Arc::clone(&node), peer, arriving, out);
    while poll_fn(|cx| execution.poll(cx)).await == Step::Paused {
        node.pause().await;
    }
}

/// What a stream has come to.
#[derive(PartialEq)]
enum Step {
    /// More has come than is run at once.
    Paused,
    Ended,
}

/// Commands that were run together.
struct Run {
    called: IntoIter<Called>,
    /// Their bytes, which the connection has not taken, and their places in the window.
    kept: Kept,
}

struct Execution {
    node: Arc<Node>,
    peer: Peer,
    arriving: Arriving,
    out: Out,
    runs: VecDeque<Run>,
    /// That of the first result of the first run.
    turn: Turn,
    /// The first result of the first run, where it is being read from the journal.
    reading: Option<JoinHandle<Result<Vec<u8>, Status>>>,
    /// Commands whose results have not left.
    in_flight: Arc<Account>,
    /// Until there is room for another command, where there was none.
    room: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Until the lane stops.
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// What the stream ends with when all that was taken is answered.
    end: Option<Result<(), Status>>,
}

impl Execution {
    fn new(node: Arc<Node>, peer: Peer, arriving: Arriving, out: Out) -> Self {
        let mut stopping = node.stopping.clone();
        Self {
            turn: node.waiters.turn(),
            node,
            peer,
            arriving,
            out,
            runs: VecDeque::new(),
            reading: None,
            in_flight: Arc::default(),
            room: None,
            stop: Box::pin(async move {
                // Whoever could say so is gone: the lane has ended.
                let _ = stopping.wait_for(|stopping| *stopping).await;
            }),
            end: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        if self.out.poll_reset(cx).is_ready() {
            return Poll::Ready(Step::Ended);
        }
        loop {
            let taken = self.take(cx);
            let Ok(left) = self.leave(cx) else { return Poll::Ready(Step::Ended) };
            if self.runs.is_empty()
                && let Some(outcome) = self.end.take()
            {
                let _ = reply::end(&mut self.out, outcome);
                return Poll::Ready(Step::Ended);
            }
            if taken == TOGETHER_MAX {
                return Poll::Ready(Step::Paused);
            }
            if taken == 0 && !left {
                return Poll::Pending;
            }
        }
    }

    /// Takes the commands that have come and runs them; how many.
    fn take(&mut self, cx: &mut Context<'_>) -> usize {
        if self.end.is_some() {
            return 0;
        }
        if self.stop.as_mut().poll(cx).is_ready() {
            self.end = Some(Err(reply::status(self.node.door.abandoned())));
            return 0;
        }
        if !self.has_room(cx) {
            return 0;
        }
        let most = TOGETHER_MAX.min(self.node.settings.stream_window - self.in_flight.kept());
        let mut together = Vec::new();
        while together.len() < most && self.end.is_none() {
            match self.arriving.poll_next(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(Some(command))) => together.push(command),
                Poll::Ready(Ok(None)) => self.end = Some(Ok(())),
                Poll::Ready(Err(status)) => self.end = Some(Err(status)),
            }
        }
        if together.is_empty() {
            return 0;
        }
        let called = self.node.door.execute(&together);
        let unread = self.peer.unread.keep(called.iter().map(Called::bytes).sum());
        let kept = Kept::from([unread, self.in_flight.keep(called.len())]);
        self.runs.push_back(Run { called: called.into_iter(), kept });
        together.len()
    }

    /// Whether there is room for another command. Who takes no results is not asked for more.
    fn has_room(&mut self, cx: &mut Context<'_>) -> bool {
        let (unread, unread_max) = (&self.peer.unread, self.node.settings.unread_bytes_max);
        let (in_flight, window) = (&self.in_flight, self.node.settings.stream_window);
        while unread.kept() >= unread_max || in_flight.kept() >= window {
            let room = self.room.get_or_insert_with(|| {
                let (unread, in_flight) = (Arc::clone(unread), Arc::clone(in_flight));
                Box::pin(async move {
                    in_flight.below(window).await;
                    unread.below(unread_max).await;
                })
            });
            if room.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.room = None;
        }
        true
    }

    /// Sends the results whose turn has come; whether there were any. `Err`: nobody takes them any more.
    fn leave(&mut self, cx: &mut Context<'_>) -> Result<bool, h2::Error> {
        let mut any = false;
        while let Some(kept) = self.runs.front().map(|run| Arc::clone(&run.kept)) {
            let mut piece = Vec::new();
            let stopped = loop {
                match self.next(cx) {
                    Poll::Ready(Some(Ok(result))) => frames::append(&result, &mut piece),
                    stopped => break stopped,
                }
                if piece.len() >= PIECE_BYTES {
                    let full = std::mem::take(&mut piece);
                    self.out.send_data(Leaving::framed(full, Some(Arc::clone(&kept))), false)?;
                }
            };
            if !piece.is_empty() {
                any = true;
                self.out.send_data(Leaving::framed(piece, Some(kept)), false)?;
            }
            match stopped {
                Poll::Pending => return Ok(any),
                Poll::Ready(None) => drop(self.runs.pop_front()),
                // Of what was run later nothing leaves either.
                Poll::Ready(Some(failure)) => {
                    self.runs.clear();
                    self.end = Some(failure.map(drop));
                }
            }
            any = true;
        }
        Ok(any)
    }

    /// The next result of the first run, when its turn has come; `None` at the end of the run.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>, Status>>> {
        let Some(run) = self.runs.front_mut() else { return Poll::Ready(None) };
        let reading = match &mut self.reading {
            Some(reading) => reading,
            nothing => {
                let Some(first) = run.called.as_slice().first() else { return Poll::Ready(None) };
                if let Err(gone) = ready!(self.turn.poll(first.seen, cx)) {
                    return Poll::Ready(Some(Err(self.node.abandoned(gone))));
                }
                let Some(called) = run.called.next() else { return Poll::Ready(None) };
                if !called.reads_journal() {
                    return Poll::Ready(Some(self.node.finish(called)));
                }
                nothing.insert(tokio::spawn(Arc::clone(&self.node).read(called)))
            }
        };
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        Poll::Ready(Some(read.unwrap_or_else(|_| Err(reply::status(self.node.door.abandoned())))))
    }
}
