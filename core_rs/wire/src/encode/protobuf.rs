//! Fields of messages, appended as they are: the hot answers are written from borrowed names, without a message made
//! of copies in between. As in prost, a field that has its default is left out.

use prost::encoding::WireType;

/// A field of variable length whose content is written in place, of less than 128 bytes as a rule.
pub(super) fn nested(tag: u32, out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    nested_as_expected::<1>(tag, out, content);
}

/// The same, of more than that as a rule.
pub(super) fn nested_long(tag: u32, out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    nested_as_expected::<2>(tag, out, content);
}

/// Leaves room for a length of so many bytes; another one moves what was written.
#[inline]
fn nested_as_expected<const BYTES: usize>(tag: u32, out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    let mut room = [0; ROOM];
    let key = put(key(tag, WireType::LengthDelimited), &mut room);
    out.extend_from_slice(&room);
    out.truncate(out.len() - ROOM + key + BYTES);
    let start = out.len();
    content(out);
    let end = out.len();
    let length = put((end - start) as u64, &mut room);
    let at = start - BYTES;
    if length == BYTES {
        out[at..start].copy_from_slice(&room[..BYTES]);
        return;
    }
    out.resize(end.max(end + length - BYTES), 0);
    out.copy_within(start..end, at + length);
    out.truncate(end + length - BYTES);
    out[at..at + length].copy_from_slice(&room[..length]);
}

/// A string.
#[inline]
pub(super) fn text(tag: u32, text: &str, out: &mut Vec<u8>) {
    bytes(tag, text.as_bytes(), out);
}

/// Bytes, or a string that is there as its bytes.
#[inline]
pub(super) fn bytes(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        pair(tag, WireType::LengthDelimited, bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }
}

/// An unsigned number, or an enumeration's.
#[inline]
pub(super) fn unsigned(tag: u32, number: u64, out: &mut Vec<u8>) {
    if number != 0 {
        pair(tag, WireType::Varint, number, out);
    }
}

/// A signed number: `int32` and `int64` are the 64 bits of their two's complement.
#[inline]
pub(super) fn signed(tag: u32, number: i64, out: &mut Vec<u8>) {
    unsigned(tag, number.cast_unsigned(), out);
}

/// A truth value.
#[inline]
pub(super) fn truth(tag: u32, value: bool, out: &mut Vec<u8>) {
    unsigned(tag, value.into(), out);
}

/// What a field begins with.
const fn key(tag: u32, wire: WireType) -> u64 {
    (tag << 3 | wire as u32) as u64
}

/// A key and a number. Copied with all of the room, whose length is known, which is quicker than with their own.
#[inline]
fn pair(tag: u32, wire: WireType, number: u64, out: &mut Vec<u8>) {
    let mut room = [0; ROOM];
    let key = put(key(tag, wire), &mut room);
    let length = key + put(number, &mut room[key..]);
    out.extend_from_slice(&room);
    out.truncate(out.len() - ROOM + length);
}

/// Bytes that the longest key and the longest number have room in.
const ROOM: usize = 16;

/// Writes a number at the beginning of a room; how many bytes it took. As prost's, which asks a buffer of any kind for
/// room byte by byte.
#[inline]
fn put(mut number: u64, room: &mut [u8]) -> usize {
    /// That another byte follows.
    const MORE: u8 = 0x80;
    const BITS: u64 = 0x7f;
    let mut length = 0;
    while number > BITS {
        room[length] = (number & BITS) as u8 | MORE;
        number >>= 7;
        length += 1;
    }
    room[length] = (number & BITS) as u8;
    length + 1
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
