//! As much of protocol buffers as a load needs: requests are written once as templates, answers are walked.

/// Appends a varint.
fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or(0));
}

/// Appends a field of bytes: a string, a message.
pub fn bytes(field: u64, value: &[u8], out: &mut Vec<u8>) {
    varint(field << 3 | 2, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// Appends a field of a number.
pub fn number(field: u64, value: u64, out: &mut Vec<u8>) {
    varint(field << 3, out);
    varint(value, out);
}

/// A message written in one expression.
pub fn message(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// The value of a field.
#[derive(Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A varint, or a fixed number (whose value nobody here asks for: 0).
    Number(u64),
    /// A string or a message.
    Bytes(&'a [u8]),
}

/// Walks the fields of a message.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.0.is_empty()).then(|| self.field().ok_or("an answer that is no protobuf message"))
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => Value::Number(self.take(8).map(|_| 0)?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Number(self.take(4).map(|_| 0)?),
            _ => return self.broken(),
        };
        Some((key >> 3, value))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for (at, byte) in self.0.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return Some(value);
            }
        }
        self.broken()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        if length > self.0.len() {
            return self.broken();
        }
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(taken)
    }

    /// Nothing more can be read, so that a walk always ends.
    fn broken<T>(&mut self) -> Option<T> {
        self.0 = &[];
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_walked_in_order() {
        let bytes = message(|out| {
            number(1, 300, out);
            bytes(2, b"abc", out);
        });
        let fields: Vec<_> = Fields(&bytes).collect::<Result<_, _>>().unwrap();
        assert_eq!(fields, [(1, Value::Number(300)), (2, Value::Bytes(b"abc"))]);
    }

    #[test]
    fn a_message_that_is_cut_off_is_an_error_and_ends() {
        let whole = message(|out| bytes(2, b"abc", out));
        let cut: Vec<_> = Fields(&whole[..3]).collect();
        assert_eq!(cut, [Err("an answer that is no protobuf message")]);
    }
}
