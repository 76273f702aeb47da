//! Calls of the stock service: from bytes to the door, and back when they are durable.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use lockstock_stock::refusal::Refusal;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::server::{Grpc, StreamingService, UnaryService};
use tonic::{Code, Request, Response, Status, Streaming};
use tower_service::Service;

use super::codec::{Answer, Raw};
use super::peer::{Arriving, Leaving, Peer, SMALL, Share};
use super::stream::{Results, execute};
use super::waiters::Waiters;
use crate::door::{Called, Door};
use crate::method::Caller;
use crate::status::Failure;

const EXECUTE: &str = "/lockstock.v1.StockService/Execute";

pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Whether a caller, by what its metadata says, may call a method: the hook that both doors ask first.
pub type Authorize = dyn Fn(&MetadataMap, &str) -> bool + Send + Sync;

/// What every call needs.
pub(super) struct Node {
    pub door: Arc<Door>,
    /// None: everybody may call everything.
    pub authorize: Option<Arc<Authorize>>,
    pub waiters: Waiters,
    pub message_bytes_max: usize,
    pub stream_window: usize,
    pub unfinished_bytes_max: usize,
    pub unread_bytes_max: usize,
    /// Becomes true when the lane stops: streams end then.
    pub stopping: watch::Receiver<bool>,
}

impl Node {
    /// What a call is refused with where the hook does not allow it.
    fn denied(&self, request: &http::Request<Body>) -> Option<Status> {
        let allows = self.authorize.as_ref()?;
        let (caller, method) = (MetadataMap::from_headers(request.headers().clone()), request.uri().path());
        let refusal = || Refusal::PermissionDenied { method: method.to_owned() };
        (!allows(&caller, method)).then(|| status(self.door.failure(&refusal())))
    }

    /// What a call is refused with whose connection has so much open already.
    fn overloaded(&self, name: &str, most: usize) -> Status {
        let limit = format!("{name} of this connection {most}");
        status(self.door.failure(&Refusal::Overloaded { limit }))
    }

    /// Whether an answer may leave at once and without reading the journal.
    pub fn may_leave(&self, called: &Called) -> bool {
        !called.reads_journal() && self.waiters.has(called.seen)
    }

    /// The answer to a call that may leave.
    pub fn finish(&self, called: Called) -> Result<Vec<u8>, Status> {
        self.door.finish(called).map_err(status)
    }

    /// The answer to a call, as soon as it may leave.
    pub async fn answer(self: &Arc<Self>, called: Called) -> Result<Vec<u8>, Status> {
        if self.waiters.wait(called.seen).await.is_err() {
            return Err(status(self.door.abandoned()));
        }
        let reply = if called.reads_journal() {
            let node = Arc::clone(self);
            tokio::task::spawn_blocking(move || node.door.finish(called))
                .await
                .unwrap_or_else(|_| Err(self.door.abandoned()))
        } else {
            self.door.finish(called)
        };
        reply.map_err(status)
    }
}

/// A failure in tonic's terms; the details travel in `grpc-status-details-bin`.
pub(super) fn status(failure: Failure) -> Status {
    Status::with_details(Code::from(failure.code), failure.message, Bytes::from(failure.status))
}

/// The services of the fast lane. What is none of the others is the stock service's to refuse.
#[derive(Clone)]
pub(super) struct Lane<H, R, A> {
    pub node: Arc<Node>,
    pub health: H,
    pub reflection: R,
    pub reflection_alpha: A,
}

impl<H, R, A> Service<http::Request<Body>> for Lane<H, R, A>
where
    H: Served,
    R: Served,
    A: Served,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Boxed<Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // None of the four ever makes a caller wait here.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if let Some(denied) = self.node.denied(&request) {
            return Box::pin(async move { Ok(denied.into_http()) });
        }
        match request.uri().path().split('/').nth(1) {
            Some("grpc.health.v1.Health") => self.health.call(request),
            Some("grpc.reflection.v1.ServerReflection") => self.reflection.call(request),
            Some("grpc.reflection.v1alpha.ServerReflection") => self.reflection_alpha.call(request),
            _ => stock(Arc::clone(&self.node), request),
        }
    }
}

/// A service as tonic generates it.
pub(super) trait Served:
    Service<
        http::Request<Body>,
        Response = http::Response<Body>,
        Error = Infallible,
        Future = Boxed<Result<http::Response<Body>, Infallible>>,
    >
{
}

impl<S> Served for S where
    S: Service<
            http::Request<Body>,
            Response = http::Response<Body>,
            Error = Infallible,
            Future = Boxed<Result<http::Response<Body>, Infallible>>,
        >
{
}

fn stock(node: Arc<Node>, request: http::Request<Body>) -> Boxed<Result<http::Response<Body>, Infallible>> {
    let peer = request.extensions().get::<Peer>().cloned().unwrap_or_default();
    let (request, arriving) = counted(&node, &peer, request);
    let mut grpc = Grpc::new(Raw { arriving }).max_decoding_message_size(node.message_bytes_max);
    // Apart: a unary call is not to carry the room that a stream takes.
    if request.uri().path() == EXECUTE {
        Box::pin(async move { Ok(kept(grpc.streaming(Stream { node, peer }, request).await)) })
    } else {
        let path = request.uri().path().to_owned();
        Box::pin(async move { Ok(kept(grpc.unary(Unary { node, path, peer }, request).await)) })
    }
}

/// A request whose bytes count for its connection until they are read.
fn counted(node: &Arc<Node>, peer: &Peer, request: http::Request<Body>) -> (http::Request<Body>, Arc<Share>) {
    let share = Arc::new(peer.unfinished.keep(0));
    let arriving = Arc::clone(&share);
    let most = node.unfinished_bytes_max;
    let node = Arc::clone(node);
    let refusal = Box::new(move || node.overloaded("unfinished_bytes_max", most));
    (request.map(|body| Body::new(Arriving { body, share: arriving, most, refusal })), share)
}

/// A large answer counts for its connection until that has taken it.
fn kept(mut response: http::Response<Body>) -> http::Response<Body> {
    match response.extensions_mut().remove::<Arc<Share>>() {
        Some(share) => response.map(|body| Body::new(Leaving { body, share })),
        None => response,
    }
}

struct Unary {
    node: Arc<Node>,
    path: String,
    peer: Peer,
}

impl UnaryService<Bytes> for Unary {
    type Response = Answer;
    type Future = Boxed<Result<Response<Answer>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let node = Arc::clone(&self.node);
        let unread = &self.peer.unread;
        if unread.bytes() >= node.unread_bytes_max {
            let refused = node.overloaded("unread_bytes_max", node.unread_bytes_max);
            return Box::pin(async move { Err(refused) });
        }
        let called = node.door.call(Caller::Outside, &self.path, &request.into_inner());
        let share = (called.bytes() > SMALL).then(|| Arc::new(unread.keep(called.bytes())));
        Box::pin(async move {
            let bytes = node.answer(called).await?;
            let mut response = Response::new(Answer { bytes, _share: None });
            if let Some(share) = share {
                response.extensions_mut().insert(share);
            }
            Ok(response)
        })
    }
}

struct Stream {
    node: Arc<Node>,
    peer: Peer,
}

impl StreamingService<Bytes> for Stream {
    type Response = Answer;
    type ResponseStream = Results;
    type Future = std::future::Ready<Result<Response<Results>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let results = execute(Arc::clone(&self.node), self.peer.clone(), request.into_inner());
        std::future::ready(Ok(Response::new(results)))
    }
}
