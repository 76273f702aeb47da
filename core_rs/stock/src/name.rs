//! The ids of what there are millions of.

use std::fmt;
use std::ops::Deref;

/// Bytes that stand in a name itself: a UUID and a little more.
const SHORT: usize = 38;

/// An id that its owner alone keeps: it stands where its owner stands, a long one elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(Text);

#[derive(Clone, PartialEq, Eq)]
enum Text {
    /// So many bytes, zeros behind them.
    Short(u8, [u8; SHORT]),
    Long(Box<str>),
}

impl Name {
    /// Its bytes, without a look at whether they are text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Text::Long(text) => text.as_bytes(),
        }
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(room), Ok(length)) => {
                room.copy_from_slice(text.as_bytes());
                Self(Text::Short(length, bytes))
            }
            _ => Self(Text::Long(text.into())),
        }
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            // They were the bytes of a text.
            Text::Short(..) => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Text::Long(text) => text,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_text_whatever_its_length() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 64, 255, 256, 300] {
            let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
            let name = Name::from(&*text);
            assert_eq!((&*name, name.as_bytes(), name.to_string()), (&*text, text.as_bytes(), text.clone()));
            assert_eq!(matches!(name.0, Text::Short(..)), length <= SHORT);
            assert_eq!((name.clone(), format!("{name:?}")), (name, format!("{text:?}")));
        }
        assert_ne!(Name::from("a"), Name::from("a\0"), "what stands behind a text is no part of it");
    }
}
