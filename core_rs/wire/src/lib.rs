//! The wire of Lockstock: what a transport carries becomes what the engine is asked, and back.
//!
//! [`Door::call`] is one function for both doors: bytes in, bytes out, refusals as `google.rpc.Status`.
//! [`fast_lane`] is the door in Rust. Nothing here knows a rule of stock: form is checked, meaning is not.

mod canonical;
mod decode;
pub mod door;
mod encode;
pub mod fast_lane;
mod fingerprint;
pub mod method;
pub mod proto;
mod recall;
mod request_id;
pub mod status;

pub use door::{Called, Door};
pub use method::Caller;
