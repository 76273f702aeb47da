//! Requests borrowed from the bytes they came in, which have to be in canonical form: fields in the order of their
//! numbers, each once, none that says its default, none unknown, every number as short as it can be. That is how
//! nearly every client writes; what is written otherwise is brought into this form first, by prost, which knows how
//! messages are merged. So a message is read in one way, however it came, and its fingerprint is taken over its bytes.

use lockstock_stock::few::Few;

include!(concat!(env!("OUT_DIR"), "/borrowed.rs"));

const WIRE_TYPE_BITS: u32 = 3;
const WIRE_TYPE: u32 = 0b111;
const VARINT: u32 = 0;
const LENGTH_DELIMITED: u32 = 2;

/// A message that can be read from its canonical bytes.
pub(crate) trait Canonical<'a>: Default {
    /// Takes the value of a field; a key is a field's number and wire type. `None`: this is not canonical.
    fn take(&mut self, key: u32, from: &mut Fields<'a>) -> Option<()>;

    /// Reads a message; `None` where its bytes are not canonical, or none of this message.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut message = Self::default();
        let mut fields = Fields::of(bytes);
        while !fields.rest.is_empty() {
            let key = fields.uint32()?;
            message.take(key, &mut fields)?;
        }
        Some(message)
    }
}

/// The fields of a message that are not read yet.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    /// The number of the last field.
    last: u32,
}

impl<'a> Fields<'a> {
    /// Those of a message.
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, last: 0 }
    }

    /// Whether all are read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A field that stands there once, behind the last.
    #[inline]
    pub fn once(&mut self, number: u32) -> Option<()> {
        let behind = number > self.last;
        self.last = number;
        behind.then_some(())
    }

    /// One of a list.
    #[inline]
    pub fn again(&mut self, number: u32) -> Option<()> {
        let behind = number >= self.last;
        self.last = number;
        behind.then_some(())
    }

    #[inline]
    fn varint(&mut self) -> Option<u64> {
        // Most are small.
        let (&first, rest) = self.rest.split_first()?;
        if first < 0x80 {
            self.rest = rest;
            return Some(first.into());
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Option<u64> {
        const LAST_SHIFT: usize = 63;
        let mut number = 0;
        for (at, shift) in (0..=LAST_SHIFT).step_by(7).enumerate() {
            let byte = *self.rest.get(at)?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == LAST_SHIFT && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                self.rest = self.rest.get(at + 1..)?;
                // A last byte of zero says nothing.
                return (byte > 0).then_some(number);
            }
        }
        None
    }

    #[inline]
    pub fn uint32(&mut self) -> Option<u32> {
        self.varint()?.try_into().ok()
    }

    #[inline]
    pub fn int64(&mut self) -> Option<i64> {
        self.varint().map(u64::cast_signed)
    }

    #[inline]
    pub fn int32(&mut self) -> Option<i32> {
        self.int64()?.try_into().ok()
    }

    pub fn truth(&mut self) -> Option<bool> {
        match self.varint()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub fn double(&mut self) -> Option<f64> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(f64::from_le_bytes(*bytes))
    }

    #[inline]
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    #[inline]
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub fn message<M: Canonical<'a>>(&mut self) -> Option<M> {
        M::read(self.bytes()?)
    }

    pub fn boxed<M: Canonical<'a>>(&mut self) -> Option<Box<M>> {
        self.message().map(Box::new)
    }

    /// The number of a field of variable length, and its inside.
    #[inline]
    pub fn delimited(&mut self) -> Option<(u32, &'a [u8])> {
        let key = self.uint32()?;
        (key & WIRE_TYPE == LENGTH_DELIMITED).then_some(key >> WIRE_TYPE_BITS).zip(self.bytes())
    }

    /// Steps over a field of a message that was read; its number.
    #[inline]
    pub fn skip(&mut self) -> Option<u32> {
        let key = self.uint32()?;
        match key & WIRE_TYPE {
            VARINT => self.varint().map(drop),
            LENGTH_DELIMITED => self.bytes().map(drop),
            // No request has others.
            _ => None,
        }?;
        Some(key >> WIRE_TYPE_BITS)
    }

    /// What is not read yet.
    pub const fn left(&self) -> &'a [u8] {
        self.rest
    }
}

/// A value that is not its default, which would have been left out.
fn said<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

impl Canonical<'_> for prost_types::Duration {
    fn take(&mut self, key: u32, from: &mut Fields<'_>) -> Option<()> {
        seconds_and_nanos(&mut self.seconds, &mut self.nanos, key, from)
    }
}

impl Canonical<'_> for prost_types::Timestamp {
    fn take(&mut self, key: u32, from: &mut Fields<'_>) -> Option<()> {
        seconds_and_nanos(&mut self.seconds, &mut self.nanos, key, from)
    }
}

fn seconds_and_nanos(seconds: &mut i64, nanos: &mut i32, key: u32, from: &mut Fields<'_>) -> Option<()> {
    match key {
        8 => {
            from.once(1)?;
            *seconds = said(from.int64()?)?;
        }
        16 => {
            from.once(2)?;
            *nanos = said(from.int32()?)?;
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    use lockstock_stock::event::Operation;
    use prost::Message;
    use prost::encoding::encode_varint;
    use prost_types::field_descriptor_proto::{Label, Type};
    use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

    use crate::decode::{Asked, Step};

    /// Every message by its full name.
    static MESSAGES: LazyLock<BTreeMap<String, DescriptorProto>> = LazyLock::new(|| {
        let set = FileDescriptorSet::decode(crate::proto::DESCRIPTORS).unwrap();
        let messages = set.file.into_iter().flat_map(|file| {
            let package = file.package().to_owned();
            file.message_type.into_iter().map(move |it| (format!(".{package}.{}", it.name()), it))
        });
        messages.collect()
    });

    /// `SplitMix64`.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            word ^ (word >> 31)
        }

        fn below(&mut self, most: u64) -> u64 {
            self.next() % most
        }

        fn one_in(&mut self, many: u64) -> bool {
            self.below(many) == 0
        }
    }

    /// How a message is written: as it should be, or as one may find it.
    struct Writer {
        random: Random,
        odd: bool,
    }

    impl Writer {
        fn odd_one_in(&mut self, many: u64) -> bool {
            self.odd && self.random.one_in(many)
        }

        fn varint(&mut self, number: u64, out: &mut Vec<u8>) {
            encode_varint(number, out);
            if self.odd_one_in(40) {
                *out.last_mut().unwrap() |= 0x80;
                out.push(0);
            }
        }

        fn message(&mut self, name: &str) -> Vec<u8> {
            let Some(message) = MESSAGES.get(name) else { return Vec::new() };
            let mut fields: Vec<&FieldDescriptorProto> = message.field.iter().collect();
            fields.retain(|_| self.random.one_in(2));
            if self.odd_one_in(4) {
                fields.reverse();
            }
            if self.odd_one_in(4) {
                fields.extend(message.field.first());
            }
            let (mut out, mut chosen) = (Vec::new(), Vec::new());
            for field in fields {
                if field.oneof_index.is_some() && !field.proto3_optional() && !self.odd_one_in(4) {
                    if chosen.contains(&field.oneof_index) {
                        continue;
                    }
                    chosen.push(field.oneof_index);
                }
                let times = if field.label() == Label::Repeated { self.random.below(3) } else { 1 };
                (0..times).for_each(|_| self.field(field, &mut out));
            }
            if self.odd_one_in(10) {
                self.varint(99 << 3, &mut out);
                self.varint(1, &mut out);
            }
            out
        }

        fn field(&mut self, field: &FieldDescriptorProto, out: &mut Vec<u8>) {
            let number = u64::try_from(field.number()).unwrap() << 3;
            let least = u64::from(!self.odd_one_in(10));
            match field.r#type() {
                Type::String | Type::Bytes | Type::Message => {
                    let inside = match field.r#type() {
                        Type::Message => self.message(field.type_name()),
                        _ => vec![b'x'; usize::try_from(least + self.random.below(3)).unwrap()],
                    };
                    self.varint(number | 2, out);
                    self.varint(inside.len() as u64, out);
                    out.extend(inside);
                }
                Type::Double => {
                    self.varint(number | 1, out);
                    out.extend(f64::from(u32::try_from(least).unwrap()).to_le_bytes());
                }
                Type::Bool => {
                    self.varint(number, out);
                    self.varint(least, out);
                }
                kind => {
                    self.varint(number, out);
                    let wide = self.odd_one_in(10) || kind == Type::Int64;
                    let most = if wide { u64::MAX } else { 1 << 20 };
                    let value = least + self.random.below(most);
                    self.varint(value, out);
                }
            }
        }
    }

    type Read = Box<dyn Fn(&[u8]) -> bool>;
    type Rewrite = Box<dyn Fn(&[u8]) -> Option<Vec<u8>>>;

    /// The operations: their requests, how one is read, and how it is rewritten by prost.
    fn operations() -> Vec<(String, Read, Rewrite)> {
        let of_stock = Asked::NAMES.iter().map(|name| {
            let operation: Operation = Asked::named(name).unwrap();
            let read: Read = Box::new(move |bytes| Asked::read(operation, bytes).is_some());
            let rewrite: Rewrite = Box::new(move |bytes| Asked::rewrite(operation, bytes).ok());
            (*name, read, rewrite)
        });
        let of_orders = Step::NAMES.iter().map(|name| {
            let operation: Operation = Step::named(name).unwrap();
            let read: Read = Box::new(move |bytes| Step::read(operation, bytes).is_some());
            let rewrite: Rewrite = Box::new(move |bytes| Step::rewrite(operation, bytes).ok());
            (*name, read, rewrite)
        });
        let named = |(name, read, rewrite)| (format!(".lockstock.v1.{name}Request"), read, rewrite);
        of_stock.chain(of_orders).map(named).collect()
    }

    #[test]
    fn what_is_read_is_what_prost_would_write_and_all_that_prost_writes_is_read() {
        for (seed, (name, read, rewrite)) in (0..).zip(operations()) {
            let (mut canonical, mut other) = (0, 0);
            for odd in [false, true] {
                let mut writer = Writer { random: Random(seed), odd };
                for round in 0..500 {
                    let bytes = writer.message(&name);
                    let rewritten = rewrite(&bytes);
                    let is_canonical = rewritten.as_ref() == Some(&bytes);
                    assert_eq!(read(&bytes), is_canonical, "{name} {odd} {round}: {bytes:?}");
                    assert!(rewritten.is_none_or(|bytes| read(&bytes)), "{name} {odd} {round}: {bytes:?}");
                    *if is_canonical { &mut canonical } else { &mut other } += 1;
                }
            }
            assert!(canonical > 300 && other > 50, "{name}: {canonical} canonical, {other} not");
        }
    }

    #[test]
    fn whatever_is_cut_off_or_changed_is_read_as_prost_would_write_it_or_not_at_all() {
        let random = &mut Random(1);
        for (seed, (name, read, rewrite)) in (100..).zip(operations()) {
            let mut writer = Writer { random: Random(seed), odd: false };
            for round in 0..500 {
                let mut bytes = writer.message(&name);
                let at = usize::try_from(random.below(bytes.len() as u64 + 1)).unwrap();
                match bytes.get_mut(at) {
                    Some(byte) if random.one_in(2) => *byte = u8::try_from(random.below(256)).unwrap(),
                    _ => bytes.truncate(at),
                }
                let is_canonical = rewrite(&bytes).as_ref() == Some(&bytes);
                assert_eq!(read(&bytes), is_canonical, "{name} {round}: {bytes:?}");
            }
        }
    }
}
