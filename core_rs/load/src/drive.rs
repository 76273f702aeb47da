//! The one loop that loads everything: one thread, one poll, calls in and out in bursts.

use std::collections::VecDeque;
use std::time::Instant;

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use crate::Result;
use crate::answers::Expected;
use crate::compose::Composer;
use crate::pace::{Nanos, Pace, SECOND, Window, nanos};
use crate::process::{Usage, usage};
use crate::protocol::http2::{Calls, Http2};
use crate::protocol::postgres::Postgres;
use crate::protocol::resp::Resp;
use crate::protocol::{Protocol, Slot};
use crate::record::{Counted, Latencies, Outcome};
use crate::socket::Connection;
use crate::spec::{Carrier, Kind, Spec};

const SERVICE: &str = "/lockstock.v1.StockService/";
const PLACE: &str = "/lockstock.v1.OrderService/PlaceOrder";

/// Below this, waiting for the poll to wake us would itself be late.
const TOO_SHORT_TO_SLEEP: Nanos = 2_000_000;
/// At most this long in one wait.
const WAIT_MAX: Nanos = SECOND / 10;
/// A server that answers nothing for so long is given up.
const GIVE_UP: Nanos = 60 * SECOND;

/// Runs every phase; what each came to.
pub fn run(spec: &Spec) -> Result<Vec<Outcome>> {
    spec.check()?;
    if let Some(cpu) = spec.cpu {
        crate::process::pin(cpu)?;
    }
    let mut outcomes: Vec<Outcome> = Vec::new();
    for (at, &kind) in spec.work.iter().enumerate() {
        let script = spec.scripts.get(at).map_or("", String::as_str);
        // A deduct pays for what the phase before has locked, and each only once.
        let there = outcomes.last().map_or(0, |before| before.without_gap);
        let most = match (kind, spec.commands) {
            (Kind::Deduct, wanted) => Some(wanted.map_or(there, |wanted| wanted.min(there))),
            (_, wanted) => wanted,
        };
        outcomes.push(Phase::new(spec, kind, script, most)?.run()?);
    }
    Ok(outcomes)
}

/// A call to be or in flight.
#[derive(Debug, Default)]
struct Place {
    planned: Nanos,
    commands: usize,
    /// Composed ahead, while the server works on others: from this command on, so many.
    body: Vec<u8>,
    first: u64,
    prepared: usize,
}

struct Phase<'a> {
    spec: &'a Spec,
    kind: Kind,
    composer: Composer,
    connections: Vec<Connection>,
    /// Whether the poll also watches for room to write.
    watched: Vec<bool>,
    places: Vec<Vec<Place>>,
    free: VecDeque<(usize, Slot)>,
    /// Places whose next body is not composed yet.
    unprepared: Vec<(usize, Slot)>,
    poll: OwnedFd,
    clock: Instant,
    next_command: u64,
    most: Option<u64>,
    in_flight: usize,
    answered: u64,
    in_window: u64,
    latencies: Latencies,
    late: Latencies,
    /// Commands sent within the window.
    sent: u64,
    window: Window,
    readings: Vec<(Nanos, Usage, Usage)>,
    last_answer: Nanos,
}

impl<'a> Phase<'a> {
    fn new(spec: &'a Spec, kind: Kind, script: &str, most: Option<u64>) -> Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(spec.connections);
        for number in 0..spec.connections {
            let connection = Connection::open(&spec.address, protocol(spec, kind))?;
            epoll::add(&poll, connection.fd(), EventData::new_u64(number as u64), EventFlags::IN)?;
            connections.push(connection);
        }
        let slots = spec.in_flight * spec.streams;
        let places: Vec<Vec<Place>> =
            (0..spec.connections).map(|_| (0..slots).map(|_| Place::default()).collect()).collect();
        // Connection by connection for each slot, so that a plan spreads over all connections.
        let free: VecDeque<(usize, Slot)> =
            (0..slots).flat_map(|slot| (0..spec.connections).map(move |at| (at, slot))).collect();
        Ok(Self {
            spec,
            kind,
            composer: Composer::new(spec, kind, script)?,
            watched: vec![false; connections.len()],
            connections,
            places,
            unprepared: free.iter().copied().collect(),
            free,
            poll,
            clock: Instant::now(),
            next_command: 0,
            most,
            in_flight: 0,
            answered: 0,
            in_window: 0,
            latencies: Latencies::new()?,
            late: Latencies::new()?,
            sent: 0,
            window: Window { begin: 0, end: Nanos::MAX },
            readings: Vec::new(),
            last_answer: 0,
        })
    }

    fn now(&self) -> Nanos {
        u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(Nanos::MAX)
    }

    fn run(mut self) -> Result<Outcome> {
        self.flush_all()?;
        while !self.connections.iter().all(Connection::is_ready) {
            self.turn(WAIT_MAX, &mut Vec::new())?;
            if self.now() > GIVE_UP {
                return Err("the server does not take up connections".into());
            }
        }
        self.prepare();
        self.clock = Instant::now();
        if self.spec.commands.is_none() {
            let begin = nanos(self.spec.warm_up_seconds);
            self.window = Window { begin, end: begin + nanos(self.spec.seconds) };
        }
        let mut pace = self.spec.rate.map(|rate| Pace::new(0, rate));
        let mut done = Vec::new();
        loop {
            let now = self.now();
            self.read_usage(now)?;
            if self.sending() {
                self.start_calls(now, pace.as_mut());
            }
            self.flush_all()?;
            self.prepare();
            if !self.sending() && self.in_flight == 0 {
                break;
            }
            if self.in_flight > 0 && now.saturating_sub(self.last_answer) > GIVE_UP {
                return Err("the server has answered nothing for a minute".into());
            }
            let wait = self.wait(pace.as_ref());
            self.turn(wait, &mut done)?;
        }
        self.outcome()
    }

    /// Whether more calls are made: neither time nor commands are used up.
    fn sending(&self) -> bool {
        self.now() < self.window.end && !self.used_up()
    }

    fn used_up(&self) -> bool {
        self.most.is_some_and(|most| self.next_command >= most) && self.free_is_all_empty()
    }

    /// Whether no place holds a composed call that is still to be made.
    fn free_is_all_empty(&self) -> bool {
        self.free.iter().all(|&(at, slot)| self.places[at][slot].prepared == 0)
    }

    /// Reads what processes have used at both edges of the window.
    fn read_usage(&mut self, now: Nanos) -> Result<()> {
        let ended = now >= self.window.end || (self.used_up() && self.in_flight == 0);
        let due = match self.readings.len() {
            0 => now >= self.window.begin,
            1 => ended,
            _ => false,
        };
        if due {
            let server = usage(self.spec.pid, self.spec.with_children)?;
            let load = usage(std::process::id(), false)?;
            self.readings.push((self.now(), server, load));
        }
        Ok(())
    }

    fn start_calls(&mut self, now: Nanos, pace: Option<&mut Pace>) {
        if let Some(pace) = pace {
            while let Some(&(at, slot)) = self.free.front() {
                if self.places[at][slot].prepared == 0 {
                    self.compose(at, slot);
                }
                if self.places[at][slot].prepared == 0 {
                    return;
                }
                let Some(planned) = pace.take(now) else { return };
                self.free.pop_front();
                if self.window.contains(planned) {
                    self.late.record(now.saturating_sub(planned));
                }
                self.start(at, slot, planned, now);
            }
        } else {
            for _ in 0..self.free.len() {
                let Some((at, slot)) = self.free.pop_front() else { return };
                if self.places[at][slot].prepared == 0 {
                    self.compose(at, slot);
                }
                if self.places[at][slot].prepared == 0 {
                    self.free.push_back((at, slot));
                } else {
                    self.start(at, slot, now, now);
                }
            }
        }
    }

    fn start(&mut self, at: usize, slot: Slot, planned: Nanos, now: Nanos) {
        let place = &mut self.places[at][slot];
        place.planned = planned;
        place.commands = std::mem::take(&mut place.prepared);
        if self.window.contains(now) {
            self.sent += place.commands as u64;
        }
        self.connections[at].call(slot, place.commands, &place.body);
        self.in_flight += 1;
        self.unprepared.push((at, slot));
    }

    /// Composes the next call of a place, unless all commands are given out.
    fn compose(&mut self, at: usize, slot: Slot) {
        let left = self.most.map_or(u64::MAX, |most| most.saturating_sub(self.next_command));
        let commands = self.spec.batch.min(usize::try_from(left).unwrap_or(usize::MAX));
        if commands > 0 {
            let place = &mut self.places[at][slot];
            self.composer.write(self.next_command, commands, &mut place.body);
            place.first = self.next_command;
            place.prepared = commands;
            self.next_command += commands as u64;
        }
    }

    /// Composes what will be sent next, while the server works.
    fn prepare(&mut self) {
        if self.unprepared.is_empty() || self.now() >= self.window.end {
            return;
        }
        self.composer.tick();
        let mut unprepared = std::mem::take(&mut self.unprepared);
        for (at, slot) in unprepared.drain(..) {
            if self.places[at][slot].prepared == 0 {
                self.compose(at, slot);
            }
        }
        self.unprepared = unprepared;
    }

    fn wait(&self, pace: Option<&Pace>) -> Nanos {
        let now = self.now();
        // With nothing more to read or send, only answers are waited for: a generator that spun there while it goes
        // first on its core kept what ends a sync from running, and waited a second for its last answer.
        let edge = match self.readings.len() {
            0 => self.window.begin,
            1 => self.window.end,
            _ => Nanos::MAX,
        };
        let mut until = edge.saturating_sub(now).min(WAIT_MAX);
        if let Some(pace) = pace
            && self.sending()
            && !self.free.is_empty()
        {
            let next = pace.next().saturating_sub(now);
            until = until.min(match next {
                _ if self.spec.shares_core => next,
                ..TOO_SHORT_TO_SLEEP => 0,
                _ => next - TOO_SHORT_TO_SLEEP / 2,
            });
        }
        until
    }

    /// Waits for the sockets and deals with what came.
    fn turn(&mut self, wait: Nanos, done: &mut Vec<Slot>) -> Result<()> {
        let mut events = [epoll::Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; 64];
        let timeout =
            Timespec { tv_sec: i64::try_from(wait / SECOND)?, tv_nsec: i64::try_from(wait % SECOND)? };
        let came = match epoll::wait(&self.poll, &mut events, Some(&timeout)) {
            Ok(came) => came,
            Err(Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        for event in events.iter().take(came) {
            // Copied: the system packs its events.
            let (flags, data) = (event.flags, event.data);
            let at = usize::try_from(data.u64())?;
            if flags.intersects(EventFlags::IN | EventFlags::ERR | EventFlags::HUP) {
                self.connections[at].read()?;
                let now = self.now();
                self.connections[at].receive(done)?;
                for slot in done.drain(..) {
                    self.complete(at, slot, now);
                }
            }
            self.flush(at)?;
        }
        Ok(())
    }

    fn complete(&mut self, at: usize, slot: Slot, now: Nanos) {
        let place = &self.places[at][slot];
        let (planned, commands) = (place.planned, place.commands as u64);
        self.in_flight -= 1;
        self.answered += commands;
        self.last_answer = now;
        if self.window.contains(now) {
            self.in_window += commands;
        }
        if self.window.contains(planned) {
            self.latencies.record(now.saturating_sub(planned));
        }
        let closed = self.spec.rate.is_none();
        if closed && self.places[at][slot].prepared > 0 && now < self.window.end {
            let sent = self.now();
            self.start(at, slot, sent, sent);
        } else {
            self.free.push_back((at, slot));
        }
    }

    fn flush_all(&mut self) -> Result<()> {
        (0..self.connections.len()).try_for_each(|at| self.flush(at))
    }

    fn flush(&mut self, at: usize) -> Result<()> {
        let blocked = !self.connections[at].write()?;
        if blocked != self.watched[at] {
            self.watched[at] = blocked;
            let flags = if blocked { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(&self.poll, self.connections[at].fd(), EventData::new_u64(at as u64), flags)?;
        }
        Ok(())
    }

    fn outcome(mut self) -> Result<Outcome> {
        self.read_usage(self.now())?;
        let [(begin, server_before, load_before), (end, server_after, load_after)] = self.readings[..] else {
            return Err("the commands ran out before the warm-up was over: lock more first".into());
        };
        if self.in_window == 0 {
            return Err("nothing was answered within the time that is measured".into());
        }
        // Where commands run out, the last answer ends the window.
        let end = end.min(self.last_answer.max(begin + 1));
        let counted = Counted {
            kind: self.kind,
            seconds: crate::pace::float(end - begin) / 1e9,
            sent: self.sent,
            commands: self.in_window,
            commands_in_all: self.answered,
            // What was composed ahead and not sent any more leaves gaps.
            without_gap: self
                .places
                .iter()
                .flatten()
                .filter(|place| place.prepared > 0)
                .map(|place| place.first)
                .min()
                .unwrap_or(self.next_command),
            server: [server_before, server_after],
            load: [load_before, load_after],
        };
        let late = self.spec.rate.map(|_| &self.late);
        Ok(Outcome::new(&counted, &self.latencies, late))
    }
}

fn protocol(spec: &Spec, kind: Kind) -> Box<dyn Protocol> {
    let method = |name: &str| format!("{SERVICE}{name}");
    let expect = |ours: Expected| if spec.echo { Expected::Echo } else { ours };
    let http2 =
        |path: &str, calls, expected| Box::new(Http2::new(&spec.address, path, calls, expect(expected)));
    match spec.carrier {
        Carrier::Unary => {
            let path = match kind {
                Kind::Lock => method("Lock"),
                Kind::Deduct => method("Deduct"),
                Kind::Place => PLACE.to_owned(),
                Kind::Receive => method("OtherReceipt"),
                Kind::Issue => method("Issue"),
            };
            http2(&path, Calls::Own, Expected::Answer)
        }
        Carrier::Batch => http2(&method("ExecuteBatch"), Calls::Own, Expected::Results),
        Carrier::Stream => {
            let calls = Calls::Shared { streams: spec.streams, in_flight: spec.in_flight };
            http2(&method("Execute"), calls, Expected::Result)
        }
        Carrier::Redis => Box::new(Resp::default()),
        Carrier::Postgres => {
            let function = if kind == Kind::Deduct { "deduct_units" } else { "lock_units" };
            let statement = format!("SELECT {function}($1, $2, $3, $4)");
            Box::new(Postgres::new(&spec.user, &spec.database, &statement))
        }
    }
}
