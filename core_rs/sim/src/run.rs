//! One run: a few lives of a node, an end to each, and what must be true in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use lockstock_engine::projection::{Batch, Projection};
use lockstock_engine::stepped::Stepped;
use lockstock_journal::disk::faulty::FaultyDisk;
use lockstock_stock::command::Request;
use lockstock_stock::ids::{Micros, Sequence};
use lockstock_twin::rng::Rng;
use lockstock_twin::workload::{Workload, limits};
use lockstock_twin::{Twin, compare};

use crate::clients::{Call, Ledger};
use crate::database::Database;
use crate::machine::Machine;
use crate::tally::Tally;

/// Long enough for every lock to lapse.
const LONG: Micros = 100 * 60 * 60 * 1_000_000;

/// What a run gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// A hash of everything that happened, in order: the same for the same seed.
    pub trace: u64,
    /// What it met.
    pub tally: Tally,
    /// The operations that were granted.
    pub operations: BTreeSet<&'static str>,
}

/// Runs a seed. An error is a sentence that says what did not hold.
pub fn run(seed: u64) -> Result<Run, String> {
    let mut world = World::new(seed);
    world.all_lives()?;
    Ok(Run { trace: world.trace, tally: world.tally, operations: world.operations })
}

/// Everything there is.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact about this life of the node")]
pub struct World {
    pub rng: Rng,
    pub machine: Machine,
    pub workload: Workload,
    /// What the naive twin holds ...
    pub twin: Twin,
    /// ... and held after each command that was granted.
    pub past: BTreeMap<Sequence, Twin>,
    pub ledger: Ledger,
    pub calls: Vec<Call>,
    /// Requests whose clients have given up and may come back.
    pub doubts: Vec<Request<'static>>,
    pub database: Database,
    pub projection: Projection,
    /// A transaction that is under way.
    pub staged: Option<Batch>,
    /// Where frames end: what was published as durable, and what was found.
    pub frames: Arc<Mutex<BTreeSet<Sequence>>>,
    /// A fault has been asked for in this life.
    pub armed: bool,
    /// The disk has a bound, or had one in this life.
    pub squeezed: bool,
    /// The disk was low and is free again: the next promise shows it.
    pub relieved: bool,
    /// The wall has stepped in this life.
    pub stepped: bool,
    pub tally: Tally,
    pub operations: BTreeSet<&'static str>,
    trace: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let twin = Twin::new(limits(seed));
        Self {
            // Not the workload's own numbers.
            rng: Rng::new(seed ^ 0x5EED_0F7A_51A1_0000),
            machine: Machine::new(seed),
            workload: Workload::new(seed),
            past: BTreeMap::from([(0, twin.clone())]),
            twin,
            ledger: Ledger::default(),
            calls: Vec::new(),
            doubts: Vec::new(),
            database: Database::default(),
            projection: Projection::new(),
            staged: None,
            frames: Arc::default(),
            armed: false,
            squeezed: false,
            relieved: false,
            stepped: false,
            tally: Tally::default(),
            operations: BTreeSet::new(),
            trace: 0xCBF2_9CE4_8422_2325,
        }
    }

    fn all_lives(&mut self) -> Result<(), String> {
        let mut node = self.begin()?;
        let lives = 2 + self.rng.below(4);
        for _ in 0..lives {
            let ended = self.live(&mut node);
            self.unless_powerless(ended)?;
            self.end(node)?;
            node = self.start_again()?;
        }
        self.finish(&mut node)
    }

    /// The shop opens, durably.
    fn begin(&mut self) -> Result<Stepped, String> {
        let (mut node, _) = self.machine.open().map_err(|error| format!("the first start: {error}"))?;
        self.listen(&node);
        for opening in [Workload::opening, Workload::opening_stock] {
            let command = opening(&mut self.workload);
            let request = self.workload.request(command);
            self.carry_out(&node, 0, request)?;
        }
        self.commit_all(&mut node)?;
        self.tell(&node, 100)?;
        Ok(node)
    }

    /// Notes what is published as durable.
    pub fn listen(&self, node: &Stepped) {
        let frames = Arc::clone(&self.frames);
        node.engine().on_durable(Box::new(move |durable| {
            frames.lock().unwrap_or_else(PoisonError::into_inner).insert(durable);
        }));
    }

    /// How a life ends: it is killed, the power goes, or it is stopped.
    fn end(&mut self, mut node: Stepped) -> Result<(), String> {
        let disk = self.machine.disk.clone();
        let engine = node.engine().clone();
        if let Some(failed) = engine.failed() {
            self.has_cause(&failed.to_string())?;
            // What was published before it failed may still leave.
            let told = self.tell(&node, 80);
            self.unless_powerless(told)?;
            let full = failed.to_string().contains(NO_SPACE);
            let what = if disk.is_off() {
                "deaths amid an operation of the disk"
            } else if full {
                "full disks that ended the node"
            } else {
                "failed writes and syncs"
            };
            self.tally.count(what);
        } else if !disk.is_off() && self.rng.percent(25) {
            match node.close() {
                Ok(()) => {
                    self.tell(&node, 100)?;
                    if !self.calls.is_empty() {
                        return Err("after a graceful stop somebody still waits".to_owned());
                    }
                    self.tally.count("graceful stops");
                }
                Err(failed) => self.has_cause(&failed.to_string())?,
            }
        }
        drop(node);
        self.die();
        if let Some(batch) = self.staged.take()
            && self.rng.percent(50)
        {
            self.database.commit(&batch)?;
            self.tally.count("transactions committed when the node was dead");
        }
        self.projection = Projection::new();
        if self.rng.percent(50) {
            disk.set_capacity(None);
        }
        Ok(())
    }

    /// The machine goes down, or the process alone: then what was written and not synced stays where it is, until
    /// the machine goes down later.
    pub fn die(&mut self) {
        let disk = self.machine.disk.clone();
        if self.rng.percent(60) {
            disk.crash(self.rng.next());
            self.tally.count("power cuts");
        } else {
            disk.kill();
            self.tally.count("kills");
        }
    }

    /// Everything comes to rest, and everything agrees.
    fn finish(&mut self, node: &mut Stepped) -> Result<(), String> {
        self.machine.disk.heal();
        self.machine.disk.set_capacity(None);
        node.sample_disk();
        self.commit_all(node)?;
        self.tell(node, 100)?;
        self.machine.clocks.pass(LONG, 0);
        while node.sweep() > 0 {}
        self.commit_all(node)?;
        let now = node.engine().now();
        self.twin.world.expire(now);
        node.look(|state| compare::all(state, &self.twin.world)).map_err(|why| format!("the twin: {why}"))?;
        self.database_catches_up(node)?;
        self.everything_holds(node)?;
        node.close().map_err(|failed| failed.to_string())?;
        self.mark(99, node);
        Ok(())
    }

    /// An error is none where the power has gone: nothing can be asked of that node any more.
    fn unless_powerless(&self, lived: Result<(), String>) -> Result<(), String> {
        lived.or_else(
            |why| if why.contains(NO_POWER) && self.machine.disk.is_off() { Ok(()) } else { Err(why) },
        )
    }

    /// A node ends for a reason that was put in its way, and says so.
    pub fn has_cause(&self, why: &str) -> Result<(), String> {
        let off = self.machine.disk.is_off() && why.contains(NO_POWER);
        let broken = self.armed && why.contains(BROKEN);
        let full = self.squeezed && why.contains(NO_SPACE);
        if off || broken || full { Ok(()) } else { Err(format!("the node has ended without a cause: {why}")) }
    }

    /// Into the trace goes what happened, and how everything stands after it.
    pub fn mark(&mut self, what: u64, node: &Stepped) {
        let (sequence, hash) = node.look(|state| (state.sequence(), state.hash()));
        let durable = node.engine().durable();
        for number in [what, sequence, hash, durable, self.database.sequence(), self.machine.disk.ops()] {
            self.trace = (self.trace ^ number).wrapping_mul(0x100_0000_01B3).rotate_left(17);
        }
    }

    /// The disk, for faults.
    pub const fn disk(&self) -> &FaultyDisk {
        &self.machine.disk
    }
}

/// What the disk says when the power is off, ...
pub const NO_POWER: &str = "the power is off";
/// ... when an operation is made to fail, ...
pub const BROKEN: &str = "other error";
/// ... and when it is full.
pub const NO_SPACE: &str = "no storage space";
