//! What an operator sets of a node.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lockstock_journal::Durability;
use lockstock_stock::ids::Sequence;
use lockstock_stock::limits::Limits;
use serde::{Deserialize, Serialize};

/// The settings of one node. As JSON, every field but `data_dir` may be left out; an unknown one is an error.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where journal, snapshots, lock and key live.
    pub data_dir: PathBuf,
    /// The limits of the state machine; times are in microseconds and end in `_us` in JSON.
    #[serde(default, with = "limits_form")]
    pub limits: Limits,
    /// `"sync"`: acknowledged is durable. `"async"`: a crash of the machine may lose what was acknowledged, and
    /// what was projected: the database must then be built again.
    #[serde(default = "sync", with = "durability_form")]
    pub durability: Durability,
    /// The size of a journal segment, in bytes.
    #[serde(default = "segment_bytes")]
    pub segment_bytes: u64,
    /// The most records (and commands that wait for the lock) in flight: not yet durable.
    #[serde(default = "in_flight_records_max")]
    pub in_flight_records_max: u64,
    /// The most bytes of records in flight.
    #[serde(default = "in_flight_bytes_max")]
    pub in_flight_bytes_max: u64,
    /// New promises are refused while less of the disk than this is free, in bytes.
    #[serde(default = "disk_floor_bytes")]
    pub disk_floor_bytes: u64,
    /// How often due deadlines are looked for when nobody calls, in milliseconds.
    #[serde(default = "sweep_interval_ms")]
    pub sweep_interval_ms: u64,
    /// A snapshot is written after so many bytes of journal.
    #[serde(default = "snapshot_every_bytes")]
    pub snapshot_every_bytes: u64,
    /// What the database has: the journal must reach at least so far, and up to here nothing can be torn.
    #[serde(default)]
    pub proved_by_database: Sequence,
}

const fn sync() -> Durability {
    Durability::Sync
}

const fn segment_bytes() -> u64 {
    64 << 20
}

const fn in_flight_records_max() -> u64 {
    65_536
}

const fn in_flight_bytes_max() -> u64 {
    16 << 20
}

const fn disk_floor_bytes() -> u64 {
    1 << 30
}

const fn sweep_interval_ms() -> u64 {
    100
}

const fn snapshot_every_bytes() -> u64 {
    256 << 20
}

impl Config {
    /// The defaults for a data directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            limits: Limits::default(),
            durability: sync(),
            segment_bytes: segment_bytes(),
            in_flight_records_max: in_flight_records_max(),
            in_flight_bytes_max: in_flight_bytes_max(),
            disk_floor_bytes: disk_floor_bytes(),
            sweep_interval_ms: sweep_interval_ms(),
            snapshot_every_bytes: snapshot_every_bytes(),
            proved_by_database: 0,
        }
    }

    /// How often due deadlines are looked for when nobody calls.
    #[must_use]
    pub const fn sweep_interval(&self) -> Duration {
        Duration::from_millis(self.sweep_interval_ms)
    }

    /// The places inside the data directory.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout::of(&self.data_dir)
    }

    /// Settings that no node can run under, as a sentence.
    pub(crate) fn check(&self) -> Result<(), String> {
        let positive = [
            ("in_flight_records_max", self.in_flight_records_max),
            ("in_flight_bytes_max", self.in_flight_bytes_max),
            ("sweep_interval_ms", self.sweep_interval_ms),
            ("snapshot_every_bytes", self.snapshot_every_bytes),
        ];
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(format!("{name} must be above zero")),
            None => Ok(()),
        }
    }
}

/// The places inside a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The directory itself; `LOCK` is in it.
    pub data: PathBuf,
    /// Segments.
    pub journal: PathBuf,
    /// Snapshots.
    pub snapshots: PathBuf,
    /// 32 random bytes: the key of the buyers' hashes.
    pub buyer_key: PathBuf,
}

impl Layout {
    /// Of a data directory.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            journal: data.join("journal"),
            snapshots: data.join("snapshots"),
            buyer_key: data.join("buyer.key"),
        }
    }
}

mod durability_form {
    use lockstock_journal::Durability;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(durability: &Durability, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(super::durability_name(*durability))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Durability, D::Error> {
        match String::deserialize(input)?.as_str() {
            "sync" => Ok(Durability::Sync),
            "async" => Ok(Durability::Async),
            other => Err(D::Error::custom(format!("durability is \"sync\" or \"async\", not {other:?}"))),
        }
    }
}

/// The name of a durability in settings and status.
pub(crate) const fn durability_name(durability: Durability) -> &'static str {
    match durability {
        Durability::Sync => "sync",
        Durability::Async => "async",
    }
}

/// [`Limits`] as JSON. The pure crate knows nothing of serialisation.
mod limits_form {
    use lockstock_stock::ids::Micros;
    use lockstock_stock::limits::Limits;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Form {
        hold_default_us: Micros,
        hold_max_us: Micros,
        extensions_max: u32,
        lock_lifetime_max_us: Micros,
        key_retention_us: Micros,
        keys_max: usize,
    }

    impl Default for Form {
        fn default() -> Self {
            Self::of(&Limits::default())
        }
    }

    impl Form {
        const fn of(limits: &Limits) -> Self {
            Self {
                hold_default_us: limits.hold_default,
                hold_max_us: limits.hold_max,
                extensions_max: limits.extensions_max,
                lock_lifetime_max_us: limits.lock_lifetime_max,
                key_retention_us: limits.key_retention,
                keys_max: limits.keys_max,
            }
        }
    }

    pub fn serialize<S: Serializer>(limits: &Limits, out: S) -> Result<S::Ok, S::Error> {
        Form::of(limits).serialize(out)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Limits, D::Error> {
        let form = Form::deserialize(input)?;
        Ok(Limits {
            hold_default: form.hold_default_us,
            hold_max: form.hold_max_us,
            extensions_max: form.extensions_max,
            lock_lifetime_max: form.lock_lifetime_max_us,
            key_retention: form.key_retention_us,
            keys_max: form.keys_max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_left_out_are_the_defaults() {
        let config: Config = serde_json::from_str(r#"{"data_dir": "data"}"#).unwrap();
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.segment_bytes, 64 << 20);
        assert!(matches!(config.durability, Durability::Sync));
    }

    #[test]
    fn settings_survive_a_round_trip() {
        let mut config = Config::new("somewhere");
        config.limits.hold_default = 5_000_000;
        config.limits.keys_max = 7;
        config.durability = Durability::Async;
        let text = serde_json::to_string(&config).unwrap();
        let again: Config = serde_json::from_str(&text).unwrap();
        assert_eq!(again.limits, config.limits);
        assert!(matches!(again.durability, Durability::Async));
        assert!(text.contains("\"hold_default_us\":5000000"));
    }

    #[test]
    fn an_unknown_setting_is_an_error_and_so_is_an_unknown_durability() {
        for text in [
            r#"{"data_dir": "data", "segment_byte": 1}"#,
            r#"{"data_dir": "data", "limits": {"hold_default": 1}}"#,
            r#"{"data_dir": "data", "durability": "maybe"}"#,
        ] {
            assert!(serde_json::from_str::<Config>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_bound_of_zero_is_refused() {
        let mut config = Config::new("data");
        config.in_flight_records_max = 0;
        assert_eq!(config.check().unwrap_err(), "in_flight_records_max must be above zero");
    }
}
