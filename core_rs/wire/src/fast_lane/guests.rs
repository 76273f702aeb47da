//! Services of libraries on the lane's connections: health and reflection.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::request::Parts;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use tonic::body::Body;
use tower_service::Service;

use super::frames::Leaving;
use super::reply::{Out, Respond};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A service as tonic generates it.
#[derive(Clone)]
pub(super) struct Guest(Arc<dyn Fn(Request<Body>) -> Boxed<Response<Body>> + Send + Sync>);

/// The services, by name.
pub(super) type Named = (&'static str, Guest);

/// All of them.
#[derive(Clone)]
pub(super) struct Guests(pub Arc<[Named]>);

impl Guests {
    /// The service of a path, `/package.Service/Method`.
    pub fn find(&self, path: &str) -> Option<Guest> {
        let service = path.split('/').nth(1)?;
        self.0.iter().find(|(name, _)| *name == service).map(|(_, guest)| guest.clone())
    }
}

impl Guest {
    pub fn new<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        Self(Arc::new(move |request| {
            // None of them ever makes a caller wait before it is called.
            let called = service.clone().call(request);
            Box::pin(async move {
                match called.await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            })
        }))
    }

    /// Serves one call.
    pub async fn serve(self, head: Parts, body: RecvStream, mut respond: Respond) {
        let response = (self.0)(Request::from_parts(head, Body::new(Incoming(body)))).await;
        let (head, body) = response.into_parts();
        let end = body.is_end_stream();
        // A caller that has gone away needs no answer.
        if let Ok(out) = respond.send_response(Response::from_parts(head, ()), end)
            && !end
        {
            let _ = forward(body, out).await;
        }
    }
}

/// Sends a body, no faster than it is taken.
async fn forward(body: Body, mut out: Out) -> Result<(), h2::Error> {
    let mut body = pin!(body);
    loop {
        let frame = tokio::select! {
            biased;
            _ = poll_fn(|cx| out.poll_reset(cx)) => return Ok(()),
            frame = poll_fn(|cx| body.as_mut().poll_frame(cx)) => frame,
        };
        let Some(Ok(frame)) = frame else { return out.send_data(Leaving::framed(Vec::new(), None), true) };
        match frame.into_data() {
            Ok(mut data) => {
                while !data.is_empty() {
                    out.reserve_capacity(data.len());
                    let Some(room) = poll_fn(|cx| out.poll_capacity(cx)).await else { return Ok(()) };
                    let piece = data.split_to(room?.min(data.len()));
                    out.send_data(Leaving::framed(piece.to_vec(), None), false)?;
                }
            }
            Err(frame) => {
                return frame.into_trailers().map_or(Ok(()), |trailers| out.send_trailers(trailers));
            }
        }
    }
}

/// The body of a request.
struct Incoming(RecvStream);

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let Some(piece) = ready!(self.0.poll_data(cx)) else { return Poll::Ready(None) };
        let taken =
            piece.and_then(|piece| self.0.flow_control().release_capacity(piece.len()).map(|()| piece));
        Poll::Ready(Some(taken.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}
