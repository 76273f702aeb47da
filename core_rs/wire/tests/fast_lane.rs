//! The fast lane on a real port, with the generated client.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may be blunt too"
)]

mod common;

#[allow(missing_docs, clippy::pedantic, reason = "generated")]
mod client {
    include!(concat!(env!("OUT_DIR"), "/clients/lockstock.v1.rs"));
}

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use client::stock_service_client::StockServiceClient;
use common::{Shop, answered, command, info, lock, lock_as, refused, request_id};
use lockstock_wire::fast_lane::{Authorize, FastLane, ServeError, Settings};
use lockstock_wire::proto::google::rpc;
use lockstock_wire::proto::lockstock::v1 as pb;
use lockstock_wire::status::ErrorInfo;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

/// Long enough for a busy machine: a test that needs it has failed.
const LONG: Duration = Duration::from_secs(60);

struct Lane {
    shop: Shop,
    lane: Arc<FastLane>,
}

impl Lane {
    fn serve(settings: Settings) -> Self {
        Self::behind(None, settings)
    }

    /// With this hook in front of every call.
    fn behind(hook: Option<Arc<Authorize>>, settings: Settings) -> Self {
        let shop = Shop::open();
        let lane = FastLane::serve(Arc::clone(&shop.door), "127.0.0.1:0", settings, hook).unwrap();
        Self { shop, lane: Arc::new(lane) }
    }

    fn open() -> Self {
        Self::serve(Settings::default())
    }

    async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.lane.address())).unwrap();
        endpoint.http2_max_header_list_size(1 << 20).connect().await.unwrap()
    }

    async fn client(&self) -> StockServiceClient<Channel> {
        StockServiceClient::new(self.channel().await).max_decoding_message_size(64 << 20)
    }

    async fn shut(&self, deadline: Duration) -> bool {
        let lane = Arc::clone(&self.lane);
        tokio::task::spawn_blocking(move || lane.shutdown(deadline)).await.unwrap()
    }
}

/// Reason and metadata of a failed call.
fn details(status: &Status) -> ErrorInfo {
    let details = rpc::Status::decode(status.details()).unwrap();
    assert_eq!((details.code, details.message.as_str()), (status.code() as i32, status.message()));
    info(&details)
}

#[tokio::test]
async fn a_lock_is_answered_and_its_repetition_gets_the_same_answer() {
    let lane = Lane::open();
    let mut client = lane.client().await;
    let request = lock_as(&request_id(), "order", 10);
    let first = client.lock(request.clone()).await.unwrap().into_inner();
    assert_eq!((first.owner.as_str(), first.movements[0].quantity), ("order", 10));
    assert!(lane.shop.door.engine().durable() >= u64::try_from(first.sequence).unwrap());
    let again = client.lock(request).await.unwrap().into_inner();
    assert_eq!(again, pb::Answer { replayed: true, ..first });
    assert_eq!(lane.shop.available("BOOK", "SH"), 90);
}

#[tokio::test]
async fn whom_the_hook_does_not_let_in_is_refused_by_the_method_and_changes_nothing() {
    let hook: Arc<Authorize> = Arc::new(|caller, method| {
        caller.get("clerk").is_some_and(|clerk| clerk == "anna") && !method.ends_with("/Execute")
    });
    let lane = Lane::behind(Some(hook), Settings::default());
    let mut client = lane.client().await;
    let status = client.lock(lock("order", 1)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let refused = details(&status);
    assert_eq!(refused.reason, "PERMISSION_DENIED");
    assert_eq!(refused.metadata["method"], "/lockstock.v1.StockService/Lock");
    let mut known = Request::new(lock("order", 1));
    known.metadata_mut().insert("clerk", "anna".parse().unwrap());
    client.lock(known).await.unwrap();
    let mut known = Request::new(tokio_stream::iter([command(lock("other", 1))]));
    known.metadata_mut().insert("clerk", "anna".parse().unwrap());
    let status = client.execute(known).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(lane.shop.available("BOOK", "SH"), 99);
}

#[tokio::test]
async fn a_refusal_carries_its_reason_and_every_short_sku() {
    let lane = Lane::open();
    let status = lane.client().await.lock(lock("order", 1_000)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(details(&status).reason, "INSUFFICIENT_STOCK");
    let status = rpc::Status::decode(status.details()).unwrap();
    let found =
        status.details.iter().find(|it| it.type_url.ends_with("/lockstock.v1.InsufficientStock")).unwrap();
    let short = pb::InsufficientStock::decode(found.value.as_slice()).unwrap().shortages;
    assert_eq!((short[0].sku.as_str(), short[0].asked, short[0].available_here), ("BOOK", 1_000, 105));
}

#[tokio::test]
async fn both_doors_give_the_same_bytes_for_the_same_refusal() {
    let lane = Lane::open();
    let wrong = lock("order", -1);
    let here = lane.shop.bytes("/lockstock.v1.StockService/Lock", &wrong.encode_to_vec()).unwrap_err();
    let there = lane.client().await.lock(wrong).await.unwrap_err();
    assert_eq!((there.code() as i32, there.details()), (here.code, here.status.as_slice()));
    assert_eq!(details(&there).metadata["field"], "lines[0].quantity");
}

#[tokio::test]
async fn whoever_comes_amid_a_long_batch_is_served_before_its_end() {
    let shop = Shop::of(&[("BOOK", "SH", 1_000_000)]);
    let lane = FastLane::serve(Arc::clone(&shop.door), "127.0.0.1:0", Settings::default(), None).unwrap();
    let lane = Lane { shop, lane: Arc::new(lane) };
    let (mut client, mut other) = (lane.client().await, lane.client().await);
    let commands = (0..8_190).map(|number| command(lock(&format!("order-{number}"), 1))).collect();
    let batch = tokio::spawn(async move { client.execute_batch(pb::ExecuteBatchRequest { commands }).await });
    let mut between = Vec::new();
    while !batch.is_finished() {
        let request = lock(&format!("other-{}", between.len()), 1);
        between.push(other.lock(request).await.unwrap().into_inner().sequence);
    }
    let results = batch.await.unwrap().unwrap().into_inner().results;
    let sequences: Vec<i64> = results.iter().map(|result| answered(result).sequence).collect();
    assert!(sequences.is_sorted());
    let within = sequences[0]..sequences[8_189];
    assert!(between.iter().any(|sequence| within.contains(sequence)), "{between:?} and {within:?}");
}

#[tokio::test]
async fn a_batch_is_answered_in_order_each_command_by_itself() {
    let lane = Lane::open();
    let commands = (0..300).map(|at| command(lock(&format!("order-{at}"), 1))).collect();
    let batch = pb::ExecuteBatchRequest { commands };
    let results = lane.client().await.execute_batch(batch).await.unwrap().into_inner().results;
    assert_eq!(results.len(), 300);
    for (at, result) in results.iter().enumerate() {
        if at < 105 {
            assert_eq!(answered(result).owner, format!("order-{at}"));
        } else {
            assert_eq!(refused(result).reason, "INSUFFICIENT_STOCK");
        }
    }
}

#[tokio::test]
async fn a_stream_is_answered_in_order_and_ends_when_the_caller_has_ended_it() {
    // A window far smaller than what is sent: it moves on as results leave.
    let lane = Lane::serve(Settings { stream_window: 7, ..Settings::default() });
    let commands = tokio_stream::iter((0..500).map(|at| command(lock(&format!("order-{at}"), 1))));
    let mut results = lane.client().await.execute(commands).await.unwrap().into_inner();
    let mut sequences = Vec::new();
    for at in 0..500 {
        let result = results.message().await.unwrap().unwrap();
        if at < 105 {
            assert_eq!(answered(&result).owner, format!("order-{at}"));
            sequences.push(answered(&result).sequence);
        } else {
            assert_eq!(refused(&result).reason, "INSUFFICIENT_STOCK");
        }
    }
    assert!(results.message().await.unwrap().is_none());
    assert!(sequences.is_sorted_by(|a, b| a < b));
}

#[tokio::test]
async fn a_stream_answers_each_command_without_waiting_for_the_next() {
    let lane = Lane::open();
    let (sender, commands) = mpsc::channel(1);
    let mut results = lane.client().await.execute(ReceiverStream::new(commands)).await.unwrap().into_inner();
    for at in 0..3 {
        sender.send(command(lock(&format!("order-{at}"), 1))).await.unwrap();
        let result = tokio::time::timeout(LONG, results.message()).await.unwrap().unwrap().unwrap();
        assert_eq!(answered(&result).owner, format!("order-{at}"));
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_by_us_and_one_over_twice_the_limit_by_the_transport() {
    let lane = Lane::open();
    let mut client = lane.client().await;
    let with = |bytes: usize| pb::LockRequest { attributes: vec![0; bytes].into(), ..lock("order", 1) };
    let ours = client.lock(with(9 << 20)).await.unwrap_err();
    assert_eq!((ours.code(), details(&ours).reason.as_str()), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"));
    let transport = client.lock(with(17 << 20)).await.unwrap_err();
    assert_eq!((transport.code(), transport.details()), (Code::OutOfRange, &[][..]));
    assert!(client.lock(lock("order", 1)).await.is_ok());
}

#[tokio::test]
async fn an_unknown_method_and_the_planners_seam_are_refused_by_name() {
    let lane = Lane::open();
    for path in
        ["/lockstock.v1.StockService/Steal", "/lockstock.internal.v1.Documents/PutDocuments", "/a.B/C"]
    {
        let mut grpc = tonic::client::Grpc::new(lane.channel().await);
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<pb::LockRequest, pb::Answer>::default();
        let path = path.parse().unwrap();
        let status = grpc.unary(tonic::Request::new(lock("order", 1)), path, codec).await.unwrap_err();
        assert_eq!(
            (status.code(), details(&status).reason.as_str()),
            (Code::Unimplemented, "METHOD_UNKNOWN")
        );
    }
}

#[tokio::test]
async fn health_is_serving_and_says_so_to_whoever_watches_when_it_ends() {
    let lane = Lane::open();
    let mut health = HealthClient::new(lane.channel().await);
    for service in ["", "lockstock.v1.StockService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        assert_eq!(health.check(request).await.unwrap().into_inner().status(), ServingStatus::Serving);
    }
    let request = HealthCheckRequest { service: String::new() };
    let mut watch = health.watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let (clean, told) = tokio::join!(lane.shut(LONG), watch.message());
    assert_eq!(told.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(watch.message().await.unwrap().is_none());
    assert!(clean);
}

#[tokio::test]
async fn reflection_lists_the_services_and_describes_them_with_all_they_use() {
    let lane = Lane::open();
    let mut reflection = ServerReflectionClient::new(lane.channel().await);
    let ask = |message| ServerReflectionRequest { host: String::new(), message_request: Some(message) };
    let questions = [
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("lockstock.v1.StockService".to_owned())),
        ask(MessageRequest::FileByFilename("google/rpc/status.proto".to_owned())),
    ];
    let answers =
        reflection.server_reflection_info(tokio_stream::iter(questions)).await.unwrap().into_inner();
    let answers: Vec<_> = answers.map(|answer| answer.unwrap().message_response.unwrap()).collect().await;
    let MessageResponse::ListServicesResponse(list) = &answers[0] else { panic!("{answers:?}") };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["lockstock.v1.StockService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"]
    {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(!names.contains(&"lockstock.v1.CatalogService"), "{names:?}");
    for answer in &answers[1..] {
        assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)), "{answer:?}");
    }
}

#[tokio::test]
async fn shutdown_answers_what_a_stream_has_in_flight_and_then_says_that_it_drains() {
    let lane = Lane::open();
    let (sender, commands) = mpsc::channel(1_000);
    let mut results = lane.client().await.execute(ReceiverStream::new(commands)).await.unwrap().into_inner();
    for at in 0..1_000 {
        sender.try_send(command(lock(&format!("order-{at}"), 1))).unwrap();
    }
    // The first result has come: the stream is being served, with hundreds of commands on the way.
    let first = results.message().await.unwrap().unwrap();
    assert_eq!(answered(&first).owner, "order-0");
    let told = async {
        let mut answers = 1;
        loop {
            match results.message().await {
                Ok(Some(_)) => answers += 1,
                Ok(None) => panic!("the caller has not ended the stream"),
                Err(status) => return (answers, status),
            }
        }
    };
    let (clean, (answers, status)) = tokio::join!(lane.shut(LONG), told);
    assert!(clean);
    assert_eq!((status.code(), details(&status).reason.as_str()), (Code::Unavailable, "DRAINING"));
    // What took effect was answered: no more and no fewer reservations than answers up to what there was.
    let reservations = lane.shop.door.engine().read(|state, _| state.reservation_count()).0;
    assert_eq!(reservations, answers.min(105));
    assert!(
        Endpoint::from_shared(format!("http://{}", lane.lane.address())).unwrap().connect().await.is_err()
    );
    assert!(lane.shut(LONG).await, "told again, it says the same");
}

#[tokio::test]
async fn shutdown_answers_every_call_that_took_effect() {
    let lane = Lane::open();
    let client = lane.client().await;
    let calls: Vec<_> = (0..100)
        .map(|at| {
            let mut client = client.clone();
            tokio::spawn(async move { client.lock(lock(&format!("order-{at}"), 1)).await.is_ok() })
        })
        .collect();
    tokio::task::yield_now().await;
    assert!(lane.shut(LONG).await);
    let mut granted = 0;
    for call in calls {
        granted += usize::from(call.await.unwrap());
    }
    assert_eq!(lane.shop.door.engine().read(|state, _| state.reservation_count()).0, granted);
}

#[tokio::test]
async fn a_connection_that_never_ends_does_not_hold_shutdown_beyond_its_deadline() {
    let lane = Lane::open();
    let mut reflection = ServerReflectionClient::new(lane.channel().await);
    let (sender, questions) = mpsc::channel(1);
    let question = MessageRequest::ListServices(String::new());
    sender
        .send(ServerReflectionRequest { host: String::new(), message_request: Some(question) })
        .await
        .unwrap();
    let stream = reflection.server_reflection_info(ReceiverStream::new(questions)).await.unwrap();
    assert!(!lane.shut(Duration::from_millis(100)).await);
    drop((sender, stream));
}

#[tokio::test]
async fn one_connection_more_than_allowed_is_closed_at_once() {
    let lane = Lane::serve(Settings { connections_max: 1, ..Settings::default() });
    let mut client = lane.client().await;
    client.lock(lock("order", 1)).await.unwrap();
    let address = lane.lane.address();
    let closed = tokio::task::spawn_blocking(move || {
        let mut more = std::net::TcpStream::connect(address).unwrap();
        more.set_read_timeout(Some(LONG)).unwrap();
        more.read(&mut [0; 1])
    });
    assert!(!matches!(closed.await.unwrap(), Ok(1..)));
    client.lock(lock("another", 1)).await.unwrap();
    let request = pb::GetReservationRequest { reservation_id: "another".to_owned() };
    assert!(client.get_reservation(request).await.is_ok());
}

/// Says something on a new connection and then nothing any more; whether the server ends it.
async fn ended_after(lane: &Lane, said: &'static [u8]) -> bool {
    let address = lane.lane.address();
    let ended = tokio::task::spawn_blocking(move || {
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket.write_all(said).unwrap();
        match socket.read_to_end(&mut Vec::new()) {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    });
    ended.await.unwrap()
}

#[tokio::test]
async fn a_connection_that_never_greets_is_ended() {
    let lane = Lane::serve(Settings { greeting_timeout_ms: 50, ..Settings::default() });
    assert!(ended_after(&lane, b"").await);
    assert!(ended_after(&lane, b"PRI * HTTP/2.0").await);
}

#[tokio::test]
async fn a_connection_that_greets_and_answers_no_ping_is_ended() {
    let quick = Settings { keepalive_interval_ms: 50, keepalive_timeout_ms: 50, ..Settings::default() };
    let lane = Lane::serve(quick);
    assert!(ended_after(&lane, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await);
}

#[tokio::test]
async fn several_threads_serve_as_one_does() {
    let lane = Lane::serve(Settings { threads: 3, ..Settings::default() });
    let client = lane.client().await;
    let calls: Vec<_> = (0..150)
        .map(|at| {
            let mut client = client.clone();
            tokio::spawn(async move { client.lock(lock(&format!("order-{at}"), 1)).await.is_ok() })
        })
        .collect();
    let mut granted = 0;
    for call in calls {
        granted += usize::from(call.await.unwrap());
    }
    assert_eq!(granted, 105);
    assert!(lane.shut(LONG).await);
}

#[test]
fn an_address_that_is_taken_and_settings_that_cannot_be_are_refused_with_a_sentence() {
    let lane = Lane::open();
    let taken = lane.lane.address().to_string();
    let again = FastLane::serve(Arc::clone(&lane.shop.door), &taken, Settings::default(), None).unwrap_err();
    assert!(matches!(again, ServeError::Address { .. }), "{again}");
    assert!(again.to_string().contains(&taken));
    let none = Settings { threads: 0, ..Settings::default() };
    let refused = FastLane::serve(Arc::clone(&lane.shop.door), "127.0.0.1:0", none, None).unwrap_err();
    assert_eq!(refused.to_string(), "the fast lane cannot be served: threads is 0, but must be at least 1");
}
