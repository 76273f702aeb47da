//! What the engine counts, as plain data. Names, kinds and help stand in one table.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use lockstock_stock::event::{Operation, Outcome};
use lockstock_stock::refusal::Reason;
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use crate::status::Status;

/// Places for operations and outcomes: their numbers are below these.
const OPERATIONS: usize = 128;
const OUTCOMES: usize = 8;

/// Buckets of times, in microseconds.
const TIMES: &[u64] = &[10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 1_000_000];
/// Buckets of counts of records.
const RECORDS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096, 16_384];
/// Buckets of sizes, in bytes.
const BYTES: &[u64] = &[256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20];

/// A histogram of whole numbers.
pub(crate) struct Histogram {
    bounds: &'static [u64],
    /// One more than bounds: the rest.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
    /// What a whole number is divided by in the report: times are kept in microseconds, told in seconds.
    unit: f64,
}

impl Histogram {
    fn new(bounds: &'static [u64], unit: f64) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, sum: AtomicU64::new(0), unit }
    }

    pub fn observe(&self, value: u64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub fn observe_since(&self, begun: Instant) {
        self.observe(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
    }

    fn value(&self) -> Value {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(self.buckets.len());
        for (at, bucket) in self.buckets.iter().enumerate() {
            count += bucket.load(Ordering::Relaxed);
            let bound = self.bounds.get(at).map_or(f64::INFINITY, |bound| number(*bound) / self.unit);
            buckets.push((bound, count));
        }
        Value::Histogram { buckets, sum: number(self.sum.load(Ordering::Relaxed)) / self.unit, count }
    }
}

/// A count as a floating-point number, as Prometheus has it; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers by their format")]
const fn number(value: u64) -> f64 {
    value as f64
}

/// Everything that is counted while the engine runs.
pub(crate) struct Meters {
    operations: Box<[AtomicU64]>,
    refusals: Box<[AtomicU64]>,
    pub hold: Histogram,
    pub sync: Histogram,
    pub batch_records: Histogram,
    pub batch_bytes: Histogram,
    pub swept: AtomicU64,
    pub repeated: AtomicU64,
    pub checkpoints: AtomicU64,
    pub snapshots: AtomicU64,
    pub snapshot_failures: AtomicU64,
    pub disk_sample_failures: AtomicU64,
}

impl Default for Meters {
    fn default() -> Self {
        let zeros = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            operations: zeros(OPERATIONS * OUTCOMES),
            refusals: zeros(Reason::ALL.len()),
            hold: Histogram::new(TIMES, 1e6),
            sync: Histogram::new(TIMES, 1e6),
            batch_records: Histogram::new(RECORDS, 1.0),
            batch_bytes: Histogram::new(BYTES, 1.0),
            swept: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
            snapshots: AtomicU64::new(0),
            snapshot_failures: AtomicU64::new(0),
            disk_sample_failures: AtomicU64::new(0),
        }
    }
}

impl Meters {
    pub fn operation(&self, operation: Operation, outcome: Outcome) {
        if let Some(count) = self.operations.get(operation as usize * OUTCOMES + outcome as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn refusal(&self, reason: Reason) {
        if let Some(count) = Reason::ALL.binary_search(&reason).ok().and_then(|at| self.refusals.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn operation_samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for operation in Operation::ALL {
            for outcome in Outcome::ALL {
                let at = *operation as usize * OUTCOMES + *outcome as usize;
                let count = self.operations.get(at).map_or(0, |count| count.load(Ordering::Relaxed));
                if count > 0 {
                    let labels = vec![("operation", operation.name()), ("outcome", outcome.name())];
                    samples.push(Sample { labels, value: Value::Number(number(count)) });
                }
            }
        }
        samples
    }

    fn refusal_samples(&self) -> Vec<Sample> {
        let counted = Reason::ALL.iter().zip(&self.refusals);
        counted
            .map(|(reason, count)| (reason, count.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
            .map(|(reason, count)| Sample {
                labels: vec![("reason", reason.name())],
                value: Value::Number(number(count)),
            })
            .collect()
    }
}

/// What kind of metric, in the words of Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by buckets.
    Histogram,
}

/// One value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Histogram {
        /// (upper bound, how many at or below it); the last bound is infinite.
        buckets: Vec<(f64, u64)>,
        /// The sum of all observed.
        sum: f64,
        /// How many were observed.
        count: u64,
    },
}

/// A value with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Names and values.
    pub labels: Vec<(&'static str, &'static str)>,
    /// The value.
    pub value: Value,
}

/// A metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// What it means, with its unit.
    pub help: &'static str,
    /// Its values; none for a counter by labels that has not counted.
    pub samples: Vec<Sample>,
}

/// All metrics of an engine. As JSON a list of `[name, kind, help, [[labels, value], ...]]`; the value of a
/// histogram is `{"buckets": [[bound or null for infinity, cumulative count], ...], "sum": s, "count": n}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics(pub Vec<Family>);

type Read = fn(&Meters, &Status) -> Vec<Sample>;

fn plain(value: Value) -> Vec<Sample> {
    vec![Sample { labels: Vec::new(), value }]
}

fn count(counter: &AtomicU64) -> Vec<Sample> {
    plain(Value::Number(number(counter.load(Ordering::Relaxed))))
}

fn gauge(value: u64) -> Vec<Sample> {
    plain(Value::Number(number(value)))
}

/// The metrics: name, kind, help, and how it is read.
#[rustfmt::skip]
const FAMILIES: &[(&str, Kind, &str, Read)] = &[
    ("lockstock_operations_total", Kind::Counter, "Events journalled, by operation and outcome.", |meters, _| meters.operation_samples()),
    ("lockstock_refusals_total", Kind::Counter, "Commands refused, by reason.", |meters, _| meters.refusal_samples()),
    ("lockstock_repeated_total", Kind::Counter, "Commands whose request id was known.", |meters, _| count(&meters.repeated)),
    ("lockstock_swept_total", Kind::Counter, "Locks that were swept after their deadline.", |meters, _| count(&meters.swept)),
    ("lockstock_checkpoints_total", Kind::Counter, "State hashes journalled.", |meters, _| count(&meters.checkpoints)),
    ("lockstock_snapshots_total", Kind::Counter, "Snapshots written.", |meters, _| count(&meters.snapshots)),
    ("lockstock_snapshot_failures_total", Kind::Counter, "Snapshots that could not be written.", |meters, _| count(&meters.snapshot_failures)),
    ("lockstock_disk_sample_failures_total", Kind::Counter, "Samples of the free disk that failed.", |meters, _| count(&meters.disk_sample_failures)),
    ("lockstock_journal_bytes_total", Kind::Counter, "Bytes of records made durable since the start.", |_, status| gauge(status.journal_bytes)),
    ("lockstock_clock_steps_total", Kind::Counter, "Steps of the system's clock, which are not followed.", |_, status| gauge(status.clock_steps)),
    ("lockstock_hold_seconds", Kind::Histogram, "How long the engine's lock was held.", |meters, _| plain(meters.hold.value())),
    ("lockstock_sync_seconds", Kind::Histogram, "How long a batch took to be durable.", |meters, _| plain(meters.sync.value())),
    ("lockstock_batch_records", Kind::Histogram, "Records a batch.", |meters, _| plain(meters.batch_records.value())),
    ("lockstock_batch_bytes", Kind::Histogram, "Bytes a batch.", |meters, _| plain(meters.batch_bytes.value())),
    ("lockstock_sequence", Kind::Gauge, "The last sequence applied.", |_, status| gauge(status.sequence)),
    ("lockstock_durable_sequence", Kind::Gauge, "The last sequence that is durable.", |_, status| gauge(status.durable_sequence)),
    ("lockstock_snapshot_sequence", Kind::Gauge, "The sequence of the newest snapshot.", |_, status| gauge(status.snapshot_sequence)),
    ("lockstock_in_flight_records", Kind::Gauge, "Records applied and not durable, and commands that wait for the lock.", |_, status| gauge(status.in_flight)),
    ("lockstock_in_flight_bytes", Kind::Gauge, "Bytes of records applied and not durable.", |_, status| gauge(status.in_flight_bytes)),
    ("lockstock_waiting_commands", Kind::Gauge, "Commands let in that have not had the lock yet.", |_, status| gauge(status.waiting)),
    ("lockstock_disk_free_bytes", Kind::Gauge, "Free disk, as last sampled.", |_, status| gauge(status.disk_free_bytes)),
    ("lockstock_open_locks", Kind::Gauge, "Reservations with locked units.", |_, status| gauge(status.open_locks)),
    ("lockstock_reservations", Kind::Gauge, "Reservations known.", |_, status| gauge(status.reservations)),
    ("lockstock_skus", Kind::Gauge, "SKUs known.", |_, status| gauge(status.skus)),
    ("lockstock_request_ids", Kind::Gauge, "Request ids remembered.", |_, status| gauge(status.known_keys)),
    ("lockstock_ready", Kind::Gauge, "1 while commands are taken and nothing has failed.", |_, status| gauge(u64::from(status.ready))),
];

/// Name, kind and help of every metric, for the docs.
#[must_use]
pub fn catalogue() -> Vec<(&'static str, Kind, &'static str)> {
    FAMILIES.iter().map(|(name, kind, help, _)| (*name, *kind, *help)).collect()
}

impl Metrics {
    pub(crate) fn read(meters: &Meters, status: &Status) -> Self {
        let family = |(name, kind, help, read): &(&'static str, Kind, &'static str, Read)| Family {
            name,
            kind: *kind,
            help,
            samples: read(meters, status),
        };
        Self(FAMILIES.iter().map(family).collect())
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut list = out.serialize_seq(Some(self.0.len()))?;
        for family in &self.0 {
            list.serialize_element(&(family.name, family.kind, family.help, &family.samples))?;
        }
        list.end()
    }
}

impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let labels: std::collections::BTreeMap<_, _> = self.labels.iter().copied().collect();
        (labels, &self.value).serialize(out)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(value) => out.serialize_f64(*value),
            Self::Histogram { buckets, sum, count } => {
                let mut map = out.serialize_map(Some(3))?;
                map.serialize_entry("buckets", buckets)?;
                map.serialize_entry("sum", sum)?;
                map.serialize_entry("count", count)?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_cumulatively_and_in_its_unit() {
        let histogram = Histogram::new(&[10, 100], 10.0);
        for value in [1, 10, 11, 1_000] {
            histogram.observe(value);
        }
        let expected =
            Value::Histogram { buckets: vec![(1.0, 2), (10.0, 3), (f64::INFINITY, 4)], sum: 102.2, count: 4 };
        assert_eq!(histogram.value(), expected);
        let text = serde_json::to_string(&expected).unwrap();
        assert_eq!(text, r#"{"buckets":[[1.0,2],[10.0,3],[null,4]],"sum":102.2,"count":4}"#);
    }

    #[test]
    fn operations_and_refusals_are_counted_by_name() {
        let meters = Meters::default();
        meters.operation(Operation::Checkpoint, Outcome::Done);
        meters.operation(Operation::Deduct, Outcome::ExpiredSoldOut);
        meters.operation(Operation::Deduct, Outcome::ExpiredSoldOut);
        for reason in Reason::ALL {
            meters.refusal(*reason);
        }
        let samples = meters.operation_samples();
        assert_eq!(samples[0].labels, [("operation", "DEDUCT"), ("outcome", "EXPIRED_SOLD_OUT")]);
        assert_eq!(samples[0].value, Value::Number(2.0));
        assert_eq!(samples[1].labels[0], ("operation", "CHECKPOINT"));
        assert!(meters.refusal_samples().iter().all(|sample| sample.value == Value::Number(1.0)));
        assert_eq!(meters.refusal_samples().len(), Reason::ALL.len());
    }

    #[test]
    fn every_number_of_an_operation_and_an_outcome_has_its_place() {
        assert!(Operation::ALL.iter().all(|operation| (*operation as usize) < OPERATIONS));
        assert!(Outcome::ALL.iter().all(|outcome| (*outcome as usize) < OUTCOMES));
    }

    #[test]
    fn names_are_unique_and_counters_end_in_total() {
        let names: std::collections::BTreeSet<_> = catalogue().iter().map(|(name, ..)| *name).collect();
        assert_eq!(names.len(), FAMILIES.len());
        for (name, kind, _) in catalogue() {
            assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
        }
    }
}
