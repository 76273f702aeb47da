//! The pure state machine of Lockstock.
//!
//! `decide(state, request, now) -> event or refusal` reads; `apply(state, event)` is the only thing that
//! changes state; replay is `apply` alone. Nothing here does I/O, asks a clock, draws a random number or
//! depends on the order of a map.

pub mod answer;
pub mod check;
pub mod codec;
pub mod command;
pub mod counters;
pub mod decide;
pub mod event;
pub mod few;
pub mod ids;
pub mod limits;
pub mod machine;
pub mod movement;
pub mod name;
pub mod refusal;
pub mod route;
pub mod state;
