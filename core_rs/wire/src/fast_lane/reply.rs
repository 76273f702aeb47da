//! What a call is answered with, in the terms of HTTP/2.

use bytes::Bytes;
use h2::SendStream;
use h2::server::SendResponse;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use tonic::{Code, Status};

use super::frames::Leaving;
use super::peer::Kept;
use crate::status::Failure;

pub(super) type Respond = SendResponse<Leaving<Kept>>;
pub(super) type Out = SendStream<Leaving<Kept>>;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// A failure in tonic's terms; the details travel in `grpc-status-details-bin`.
pub(super) fn status(failure: Failure) -> Status {
    Status::with_details(Code::from(failure.code), failure.message, Bytes::from(failure.status))
}

/// Begins an answer.
pub(super) fn begin(respond: &mut Respond) -> Result<Out, h2::Error> {
    let mut response = Response::new(());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    respond.send_response(response, false)
}

/// Ends an answer that was begun.
pub(super) fn end(out: &mut Out, outcome: Result<(), Status>) -> Result<(), h2::Error> {
    let mut trailers = HeaderMap::with_capacity(1);
    match outcome {
        Ok(()) => drop(trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"))),
        // What cannot be a header is told by the code alone.
        Err(status) => {
            if let Err(plain) = status.add_header(&mut trailers) {
                trailers.insert(GRPC_STATUS, HeaderValue::from(plain.code() as i32));
            }
        }
    }
    out.send_trailers(trailers)
}

/// Answers a call with one message, or with why there is none.
pub(super) fn answer(respond: &mut Respond, reply: Result<Vec<u8>, Status>, kept: Option<Kept>) {
    let answered = match reply {
        Ok(bytes) => begin(respond).and_then(|mut out| {
            out.send_data(Leaving::message(bytes, kept), false)?;
            end(&mut out, Ok(()))
        }),
        Err(status) => respond.send_response(status.into_http(), true).map(drop),
    };
    // A caller that has gone away needs no answer.
    drop(answered);
}
