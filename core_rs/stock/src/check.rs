//! Form: what a value must look like before it may stand in a command. Nothing here reads the state.
//!
//! Each check returns the value, or a refusal that names the field. A field is anything that can be
//! displayed (`format_args!("lines[{at}].quantity")`), so that its path is only written out when it is
//! needed.

use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;

use crate::ids::{Micros, RequestKey, Units};
use crate::limits::{COMMANDS_MAX, HOLD_MIN, ID_BYTES_MAX, LINES_MAX, Limits, QUANTITY_MAX, WAREHOUSES_MAX};
use crate::refusal::Refusal;

const SECOND: Micros = 1_000_000;
const NANOS_PER_MICRO: i32 = 1_000;
const NANOS_PER_SECOND: i32 = 1_000_000_000;
/// 9999-12-31T23:59:59Z, the last second a timestamp may name.
const LAST_SECOND: i64 = 253_402_300_799;
/// The longest duration a message may name (some 10,000 years), in seconds.
const LONGEST_SECONDS: i64 = 315_576_000_000;

/// An id that must be there: 1 to 64 bytes without control characters.
pub fn id(field: impl Display, value: &str) -> Result<&str, Refusal> {
    if value.is_empty() {
        return Err(required(field));
    }
    optional_id(field, value)
}

/// An id that may be empty.
pub fn optional_id(field: impl Display, value: &str) -> Result<&str, Refusal> {
    if value.len() > ID_BYTES_MAX || has_control(value) {
        return Err(Refusal::IdInvalid { field: field.to_string() });
    }
    Ok(value)
}

fn has_control(value: &str) -> bool {
    // Nearly every id is plain ASCII, which is seen eight letters at a time.
    let bytes = value.as_bytes();
    let plain = match bytes.last_chunk() {
        // The last eight again: that is quicker than what is left of them.
        Some(last) => {
            let (words, _) = bytes.as_chunks();
            words.iter().fold(odd(*last), |seen, word| seen | odd(*word)) == 0
        }
        None => bytes.iter().all(|byte| (b' '..=b'~').contains(byte)),
    };
    !plain && value.chars().any(char::is_control)
}

/// Zero exactly if each of eight bytes is one of ASCII's from the space to the tilde.
const fn odd(bytes: [u8; 8]) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(bytes);
    // The high bit of a byte: it is there, it comes in adding one, or in taking 32 away where the byte is less. What is
    // carried or borrowed from one byte to the next comes from an odd one only.
    (word | word.wrapping_add(EACH) | word.wrapping_sub(EACH * 0x20)) & (EACH * 0x80)
}

/// A text of at most `limit` bytes; it may be empty.
pub fn text(field: impl Display, value: &str, limit: usize) -> Result<&str, Refusal> {
    bytes(field, value.as_bytes(), limit).map(|_| value)
}

/// At most `limit` bytes; there may be none.
pub fn bytes(field: impl Display, value: &[u8], limit: usize) -> Result<&[u8], Refusal> {
    if value.len() > limit {
        return Err(Refusal::TextTooLong { field: field.to_string(), limit });
    }
    Ok(value)
}

/// Units that an operation names: 1 to 10^12.
pub fn quantity(field: impl Display, value: Units) -> Result<Units, Refusal> {
    within(field, value, 1)
}

/// Units of which there may be none: 0 to 10^12.
pub fn amount(field: impl Display, value: Units) -> Result<Units, Refusal> {
    within(field, value, 0)
}

/// Units more or less: 1 to 10^12 either way.
pub fn delta(field: impl Display, value: Units) -> Result<Units, Refusal> {
    if value == 0 || !(-QUANTITY_MAX..=QUANTITY_MAX).contains(&value) {
        return Err(out_of_range(field, value));
    }
    Ok(value)
}

fn within(field: impl Display, value: Units, least: Units) -> Result<Units, Refusal> {
    if (least..=QUANTITY_MAX).contains(&value) { Ok(value) } else { Err(out_of_range(field, value)) }
}

/// A hold: at least 1 ms, at most what the operator allows.
pub fn hold(field: impl Display, hold: Micros, limits: &Limits) -> Result<Micros, Refusal> {
    if (HOLD_MIN..=limits.hold_max).contains(&hold) {
        return Ok(hold);
    }
    let limit = format!("1 ms to {} s", limits.hold_max / SECOND);
    Err(Refusal::DurationOutOfRange { field: field.to_string(), limit })
}

/// A `google.protobuf.Duration` in microseconds; what is finer is cut off.
pub fn duration(field: impl Display, seconds: i64, nanos: i32) -> Result<Micros, Refusal> {
    let fits = (-LONGEST_SECONDS..=LONGEST_SECONDS).contains(&seconds)
        && nanos > -NANOS_PER_SECOND
        && nanos < NANOS_PER_SECOND
        // The two parts of a duration have the same sign.
        && (seconds == 0 || nanos == 0 || (seconds > 0) == (nanos > 0));
    if fits {
        return Ok(seconds * SECOND + Micros::from(nanos / NANOS_PER_MICRO));
    }
    let limit = "not a duration".to_owned();
    Err(Refusal::DurationOutOfRange { field: field.to_string(), limit })
}

/// A `google.protobuf.Timestamp` in microseconds: after 1970-01-01 and before the year 10000.
pub fn timestamp(field: impl Display, seconds: i64, nanos: i32) -> Result<Micros, Refusal> {
    if (0..=LAST_SECOND).contains(&seconds) && (0..NANOS_PER_SECOND).contains(&nanos) {
        let micros = seconds * SECOND + Micros::from(nanos / NANOS_PER_MICRO);
        if micros > 0 {
            return Ok(micros);
        }
    }
    let limit = "1970-01-01 to 9999-12-31".to_owned();
    Err(Refusal::DurationOutOfRange { field: field.to_string(), limit })
}

/// How many entries a list of lines has: 1 to 2,000.
pub fn lines_len(field: impl Display, len: usize) -> Result<usize, Refusal> {
    if len == 0 { Err(required(field)) } else { optional_lines_len(field, len) }
}

/// How many entries a list of lines has that may be empty: at most 2,000.
pub fn optional_lines_len(field: impl Display, len: usize) -> Result<usize, Refusal> {
    if len > LINES_MAX {
        return Err(Refusal::TooManyLines { field: field.to_string(), limit: LINES_MAX });
    }
    Ok(len)
}

/// How many warehouses a caller may list: 1 to 1,000.
pub fn warehouses_len(field: impl Display, len: usize) -> Result<usize, Refusal> {
    if len == 0 {
        return Err(required(field));
    }
    if len > WAREHOUSES_MAX {
        return Err(Refusal::TooManyLines { field: field.to_string(), limit: WAREHOUSES_MAX });
    }
    Ok(len)
}

/// How many commands a batch has: at most 8,190.
pub fn commands_len(len: usize) -> Result<usize, Refusal> {
    if len > COMMANDS_MAX {
        return Err(Refusal::TooManyCommands { limit: COMMANDS_MAX });
    }
    Ok(len)
}

/// Entries of which each may stand once.
pub fn unique<T: Eq + Hash + Display>(
    field: impl Display,
    values: impl IntoIterator<Item = T>,
) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    for value in values {
        if seen.contains(&value) {
            return Err(Refusal::LineRepeated { field: field.to_string(), value: value.to_string() });
        }
        seen.insert(value);
    }
    Ok(())
}

/// A request id: a `UUIDv7` in its canonical text form.
pub fn key(text: &str) -> Result<RequestKey, Refusal> {
    parse_key(text).ok_or(Refusal::RequestIdInvalid {})
}

fn parse_key(text: &str) -> Option<RequestKey> {
    let text: &[u8; KEY_LETTERS] = text.as_bytes().try_into().ok()?;
    let mut digits = [0; KEY_DIGITS];
    for (from, at, length) in KEY_GROUPS {
        if from > 0 && text[from - 1] != b'-' {
            return None;
        }
        digits[at..at + length].copy_from_slice(&text[from..from + length]);
    }
    // All at once, without a branch a letter.
    let mut seen = 0;
    for digit in &mut digits {
        let (decimal, letter) = (digit.wrapping_sub(b'0'), (*digit | 0x20).wrapping_sub(b'a'));
        *digit = if decimal < 10 {
            decimal
        } else if letter < 6 {
            letter + 10
        } else {
            NO_DIGIT
        };
        seen |= *digit;
    }
    let key = RequestKey::from_be_bytes(std::array::from_fn(|at| digits[2 * at] << 4 | digits[2 * at + 1]));
    let (version, variant) = (key >> 76 & 0xf, key >> 62 & 0b11);
    (seen < NO_DIGIT && version == 7 && variant == 0b10).then_some(key)
}

const KEY_LETTERS: usize = 36;
const KEY_DIGITS: usize = 32;
/// Where the digits of a group stand among the letters, with a dash before each group but the first, where among the
/// digits, and how many they are.
const KEY_GROUPS: [(usize, usize, usize); 5] = [(0, 0, 8), (9, 8, 4), (14, 12, 4), (19, 16, 4), (24, 20, 12)];
const DIGITS: [u8; 16] = *b"0123456789abcdef";
/// What no digit has.
const NO_DIGIT: u8 = 0x10;

/// The canonical text form of a request id.
#[must_use]
pub fn key_text(key: RequestKey) -> String {
    key_letters(key).into_iter().map(char::from).collect()
}

/// The letters of the canonical text form of a request id, all of them ASCII.
#[must_use]
pub fn key_letters(key: RequestKey) -> [u8; KEY_LETTERS] {
    let mut letters = [b'-'; KEY_LETTERS];
    let mut bytes = key.to_be_bytes().into_iter();
    for (from, _, length) in KEY_GROUPS {
        let (pairs, _) = letters[from..from + length].as_chunks_mut();
        for (pair, byte) in pairs.iter_mut().zip(&mut bytes) {
            *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]];
        }
    }
    letters
}

/// A request id for a stamp in milliseconds, with 74 bits of `noise`.
#[must_use]
pub const fn new_key(stamp_ms: u64, noise: u128) -> RequestKey {
    let stamp = (stamp_ms as u128 & 0xffff_ffff_ffff) << 80;
    let high = (noise >> 62 & 0xfff) << 64;
    let low = noise & 0x3fff_ffff_ffff_ffff;
    stamp | 7 << 76 | high | 0b10 << 62 | low
}

fn required(field: impl Display) -> Refusal {
    Refusal::FieldRequired { field: field.to_string() }
}

/// A quantity, or a sum of quantities, out of its range.
pub(crate) fn out_of_range(field: impl Display, value: impl Display) -> Refusal {
    Refusal::QuantityOutOfRange { field: field.to_string(), value: value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::stamp_ms;

    #[test]
    fn ids_have_1_to_64_bytes_and_no_control_characters() {
        assert_eq!(id("sku", "書籍-1"), Ok("書籍-1"));
        assert_eq!(id("sku", ""), Err(Refusal::FieldRequired { field: "sku".into() }));
        assert_eq!(optional_id("channel", ""), Ok(""));
        let long = "x".repeat(65);
        assert!(id("sku", &long[..64]).is_ok());
        for bad in [long.as_str(), "a\nb", "a\u{7f}", "\u{85}"] {
            assert_eq!(id("sku", bad), Err(Refusal::IdInvalid { field: "sku".into() }), "{bad:?}");
        }
    }

    #[test]
    fn a_control_character_is_seen_wherever_it_stands_and_none_is_seen_elsewhere() {
        for length in 1..20 {
            for at in 0..length {
                for letter in '\0'..='\u{ff}' {
                    let mut text = vec!['~'; length];
                    text[at] = letter;
                    let text: String = text.into_iter().collect();
                    assert_eq!(has_control(&text), letter.is_control(), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn quantities_are_1_to_10_to_the_12() {
        for (value, good) in
            [(0, false), (-1, false), (1, true), (QUANTITY_MAX, true), (QUANTITY_MAX + 1, false)]
        {
            assert_eq!(quantity("q", value).is_ok(), good, "{value}");
        }
        assert_eq!(amount("good", 0), Ok(0));
        assert!(amount("good", -1).is_err());
        assert_eq!(delta("delta", -QUANTITY_MAX), Ok(-QUANTITY_MAX));
        for bad in [0, Units::MIN, Units::MAX] {
            assert!(delta("delta", bad).is_err(), "{bad}");
        }
        let refused = quantity(format_args!("lines[{}].quantity", 3), 0);
        assert_eq!(
            refused,
            Err(Refusal::QuantityOutOfRange { field: "lines[3].quantity".into(), value: "0".into() })
        );
    }

    #[test]
    fn holds_durations_and_times_have_bounds() {
        let limits = Limits::default();
        assert_eq!(hold("hold", 1_000, &limits), Ok(1_000));
        assert_eq!(hold("hold", limits.hold_max, &limits), Ok(limits.hold_max));
        assert!(hold("hold", 999, &limits).is_err());
        assert!(hold("hold", limits.hold_max + 1, &limits).is_err());
        assert_eq!(duration("hold", 1, 500_000_999), Ok(1_500_000));
        assert!(duration("hold", 1, -1).is_err());
        assert!(duration("hold", i64::MAX, 0).is_err());
        assert_eq!(timestamp("at", 1, 0), Ok(1_000_000));
        for (seconds, nanos) in [(0, 0), (-1, 0), (1, -1), (1, 1_000_000_000), (LAST_SECOND + 1, 0)] {
            assert!(timestamp("at", seconds, nanos).is_err(), "{seconds} {nanos}");
        }
    }

    #[test]
    fn lists_have_bounds_and_name_what_is_repeated() {
        assert_eq!(lines_len("lines", 0), Err(Refusal::FieldRequired { field: "lines".into() }));
        assert_eq!(lines_len("lines", 2_000), Ok(2_000));
        assert!(lines_len("lines", 2_001).is_err());
        assert!(warehouses_len("warehouses", 1_001).is_err());
        assert!(commands_len(8_191).is_err());
        assert_eq!(unique("lines", [1, 2, 3]), Ok(()));
        let repeated = Refusal::LineRepeated { field: "lines".into(), value: "2".into() };
        assert_eq!(unique("lines", [1, 2, 2]), Err(repeated));
    }

    #[test]
    fn a_request_id_reads_back_as_it_was_written() {
        assert_eq!(
            key_text(0x018b_cfe5_6800_7000_8000_0000_0000_0001),
            "018bcfe5-6800-7000-8000-000000000001"
        );
        let key_of = new_key(1_700_000_000_123, 0xdead_beef_dead_beef_dead);
        assert_eq!(stamp_ms(key_of), 1_700_000_000_123);
        assert_eq!(key(&key_text(key_of)), Ok(key_of));
        assert_eq!(key(&key_text(key_of).to_uppercase()), Ok(key_of));
        for bad in [
            "",
            "not a uuid",
            "018bcfe5-687b-4ead-beef-deadbeefdead",
            "018bcfe5-687b-7ead-3eef-deadbeefdead",
            "018bcfe5687b-7ead-beef-deadbeefdead-",
            "018bcfe5-687b-7ead-beef-dead-eefdead",
            "018bcfe5-687b-7ead-beef-deadbeefdeag",
        ] {
            assert_eq!(key(bad), Err(Refusal::RequestIdInvalid {}), "{bad}");
        }
    }
}
