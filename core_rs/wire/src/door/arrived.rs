//! What arrived together, read from its bytes.

use lockstock_stock::event::Operation;
use lockstock_stock::limits::COMMANDS_MAX;
use lockstock_stock::refusal::Refusal;
use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, check_wire_type, decode_key, decode_varint, skip_field};

use super::check_length;
use crate::decode::{self, Asked};
use crate::proto::lockstock::v1;

/// An operation's request, or a command, which names its operation itself: as it can be run.
type Read<'a> = Result<Asked<'a>, Refusal>;

/// Requests that are read one after the other.
pub(super) struct Reading<'a> {
    read: Vec<Read<'a>>,
    rewritten: Vec<Rewritten>,
}

/// One that had to be brought into canonical form.
pub(super) struct Rewritten {
    /// Its place among all.
    at: usize,
    operation: Option<Operation>,
    bytes: Result<Vec<u8>, Refusal>,
}

impl<'a> Reading<'a> {
    /// Of so many.
    pub fn of(count: usize) -> Self {
        Self { read: Vec::with_capacity(count), rewritten: Vec::new() }
    }

    /// Reads the next.
    pub fn push(&mut self, operation: Option<Operation>, bytes: &'a [u8]) {
        if let Some(read) = read(operation, bytes) {
            self.read.push(read);
        } else {
            let at = self.read.len() + self.rewritten.len();
            self.rewritten.push(Rewritten { at, operation, bytes: rewrite(operation, bytes) });
        }
    }

    /// The first that is no request at all, where one of them is none.
    pub fn check(&self) -> Result<(), Refusal> {
        let failed = self.rewritten.iter().find_map(|rewritten| rewritten.bytes.as_ref().err());
        failed.map_or(Ok(()), |refusal| Err(refusal.clone()))
    }

    /// Those that were in canonical form, in order, and the others.
    pub fn done(self) -> (Vec<Read<'a>>, Vec<Rewritten>) {
        (self.read, self.rewritten)
    }
}

/// All of them in order, each in its place.
pub(super) fn merged<'a>(read: Vec<Read<'a>>, rewritten: &'a [Rewritten]) -> Vec<Read<'a>> {
    if rewritten.is_empty() {
        return read;
    }
    let mut all = Vec::with_capacity(read.len() + rewritten.len());
    let mut read = read.into_iter();
    for Rewritten { at, operation, bytes } in rewritten {
        all.extend(read.by_ref().take(at - all.len()));
        let reread = |bytes: &'a Vec<u8>| decode::reread(bytes, |bytes| self::read(*operation, bytes));
        all.push(bytes.as_ref().map_err(Refusal::clone).and_then(reread).flatten());
    }
    all.extend(read);
    all
}

/// One; `None` where it is to be brought into canonical form first.
fn read(operation: Option<Operation>, bytes: &[u8]) -> Option<Read<'_>> {
    if let Err(refusal) = check_length(bytes) {
        return Some(Err(refusal));
    }
    match operation {
        Some(operation) => Asked::read(operation, bytes).map(Ok),
        None => Asked::of_command(bytes),
    }
}

fn rewrite(operation: Option<Operation>, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    match operation {
        Some(operation) => Asked::rewrite(operation, bytes),
        None => decode::rewritten::<v1::Command>(bytes),
    }
    .map_err(|error| decode::malformed(&error))
}

/// The commands of a batch, each as its bytes: they are counted before anything is made of them.
pub(super) fn commands(bytes: &[u8]) -> Result<Vec<&[u8]>, Refusal> {
    let (commands, count) = split(bytes).map_err(|error| decode::malformed(&error))?;
    match count {
        0 => Err(Refusal::FieldRequired { field: "commands".to_owned() }),
        1..=COMMANDS_MAX => Ok(commands),
        _ => Err(Refusal::TooManyCommands { limit: COMMANDS_MAX }),
    }
}

/// As many of a batch's commands as it may have, and how many it has.
fn split(mut bytes: &[u8]) -> Result<(Vec<&[u8]>, usize), DecodeError> {
    const COMMANDS: u32 = 1;
    let (mut commands, mut count) = (Vec::new(), 0);
    while !bytes.is_empty() {
        let (number, wire) = decode_key(&mut bytes)?;
        let mut field = bytes;
        skip_field(wire, number, &mut bytes, DecodeContext::default())?;
        if number != COMMANDS {
            continue;
        }
        check_wire_type(WireType::LengthDelimited, wire)?;
        count += 1;
        if count <= COMMANDS_MAX {
            field = &field[..field.len() - bytes.len()];
            // What is left behind its length is the command.
            decode_varint(&mut field)?;
            commands.push(field);
        }
    }
    Ok((commands, count))
}
