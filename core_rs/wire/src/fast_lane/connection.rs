//! One connection: its calls are taken as they come, all that are there together, and answered as soon as their turn
//! has come, all whose turn it is together. A call that is there in full needs no task of its own.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, Connection as Http2};
use http::Request;
use http::request::Parts;
use lockstock_stock::event::Operation;
use tokio::time::{Instant, Sleep};
use tonic::Status;

use super::frames::Leaving;
use super::guests::Guests;
use super::keepalive::KeepAlive;
use super::node::Node;
use super::peer::{Kept, Peer, SMALL};
use super::reply::{self, Respond};
use super::request::{Arriving, timeout};
use super::settings::Settings;
use super::socket::Socket;
use super::stream;
use super::waiters::Turn;
use crate::door::Called;
use crate::method::{self, Caller};

const EXECUTE: &str = "/lockstock.v1.StockService/Execute";
const EXECUTE_BATCH: &str = "/lockstock.v1.StockService/ExecuteBatch";

/// Bytes a call may send before they are read, and a connection in all: a batch need not come in small sips.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// Calls that a caller has reset before they were looked at; one more ends the connection. The library's own bound
/// of 20 ended connections of honest clients that gave up many calls at once, and the others on it with them.
const RESET_BEFORE_ACCEPT_MAX: usize = 1_024;
/// Calls that were reset for the caller's faults and are still remembered; one more ends the connection.
const RESET_BY_FAULT_MAX: usize = 1_024;

/// Calls taken before those whose turn has come are answered ...
const TOGETHER_MAX: usize = 256;
/// ... and bytes of their messages from which on they are run at once: what waits to be run counts for no account.
const TOGETHER_BYTES: usize = 64 << 10;
/// A batch up to so many bytes, some 50 commands, runs at once; a longer one lets others pass.
const SHORT_BATCH_BYTES: usize = 6 << 10;

fn builder(settings: &Settings) -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(settings.streams_per_connection_max)
        .max_header_list_size(settings.header_list_bytes_max)
        .max_pending_accept_reset_streams(RESET_BEFORE_ACCEPT_MAX)
        .max_local_error_reset_streams(Some(RESET_BY_FAULT_MAX));
    builder
}

/// Serves a connection until it ends; when the lane stops, until its calls have been answered.
pub(super) async fn serve(socket: Socket, node: Arc<Node>, guests: Guests) {
    let heard = socket.heard();
    let Ok(mut http2) = builder(&node.settings).handshake(socket).await else { return };
    let Some(pings) = http2.ping_pong() else { return };
    let (interval, timeout) = (node.settings.keepalive_interval(), node.settings.keepalive_timeout());
    let mut alive = KeepAlive { pings, heard, interval, timeout };
    let mut stopping = node.stopping.clone();
    let mut connection = Connection::new(http2, node, guests);
    let mut told = false;
    loop {
        tokio::select! {
            biased;
            () = poll_fn(|cx| connection.poll(cx)) => return,
            _ = stopping.wait_for(|stopping| *stopping), if !told => {
                told = true;
                connection.http2.graceful_shutdown();
            }
            () = alive.dead() => return,
        }
    }
}

/// A call that is there in full and runs with the others that are.
struct Ready {
    operation: Operation,
    message: Bytes,
    respond: Respond,
    wait: Option<Duration>,
}

/// A call that waits for its turn.
struct Waiting {
    called: Called,
    respond: Respond,
    kept: Option<Kept>,
    /// When its caller stops waiting.
    deadline: Option<Instant>,
}

struct Connection {
    http2: Http2<Socket, Leaving<Kept>>,
    node: Arc<Node>,
    guests: Guests,
    peer: Peer,
    /// Operations that are run together.
    ready: Vec<Ready>,
    /// Bytes of their messages.
    ready_bytes: usize,
    /// In the order of what they wait for, which is that in which they were taken, but for those that wait for nothing.
    waiting: VecDeque<Waiting>,
    /// That of the first.
    turn: Turn,
    /// So many waiting are looked through for those whose caller has gone away.
    crowded: usize,
    /// The first deadline of those that wait, or one that is over.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    fn new(http2: Http2<Socket, Leaving<Kept>>, node: Arc<Node>, guests: Guests) -> Self {
        Self {
            http2,
            turn: node.waiters.turn(),
            crowded: node.settings.streams_per_connection_max as usize,
            node,
            guests,
            peer: Peer::default(),
            ready: Vec::new(),
            ready_bytes: 0,
            waiting: VecDeque::new(),
            alarm: None,
        }
    }

    /// Ready when the connection has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut taken = 0;
            while taken < TOGETHER_MAX {
                match self.http2.poll_accept(cx) {
                    Poll::Ready(Some(Ok((request, respond)))) => self.take(request, respond, cx),
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => break,
                }
                taken += 1;
            }
            self.run(cx);
            let answered = self.answer(cx) | self.cut_off(cx);
            if !answered && taken < TOGETHER_MAX {
                return Poll::Pending;
            }
            // What was answered is written when the connection is looked at again.
        }
    }

    fn take(&mut self, request: Request<RecvStream>, mut respond: Respond, cx: &mut Context<'_>) {
        let (head, body) = request.into_parts();
        if let Some(denied) = self.node.denied(&head) {
            return reply::answer(&mut respond, Err(denied), None);
        }
        let operation = method::operation(head.uri.path());
        if operation.is_none()
            && let Some(guest) = self.guests.find(head.uri.path())
        {
            tokio::spawn(guest.serve(head, body, respond));
            return;
        }
        let arriving = Arriving::new(&self.node, &self.peer.unfinished, &head.headers, body);
        match arriving {
            Err(refused) => reply::answer(&mut respond, Err(refused), None),
            Ok(arriving) if operation.is_none() && head.uri.path() == EXECUTE => {
                tokio::spawn(stream::execute(Arc::clone(&self.node), self.peer.clone(), arriving, respond));
            }
            Ok(arriving) => self.take_unary(head, operation, arriving, respond, cx),
        }
    }

    fn take_unary(
        &mut self,
        head: Parts,
        operation: Option<Operation>,
        mut arriving: Arriving,
        mut respond: Respond,
        cx: &mut Context<'_>,
    ) {
        let wait = timeout(&head.headers);
        let mut message = match arriving.poll_only(cx) {
            Poll::Ready(Ok(message)) => Some(message),
            Poll::Ready(Err(refused)) => return reply::answer(&mut respond, Err(refused), None),
            Poll::Pending => None,
        };
        let Some(message) = message.take_if(|message| !is_long(&head, message)) else {
            let alone =
                Alone { node: Arc::clone(&self.node), peer: self.peer.clone(), head, arriving, message };
            tokio::spawn(alone.serve(wait, respond));
            return;
        };
        if let Some(operation) = operation {
            self.ready_bytes += message.len();
            self.ready.push(Ready { operation, message, respond, wait });
            if self.ready_bytes >= TOGETHER_BYTES {
                self.run(cx);
            }
            return;
        }
        // In the order in which they came, as far as anybody can tell.
        self.run(cx);
        match call(&self.node, &self.peer, &head, &message) {
            Ok((called, kept)) => self.wait(Waiting { called, respond, kept, deadline: deadline(wait) }, cx),
            Err(refused) => reply::answer(&mut respond, Err(refused), None),
        }
    }

    /// Has the door run the operations that are there.
    fn run(&mut self, cx: &mut Context<'_>) {
        if self.ready.is_empty() {
            return;
        }
        let mut ready = std::mem::take(&mut self.ready);
        self.ready_bytes = 0;
        match unread(&self.node, &self.peer) {
            Ok(()) => {
                let calls = ready.iter().map(|ready| (ready.operation, &*ready.message));
                let called = self.node.door.operate(calls);
                for (Ready { respond, wait, .. }, called) in ready.drain(..).zip(called) {
                    let kept = keep(&self.peer, &called);
                    self.wait(Waiting { called, respond, kept, deadline: deadline(wait) }, cx);
                }
            }
            Err(refused) => {
                for Ready { mut respond, .. } in ready.drain(..) {
                    reply::answer(&mut respond, Err(refused.clone()), None);
                }
            }
        }
        self.ready = ready;
    }

    fn wait(&mut self, waiting: Waiting, cx: &mut Context<'_>) {
        // Calls that are given up leave their place to others at once, also while the disk stands still.
        if self.waiting.len() >= self.crowded {
            self.waiting.retain_mut(|waiting| waiting.respond.poll_reset(cx).is_pending());
            self.crowded =
                (2 * self.waiting.len()).max(self.node.settings.streams_per_connection_max as usize);
        }
        if let Some(deadline) = waiting.deadline {
            self.set_alarm(deadline);
        }
        // What saw nothing waits for nobody: a refusal is told although the disk stands still.
        if waiting.called.seen == 0 {
            self.waiting.push_front(waiting);
        } else {
            self.waiting.push_back(waiting);
        }
    }

    fn set_alarm(&mut self, deadline: Instant) {
        match &mut self.alarm {
            Some(alarm) if alarm.deadline() <= deadline => {}
            Some(alarm) => alarm.as_mut().reset(deadline),
            none => *none = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
    }

    /// Answers those whose turn has come; whether there were any.
    fn answer(&mut self, cx: &Context<'_>) -> bool {
        let mut any = false;
        while let Some(first) = self.waiting.front()
            && let Poll::Ready(turn) = self.turn.poll(first.called.seen, cx)
            && let Some(Waiting { called, mut respond, kept, .. }) = self.waiting.pop_front()
        {
            any = true;
            match turn {
                Err(gone) => reply::answer(&mut respond, Err(self.node.abandoned(gone)), None),
                Ok(()) if called.reads_journal() => {
                    let read = Arc::clone(&self.node).read(called);
                    tokio::spawn(async move { reply::answer(&mut respond, read.await, kept) });
                }
                Ok(()) => reply::answer(&mut respond, self.node.finish(called), kept),
            }
        }
        any
    }

    /// Tells those whose deadline has passed; whether there were any.
    fn cut_off(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        while let Some(alarm) = &mut self.alarm
            && alarm.as_mut().poll(cx).is_ready()
        {
            self.alarm = None;
            let now = Instant::now();
            self.waiting.retain_mut(|waiting| {
                let over = waiting.deadline.is_some_and(|deadline| deadline <= now);
                if over {
                    any = true;
                    reply::answer(&mut waiting.respond, Err(too_late()), None);
                }
                !over
            });
            if let Some(next) = self.waiting.iter().filter_map(|waiting| waiting.deadline).min() {
                self.set_alarm(next);
            }
        }
        any
    }
}

/// Has the door run a call, if its connection may have another answer; what the answer keeps until it is taken.
fn call(node: &Node, peer: &Peer, head: &Parts, message: &Bytes) -> Result<(Called, Option<Kept>), Status> {
    unread(node, peer)?;
    let called = node.door.call(Caller::Outside, head.uri.path(), message);
    let kept = keep(peer, &called);
    Ok((called, kept))
}

/// Whether others should be served while it runs.
fn is_long(head: &Parts, message: &Bytes) -> bool {
    message.len() > SHORT_BATCH_BYTES && head.uri.path() == EXECUTE_BATCH
}

/// Refused where the connection has too much that it does not take.
fn unread(node: &Node, peer: &Peer) -> Result<(), Status> {
    let most = node.settings.unread_bytes_max;
    if peer.unread.kept() < most { Ok(()) } else { Err(node.overloaded("unread_bytes_max", most)) }
}

fn keep(peer: &Peer, called: &Called) -> Option<Kept> {
    (called.bytes() > SMALL).then(|| Kept::from([peer.unread.keep(called.bytes())]))
}

/// When a caller stops waiting that waits so long.
fn deadline(wait: Option<Duration>) -> Option<Instant> {
    wait.and_then(|wait| Instant::now().checked_add(wait))
}

/// A call that has a task of its own: its message comes in pieces, or it is long.
struct Alone {
    node: Arc<Node>,
    peer: Peer,
    head: Parts,
    arriving: Arriving,
    /// Where it is there already.
    message: Option<Bytes>,
}

impl Alone {
    async fn serve(self, wait: Option<Duration>, mut respond: Respond) {
        let answer = self.answer();
        let in_time = async {
            match wait {
                Some(wait) => tokio::time::timeout(wait, answer).await.unwrap_or_else(|_| Err(too_late())),
                None => answer.await,
            }
        };
        let answered = tokio::select! {
            biased;
            _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
            answered = in_time => answered,
        };
        match answered {
            Ok((bytes, kept)) => reply::answer(&mut respond, Ok(bytes), kept),
            Err(refused) => reply::answer(&mut respond, Err(refused), None),
        }
    }

    async fn answer(self) -> Result<(Vec<u8>, Option<Kept>), Status> {
        let Self { node, peer, head, mut arriving, message } = self;
        let message = match message {
            Some(message) => message,
            None => poll_fn(|cx| arriving.poll_only(cx)).await?,
        };
        let (called, kept) = if is_long(&head, &message) {
            unread(&node, &peer)?;
            // It may have to wait for its turn: until it has run it counts as what has not come in full.
            let waits = peer.unfinished.keep(message.len());
            let called = node.batch(&message).await;
            drop((waits, message));
            let kept = keep(&peer, &called);
            (called, kept)
        } else {
            call(&node, &peer, &head, &message)?
        };
        Ok((node.answer(called).await?, kept))
    }
}

/// What a call is told whose caller waits no longer. Whether it took effect tells a retry with the same key.
fn too_late() -> Status {
    Status::deadline_exceeded("the deadline of the call has passed")
}
