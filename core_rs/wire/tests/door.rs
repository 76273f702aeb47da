//! The door over a real engine: bytes in, bytes out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may be blunt too"
)]

mod common;

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use common::{STOCK, Shop, answered, command, info_of, lock, lock_as, refused, request_id};
use lockstock_stock::event::Operation;
use lockstock_wire::Caller;
use lockstock_wire::door::MESSAGE_BYTES_MAX;
use lockstock_wire::proto::lockstock::internal::v1::{self as seam, put_document, put_documents_result};
use lockstock_wire::proto::lockstock::v1 as pb;
use prost::Message;

#[test]
fn a_lock_is_answered_and_the_reads_show_it() {
    let shop = Shop::open();
    let answer: pb::Answer = shop.call("Lock", &lock("order", 10)).unwrap();
    assert_eq!((answer.owner.as_str(), answer.outcome()), ("order", pb::Outcome::Done));
    assert!(answer.deadline.is_some() && !answer.replayed);
    let stock: pb::GetStockResponse =
        shop.call("GetStock", &pb::GetStockRequest { sku: "BOOK".to_owned(), ..Default::default() }).unwrap();
    let shown: Vec<_> =
        stock.levels.iter().map(|it| (it.warehouse.as_str(), it.available, it.locked)).collect();
    assert_eq!(shown, [("BJ", 5, 0), ("SH", 90, 10)]);
    assert_eq!((stock.free, stock.claimed, stock.pools[0].locked), (95, 0, 10));
    assert_eq!((stock.pools[0].pool.as_str(), stock.pools[0].quota), ("SHARED", None));
    let request = pb::GetReservationRequest { reservation_id: "order".to_owned() };
    let found: pb::Reservation = shop.call("GetReservation", &request).unwrap();
    assert_eq!((found.state(), found.region.as_str()), (pb::ReservationState::Locked, "CN"));
    assert_eq!(found.version, answer.sequence);
    assert_eq!((found.lines[0].locked, found.lines[0].allocations[0].warehouse.as_str()), (10, "SH"));
}

#[test]
fn whatever_made_or_saw_a_change_names_the_sequence_it_waits_for() {
    let shop = Shop::open();
    let seen = |method: &str, request: &[u8]| {
        shop.door.call(Caller::Outside, &format!("{STOCK}{method}"), request).seen
    };
    let before = shop.door.engine().durable();
    assert_eq!(seen("Lock", &lock("one", 1).encode_to_vec()), before + 1);
    let commands = vec![command(lock("two", 1)), command(lock("too-many", 1_000)), command(lock("three", 1))];
    assert_eq!(seen("ExecuteBatch", &pb::ExecuteBatchRequest { commands }.encode_to_vec()), before + 3);
    assert_eq!(seen("Lock", &lock("too-many", 1_000).encode_to_vec()), before + 3);
    let read = pb::GetStockRequest { sku: "BOOK".to_owned(), ..Default::default() };
    assert_eq!(seen("GetStock", &read.encode_to_vec()), before + 3);
    let streamed = shop.door.execute(&[command(lock("four", 1)).encode_to_vec()]);
    assert_eq!(streamed.iter().map(|it| it.seen).collect::<Vec<_>>(), [before + 4]);
}

#[test]
fn a_repeated_request_gets_the_first_answer_again_alone_and_in_a_batch() {
    let shop = Shop::open();
    let request = lock_as(&request_id(), "order", 10);
    let first: pb::Answer = shop.call("Lock", &request).unwrap();
    let again = shop.bytes("/lockstock.v1.StockService/Lock", &request.encode_to_vec()).unwrap();
    assert_eq!(pb::Answer::decode(again.as_slice()).unwrap(), pb::Answer { replayed: true, ..first });
    let batch = pb::ExecuteBatchRequest { commands: vec![command(request.clone())] };
    let results: pb::ExecuteBatchResponse = shop.call("ExecuteBatch", &batch).unwrap();
    assert_eq!(answered(&results.results[0]).encode_to_vec(), again);
    let called = shop.door.execute(&[command(request).encode_to_vec()]);
    let streamed = called.into_iter().map(|it| shop.door.finish(it).unwrap()).next().unwrap();
    assert_eq!(answered(&pb::Result::decode(streamed.as_slice()).unwrap()).encode_to_vec(), again);
    assert_eq!(shop.available("BOOK", "SH"), 90);
}

#[test]
fn a_batch_of_several_holds_is_answered_in_order_also_what_was_answered_before() {
    let shop = Shop::open();
    let known = lock_as(&request_id(), "known", 1);
    let first: pb::Answer = shop.call("Lock", &known).unwrap();
    let places = [(0, "a"), (300, "known"), (301, "b"), (699, "c")];
    let mut commands = vec![pb::Command::default(); 700];
    for (place, reservation) in places {
        commands[place] = command(if reservation == "known" { known.clone() } else { lock(reservation, 1) });
    }
    let batch = pb::ExecuteBatchRequest { commands };
    let results = shop.call::<pb::ExecuteBatchResponse>("ExecuteBatch", &batch).unwrap().results;
    assert_eq!(results.len(), 700);
    for (place, result) in results.iter().enumerate() {
        match places.iter().find(|(at, _)| *at == place) {
            Some((_, "known")) => {
                assert_eq!(*answered(result), pb::Answer { replayed: true, ..first.clone() });
            }
            Some((_, reservation)) => assert_eq!(answered(result).owner, *reservation),
            None => assert!(matches!(result.result, Some(pb::result::Result::Status(_))), "{place}"),
        }
    }
}

#[test]
fn a_request_id_with_another_body_is_refused_naming_the_field_and_the_first_use() {
    let shop = Shop::open();
    let id = request_id();
    let first: pb::Answer = shop.call("Lock", &lock_as(&id, "order", 10)).unwrap();
    let cause = |reason: &str| {
        Some(pb::Cause { request_id: id.clone(), reason: reason.to_owned(), ..Default::default() })
    };
    for (changed, field) in [
        (lock_as(&id, "order", 11), "lines"),
        (lock_as(&id, "another", 10), "reservation_id"),
        (pb::LockRequest { channel: "app".to_owned(), ..lock_as(&id, "order", 10) }, "channel"),
        (pb::LockRequest { cause: cause("changed"), ..lock("order", 10) }, "cause.reason"),
    ] {
        let failure = shop.call::<pb::Answer>("Lock", &changed).unwrap_err();
        let info = info_of(&failure);
        assert_eq!((failure.code, info.reason.as_str()), (6, "REQUEST_ID_REUSED"));
        assert_eq!(
            (&info.metadata["field"], &info.metadata["sequence"]),
            (&field.to_owned(), &first.sequence.to_string())
        );
    }
    let other = pb::UnlockRequest { cause: cause(""), reservation_id: "order".to_owned(), lines: Vec::new() };
    let failure = shop.call::<pb::Answer>("Unlock", &other).unwrap_err();
    assert_eq!(info_of(&failure).metadata["field"], "operation");
}

#[test]
fn a_request_without_an_id_gets_one_and_two_of_them_are_two_requests() {
    let shop = Shop::open();
    let request = pb::IncreaseRequest { lines: vec![common::stock_line("PEN", "SH", 1)], cause: None };
    let ids: HashSet<String> =
        (0..3).map(|_| shop.call::<pb::Answer>("Increase", &request).unwrap().request_id).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| lockstock_stock::check::key(id).is_ok()));
    assert_eq!(shop.available("PEN", "SH"), 43);
}

/// Waits once, for whoever looks again.
async fn pause() {
    let mut paused = false;
    poll_fn(|_| if std::mem::replace(&mut paused, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// So many locks of one book, numbered.
fn batch_of_locks(count: usize) -> Vec<u8> {
    let commands = (0..count).map(|number| command(lock(&format!("order-{number}"), 1))).collect();
    pb::ExecuteBatchRequest { commands }.encode_to_vec()
}

#[test]
fn others_come_between_the_commands_of_a_long_batch_and_its_order_is_kept() {
    let shop = Shop::of(&[("BOOK", "SH", 1_000_000)]);
    let bytes = batch_of_locks(1_000);
    let mut batch = pin!(shop.door.batch(&bytes, pause));
    let mut between = Vec::new();
    let called = loop {
        match batch.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(called) => break called,
            Poll::Pending => {
                let other = lock(&format!("other-{}", between.len()), 1);
                between.push(shop.call::<pb::Answer>("Lock", &other).unwrap().sequence);
            }
        }
    };
    let seen = called.seen;
    shop.door.engine().wait_durable(seen).unwrap();
    let results = pb::ExecuteBatchResponse::decode(&*shop.door.finish(called).unwrap()).unwrap().results;
    let answers: Vec<_> = results.iter().map(answered).collect();
    assert!(answers.iter().map(|it| it.owner.clone()).eq((0..1_000).map(|at| format!("order-{at}"))));
    let sequences: Vec<i64> = answers.iter().map(|it| it.sequence).collect();
    assert!(sequences.is_sorted());
    let (first, last) = (sequences[0], sequences[999]);
    assert_eq!(i64::try_from(seen).unwrap(), last);
    let within = between.iter().filter(|it| (first..last).contains(it)).count();
    assert!(within >= 1_000 / 64, "{within} of {} others within {first} to {last}", between.len());
}

#[test]
fn of_a_batch_that_is_given_up_nothing_more_is_run() {
    let shop = Shop::of(&[("BOOK", "SH", 1_000_000)]);
    let locked = || 1_000_000 - shop.available("BOOK", "SH");
    let bytes = batch_of_locks(1_000);
    let mut batch = Box::pin(shop.door.batch(&bytes, pause));
    while locked() == 0 {
        assert!(batch.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(batch);
    let done = locked();
    assert!(done < 1_000);
    let request = |at: i64| pb::GetReservationRequest { reservation_id: format!("order-{at}") };
    shop.call::<pb::Reservation>("GetReservation", &request(done - 1)).unwrap();
    let gone = shop.call::<pb::Reservation>("GetReservation", &request(done)).unwrap_err();
    assert_eq!(info_of(&gone).reason, "RESERVATION_NOT_FOUND");
}

#[test]
fn of_a_batch_with_a_command_that_cannot_be_read_none_is_run() {
    let shop = Shop::of(&[("BOOK", "SH", 1_000_000)]);
    let mut bytes = batch_of_locks(1_000);
    // The last of them: a field of a length that is not there.
    bytes.extend([0x0a, 2, 0x0a, 0x7f]);
    let failure = shop.bytes(&format!("{STOCK}ExecuteBatch"), &bytes).unwrap_err();
    assert_eq!(info_of(&failure).reason, "MALFORMED_MESSAGE");
    assert_eq!(shop.available("BOOK", "SH"), 1_000_000);
}

#[test]
fn commands_of_every_form_stand_in_a_batch_in_their_places() {
    let shop = Shop::of(&[("BOOK", "SH", 1_000_000)]);
    // Every third is written as nobody should: a field that nobody knows, behind the others.
    let mut bytes = Vec::new();
    for number in 0..1_000 {
        let mut command = command(lock(&format!("order-{number}"), 1)).encode_to_vec();
        if number % 3 == 0 {
            command.extend([0xfa, 0x3f, 1, b'x']);
        }
        bytes.push(0x0a);
        prost::encoding::encode_varint(command.len() as u64, &mut bytes);
        bytes.extend(command);
    }
    let answer = shop.bytes(&format!("{STOCK}ExecuteBatch"), &bytes).unwrap();
    let results = pb::ExecuteBatchResponse::decode(&*answer).unwrap().results;
    let owners = results.iter().map(|result| answered(result).owner.clone());
    assert!(owners.eq((0..1_000).map(|number| format!("order-{number}"))));
}

#[test]
fn a_refusal_and_its_neighbours_in_a_batch_each_get_their_own_result() {
    let shop = Shop::open();
    let nothing = pb::Command::default();
    let commands = vec![
        command(lock("a", 1)),
        command(lock("b", 1_000)),
        command(lock("", 1)),
        nothing,
        command(lock("a", 1)),
    ];
    let batch = pb::ExecuteBatchRequest { commands };
    let results = shop.call::<pb::ExecuteBatchResponse>("ExecuteBatch", &batch).unwrap().results;
    assert_eq!(answered(&results[0]).owner, "a");
    let reasons: Vec<_> = results[1..].iter().map(|it| refused(it).reason).collect();
    assert_eq!(reasons, ["INSUFFICIENT_STOCK", "FIELD_REQUIRED", "FIELD_REQUIRED", "RESERVATION_EXISTS"]);
    assert_eq!(refused(&results[2]).metadata["field"], "reservation_id");
    assert_eq!(refused(&results[3]).metadata["field"], "operation");
    assert_eq!(shop.available("BOOK", "SH"), 99);
}

#[test]
fn what_cannot_be_read_or_is_too_much_is_refused_before_anything_happens() {
    let shop = Shop::open();
    let batch = |commands: usize| {
        pb::ExecuteBatchRequest { commands: vec![pb::Command::default(); commands] }.encode_to_vec()
    };
    let latin1 = [0x0a, 0x02, 0xff, 0xfe];
    for (method, bytes, reason) in [
        ("Lock", vec![0xff; 3], "MALFORMED_MESSAGE"),
        ("GetReservation", latin1.to_vec(), "MALFORMED_MESSAGE"),
        ("GetStock", vec![0x0a, 0x7f], "MALFORMED_MESSAGE"),
        ("ExecuteBatch", vec![0x0a, 0x7f], "MALFORMED_MESSAGE"),
        ("ExecuteBatch", Vec::new(), "FIELD_REQUIRED"),
        ("ExecuteBatch", batch(8_191), "TOO_MANY_COMMANDS"),
        ("Lock", vec![0; MESSAGE_BYTES_MAX + 1], "MESSAGE_TOO_LARGE"),
        ("Steal", Vec::new(), "METHOD_UNKNOWN"),
    ] {
        let failure = shop.bytes(&format!("{}{method}", common::STOCK), &bytes).unwrap_err();
        assert_eq!(info_of(&failure).reason, reason, "{method}");
    }
    let most = shop.bytes(&format!("{}ExecuteBatch", common::STOCK), &batch(8_190)).unwrap();
    let results = pb::ExecuteBatchResponse::decode(most.as_slice()).unwrap().results;
    assert_eq!((results.len(), refused(&results[8_189]).reason.as_str()), (8_190, "FIELD_REQUIRED"));
}

#[test]
fn a_command_of_a_stream_that_cannot_be_read_gets_its_result_and_the_others_go_on() {
    let shop = Shop::open();
    let commands = [command(lock("a", 1)).encode_to_vec(), vec![0xff], command(lock("b", 1)).encode_to_vec()];
    let results: Vec<_> = shop
        .door
        .execute(&commands)
        .into_iter()
        .map(|called| {
            shop.door.engine().wait_durable(called.seen).unwrap();
            pb::Result::decode(shop.door.finish(called).unwrap().as_slice()).unwrap()
        })
        .collect();
    assert_eq!((answered(&results[0]).owner.as_str(), answered(&results[2]).owner.as_str()), ("a", "b"));
    assert_eq!(refused(&results[1]).reason, "MALFORMED_MESSAGE");
    let one =
        shop.bytes("/lockstock.v1.StockService/Execute", &command(lock("c", 1)).encode_to_vec()).unwrap();
    assert_eq!(answered(&pb::Result::decode(one.as_slice()).unwrap()).owner, "c");
}

#[test]
fn operations_called_together_are_answered_as_if_each_had_come_alone() {
    let shop = Shop::open();
    let known = lock_as(&request_id(), "known", 1);
    let first: pb::Answer = shop.call("Lock", &known).unwrap();
    let before = shop.door.engine().durable();
    let reservation_id = "a".to_owned();
    let paid = pb::DeductRequest { reservation_id: reservation_id.clone(), ..Default::default() };
    // As a caller writes who does not write fields in the order of their numbers.
    let mut late = lock("late", 1).encode_to_vec();
    let turned = pb::LockRequest { reservation_id: "b".to_owned(), ..Default::default() }.encode_to_vec();
    late.extend_from_slice(&turned);
    let calls = [
        (Operation::Lock, lock("a", 1).encode_to_vec()),
        (Operation::Lock, vec![0xff]),
        (Operation::Lock, known.encode_to_vec()),
        (Operation::Deduct, paid.encode_to_vec()),
        (Operation::Lock, lock("too-many", 1_000).encode_to_vec()),
        (Operation::Lock, vec![0; MESSAGE_BYTES_MAX + 1]),
        (Operation::Lock, late),
        (Operation::Lock, lock("", 1).encode_to_vec()),
    ];
    let together: Vec<_> =
        shop.door.operate(calls.iter().map(|(operation, bytes)| (*operation, bytes.as_slice())));
    let last = before + 3;
    let seen: Vec<_> = together.iter().map(|called| called.seen).collect();
    assert_eq!(
        seen,
        [last, 0, last, last, last, 0, last, 0],
        "what never got to the state waits for nothing"
    );
    shop.door.engine().wait_durable(last).unwrap();
    let told: Vec<_> = together
        .into_iter()
        .map(|called| match shop.door.finish(called) {
            Ok(bytes) => {
                let answer = pb::Answer::decode(bytes.as_slice()).unwrap();
                format!("{} {}", answer.owner, answer.sequence)
            }
            Err(failure) => info_of(&failure).reason,
        })
        .collect();
    let expected = [
        format!("a {}", before + 1),
        "MALFORMED_MESSAGE".to_owned(),
        format!("known {}", first.sequence),
        format!("a {}", before + 2),
        "INSUFFICIENT_STOCK".to_owned(),
        "MESSAGE_TOO_LARGE".to_owned(),
        format!("b {last}"),
        "FIELD_REQUIRED".to_owned(),
    ];
    assert_eq!(told, expected);
    assert_eq!(shop.available("BOOK", "SH"), 97);
}

#[test]
fn availability_says_what_a_lock_would_do_and_promises_nothing() {
    let shop = Shop::open();
    let ask = |quantity, max_parcels| {
        let request = pb::CheckAvailabilityRequest {
            lines: lock("x", quantity).lines,
            source: Some(pb::check_availability_request::Source::Region("CN".to_owned())),
            split: Some(pb::Split { max_parcels, allow_partial: false }),
        };
        shop.call::<pb::CheckAvailabilityResponse>("CheckAvailability", &request).unwrap()
    };
    let both = ask(103, 0);
    let plan: Vec<_> = both.plan.iter().map(|it| (it.warehouse.as_str(), it.quantity)).collect();
    assert_eq!((both.lockable, plan), (true, vec![("SH", 100), ("BJ", 3)]));
    let parcels = ask(103, 1);
    assert_eq!(
        (parcels.lockable, parcels.reason(), parcels.parcels_needed),
        (false, pb::Reason::ParcelLimit, 2)
    );
    let short = ask(200, 0);
    assert_eq!((short.reason(), short.shortages[0].asked), (pb::Reason::InsufficientStock, 200));
    assert_eq!(shop.available("BOOK", "SH"), 100);
}

#[test]
fn a_read_of_what_is_not_there_is_not_found() {
    let shop = Shop::open();
    let stock = |sku: &str, warehouse: &str| pb::GetStockRequest {
        sku: sku.to_owned(),
        warehouses: vec![warehouse.to_owned()],
    };
    for (sku, warehouse, reason) in [("NONE", "SH", "SKU_NOT_FOUND"), ("BOOK", "NONE", "WAREHOUSE_NOT_FOUND")]
    {
        let failure = shop.call::<pb::GetStockResponse>("GetStock", &stock(sku, warehouse)).unwrap_err();
        assert_eq!((failure.code, info_of(&failure).reason.as_str()), (5, reason));
    }
    let request = pb::GetReservationRequest { reservation_id: "NONE".to_owned() };
    let failure = shop.call::<pb::Reservation>("GetReservation", &request).unwrap_err();
    assert_eq!(info_of(&failure).metadata["reservation"], "NONE");
}

fn region(id: &str, body: &str) -> seam::PutDocument {
    seam::PutDocument {
        kind: seam::DocumentKind::Region as i32,
        id: id.to_owned(),
        expected_version: -1,
        live: None,
        body: body.as_bytes().to_vec().into(),
    }
}

#[test]
fn documents_are_put_listed_and_a_repeated_change_gets_them_as_they_were() {
    let shop = Shop::open();
    let change = |id: &str, asked: &str, body: &str| seam::PutDocumentsRequest {
        request_id: id.to_owned(),
        documents: vec![region("CN-SH", body)],
        method: "CreateRegion".to_owned(),
        asked: asked.as_bytes().to_vec().into(),
        ..Default::default()
    };
    let id = request_id();
    let put =
        |change: &seam::PutDocumentsRequest| shop.planner::<seam::PutDocumentsResult>("PutDocuments", change);
    let first = put(&change(&id, "ask", "one")).unwrap();
    assert!(!first.replayed && first.documents.is_empty());
    put(&change(&request_id(), "ask", "two")).unwrap();
    // A retry would put something else by now; it gets the first answer all the same.
    let again = put(&change(&id, "ask", "three")).unwrap();
    assert!(again.replayed);
    assert_eq!(again.result, first.result);
    let Some(put_documents_result::Result::Version(version)) = first.result else { panic!("{first:?}") };
    let expected = seam::Document {
        id: "CN-SH".to_owned(),
        version,
        body: b"one".to_vec().into(),
        kind: seam::DocumentKind::Region as i32,
    };
    assert_eq!(again.documents, [expected]);
    let reused = put(&change(&id, "another ask", "one")).unwrap_err();
    assert_eq!(info_of(&reused).metadata["field"], "asked");

    let list = |after: &str, limit| seam::ListDocumentsRequest {
        kind: seam::DocumentKind::Region as i32,
        after: after.to_owned(),
        limit,
        id: String::new(),
    };
    let ids = |request: &seam::ListDocumentsRequest| {
        let listed: seam::ListDocumentsResponse = shop.planner("ListDocuments", request).unwrap();
        listed.documents.into_iter().map(|it| (it.id, it.body.to_vec())).collect::<Vec<_>>()
    };
    assert_eq!(ids(&list("", 1)), [("CN".to_owned(), b"{\"id\":\"CN\"}".to_vec())]);
    assert_eq!(ids(&list("CN", 10)), [("CN-SH".to_owned(), b"two".to_vec())]);
    let one = seam::ListDocumentsRequest { id: "CN-SH".to_owned(), ..list("", 10) };
    assert_eq!(ids(&one), [("CN-SH".to_owned(), b"two".to_vec())]);
}

#[test]
fn a_refused_change_of_documents_stops_no_other() {
    let shop = Shop::open();
    let stale = seam::PutDocument { expected_version: 0, ..region("CN", "x") };
    let closed = seam::PutDocument {
        kind: seam::DocumentKind::Warehouse as i32,
        id: "SH".to_owned(),
        expected_version: -1,
        live: Some(put_document::Live::Warehouse(seam::WarehouseLive { state: 3, ..Default::default() })),
        body: Vec::new().into(),
    };
    let without_live = seam::PutDocument { live: None, ..closed.clone() };
    let change = |document| seam::PutDocumentsRequest { documents: vec![document], ..Default::default() };
    let changes = vec![change(stale), change(closed), change(without_live), change(region("CN-BJ", "x"))];
    let batch = seam::PutDocumentsBatchRequest { changes };
    let results =
        shop.planner::<seam::PutDocumentsBatchResponse>("PutDocumentsBatch", &batch).unwrap().results;
    let reasons: Vec<_> = results
        .iter()
        .map(|result| match &result.result {
            Some(put_documents_result::Result::Refused(status)) => common::info(status).reason,
            _ => String::new(),
        })
        .collect();
    assert_eq!(reasons, ["DOCUMENT_EXISTS", "WAREHOUSE_NOT_EMPTY", "FIELD_REQUIRED", ""]);
}

#[test]
fn the_planners_seam_cannot_be_reached_from_outside() {
    let shop = Shop::open();
    let called = shop.door.call(Caller::Outside, "/lockstock.internal.v1.Documents/ListDocuments", &[]);
    assert_eq!(info_of(&shop.door.finish(called).unwrap_err()).reason, "METHOD_UNKNOWN");
}

#[test]
fn a_draining_engine_refuses_with_a_hint() {
    let shop = Shop::open();
    shop.door.engine().drain();
    let failure = shop.call::<pb::Answer>("Lock", &lock("order", 1)).unwrap_err();
    assert_eq!((failure.code, info_of(&failure).reason.as_str()), (14, "DRAINING"));
    assert_eq!(shop.available("BOOK", "SH"), 100);
}
