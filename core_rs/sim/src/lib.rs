//! The whole node in one seeded thread: engine, journal, recovery, snapshots, projection, clock, disk, clients.
//!
//! What runs is the product's own code ([`lockstock_engine::stepped`]); the machine around it is a model. The disk
//! keeps written and durable bytes apart, tears, reorders and loses what was not synced, fails, fills up and flips
//! bits; clients time out, repeat and cross their requests; the database commits, rolls back, and commits late.
//! After every crash [`crash`] says what must hold. One seed is one run, to the byte.

mod clients;
mod clock;
mod crash;
mod damage;
mod database;
mod life;
mod machine;
mod replay;
mod run;
mod tally;

pub use run::{Run, run};
pub use tally::{MET, Tally};
