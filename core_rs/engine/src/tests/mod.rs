//! The engine as a whole, over real files under a temporary directory or over a log with memory.

mod admission;
mod crash;
mod durability;
mod offline;
mod recovery;
mod selling;
mod shop;
mod snapshots;
mod time;
