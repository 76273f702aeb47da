//! What the runs have met: so that nothing found is not nothing looked for.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by what is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<&'static str, u64>);

/// Everything that runs are expected to meet.
pub const MET: &[&str] = &[
    "operations",
    "answers",
    "repeated answers",
    "reused keys",
    "refusals",
    "reads",
    "kills",
    "power cuts",
    "deaths amid an operation of the disk",
    "deaths amid a recovery",
    "graceful stops",
    "failed writes and syncs",
    "full disks that ended the node",
    "refused while the disk was low",
    "granted while the disk was low",
    "locks granted when the disk was free again",
    "refused by admission",
    "torn tails",
    "recoveries",
    "recoveries from a snapshot",
    "unanswered that had taken effect",
    "unanswered that were lost",
    "snapshots",
    "clock steps",
    "restarts under a stepped clock",
    "transactions",
    "transactions rolled back",
    "transactions committed when the node was dead",
    "bits flipped",
    "flips refused with segment and offset",
    "flips refused because the database or a snapshot proves more",
    "flips in a last batch that nothing proves",
    "flips in a snapshot",
    "flips that change nothing",
];

impl Tally {
    /// One more.
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// So many more.
    pub fn add(&mut self, what: &'static str, many: u64) {
        *self.0.entry(what).or_default() += many;
    }

    /// How many.
    pub fn of(&self, what: &'static str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// Those of another run as well.
    pub fn join(&mut self, other: &Self) {
        for (what, many) in &other.0 {
            self.add(what, *many);
        }
    }

    /// What was expected and not met.
    pub fn missing(&self) -> Vec<&'static str> {
        MET.iter().filter(|what| self.of(what) == 0).copied().collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(what, many)| writeln!(out, "{many:>10}  {what}"))
    }
}
