//! An event's bytes: a head, then its changes.
//!
//! Version, sequence, stamp, operation, outcome, flags, then what the flags announce (key, fingerprint,
//! reason, document), then the changes. Owners are written as distances from the event's own sequence.

use super::CodecError;
use super::bytes::{Reader, Writer};
use super::change::{read_change, write_change};
use crate::event::{Event, Fingerprint, Operation, Outcome};

/// The version of the format, the first byte of every event.
const VERSION: u8 = 1;

const SPLIT_EXACT: u8 = 1;
const HAS_KEY: u8 = 1 << 1;
const HAS_FINGERPRINT: u8 = 1 << 2;
const HAS_REASON: u8 = 1 << 3;
const HAS_DOCUMENT: u8 = 1 << 4;
const KNOWN_FLAGS: u8 = SPLIT_EXACT | HAS_KEY | HAS_FINGERPRINT | HAS_REASON | HAS_DOCUMENT;

/// The fewest bytes a change can take.
const CHANGE_BYTES_MIN: usize = 2;
/// The fewest bytes a field of a fingerprint can take.
const FIELD_BYTES_MIN: usize = 5;

const fn flag(set: bool, flag: u8) -> u8 {
    if set { flag } else { 0 }
}

impl Event {
    /// Appends the event's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer(out);
        let flags = flag(self.split_exact, SPLIT_EXACT)
            | flag(self.key != 0, HAS_KEY)
            | flag(self.fingerprint != Fingerprint::default(), HAS_FINGERPRINT)
            | flag(!self.reason.is_empty(), HAS_REASON)
            | flag(!self.document.is_empty(), HAS_DOCUMENT);
        writer.byte(VERSION);
        writer.number(self.sequence);
        writer.signed(self.at);
        writer.byte(self.operation as u8);
        writer.byte(self.outcome as u8);
        writer.byte(flags);
        if flags & HAS_KEY != 0 {
            writer.word128(self.key);
        }
        if flags & HAS_FINGERPRINT != 0 {
            writer.word64(self.fingerprint.digest);
            writer.length(self.fingerprint.fields.len());
            for (field, hash) in &self.fingerprint.fields {
                writer.number(*field);
                writer.word32(*hash);
            }
        }
        if flags & HAS_REASON != 0 {
            writer.text(&self.reason);
        }
        if flags & HAS_DOCUMENT != 0 {
            writer.text(&self.document);
        }
        writer.length(self.changes.len());
        for change in &self.changes {
            write_change(&mut writer, self.sequence, change);
        }
    }

    /// Reads an event's bytes: all of them, and nothing else than [`Event::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let version = reader.byte()?;
        if version != VERSION {
            return Err(CodecError::UnknownVersion { version });
        }
        let sequence = reader.number()?;
        let at = reader.signed()?;
        let operation = reader.one_of("operation", Operation::from_number)?;
        let outcome = reader.one_of("outcome", Outcome::from_number)?;
        let flags = reader.flags(KNOWN_FLAGS)?;
        let has = |flag: u8| flags & flag != 0;
        let key = if has(HAS_KEY) { announced(&mut reader, "a key", &0, Reader::word128)? } else { 0 };
        let fingerprint = if has(HAS_FINGERPRINT) {
            announced(&mut reader, "a fingerprint", &Fingerprint::default(), read_fingerprint)?
        } else {
            Fingerprint::default()
        };
        let reason =
            if has(HAS_REASON) { announced(&mut reader, "a reason", &"", Reader::text)? } else { "" };
        let document =
            if has(HAS_DOCUMENT) { announced(&mut reader, "a document", &"", Reader::text)? } else { "" };
        let changes = reader.list(CHANGE_BYTES_MIN, |reader| read_change(reader, sequence))?;
        reader.end()?;
        Ok(Self {
            sequence,
            at,
            operation,
            key,
            fingerprint,
            reason: reason.into(),
            document: document.into(),
            outcome,
            split_exact: has(SPLIT_EXACT),
            changes,
        })
    }
}

/// What a flag announced: never the value that is there without the flag.
pub(super) fn announced<'a, T: PartialEq>(
    reader: &mut Reader<'a>,
    what: &'static str,
    nothing: &T,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, CodecError>,
) -> Result<T, CodecError> {
    let at = reader.at();
    let value = read(reader)?;
    if value == *nothing { Err(CodecError::NotCanonical { what, at }) } else { Ok(value) }
}

fn read_fingerprint(reader: &mut Reader<'_>) -> Result<Fingerprint, CodecError> {
    let digest = reader.word64()?;
    let fields = reader.list(FIELD_BYTES_MIN, |reader| Ok((reader.number32()?, reader.word32()?)))?;
    Ok(Fingerprint { digest, fields })
}
