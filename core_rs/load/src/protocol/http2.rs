//! gRPC over HTTP/2, as lean as a client can be: a header block of six bytes from the second call on, answers
//! read where they lie. Nothing is left out that a server could notice: preface, settings, flow control, pings.

use std::collections::VecDeque;

use fluke_hpack::Decoder;

use super::{Protocol, Slot};
use crate::Result;
use crate::answers::{Expected, check};
use crate::compose::frame_message;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD: usize = 9;
const WINDOW_DEFAULT: i64 = 65_535;
const WINDOW_MAX: u32 = (1 << 31) - 1;
/// What we grant again in one step, and it is far from what is left by then.
const GRANT: u32 = 1 << 29;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

const SETTING_INITIAL_WINDOW: u16 = 4;
const SETTING_MAX_FRAME: u16 = 5;

/// How calls use streams.
#[derive(Clone, Copy, Debug)]
pub enum Calls {
    /// Each its own.
    Own,
    /// So many streams stay open; each has so many calls in flight, answered in order.
    Shared { streams: usize, in_flight: usize },
}

#[derive(Debug, Default)]
struct Stream {
    /// What it may still send.
    window: i64,
    /// The part of a message that has come.
    message: Vec<u8>,
    /// Its calls: slot, commands, bytes sent.
    calls: VecDeque<(Slot, usize, usize)>,
    answered: bool,
    /// Bytes that came since we granted more.
    received: u32,
}

/// What a window had no room for.
#[derive(Debug)]
struct Waiting {
    stream: u32,
    bytes: Vec<u8>,
    sent: usize,
    last: bool,
}

/// One connection.
pub struct Http2 {
    calls: Calls,
    expected: Expected,
    path: String,
    authority: String,
    said_headers: bool,
    next: u32,
    /// Streams from `base` on, every second number; None: ended.
    base: u32,
    streams: VecDeque<Option<Stream>>,
    spare: Vec<Stream>,
    window: i64,
    stream_window: i64,
    frame_max: usize,
    received: u32,
    waiting: VecDeque<Waiting>,
    headers: Decoder<'static>,
    /// A block of indexes that said `grpc-status: 0`, as long as nothing new was learnt.
    good: Vec<u8>,
    settled: bool,
}

impl Http2 {
    /// Calls of one method.
    pub fn new(authority: &str, path: &str, calls: Calls, expected: Expected) -> Self {
        Self {
            calls,
            expected,
            path: path.to_owned(),
            authority: authority.to_owned(),
            said_headers: false,
            next: 1,
            base: 1,
            streams: VecDeque::new(),
            spare: Vec::new(),
            window: WINDOW_DEFAULT,
            stream_window: WINDOW_DEFAULT,
            frame_max: 16_384,
            received: 0,
            waiting: VecDeque::new(),
            headers: Decoder::new(),
            good: Vec::new(),
            settled: false,
        }
    }

    fn start_stream(&mut self, out: &mut Vec<u8>) -> u32 {
        let id = self.next;
        self.next += 2;
        let mut stream = self.spare.pop().unwrap_or_default();
        stream.window = self.stream_window;
        self.streams.push_back(Some(stream));
        if self.said_headers {
            // What the first block added to the table, by its number there: the last one added is 62.
            frame(HEADERS, END_HEADERS, id, &[0x83, 0x86, 0xc1, 0xc0, 0xbf, 0xbe], out);
        } else {
            self.said_headers = true;
            let mut block = vec![0x83, 0x86];
            for (name, value) in
                [(0x44, self.path.as_str()), (0x41, &self.authority), (0x5f, "application/grpc")]
            {
                block.push(name);
                text(value, &mut block);
            }
            block.push(0x40);
            text("te", &mut block);
            text("trailers", &mut block);
            frame(HEADERS, END_HEADERS, id, &block, out);
        }
        id
    }

    fn stream(&mut self, id: u32) -> Option<&mut Stream> {
        let at = usize::try_from(id.checked_sub(self.base)? / 2).ok()?;
        self.streams.get_mut(at)?.as_mut()
    }

    fn end_stream(&mut self, id: u32) -> Option<Stream> {
        let at = usize::try_from(id.checked_sub(self.base)? / 2).ok()?;
        let ended = self.streams.get_mut(at)?.take();
        while matches!(self.streams.front(), Some(None)) {
            self.streams.pop_front();
            self.base += 2;
        }
        ended
    }

    /// Sends what the windows allow of what waits, each stream in its order.
    fn send_waiting(&mut self, out: &mut Vec<u8>) {
        for _ in 0..self.waiting.len() {
            let Some(mut waiting) = self.waiting.pop_front() else { return };
            let room = self.stream(waiting.stream).map_or(0, |stream| stream.window).min(self.window);
            let rest = waiting.bytes.len() - waiting.sent;
            let now = rest.min(usize::try_from(room).unwrap_or(0));
            if now > 0 {
                let part = &waiting.bytes[waiting.sent..waiting.sent + now];
                data(waiting.stream, part, self.frame_max, waiting.last && now == rest, out);
                self.spend(waiting.stream, now);
                waiting.sent += now;
            }
            if now < rest {
                self.waiting.push_back(waiting);
            }
        }
    }

    fn spend(&mut self, id: u32, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.window -= bytes;
        if let Some(stream) = self.stream(id) {
            stream.window -= bytes;
        }
    }

    fn on_settings(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<()> {
        for setting in payload.chunks_exact(6) {
            let name = u16::from_be_bytes([setting[0], setting[1]]);
            let value = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
            match name {
                SETTING_INITIAL_WINDOW => {
                    let more = i64::from(value) - self.stream_window;
                    self.stream_window = i64::from(value);
                    self.streams.iter_mut().flatten().for_each(|stream| stream.window += more);
                }
                SETTING_MAX_FRAME => self.frame_max = usize::try_from(value)?,
                _ => {}
            }
        }
        frame(SETTINGS, ACK, 0, &[], out);
        if !self.settled {
            self.settled = true;
            if let Calls::Shared { streams, .. } = self.calls {
                for _ in 0..streams {
                    self.start_stream(out);
                }
            }
        }
        Ok(())
    }

    fn on_data(
        &mut self,
        id: u32,
        flags: u8,
        payload: &[u8],
        out: &mut Vec<u8>,
        done: &mut Vec<Slot>,
    ) -> Result<()> {
        let length = u32::try_from(payload.len())?;
        self.received += length;
        if self.received >= GRANT {
            frame(WINDOW_UPDATE, 0, 0, &self.received.to_be_bytes(), out);
            self.received = 0;
        }
        let payload = unpadded(flags, payload)?;
        let (expected, shared) = (self.expected, matches!(self.calls, Calls::Shared { .. }));
        let stream = self.stream(id).ok_or("data on a stream that nobody opened")?;
        stream.received += length;
        if shared && stream.received >= GRANT {
            frame(WINDOW_UPDATE, 0, id, &stream.received.to_be_bytes(), out);
            stream.received = 0;
        }
        let mut whole = std::mem::take(&mut stream.message);
        let taken = if whole.is_empty() {
            let taken = stream.messages(payload, expected, shared, done)?;
            whole.extend_from_slice(&payload[taken..]);
            0
        } else {
            whole.extend_from_slice(payload);
            stream.messages(&whole, expected, shared, done)?
        };
        whole.drain(..taken);
        stream.message = whole;
        if flags & END_STREAM != 0 { Err("a stream that ends without a status".into()) } else { Ok(()) }
    }

    fn on_headers(&mut self, id: u32, flags: u8, payload: &[u8], done: &mut Vec<Slot>) -> Result<()> {
        if flags & END_HEADERS == 0 {
            return Err("a header block in several frames".into());
        }
        let payload = unpadded(flags, payload)?;
        let block = if flags & PRIORITY == 0 { payload } else { payload.get(5..).unwrap_or_default() };
        let last = flags & END_STREAM != 0;
        // A block of one-byte indexes teaches nothing: it means what it meant before.
        let plain = block.iter().all(|byte| (0x81..0xff).contains(byte));
        if plain && (!last || block == self.good) {
            return if last { self.ended(id, done) } else { Ok(()) };
        }
        let mut status = None;
        let mut words = String::new();
        let read = self.headers.decode_with_cb(block, |name, value| match &*name {
            b"grpc-status" => status = Some(String::from_utf8_lossy(&value).into_owned()),
            b"grpc-message" => words = String::from_utf8_lossy(&value).into_owned(),
            _ => {}
        });
        read.map_err(|error| format!("a header block that cannot be read: {error:?}"))?;
        if !plain {
            self.good.clear();
        }
        if !last {
            return Ok(());
        }
        match status.as_deref() {
            Some("0") if plain => {
                self.good = block.to_vec();
                self.ended(id, done)
            }
            Some("0") => self.ended(id, done),
            Some(code) => Err(format!("a call was refused with status {code}: {words}").into()),
            None => Err("a stream that ends without a status".into()),
        }
    }

    /// A stream has ended well.
    fn ended(&mut self, id: u32, done: &mut Vec<Slot>) -> Result<()> {
        let mut stream = self.end_stream(id).ok_or("the end of a stream that nobody opened")?;
        if matches!(self.calls, Calls::Shared { .. }) {
            return Err("a stream was ended by the server".into());
        }
        if !stream.answered || !stream.message.is_empty() {
            return Err("a call without an answer".into());
        }
        done.extend(stream.calls.drain(..).map(|(slot, ..)| slot));
        stream.answered = false;
        stream.received = 0;
        self.spare.push(stream);
        Ok(())
    }
}

impl Stream {
    /// Takes the messages that are all there; how many bytes they had.
    fn messages(
        &mut self,
        bytes: &[u8],
        expected: Expected,
        shared: bool,
        done: &mut Vec<Slot>,
    ) -> Result<usize> {
        let mut taken = 0;
        while let Some((prefix, rest)) = bytes[taken..].split_first_chunk::<5>() {
            let length = usize::try_from(u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]))?;
            let Some(message) = rest.get(..length) else { break };
            if prefix[0] != 0 {
                return Err("a compressed answer that nobody asked for".into());
            }
            let &(slot, commands, sent) = self.calls.front().ok_or("an answer to no call")?;
            check(expected, commands, sent, message)?;
            if shared {
                self.calls.pop_front();
                done.push(slot);
            }
            self.answered = true;
            taken += 5 + length;
        }
        Ok(taken)
    }
}

impl Protocol for Http2 {
    fn open(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(PREFACE);
        let mut settings = SETTING_INITIAL_WINDOW.to_be_bytes().to_vec();
        settings.extend_from_slice(&WINDOW_MAX.to_be_bytes());
        frame(SETTINGS, 0, 0, &settings, out);
        frame(WINDOW_UPDATE, 0, 0, &(WINDOW_MAX - 65_535).to_be_bytes(), out);
    }

    fn is_ready(&self) -> bool {
        self.settled
    }

    fn call(&mut self, slot: Slot, commands: usize, body: &[u8], out: &mut Vec<u8>) {
        let (id, last) = match self.calls {
            Calls::Own => (self.start_stream(out), true),
            Calls::Shared { in_flight, .. } => (
                u32::try_from(slot / in_flight).unwrap_or(u32::MAX).saturating_mul(2).saturating_add(1),
                false,
            ),
        };
        let all = body.len() + 5;
        let room = self.window;
        let Some(stream) = self.stream(id) else { return };
        stream.calls.push_back((slot, commands, body.len()));
        let fits = i64::try_from(all).is_ok_and(|all| all <= stream.window.min(room));
        if fits && all <= self.frame_max && self.waiting.is_empty() {
            head(all, DATA, u8::from(last) * END_STREAM, id, out);
            frame_message(body, out);
            self.spend(id, all);
        } else {
            let mut bytes = Vec::with_capacity(all);
            frame_message(body, &mut bytes);
            self.waiting.push_back(Waiting { stream: id, bytes, sent: 0, last });
            self.send_waiting(out);
        }
    }

    fn receive(&mut self, input: &[u8], out: &mut Vec<u8>, done: &mut Vec<Slot>) -> Result<usize> {
        let mut taken = 0;
        let mut opened = false;
        while let Some((&[a, b, c, kind, flags, s1, s2, s3, s4], rest)) =
            input[taken..].split_first_chunk::<HEAD>()
        {
            let length = usize::try_from(u32::from_be_bytes([0, a, b, c]))?;
            let Some(payload) = rest.get(..length) else { break };
            let id = u32::from_be_bytes([s1, s2, s3, s4]) & WINDOW_MAX;
            match kind {
                DATA => self.on_data(id, flags, payload, out, done)?,
                HEADERS => self.on_headers(id, flags, payload, done)?,
                SETTINGS if flags & ACK == 0 => {
                    self.on_settings(payload, out)?;
                    opened = true;
                }
                PING if flags & ACK == 0 => frame(PING, ACK, 0, payload, out),
                WINDOW_UPDATE => {
                    let more = i64::from(number(payload)? & WINDOW_MAX);
                    if id == 0 {
                        self.window += more;
                    } else if let Some(stream) = self.stream(id) {
                        stream.window += more;
                    }
                    opened = true;
                }
                RST_STREAM => return Err(format!("a call was reset, error {}", number(payload)?).into()),
                GOAWAY => return Err("the server sends its callers away".into()),
                CONTINUATION => return Err("a header block in several frames".into()),
                _ => {}
            }
            taken += HEAD + length;
        }
        if opened && !self.waiting.is_empty() {
            self.send_waiting(out);
        }
        Ok(taken)
    }
}

fn head(length: usize, kind: u8, flags: u8, id: u32, out: &mut Vec<u8>) {
    let [_, a, b, c] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let [s1, s2, s3, s4] = id.to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags, s1, s2, s3, s4]);
}

fn frame(kind: u8, flags: u8, id: u32, payload: &[u8], out: &mut Vec<u8>) {
    head(payload.len(), kind, flags, id, out);
    out.extend_from_slice(payload);
}

/// Data in frames that are not too long.
fn data(id: u32, bytes: &[u8], frame_max: usize, last: bool, out: &mut Vec<u8>) {
    let mut parts = bytes.chunks(frame_max).peekable();
    while let Some(part) = parts.next() {
        let flags = if last && parts.peek().is_none() { END_STREAM } else { 0 };
        frame(DATA, flags, id, part, out);
    }
}

/// A text in a header block, as it is. Ours are shorter than 127 bytes.
fn text(value: &str, out: &mut Vec<u8>) {
    out.push(u8::try_from(value.len()).unwrap_or(126).min(126));
    out.extend_from_slice(value.as_bytes());
}

fn number(payload: &[u8]) -> Result<u32> {
    let bytes = payload.first_chunk::<4>().ok_or("a frame that is too short")?;
    Ok(u32::from_be_bytes(*bytes))
}

fn unpadded(flags: u8, payload: &[u8]) -> Result<&[u8]> {
    if flags & PADDED == 0 {
        return Ok(payload);
    }
    let (&padding, rest) = payload.split_first().ok_or("a frame that is too short")?;
    rest.get(..rest.len().saturating_sub(usize::from(padding)))
        .ok_or_else(|| "a frame that is all padding".into())
}

#[cfg(test)]
#[path = "http2_tests.rs"]
mod tests;
