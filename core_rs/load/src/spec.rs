//! What to load, with what, for how long: one JSON object from whoever orchestrates.

use serde::Deserialize;

/// Which protocol a target speaks, and in what calls commands travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// gRPC, one command a call.
    Unary,
    /// gRPC, `ExecuteBatch` of `batch` commands.
    Batch,
    /// gRPC, `Execute` streams that stay open; one command a message.
    Stream,
    /// Redis: one script a command, `batch` of them written together.
    Redis,
    /// `PostgreSQL`: one prepared call of a function a command, each its own transaction.
    Postgres,
}

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Lock `lines` units under a new reservation.
    Lock,
    /// Deduct what a reservation of the lock phase before holds.
    Deduct,
    /// Place an order of `lines` lines.
    Place,
    /// Goods come in, `lines` rows of (SKU, warehouse) a command.
    Receive,
    /// Goods go out, by the same rows.
    Issue,
}

/// A run: its phases go one after the other, over new connections each.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// `host:port`, or `unix:` and a path.
    pub address: String,
    /// How commands travel.
    pub carrier: Carrier,
    /// The phases.
    pub work: Vec<Kind>,
    /// The target sends back what it was sent: that is what is checked then.
    #[serde(default)]
    pub echo: bool,
    /// Connections.
    #[serde(default = "one")]
    pub connections: usize,
    /// Streams a connection, with the carrier `stream`.
    #[serde(default = "one")]
    pub streams: usize,
    /// Calls in flight on each connection (on each stream, with the carrier `stream`).
    #[serde(default = "one")]
    pub in_flight: usize,
    /// Commands a call.
    #[serde(default = "one")]
    pub batch: usize,
    /// Lines an order, or rows a command of `receive` and `issue`.
    #[serde(default = "one")]
    pub lines: usize,
    /// Over so many SKUs.
    #[serde(default = "one")]
    pub skus: usize,
    /// Units a line.
    #[serde(default = "one")]
    pub quantity: usize,
    /// For `receive` and `issue`: the first warehouse ...
    #[serde(default)]
    pub warehouse_first: usize,
    /// ... and how many.
    #[serde(default = "one")]
    pub warehouses: usize,
    /// The region of every lock.
    #[serde(default)]
    pub region: String,
    /// What reservations are called: no two runs against one server may use the same.
    pub tag: String,
    /// What carries a command, by kind: the digests of the scripts (Redis).
    #[serde(default)]
    pub scripts: Vec<String>,
    /// The user and the database (`PostgreSQL`).
    #[serde(default)]
    pub user: String,
    /// The database.
    #[serde(default)]
    pub database: String,
    /// Measured, after the warm-up.
    #[serde(default)]
    pub seconds: f64,
    /// Not measured.
    #[serde(default)]
    pub warm_up_seconds: f64,
    /// Instead of a time: exactly so many commands, all measured.
    #[serde(default)]
    pub commands: Option<u64>,
    /// Open loop: calls planned a second. Without it a closed loop.
    #[serde(default)]
    pub rate: Option<f64>,
    /// The server's process ...
    pub pid: u32,
    /// ... and the processes under it.
    #[serde(default)]
    pub with_children: bool,
    /// The core the generator stays on.
    #[serde(default)]
    pub cpu: Option<usize>,
    /// Others work on that core too: the generator sleeps until its next call is due, where it otherwise would spin.
    #[serde(default)]
    pub shares_core: bool,
}

const fn one() -> usize {
    1
}

impl Spec {
    /// What cannot be run, said before it is tried.
    pub fn check(&self) -> Result<(), String> {
        let counts = [self.connections, self.streams, self.in_flight, self.batch, self.lines, self.skus];
        if counts.contains(&0) || self.warehouses == 0 || self.quantity == 0 {
            return Err("counts are at least 1".to_owned());
        }
        if self.batch > 1 && matches!(self.carrier, Carrier::Unary | Carrier::Stream) {
            return Err("only batches, Redis and PostgreSQL take more than one command a call".to_owned());
        }
        if self.streams > 1 && self.carrier != Carrier::Stream {
            return Err("only the carrier `stream` has streams".to_owned());
        }
        if self.commands.is_some() == (self.seconds > 0.0) {
            return Err("a run has either a number of commands or a time".to_owned());
        }
        if self.skus > 10_000_000 || self.warehouse_first + self.warehouses > 100_000 || self.tag.len() > 32 {
            return Err("at most 10,000,000 SKUs, 100,000 warehouses, 32 bytes of tag".to_owned());
        }
        if self.carrier == Carrier::Redis && self.scripts.len() < self.work.len() {
            return Err("a script for each phase is needed".to_owned());
        }
        if self.rate.is_some_and(|rate| rate.is_nan() || rate <= 0.0) {
            return Err("a rate is above zero".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Spec;

    fn spec(more: &str) -> Result<(), String> {
        let text = format!(r#"{{"address":"a:1","work":["lock"],"tag":"t","pid":1,{more}}}"#);
        serde_json::from_str::<Spec>(&text).map_err(|error| error.to_string())?.check()
    }

    #[test]
    fn a_run_has_a_time_or_a_number_of_commands() {
        assert_eq!(spec(r#""carrier":"unary","seconds":1.0"#), Ok(()));
        assert_eq!(spec(r#""carrier":"unary","commands":5"#), Ok(()));
        assert!(spec(r#""carrier":"unary""#).is_err());
        assert!(spec(r#""carrier":"unary","seconds":1.0,"commands":5"#).is_err());
    }

    #[test]
    fn a_unary_call_carries_one_command() {
        assert!(spec(r#""carrier":"unary","seconds":1.0,"batch":2"#).is_err());
        assert_eq!(spec(r#""carrier":"batch","seconds":1.0,"batch":2"#), Ok(()));
    }

    #[test]
    fn a_word_that_is_not_known_is_refused() {
        assert!(spec(r#""carrier":"unary","seconds":1.0,"sku":2"#).is_err());
    }
}
