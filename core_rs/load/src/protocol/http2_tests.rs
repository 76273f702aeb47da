use super::*;

fn own() -> Http2 {
    Http2::new("a:1", "/s/M", Calls::Own, Expected::Echo)
}

/// Settled, with what it said so far forgotten.
fn settled(mut connection: Http2, window: u32) -> (Http2, Vec<u8>, Vec<Slot>) {
    let (mut out, mut done) = (Vec::new(), Vec::new());
    connection.open(&mut out);
    let mut settings = Vec::new();
    let payload = [SETTING_INITIAL_WINDOW.to_be_bytes().as_slice(), &window.to_be_bytes()].concat();
    frame(SETTINGS, 0, 0, &payload, &mut settings);
    connection.receive(&settings, &mut out, &mut done).unwrap();
    out.clear();
    (connection, out, done)
}

/// Kind, flags, stream and payload of what was sent.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, u32, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some((&[_, b, c, kind, flags, _, _, s3, s4], rest)) = bytes.split_first_chunk::<HEAD>() {
        let (payload, rest) = rest.split_at(usize::from(u16::from_be_bytes([b, c])));
        frames.push((kind, flags, u32::from(u16::from_be_bytes([s3, s4])), payload.to_vec()));
        bytes = rest;
    }
    frames
}

fn answer(id: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // :status 200
    frame(HEADERS, END_HEADERS, id, &[0x88], &mut out);
    let mut message = Vec::new();
    frame_message(body, &mut message);
    frame(DATA, 0, id, &message, &mut out);
    let mut trailers = vec![0x40];
    text("grpc-status", &mut trailers);
    text("0", &mut trailers);
    frame(HEADERS, END_HEADERS | END_STREAM, id, &trailers, &mut out);
    out
}

#[test]
fn the_first_call_says_its_headers_and_later_ones_point_at_them() {
    let (mut connection, mut out, mut done) = settled(own(), 1 << 20);
    connection.call(0, 1, b"abc", &mut out);
    connection.call(1, 1, b"de", &mut out);
    let sent = frames(&out);
    assert_eq!(
        sent.iter().map(|(kind, _, id, _)| (*kind, *id)).collect::<Vec<_>>(),
        [(1, 1), (0, 1), (1, 3), (0, 3)]
    );
    let mut decoder = Decoder::new();
    let (first, second) = (decoder.decode(&sent[0].3).unwrap(), decoder.decode(&sent[2].3).unwrap());
    assert_eq!(first, second);
    assert!(first.contains(&(b":path".to_vec(), b"/s/M".to_vec())));
    assert_eq!(sent[1].3, b"\0\0\0\0\x03abc");
    assert_eq!(sent[1].1, END_STREAM);

    connection.receive(&answer(3, b"de"), &mut out, &mut done).unwrap();
    connection.receive(&answer(1, b"abc"), &mut out, &mut done).unwrap();
    assert_eq!(done, [1, 0]);
}

#[test]
fn an_answer_may_come_in_any_pieces() {
    let bytes = answer(1, b"abc");
    for cut in 0..bytes.len() {
        let (mut connection, mut out, mut done) = settled(own(), 1 << 20);
        connection.call(7, 1, b"abc", &mut out);
        let taken = connection.receive(&bytes[..cut], &mut out, &mut done).unwrap();
        connection.receive(&bytes[taken..], &mut out, &mut done).unwrap();
        assert_eq!(done, [7]);
    }
}

#[test]
fn a_call_waits_for_the_window_and_goes_out_in_order() {
    let (mut connection, mut out, mut done) = settled(own(), 10);
    connection.call(0, 1, b"0123456789", &mut out);
    let sent = frames(&out);
    assert_eq!(sent[1].3, b"\0\0\0\0\x0a01234");
    assert_eq!(sent[1].1, 0);
    out.clear();
    let mut update = Vec::new();
    frame(WINDOW_UPDATE, 0, 1, &100_u32.to_be_bytes(), &mut update);
    connection.receive(&update, &mut out, &mut done).unwrap();
    assert_eq!(frames(&out), [(DATA, END_STREAM, 1, b"56789".to_vec())]);
}

#[test]
fn streams_that_stay_open_answer_each_message_in_order() {
    let calls = Calls::Shared { streams: 2, in_flight: 2 };
    let (mut connection, mut out, mut done) =
        settled(Http2::new("a:1", "/s/M", calls, Expected::Echo), 1 << 20);
    for slot in 0..4 {
        connection.call(slot, 1, b"x", &mut out);
    }
    let streams: Vec<u32> = frames(&out).iter().map(|(_, _, id, _)| *id).collect();
    assert_eq!(streams, [1, 1, 3, 3]);
    let mut both = Vec::new();
    frame_message(b"y", &mut both);
    frame_message(b"z", &mut both);
    let mut input = Vec::new();
    frame(HEADERS, END_HEADERS, 3, &[0x88], &mut input);
    frame(DATA, 0, 3, &both, &mut input);
    connection.receive(&input, &mut out, &mut done).unwrap();
    assert_eq!(done, [2, 3]);
}

#[test]
fn a_refusal_a_reset_and_a_missing_answer_end_the_run() {
    let mut trailers = vec![0x40];
    text("grpc-status", &mut trailers);
    text("9", &mut trailers);
    let mut refused = Vec::new();
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &trailers, &mut refused);
    let mut reset = Vec::new();
    frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes(), &mut reset);
    let mut empty = Vec::new();
    let mut good = vec![0x40];
    text("grpc-status", &mut good);
    text("0", &mut good);
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &good, &mut empty);
    for (input, word) in [(refused, "status 9"), (reset, "reset"), (empty, "without an answer")] {
        let (mut connection, mut out, mut done) = settled(own(), 1 << 20);
        connection.call(0, 1, b"x", &mut out);
        let said = connection.receive(&input, &mut out, &mut done).unwrap_err().to_string();
        assert!(said.contains(word), "{said}");
        assert!(done.is_empty());
    }
}

#[test]
fn a_ping_is_answered_with_its_own_bytes() {
    let (mut connection, mut out, mut done) = settled(own(), 1 << 20);
    let mut ping = Vec::new();
    frame(PING, 0, 0, b"12345678", &mut ping);
    connection.receive(&ping, &mut out, &mut done).unwrap();
    assert_eq!(frames(&out), [(PING, ACK, 0, b"12345678".to_vec())]);
}
