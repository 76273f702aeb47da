//! The rows of the database (decision 7): what a batch of events does to it, and what it must hold.
//!
//! Two derivations that must agree. [`Projection::batch`] folds events into changes of rows: sums of what
//! movements add to counters, last values of the rest, history as it is. [`expected_rows`] formats the same
//! tables from a replayed state and the journal. Neither is needed to sell.

mod columns;
mod error;
mod expected;
mod fold;
mod follow;
mod format;
mod history;
mod names;
mod rows;
mod text;

#[cfg(test)]
mod tests;

pub use columns::{Column, TABLES, Table, Type, columns, table};
pub use error::ProjectionError;
pub use expected::expected_rows;
pub use follow::{Batch, Projection};
pub use format::{Format, Puts, Sheet};
pub use text::of_buyer as buyer_text;
