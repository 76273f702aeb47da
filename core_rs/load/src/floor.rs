//! The floors: what the machine itself costs. Nothing durable is faster than the sync, no lock than the stock
//! rule alone.

use std::fmt::Debug;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use lockstock_stock::command::{
    Adjustment, Command, Demand, DocumentKind, From, Live, Order, PutDocument, Request, Selection, Service,
    StockLine, Wanted, WarehouseState,
};
use lockstock_stock::event::{Event, Fingerprint};
use lockstock_stock::limits::Limits;
use lockstock_stock::machine::{Machine, Reply};
use lockstock_stock::state::State;
use rustix::fs::{FallocateFlags, Mode, OFlags};
use serde::Serialize;

use crate::Result;
use crate::ids::scatter;
use crate::pace::float;
use crate::record::{Latencies, Summary};

const BLOCK: usize = 4_096;
const SEGMENT_BYTES: u64 = 64 << 20;
/// Commands whose texts are made before the clock runs.
const CHUNK: u64 = 8_192;
const NOW: i64 = 1_700_000_000_000_000;

/// What a sync costs, by itself.
#[derive(Debug, Serialize)]
pub struct SyncFloor {
    /// Bytes of a record.
    pub record_bytes: usize,
    /// `pwrite` and `fdatasync`.
    pub fdatasync_us: Summary,
    /// A write to a file opened with `O_DIRECT` and `O_DSYNC`; absent where the file system has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct_us: Option<Summary>,
}

#[repr(align(4096))]
struct Block([u8; BLOCK]);

/// Appends records to a preallocated, zero-filled file, each synced, its tail block rewritten.
pub fn sync(directory: &Path, record_bytes: usize, seconds: f64) -> Result<SyncFloor> {
    let path = directory.join("floor.segment");
    let measure = |flags: OFlags| -> Result<Summary> {
        let file = std::fs::File::from(rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)?);
        let mut latencies = Latencies::new()?;
        let (mut at, began) = (0_usize, Instant::now());
        let mut block = Block([0; BLOCK]);
        let limit = Duration::from_secs_f64(seconds);
        while began.elapsed() < limit {
            let start = at % BLOCK;
            let end = (start + record_bytes).min(BLOCK);
            block.0[start..end].fill(0xa5);
            let place = u64::try_from(at - start)? % SEGMENT_BYTES;
            let before = Instant::now();
            file.write_all_at(&block.0, place)?;
            if !flags.contains(OFlags::DSYNC) {
                file.sync_data()?;
            }
            latencies.record(u64::try_from(before.elapsed().as_nanos())?);
            at += record_bytes;
            if at % BLOCK < record_bytes {
                at = at.next_multiple_of(BLOCK);
                block.0.fill(0);
            }
        }
        Ok(latencies.summary())
    };
    prepare(&path)?;
    let plain = measure(OFlags::WRONLY);
    let direct = measure(OFlags::WRONLY | OFlags::DIRECT | OFlags::DSYNC);
    std::fs::remove_file(&path)?;
    Ok(SyncFloor { record_bytes, fdatasync_us: plain?, direct_us: direct.ok() })
}

/// Zeros written, not only reserved: the first write to a reserved extent is another cost.
fn prepare(path: &Path) -> Result<()> {
    let file = std::fs::File::create(path)?;
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, SEGMENT_BYTES)?;
    let zeros = vec![0; 1 << 20];
    for place in (0..SEGMENT_BYTES).step_by(zeros.len()) {
        file.write_all_at(&zeros, place)?;
    }
    file.sync_all()?;
    Ok(())
}

/// What the stock rule costs, by itself.
#[derive(Debug, Serialize)]
pub struct LockFloor {
    /// Commands of each kind.
    pub commands: u64,
    /// Locks a second.
    pub locks: f64,
    /// Deducts a second.
    pub deducts: f64,
}

/// Locks, then deducts, so many times, in memory: no bytes, no journal, no thread.
pub fn lock(commands: u64, skus: u64) -> Result<LockFloor> {
    let mut machine = shop(skus)?;
    let mut run = |deduct: bool| -> Result<f64> {
        let mut spent = Duration::ZERO;
        let mut events = Vec::with_capacity(usize::try_from(CHUNK)?);
        for first in (0..commands).step_by(usize::try_from(CHUNK)?) {
            let last = commands.min(first + CHUNK);
            let texts: Vec<(u64, String, String)> = (first..last)
                .map(|number| (number, format!("r-{number:012}"), sku(scatter(number) % skus)))
                .collect();
            let requests: Vec<Request<'_>> = texts
                .iter()
                .map(|(number, reservation, sku)| {
                    let command = if deduct { paid(reservation) } else { wanted(reservation, sku) };
                    request(*number + u64::from(deduct) * commands, command)
                })
                .collect();
            let began = Instant::now();
            for mut request in requests {
                done(machine.step(&mut request, NOW, &mut events))?;
            }
            spent += began.elapsed();
            events.clear();
        }
        Ok(float(commands) / spent.as_secs_f64())
    };
    Ok(LockFloor { commands, locks: run(false)?, deducts: run(true)? })
}

fn shop(skus: u64) -> Result<Machine> {
    let mut machine = Machine::new(State::default(), Limits::default());
    let mut events: Vec<Event> = Vec::new();
    let ids: Vec<String> = (0..skus).map(sku).collect();
    let document = |kind, id, live| PutDocument { kind, id, expected_version: None, live, body: b"" };
    let mut documents = vec![
        document(DocumentKind::Region, "CN", Live::Nothing),
        document(
            DocumentKind::Warehouse,
            "WH",
            Live::Warehouse { state: WarehouseState::Active, skus: Vec::new(), categories: Vec::new() },
        ),
        document(DocumentKind::RoutePlan, "CN", Live::RoutePlan { warehouses: vec!["WH"] }),
    ];
    documents.extend(
        ids.iter().map(|id| document(DocumentKind::Sku, id, Live::Sku { category: "", policy: None })),
    );
    done(machine.step(&mut request(1 << 41, Command::PutDocuments { documents }), NOW, &mut events))?;
    for (number, chunk) in (0_u64..).zip(ids.chunks(1_000)) {
        let lines =
            chunk.iter().map(|sku| StockLine { sku, warehouse: "WH", quantity: 1_000_000_000 }).collect();
        let command = Command::Adjust { adjustment: Adjustment::OtherReceipt, lines };
        done(machine.step(&mut request((1 << 40) + number, command), NOW, &mut events))?;
    }
    Ok(machine)
}

fn sku(number: u64) -> String {
    format!("SKU-{number:07}")
}

fn wanted<'a>(reservation: &'a str, sku: &'a str) -> Command<'a> {
    let demand = Demand {
        lines: [Wanted { sku, quantity: 1, pool: "" }].into(),
        from: From::Region("CN"),
        max_parcels: 0,
        allow_partial: false,
    };
    Command::Lock { order: Order { reservation, demand, channel: "", buyer: 0, attributes: b"" }, hold: None }
}

fn paid(reservation: &str) -> Command<'_> {
    Command::Deduct(Selection { reservation, warehouse: "", parts: Vec::new() })
}

fn request(number: u64, command: Command<'_>) -> Request<'_> {
    let millis = u128::from(NOW.unsigned_abs() / 1_000);
    let key = (millis << 80) | (7 << 76) | (2 << 62) | (u128::from(number) + 1);
    let fingerprint = Fingerprint { digest: number, fields: vec![(0, 1)] };
    Request { service: Service::Stock, key, fingerprint, reason: "", document: "", command }
}

fn done<A: Debug>(reply: Reply<A>) -> Result<()> {
    match reply {
        Reply::Done(_) => Ok(()),
        other => Err(format!("the floor was refused: {other:?}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_locks_and_deducts_all_it_says() {
        let floor = lock(20_000, 10).unwrap();
        assert_eq!(floor.commands, 20_000);
        assert!(floor.locks > 0.0 && floor.deducts > 0.0);
    }

    #[test]
    fn a_sync_of_the_floor_takes_time_and_leaves_no_file() {
        let directory = std::env::temp_dir();
        let floor = sync(&directory, 100, 0.02).unwrap();
        assert!(floor.fdatasync_us.calls > 0 && floor.fdatasync_us.p50 > 0.0);
        assert!(!directory.join("floor.segment").exists());
    }
}
