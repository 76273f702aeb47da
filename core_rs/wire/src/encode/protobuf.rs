//! Fields of messages, appended as they are: the hot answers are written from borrowed names, without a message made
//! of copies in between. As in prost, a field that has its default is left out.

use prost::encoding::{WireType, encoded_len_varint};

/// A field of variable length whose content is written in place, of less than 128 bytes as a rule.
pub(super) fn nested(tag: u32, out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    nested_as_expected::<1>(tag, out, content);
}

/// The same, of more than that as a rule.
pub(super) fn nested_long(tag: u32, out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    nested_as_expected::<2>(tag, out, content);
}

/// Leaves room for a length of so many bytes; another one moves what was written.
fn nested_as_expected<const BYTES: usize>(tag: u32, out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    key(tag, WireType::LengthDelimited, out);
    let at = out.len();
    out.extend_from_slice(&[0; BYTES]);
    content(out);
    let end = out.len();
    let mut length = (end - at - BYTES) as u64;
    let prefix = encoded_len_varint(length);
    if prefix != BYTES {
        out.resize(end.max(end + prefix - BYTES), 0);
        out.copy_within(at + BYTES..end, at + prefix);
        out.truncate(end + prefix - BYTES);
    }
    for byte in &mut out[at..at + prefix] {
        *byte = next_of_varint(&mut length);
    }
}

/// A string.
pub(super) fn text(tag: u32, text: &str, out: &mut Vec<u8>) {
    bytes(tag, text.as_bytes(), out);
}

/// Bytes, or a string that is there as its bytes.
pub(super) fn bytes(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        pair(tag, WireType::LengthDelimited, bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }
}

/// An unsigned number, or an enumeration's.
pub(super) fn unsigned(tag: u32, number: u64, out: &mut Vec<u8>) {
    if number != 0 {
        pair(tag, WireType::Varint, number, out);
    }
}

/// A signed number: `int32` and `int64` are the 64 bits of their two's complement.
pub(super) fn signed(tag: u32, number: i64, out: &mut Vec<u8>) {
    unsigned(tag, number.cast_unsigned(), out);
}

/// A truth value.
pub(super) fn truth(tag: u32, value: bool, out: &mut Vec<u8>) {
    unsigned(tag, value.into(), out);
}

fn key(tag: u32, wire: WireType, out: &mut Vec<u8>) {
    varint(u64::from(tag << 3 | wire as u32), out);
}

/// A key and a number: both are a byte as a rule.
#[inline]
fn pair(tag: u32, wire: WireType, number: u64, out: &mut Vec<u8>) {
    let key = u64::from(tag << 3 | wire as u32);
    if let (Ok(key @ ..MORE), Ok(number @ ..MORE)) = (u8::try_from(key), u8::try_from(number)) {
        out.extend_from_slice(&[key, number]);
    } else {
        varint(key, out);
        varint(number, out);
    }
}

/// As prost's, which asks a buffer of any kind for room byte by byte.
fn varint(mut number: u64, out: &mut Vec<u8>) {
    loop {
        out.push(next_of_varint(&mut number));
        if number == 0 {
            return;
        }
    }
}

/// That another byte follows.
const MORE: u8 = 0x80;

/// The next byte of a number that has any left, and of one that never had.
fn next_of_varint(number: &mut u64) -> u8 {
    const BITS: u64 = 0x7f;
    let low = (*number & BITS) as u8;
    *number >>= 7;
    if *number == 0 { low } else { low | MORE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_field_of_any_length_has_its_length_before_it() {
        for length in [0, 1, 127, 128, 300, 20_000] {
            let content = vec![7; length];
            let mut expected = vec![1, 2];
            prost::encoding::bytes::encode(3, &content, &mut expected);
            for long in [false, true] {
                let mut written = vec![1, 2];
                let write = |out: &mut Vec<u8>| out.extend_from_slice(&content);
                if long {
                    nested_long(3, &mut written, write);
                } else {
                    nested(3, &mut written, write);
                }
                assert_eq!(written, expected, "{length} {long}");
            }
        }
    }

    #[test]
    fn numbers_and_texts_are_as_prost_writes_them_and_defaults_are_left_out() {
        let mut written = Vec::new();
        signed(1, -5, &mut written);
        unsigned(2, 300, &mut written);
        unsigned(2_000, u64::MAX, &mut written);
        truth(3, true, &mut written);
        text(4, "BOOK", &mut written);
        let mut expected = Vec::new();
        prost::encoding::int64::encode(1, &-5, &mut expected);
        prost::encoding::uint64::encode(2, &300, &mut expected);
        prost::encoding::uint64::encode(2_000, &u64::MAX, &mut expected);
        prost::encoding::bool::encode(3, &true, &mut expected);
        prost::encoding::string::encode(4, &"BOOK".to_owned(), &mut expected);
        assert_eq!(written, expected);
        signed(1, 0, &mut written);
        unsigned(2, 0, &mut written);
        truth(3, false, &mut written);
        text(4, "", &mut written);
        assert_eq!(written, expected);
    }
}
