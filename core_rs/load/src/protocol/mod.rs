//! The protocols, without sockets: bytes in, bytes out, calls that are done. One loop drives them all.

pub mod http2;
pub mod postgres;
pub mod resp;

use crate::Result;

/// A place for one call in flight on a connection.
pub type Slot = usize;

/// One connection's side of a protocol.
pub trait Protocol {
    /// What is said first.
    fn open(&mut self, out: &mut Vec<u8>);

    /// Whether calls may be made.
    fn is_ready(&self) -> bool;

    /// Makes a call of so many commands; `body` is what the composer has written.
    fn call(&mut self, slot: Slot, commands: usize, body: &[u8], out: &mut Vec<u8>);

    /// Reads what has come, answers what must be, notes the calls that are done; how many bytes it took. An
    /// error, and a refusal is one, ends the run.
    fn receive(&mut self, input: &[u8], out: &mut Vec<u8>, done: &mut Vec<Slot>) -> Result<usize>;
}
