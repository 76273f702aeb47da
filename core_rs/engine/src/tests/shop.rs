//! A small shop to test with: requests in one line, and a log with memory.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lockstock_journal::disk::{Disk, RealDisk};
use lockstock_journal::{IoError, Log, LogError};
use lockstock_stock::answer::Answer;
use lockstock_stock::command::{
    Adjustment, Command, Demand, DocumentKind, From, Live, Order, PutDocument, Request, Selection, Service,
    StockLine, Wanted, WarehouseState,
};
use lockstock_stock::counters::Counter;
use lockstock_stock::event::Fingerprint;
use lockstock_stock::ids::{Micros, RequestKey, Sequence, Units};
use lockstock_stock::machine::Reply;
use lockstock_stock::refusal::{Reason, Refusal};
use lockstock_stock::state::State;
use parking_lot::{Condvar, Mutex};

use crate::buyer::BuyerKey;
use crate::clock::{Clock, ManualClock};
use crate::config::Config;
use crate::engine::{Engine, Executed};
use crate::recovery::{OpenError, Parts, Recovery, assemble, open_with};

/// Where the clocks of the tests stand at first.
pub const T0: Micros = 1_800_000_000_000_000;
pub const SECOND: Micros = 1_000_000;
pub const HOLD: Micros = 60 * SECOND;

/// A key stamped at the tests' beginning.
pub fn key(number: u64) -> RequestKey {
    let stamp = u128::from(T0.unsigned_abs() / 1_000);
    (stamp << 80) | (7 << 76) | (2 << 62) | u128::from(number)
}

pub fn request(number: u64, command: Command<'_>) -> Request<'_> {
    let fingerprint = Fingerprint { digest: number, fields: vec![(0, 1), (2, 20)] };
    Request { key: key(number), fingerprint, reason: "", document: "", service: Service::Stock, command }
}

pub fn order<'a>(reservation: &'a str, sku: &'a str, quantity: Units) -> Order<'a> {
    Order {
        reservation,
        demand: Demand {
            lines: [Wanted { sku, quantity, pool: "" }].into(),
            from: From::Warehouses(vec!["SH"]),
            max_parcels: 0,
            allow_partial: false,
        },
        channel: "",
        buyer: 0,
        attributes: b"",
    }
}

pub fn lock(reservation: &str, quantity: Units) -> Command<'_> {
    Command::Lock { order: order(reservation, "book", quantity), hold: Some(HOLD) }
}

pub fn all_of(reservation: &str) -> Selection<'_> {
    Selection { reservation, warehouse: "", parts: Vec::new() }
}

pub fn put_sku(id: &str) -> PutDocument<'_> {
    let live = Live::Sku { category: "", policy: None };
    PutDocument { kind: DocumentKind::Sku, id, expected_version: Some(0), live, body: b"{}" }
}

pub fn put_warehouse(id: &str) -> PutDocument<'_> {
    let live = Live::Warehouse { state: WarehouseState::Active, skus: Vec::new(), categories: Vec::new() };
    PutDocument { kind: DocumentKind::Warehouse, id, expected_version: Some(0), live, body: b"{}" }
}

pub fn increase(quantity: Units) -> Command<'static> {
    let lines = vec![StockLine { sku: "book", warehouse: "SH", quantity }];
    Command::Adjust { adjustment: Adjustment::OtherReceipt, lines }
}

/// An engine, its clock, and numbers for keys.
pub struct Shop {
    pub engine: Engine,
    pub clock: ManualClock,
    next: AtomicU64,
}

impl Shop {
    /// With a book in Shanghai, `units` of it.
    pub fn stocked(self, units: Units) -> Self {
        self.done(Command::PutDocuments { documents: vec![put_sku("book"), put_warehouse("SH")] });
        self.done(increase(units));
        self
    }

    /// An engine under a clock of its own.
    pub fn of(engine: Engine) -> Self {
        Self { engine, clock: ManualClock::at(T0), next: AtomicU64::new(1) }
    }

    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::SeqCst)
    }

    /// One command, with a key of its own, not waiting for the disk.
    pub fn execute(&self, command: Command<'_>) -> Executed {
        self.engine.execute(vec![request(self.number(), command)])
    }

    pub fn reply(&self, command: Command<'_>) -> Reply {
        let mut executed = self.execute(command);
        assert_eq!(executed.replies.len(), 1);
        executed.replies.remove(0)
    }

    /// One command that must be granted; its answer, once it is durable.
    pub fn done(&self, command: Command<'_>) -> Answer {
        let executed = self.execute(command);
        self.engine.wait_durable(executed.seen).unwrap();
        match executed.replies.into_iter().next() {
            Some(Reply::Done(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub fn refused(&self, command: Command<'_>) -> Refusal {
        match self.reply(command) {
            Reply::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        }
    }

    pub fn reason(&self, command: Command<'_>) -> Reason {
        self.refused(command).reason()
    }

    pub fn count(&self, counter: Counter) -> Units {
        self.engine.read(|state, _| book(state, counter)).0
    }

    /// (sequence, hash) as they stand in memory.
    pub fn stands(&self) -> (Sequence, u64) {
        self.engine.read(|state, _| (state.sequence(), state.hash())).0
    }
}

pub fn book(state: &State, counter: Counter) -> Units {
    match (state.find_sku("book"), state.find_warehouse("SH")) {
        (Some(sku), Some(warehouse)) => state.cell(sku, warehouse).get(counter),
        _ => 0,
    }
}

/// Small and without pauses: what the tests wait for comes by itself.
pub fn config(dir: &Path) -> Config {
    let mut config = Config::new(dir);
    config.segment_bytes = lockstock_journal::SEGMENT_BYTES_MIN;
    config.sweep_interval_ms = 1;
    config.disk_floor_bytes = 0;
    config
}

pub fn try_open(config: Config) -> Result<(Shop, Recovery), OpenError> {
    try_open_on(config, Arc::new(RealDisk))
}

/// On a disk of choice; time goes on where the journal ends.
pub fn try_open_on(config: Config, disk: Arc<dyn Disk>) -> Result<(Shop, Recovery), OpenError> {
    let clock = ManualClock::at(T0);
    let own = clock.clone();
    let (engine, recovery) = open_with(config, disk, move |_| Box::new(own) as Box<dyn Clock>)?;
    let next = AtomicU64::new(1_000_000 * (recovery.sequence + 1));
    Ok((Shop { engine, clock, next }, recovery))
}

pub fn open(dir: &Path) -> (Shop, Recovery) {
    try_open(config(dir)).unwrap()
}

/// Syncs wait while this is there, or until they are released: a test that fails meanwhile must not wait for ever.
#[must_use]
pub struct Hold(Arc<Memory>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// What a log with memory remembers, and how it is told to behave.
#[derive(Default)]
pub struct Memory {
    state: Mutex<Kept>,
    changed: Condvar,
}

#[derive(Default)]
struct Kept {
    /// Durable batches: (first, last, records).
    batches: Vec<(Sequence, Sequence, Vec<u8>)>,
    /// Syncs wait while this is set.
    held: bool,
    /// Syncs that have begun.
    begun: u64,
    /// The sync that fails, counted from 1.
    fails_at: Option<u64>,
}

impl Memory {
    pub fn hold(self: &Arc<Self>) -> Hold {
        self.state.lock().held = true;
        Hold(Arc::clone(self))
    }

    pub fn release(&self) {
        self.state.lock().held = false;
        self.changed.notify_all();
    }

    pub fn fail_next(&self) {
        let mut kept = self.state.lock();
        kept.fails_at = Some(kept.begun + 1);
    }

    /// Waits until a sync stands at the barrier.
    pub fn wait_begun(&self, syncs: u64) {
        let mut kept = self.state.lock();
        while kept.begun < syncs {
            self.changed.wait(&mut kept);
        }
    }

    pub fn begun(&self) -> u64 {
        self.state.lock().begun
    }

    pub fn durable(&self) -> Sequence {
        self.state.lock().batches.last().map_or(0, |(_, last, _)| *last)
    }

    /// The records, in order.
    pub fn records(&self) -> Vec<Vec<u8>> {
        let kept = self.state.lock();
        let mut records = Vec::new();
        for (first, last, bytes) in &kept.batches {
            let before = records.len();
            let mut rest = &bytes[..];
            while let Some((head, tail)) = rest.split_first_chunk::<4>() {
                let (record, tail) = tail.split_at(u32::from_le_bytes(*head) as usize);
                records.push(record.to_vec());
                rest = tail;
            }
            assert_eq!((records.len() - before) as u64, last - first + 1);
        }
        records
    }

    pub fn batches(&self) -> usize {
        self.ends().len()
    }

    /// The last sequence of each batch.
    pub fn ends(&self) -> Vec<Sequence> {
        self.state.lock().batches.iter().map(|(_, last, _)| *last).collect()
    }
}

struct MemoryLog(Arc<Memory>);

impl Log for MemoryLog {
    fn append(&mut self, first: Sequence, last: Sequence, records: &[u8]) -> Result<(), LogError> {
        let mut kept = self.0.state.lock();
        kept.begun += 1;
        self.0.changed.notify_all();
        while kept.held {
            self.0.changed.wait(&mut kept);
        }
        if kept.fails_at.is_some_and(|at| kept.begun >= at) {
            let source = std::io::Error::other("the sync failed");
            return Err(IoError { doing: "sync", path: "segment".into(), source }.into());
        }
        kept.batches.push((first, last, records.to_vec()));
        Ok(())
    }

    fn segment_is_full(&self) -> bool {
        false
    }

    fn seal(&mut self) -> Result<(), LogError> {
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LogError> {
        Ok(())
    }

    fn journal_id(&self) -> [u8; 16] {
        [7; 16]
    }
}

/// A shop over a log with memory, and a gauge of the free disk that can be set.
pub fn over_memory(dir: &Path, adapt: impl FnOnce(&mut Config)) -> (Shop, Arc<Memory>, Arc<AtomicU64>) {
    let mut config = config(dir);
    adapt(&mut config);
    let memory = Arc::new(Memory::default());
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let gauged = Arc::clone(&free);
    let clock = ManualClock::at(T0);
    let parts = Parts {
        state: State::default(),
        log: Box::new(MemoryLog(Arc::clone(&memory))),
        clock: Box::new(clock.clone()),
        gauge: Box::new(move || Ok(gauged.load(Ordering::SeqCst))),
        buyers: BuyerKey::open(&dir.join("buyer.key"), true).unwrap(),
        disk: Arc::new(RealDisk),
        dir_lock: None,
        newest: None,
        unwritten: 0,
        config,
    };
    let engine = assemble(parts).unwrap();
    (Shop { engine, clock, next: AtomicU64::new(1) }, memory, free)
}
