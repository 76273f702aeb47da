//! What a phase came to.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::Result;
use crate::pace::{Nanos, float};
use crate::process::Usage;
use crate::spec::Kind;

const LATENCY_MAX: Nanos = 600_000_000_000;

/// Latencies, to three digits.
#[derive(Debug)]
pub struct Latencies(Histogram<u64>);

/// Their summary, in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Calls.
    pub calls: u64,
    /// Mean.
    pub mean: f64,
    /// Half of the calls were at most this late.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// 99.99 %.
    pub p9999: f64,
    /// The latest.
    pub max: f64,
}

impl Latencies {
    /// None yet.
    pub fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LATENCY_MAX, 3)?))
    }

    /// One more; what is later than ten minutes counts as ten minutes.
    pub fn record(&mut self, latency: Nanos) {
        self.0.saturating_record(latency.max(1));
    }

    /// The summary.
    pub fn summary(&self) -> Summary {
        let at = |quantile: f64| float(self.0.value_at_quantile(quantile)) / 1e3;
        Summary {
            calls: self.0.len(),
            mean: self.0.mean() / 1e3,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: float(self.0.max()) / 1e3,
        }
    }
}

/// What a phase came to.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The phase.
    pub work: &'static str,
    /// How long it was measured.
    pub seconds: f64,
    /// Commands that were sent meanwhile.
    pub sent: u64,
    /// Commands that were answered meanwhile.
    pub commands: u64,
    /// Commands answered in all, warm-up and run-out included: so many reservations there are.
    pub commands_in_all: u64,
    /// So many of them have the numbers from 0 on without a gap: that much can be deducted.
    #[serde(skip)]
    pub without_gap: u64,
    /// Commands a second.
    pub rate: f64,
    /// Of calls, in microseconds; from the planned time, where there is a plan.
    pub latency_us: Summary,
    /// How late calls left the generator, where there is a plan: late itself, or for want of a free place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_late_us: Option<Summary>,
    /// The server's processor time a command.
    pub server_cpu_us: f64,
    /// The server's processor time a second: 1 is one core.
    pub server_cores: f64,
    /// The generator's own processor time a command.
    pub load_cpu_us: f64,
    /// The server's memory at the beginning and at the end.
    pub resident_bytes: [u64; 2],
}

/// What was counted between two readings.
pub struct Counted {
    pub kind: Kind,
    pub seconds: f64,
    pub sent: u64,
    pub commands: u64,
    pub commands_in_all: u64,
    pub without_gap: u64,
    pub server: [Usage; 2],
    pub load: [Usage; 2],
}

impl Outcome {
    /// From what was counted.
    pub fn new(counted: &Counted, latencies: &Latencies, late: Option<&Latencies>) -> Self {
        let each =
            |usage: [Usage; 2]| (usage[1].cpu_seconds - usage[0].cpu_seconds) * 1e6 / float(counted.commands);
        Self {
            work: match counted.kind {
                Kind::Lock => "lock",
                Kind::Deduct => "deduct",
                Kind::Place => "place",
                Kind::Receive => "receive",
                Kind::Issue => "issue",
            },
            seconds: counted.seconds,
            sent: counted.sent,
            commands: counted.commands,
            commands_in_all: counted.commands_in_all,
            without_gap: counted.without_gap,
            rate: float(counted.commands) / counted.seconds,
            latency_us: latencies.summary(),
            sent_late_us: late.map(Latencies::summary),
            server_cpu_us: each(counted.server),
            server_cores: (counted.server[1].cpu_seconds - counted.server[0].cpu_seconds) / counted.seconds,
            load_cpu_us: each(counted.load),
            resident_bytes: counted.server.map(|usage| usage.resident_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut latencies = Latencies::new().unwrap();
        for micros in 1..=1_000_u64 {
            latencies.record(micros * 1_000);
        }
        let summary = latencies.summary();
        assert_eq!(summary.calls, 1_000);
        assert!((summary.p50 - 500.0).abs() < 1.0, "{summary:?}");
        assert!((summary.p999 - 999.0).abs() < 1.0, "{summary:?}");
        assert!((summary.max - 1_000.0).abs() < 1.0, "{summary:?}");
    }

    #[test]
    fn a_latency_beyond_all_bounds_counts_as_the_latest() {
        let mut latencies = Latencies::new().unwrap();
        latencies.record(Nanos::MAX);
        assert!(latencies.summary().max >= 599e6);
    }

    #[test]
    fn processor_time_is_divided_by_the_commands_of_the_same_window() {
        let usage = |cpu_seconds, resident_bytes| Usage { cpu_seconds, resident_bytes };
        let counted = Counted {
            kind: Kind::Lock,
            seconds: 2.0,
            sent: 1_200_000,
            commands: 1_000_000,
            commands_in_all: 1_500_000,
            without_gap: 1_500_000,
            server: [usage(1.0, 10), usage(3.0, 20)],
            load: [usage(0.0, 0), usage(0.5, 0)],
        };
        let outcome = Outcome::new(&counted, &Latencies::new().unwrap(), None);
        assert!((outcome.server_cpu_us - 2.0).abs() < 1e-9);
        assert!((outcome.server_cores - 1.0).abs() < 1e-9);
        assert!((outcome.load_cpu_us - 0.5).abs() < 1e-9);
        assert!((outcome.rate - 500_000.0).abs() < 1e-6);
        assert_eq!(outcome.resident_bytes, [10, 20]);
    }
}
