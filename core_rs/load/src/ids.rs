//! Request ids: real UUIDs of version 7, as a client makes them, without a call of the system for each.

use crate::Result;

/// The length of a UUID as text.
pub const TEXT_BYTES: usize = 36;

/// A source of ids. Not for secrets.
#[derive(Debug)]
pub struct Ids {
    seed: u64,
    millis: u64,
}

impl Ids {
    /// Seeded by the system.
    pub fn new() -> Result<Self> {
        Ok(Self { seed: getrandom::u64()?, millis: 0 })
    }

    /// Sets the time that ids carry, in milliseconds since 1970.
    pub const fn set_millis(&mut self, millis: u64) {
        self.millis = millis;
    }

    /// Writes the next one over `text`, which has `TEXT_BYTES`.
    pub fn write(&mut self, text: &mut [u8]) {
        let (random_a, random_b) = (self.draw(), self.draw());
        let high = (self.millis << 16) | 0x7000 | (random_a & 0x0fff);
        let low = (0b10 << 62) | (random_b >> 2);
        let mut digits = [0; 32];
        for (word, digits) in [high, low].into_iter().zip(digits.chunks_exact_mut(16)) {
            for (byte, pair) in word.to_be_bytes().into_iter().zip(digits.chunks_exact_mut(2)) {
                pair[0] = HEX[usize::from(byte >> 4)];
                pair[1] = HEX[usize::from(byte & 0xf)];
            }
        }
        // Groups of 8, 4, 4, 4 and 12, each behind its hyphen.
        for (from, to, length) in [(0, 0, 8), (8, 9, 4), (12, 14, 4), (16, 19, 4), (20, 24, 12)] {
            text[to..to + length].copy_from_slice(&digits[from..from + length]);
        }
        for hyphen in [8, 13, 18, 23] {
            text[hyphen] = b'-';
        }
    }

    /// `SplitMix64`.
    const fn draw(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scatter(self.seed)
    }
}

const HEX: [u8; 16] = *b"0123456789abcdef";

/// Spreads numbers that follow each other over all of 64 bits, always the same way.
pub const fn scatter(number: u64) -> u64 {
    let mut z = number;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Writes a number in decimal over all of `text`, with leading zeros.
pub fn write_decimal(mut number: u64, text: &mut [u8]) {
    for byte in text.iter_mut().rev() {
        *byte = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_its_time_its_version_and_its_variant() {
        let mut ids = Ids { seed: 1, millis: 0x0123_4567_89ab };
        let mut text = [0; TEXT_BYTES];
        ids.write(&mut text);
        let text = String::from_utf8(text.to_vec()).unwrap();
        assert!(text.starts_with("01234567-89ab-7"), "{text}");
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{text}");
        let form: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(form, [8, 4, 4, 4, 12]);
    }

    #[test]
    fn no_two_ids_of_a_million_are_the_same() {
        let mut ids = Ids { seed: 7, millis: 1 };
        let mut seen = std::collections::HashSet::new();
        let mut text = [0; TEXT_BYTES];
        for _ in 0..1_000_000 {
            ids.write(&mut text);
            assert!(seen.insert(text));
        }
    }

    #[test]
    fn numbers_are_written_with_leading_zeros() {
        let mut text = *b"xxxxxx";
        write_decimal(1_234, &mut text);
        assert_eq!(&text, b"001234");
    }
}
