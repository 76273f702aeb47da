//! The alphabet of both formats: varints, zigzag, fixed words, length-prefixed bytes. Every value has one
//! way to be written, and reading accepts no other.

use super::CodecError;

/// Appends to a buffer.
pub(crate) struct Writer<'a>(pub(crate) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Seven bits a byte, the low ones first.
    #[expect(clippy::cast_possible_truncation, reason = "the low byte is what is written")]
    pub(crate) fn number(&mut self, number: impl Into<u64>) {
        let mut number = number.into();
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Zigzag: small numbers of either sign are short.
    pub(crate) fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    pub(crate) fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    pub(crate) fn word32(&mut self, word: u32) {
        self.0.extend_from_slice(&word.to_le_bytes());
    }

    pub(crate) fn word64(&mut self, word: u64) {
        self.0.extend_from_slice(&word.to_le_bytes());
    }

    /// Big-endian, so that a `UUIDv7` reads in a dump as it is written.
    pub(crate) fn word128(&mut self, word: u128) {
        self.0.extend_from_slice(&word.to_be_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }
}

/// How far the seven bits of each byte of a number stand to the left.
const SHIFTS: [u32; 10] = [0, 7, 14, 21, 28, 35, 42, 49, 56, 63];

/// Reads from a slice.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    #[inline]
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(CodecError::Truncated { at: self.bytes.len() })?;
        let taken = self.bytes.get(self.at..end).ok_or(CodecError::Truncated { at: self.at })?;
        self.at = end;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let at = self.at;
        <[u8; N]>::try_from(self.take(N)?).map_err(|_| CodecError::Truncated { at })
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, CodecError> {
        let at = self.at;
        let byte = *self.bytes.get(at).ok_or(CodecError::Truncated { at })?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Result<u64, CodecError> {
        // Most are small.
        match self.bytes.get(self.at) {
            Some(byte) if *byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(*byte))
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> Result<u64, CodecError> {
        let at = self.at;
        let bytes = self.bytes.get(at..).unwrap_or_default();
        let mut number = 0_u64;
        for (length, (byte, shift)) in (1..).zip(bytes.iter().zip(SHIFTS)) {
            let bits = u64::from(byte & 0x7F);
            let shifted = bits << shift;
            // The tenth byte has room for one bit; a last byte of zero says nothing.
            if shifted >> shift != bits || (*byte == 0 && shift > 0) {
                return Err(CodecError::BadNumber { at });
            }
            number |= shifted;
            if *byte < 0x80 {
                self.at += length;
                return Ok(number);
            }
        }
        if bytes.len() < SHIFTS.len() {
            return Err(CodecError::Truncated { at: self.bytes.len() });
        }
        Err(CodecError::BadNumber { at })
    }

    #[inline]
    pub(crate) fn number32(&mut self) -> Result<u32, CodecError> {
        let at = self.at;
        u32::try_from(self.number()?).map_err(|_| CodecError::BadNumber { at })
    }

    #[inline]
    pub(crate) fn signed(&mut self) -> Result<i64, CodecError> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// A count of things that take at least `least` bytes each: never more than can follow, so that what
    /// is reserved for them is bounded by the input.
    pub(crate) fn count(&mut self, least: usize) -> Result<usize, CodecError> {
        let at = self.at;
        let length = self.number()?;
        let count = usize::try_from(length).ok();
        let fits = |count: &usize| count.checked_mul(least.max(1)).is_some_and(|bytes| bytes <= self.left());
        count.filter(fits).ok_or(CodecError::TooLong { length, at })
    }

    #[inline]
    pub(crate) fn word32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn word64(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_le_bytes)
    }

    #[inline]
    pub(crate) fn word128(&mut self) -> Result<u128, CodecError> {
        self.array().map(u128::from_be_bytes)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let length = self.count(1)?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, CodecError> {
        let at = self.at;
        std::str::from_utf8(self.bytes()?).map_err(|_| CodecError::NotUtf8 { at })
    }

    /// A list of things that take at least `least` bytes each.
    pub(crate) fn list<T, C: FromIterator<T>>(
        &mut self,
        least: usize,
        one: impl FnMut(&mut Self) -> Result<T, CodecError>,
    ) -> Result<C, CodecError> {
        let left = self.count(least)?;
        let mut things = Things { reader: self, one, left, failed: None };
        let list = things.by_ref().collect();
        things.failed.map_or(Ok(list), Err)
    }

    /// A byte of flags, of which only `known` may be set.
    #[inline]
    pub(crate) fn flags(&mut self, known: u8) -> Result<u8, CodecError> {
        let at = self.at;
        let flags = self.byte()?;
        if flags & !known == 0 {
            Ok(flags)
        } else {
            Err(CodecError::UnknownNumber { what: "flags", number: flags.into(), at })
        }
    }

    /// A number that stands for one of a list.
    #[inline]
    pub(crate) fn one_of<T>(
        &mut self,
        what: &'static str,
        from: impl Fn(u8) -> Option<T>,
    ) -> Result<T, CodecError> {
        let at = self.at;
        let number = self.byte()?;
        from(number).ok_or(CodecError::UnknownNumber { what, number: number.into(), at })
    }

    pub(crate) fn end(&self) -> Result<(), CodecError> {
        if self.left() == 0 { Ok(()) } else { Err(CodecError::Trailing { at: self.at }) }
    }
}

/// So many things that are read one after another, up to the first that cannot be. It says how many are to come, so
/// that a list takes its room at once.
struct Things<'r, 'a, F> {
    reader: &'r mut Reader<'a>,
    one: F,
    left: usize,
    failed: Option<CodecError>,
}

/// Room for so many at once at most: a count alone is not believed further.
const ROOM_AT_ONCE: usize = 64;

impl<'a, T, F: FnMut(&mut Reader<'a>) -> Result<T, CodecError>> Iterator for Things<'_, 'a, F> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        match (self.one)(self.reader) {
            Ok(thing) => Some(thing),
            Err(failed) => {
                (self.left, self.failed) = (0, Some(failed));
                None
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.min(ROOM_AT_ONCE), Some(self.left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_come_back() {
        for bit in 0..64 {
            for number in [1_u64 << bit, (1_u64 << bit) - 1, u64::MAX >> bit] {
                let mut bytes = Vec::new();
                Writer(&mut bytes).number(number);
                Writer(&mut bytes).signed(number.cast_signed());
                Writer(&mut bytes).signed(number.cast_signed().wrapping_neg());
                let mut reader = Reader::new(&bytes);
                assert_eq!(reader.number(), Ok(number));
                assert_eq!(reader.signed(), Ok(number.cast_signed()));
                assert_eq!(reader.signed(), Ok(number.cast_signed().wrapping_neg()));
                assert_eq!(reader.end(), Ok(()));
            }
        }
    }

    #[test]
    fn a_number_that_is_too_long_or_does_not_fit_is_refused() {
        for bad in
            [&[0x80, 0x00][..], &[0xFF; 11], &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02]]
        {
            assert_eq!(Reader::new(bad).number(), Err(CodecError::BadNumber { at: 0 }));
        }
        assert_eq!(Reader::new(&[0x80]).number(), Err(CodecError::Truncated { at: 1 }));
        assert_eq!(
            Reader::new(&[0xFF, 0xFF, 0xFF, 0xFF, 0x10]).number32(),
            Err(CodecError::BadNumber { at: 0 })
        );
    }

    #[test]
    fn a_length_beyond_the_end_is_refused_before_anything_is_reserved() {
        let mut bytes = Vec::new();
        Writer(&mut bytes).number(u64::MAX);
        assert_eq!(Reader::new(&bytes).bytes(), Err(CodecError::TooLong { length: u64::MAX, at: 0 }));
        let list: Result<Vec<u8>, _> = Reader::new(&[3, 1, 1]).list(1, Reader::byte);
        assert_eq!(list, Err(CodecError::TooLong { length: 3, at: 0 }));
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        assert_eq!(Reader::new(&[1, 0xFF]).text(), Err(CodecError::NotUtf8 { at: 0 }));
    }
}
