//! The fast lane while the disk stands still, or a caller does: deadlines are kept, who gives up leaves nothing behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may be blunt too"
)]

mod common;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use common::{Shop, command, lock};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use lockstock_wire::fast_lane::{FastLane, Settings};
use lockstock_wire::proto::lockstock::v1 as pb;
use prost::Message;
use tokio::net::TcpStream;

const INVALID_ARGUMENT: &str = "3";
const DEADLINE_EXCEEDED: &str = "4";
const LOCK: &str = "/lockstock.v1.StockService/Lock";
const BATCH: &str = "/lockstock.v1.StockService/ExecuteBatch";

struct Lane {
    shop: Shop,
    lane: FastLane,
}

impl Lane {
    fn serve(settings: Settings) -> Self {
        let shop = Shop::open();
        let lane = FastLane::serve(Arc::clone(&shop.door), "127.0.0.1:0", settings, None).unwrap();
        Self { shop, lane }
    }

    async fn caller(&self) -> SendRequest<Bytes> {
        let socket = TcpStream::connect(self.lane.address()).await.unwrap();
        let (requests, connection) = h2::client::handshake(socket).await.unwrap();
        tokio::spawn(connection);
        requests.ready().await.unwrap()
    }

    fn reservations(&self) -> usize {
        self.shop.door.engine().read(|state, _| state.reservation_count()).0
    }
}

/// Nothing becomes durable any more, until what is returned is dropped.
fn stand_still(shop: &Shop) -> Sender<()> {
    let (release, held) = channel::<()>();
    let held = Mutex::new(held);
    let engine = shop.door.engine();
    let before = engine.durable();
    engine.on_durable(Box::new(move |durable| {
        // Who told of what came before may not have come to this hook yet.
        if durable > before {
            // An error says that it was released.
            let _ = held.lock().unwrap().recv();
        }
    }));
    // Durable itself; who wrote it is held then and takes nothing more.
    shop.call::<pb::Answer>("Lock", &lock("the last", 1)).unwrap();
    release
}

/// A call with a timeout; the message as it is given, framed or not.
fn call(
    caller: &mut SendRequest<Bytes>,
    path: &str,
    timeout: &str,
    bytes: Vec<u8>,
    end: bool,
) -> (ResponseFuture, SendStream<Bytes>) {
    let request = http::Request::post(format!("http://shop{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", timeout)
        .body(())
        .unwrap();
    let (response, mut body) = caller.send_request(request, false).unwrap();
    body.send_data(bytes.into(), end).unwrap();
    (response, body)
}

fn framed(message: &impl Message) -> Vec<u8> {
    let message = message.encode_to_vec();
    let mut bytes = vec![0];
    bytes.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&message);
    bytes
}

/// What a call ended with that has no answer.
async fn status(response: ResponseFuture) -> String {
    response.await.unwrap().headers()["grpc-status"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_call_whose_message_does_not_come_in_time_is_told_so() {
    let lane = Lane::serve(Settings::default());
    let mut caller = lane.caller().await;
    let mut half = framed(&lock("order", 1));
    half.truncate(half.len() / 2);
    let (response, _body) = call(&mut caller, LOCK, "50m", half, false);
    assert_eq!(status(response).await, DEADLINE_EXCEEDED);
    assert_eq!(lane.reservations(), 0);
}

#[tokio::test]
async fn a_call_that_waits_for_the_disk_beyond_its_deadline_is_told_so_and_the_others_wait_on() {
    let lane = Lane::serve(Settings::default());
    let released = stand_still(&lane.shop);
    let mut caller = lane.caller().await;
    let (patient, _body) = call(&mut caller, LOCK, "60S", framed(&lock("patient", 1)), true);
    let (hasty, _body) = call(&mut caller, LOCK, "50m", framed(&lock("hasty", 1)), true);
    assert_eq!(status(hasty).await, DEADLINE_EXCEEDED);
    // It took effect, as a retry would tell.
    assert_eq!(lane.reservations(), 3);
    drop(released);
    let mut body = patient.await.unwrap().into_body();
    let answer = body.data().await.unwrap().unwrap();
    assert_eq!(pb::Answer::decode(&answer[5..]).unwrap().owner, "patient");
}

#[tokio::test]
async fn a_refusal_does_not_wait_for_the_calls_that_came_before_it() {
    let lane = Lane::serve(Settings::default());
    let released = stand_still(&lane.shop);
    let mut caller = lane.caller().await;
    let (_patient, _body) = call(&mut caller, LOCK, "60S", framed(&lock("patient", 1)), true);
    let (refused, _body) = call(&mut caller, LOCK, "60S", framed(&lock("", 1)), true);
    assert_eq!(status(refused).await, INVALID_ARGUMENT);
    drop(released);
}

#[tokio::test]
async fn what_a_caller_gives_up_while_the_disk_stands_still_is_not_kept_for_it() {
    // An answer of a call below takes more than a thirtieth of this.
    let settings =
        Settings { streams_per_connection_max: 4, unread_bytes_max: 1 << 20, ..Settings::default() };
    let lane = Lane::serve(settings);
    let released = stand_still(&lane.shop);
    let mut caller = lane.caller().await;
    for number in 0..60 {
        let refused = (0..300).map(|_| command(lock("", 1)));
        let commands = std::iter::once(command(lock(&format!("order-{number}"), 1))).chain(refused).collect();
        let batch = framed(&pb::ExecuteBatchRequest { commands });
        caller = caller.ready().await.unwrap();
        let (_response, mut body) = call(&mut caller, BATCH, "60S", batch, true);
        // Given up when it has run, and not before.
        while lane.reservations() < number + 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        body.send_reset(Reason::CANCEL);
    }
    caller = caller.ready().await.unwrap();
    let (response, _body) = call(&mut caller, LOCK, "50m", framed(&lock("another", 1)), true);
    assert_eq!(status(response).await, DEADLINE_EXCEEDED, "and is not refused for what was given up");
    drop(released);
}
