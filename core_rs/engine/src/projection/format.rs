//! Rows as bytes: `PostgreSQL`'s COPY text, or one JSON array of arrays.

use std::borrow::Cow;
use std::fmt::Write as _;

use lockstock_stock::ids::{Sequence, Units};

use super::columns::Table;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `PostgreSQL`'s COPY in text format.
    Copy,
    /// One JSON array of arrays, a row a line.
    Json,
}

impl Format {
    /// A format by the name Python knows it by.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "copy" => Some(Self::Copy),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Integer(i64),
    Boolean(bool),
}

impl From<Units> for Value<'_> {
    fn from(units: Units) -> Self {
        Self::Integer(units)
    }
}

impl From<Sequence> for Value<'_> {
    fn from(sequence: Sequence) -> Self {
        // A journal of 2^63 records does not exist.
        Self::Integer(sequence.cast_signed())
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Boolean(flag)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

/// What the rows of a sheet are to their table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Puts {
    /// New rows, whole: none of their keys stands there.
    Append,
    /// Changes of rows that may stand there; one that does not stand there is whole.
    Merge,
}

impl Puts {
    /// The name Python knows it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Merge => "merge",
        }
    }
}

/// Formatted rows of one table.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// Which table.
    pub table: &'static str,
    /// What its rows are to the table.
    pub puts: Puts,
    /// How many rows.
    pub rows: usize,
    /// The rows.
    pub bytes: Vec<u8>,
}

/// New rows of one table: a row that is not whole cannot be written.
pub(super) struct Appended(Writer);

impl Appended {
    pub(super) const fn new(table: &'static Table, format: Format) -> Self {
        Self(Writer::new(table, format))
    }

    /// One row: its keys and set columns, then its counters.
    pub(super) fn row(&mut self, values: &[Value<'_>], counters: &[Units]) {
        self.0.row(values.iter().map(Some), counters);
    }

    pub(super) fn finish(self) -> Sheet {
        self.0.finish(Puts::Append)
    }
}

/// Changes of rows of one table.
pub(super) struct Merged(Writer);

impl Merged {
    pub(super) const fn new(table: &'static Table, format: Format) -> Self {
        Self(Writer::new(table, format))
    }

    /// One row: its keys and set columns, of which one that is absent stays as it stands, then what is added to
    /// its counters.
    pub(super) fn row(&mut self, values: &[Option<Value<'_>>], add: &[Units]) {
        self.0.row(values.iter().map(Option::as_ref), add);
    }

    /// One row of which everything is known.
    pub(super) fn whole(&mut self, values: &[Value<'_>], add: &[Units]) {
        self.0.row(values.iter().map(Some), add);
    }

    pub(super) fn finish(self) -> Sheet {
        self.0.finish(Puts::Merge)
    }
}

/// Writes the rows of one sheet.
struct Writer {
    table: &'static Table,
    format: Format,
    rows: usize,
    out: String,
}

impl Writer {
    const fn new(table: &'static Table, format: Format) -> Self {
        Self { table, format, rows: 0, out: String::new() }
    }

    fn row<'v>(&mut self, values: impl ExactSizeIterator<Item = Option<&'v Value<'v>>>, add: &[Units]) {
        let width = values.len();
        debug_assert_eq!(width + add.len(), self.table.width(), "{}", self.table.name);
        let out = &mut self.out;
        if self.format == Format::Json {
            out.push_str(if self.rows == 0 { "[\n[" } else { ",\n[" });
        }
        for (at, value) in values.enumerate() {
            separate(out, self.format, at);
            match self.format {
                Format::Copy => copy_value(out, value),
                Format::Json => json_value(out, value),
            }
        }
        for (at, units) in (width..).zip(add) {
            separate(out, self.format, at);
            integer(out, *units);
        }
        out.push(match self.format {
            Format::Copy => '\n',
            Format::Json => ']',
        });
        self.rows += 1;
    }

    fn finish(mut self, puts: Puts) -> Sheet {
        if self.format == Format::Json {
            self.out.push_str(if self.rows == 0 { "[]" } else { "\n]" });
        }
        Sheet { table: self.table.name, puts, rows: self.rows, bytes: self.out.into_bytes() }
    }
}

fn separate(out: &mut String, format: Format, at: usize) {
    if at > 0 {
        out.push(match format {
            Format::Copy => '\t',
            Format::Json => ',',
        });
    }
}

fn copy_value(out: &mut String, value: Option<&Value<'_>>) {
    match value {
        Some(Value::Text(text)) => copy_text(out, text),
        Some(Value::Integer(number)) => integer(out, *number),
        Some(Value::Boolean(flag)) => out.push(if *flag { 't' } else { 'f' }),
        None => out.push_str("\\N"),
    }
}

fn copy_text(out: &mut String, text: &str) {
    escaped(out, text, |byte| match byte {
        b'\\' => Some("\\\\"),
        b'\n' => Some("\\n"),
        b'\r' => Some("\\r"),
        b'\t' => Some("\\t"),
        _ => None,
    });
}

/// The text, with what the escape gives in the place of single bytes of ASCII; the stretches between as they are.
fn escaped(out: &mut String, text: &str, escape: impl Fn(u8) -> Option<&'static str>) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if let Some(instead) = escape(byte) {
            out.push_str(&text[from..at]);
            out.push_str(instead);
            from = at + 1;
        }
    }
    out.push_str(&text[from..]);
}

fn json_value(out: &mut String, value: Option<&Value<'_>>) {
    match value {
        Some(Value::Text(text)) => json_text(out, text),
        Some(Value::Integer(number)) => integer(out, *number),
        Some(Value::Boolean(flag)) => out.push_str(if *flag { "true" } else { "false" }),
        None => out.push_str("null"),
    }
}

fn json_text(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

fn integer(out: &mut String, number: i64) {
    out.push_str(itoa::Buffer::new().format(number));
}

#[cfg(test)]
mod tests {
    use super::super::columns::{DOCUMENTS, RECEIPTS};
    use super::*;

    #[test]
    fn copy_escapes_what_would_end_a_value_or_a_row() {
        let mut writer = Appended::new(&DOCUMENTS, Format::Copy);
        writer.row(&["SKU".into(), "a\tb\\c\nd\re".into(), 7_u64.into(), "\\N".into()], &[]);
        let sheet = writer.finish();
        assert_eq!(sheet.bytes, b"SKU\ta\\tb\\\\c\\nd\\re\t7\t\\\\N\n");
    }

    #[test]
    fn a_kept_value_is_null_and_an_empty_text_is_not() {
        let row: [Option<Value<'_>>; 4] = [Some("r".into()), None, Some("".into()), Some((-5_i64).into())];
        let sheet = |format| {
            let mut writer = Merged::new(&RECEIPTS, format);
            writer.row(&row, &[]);
            String::from_utf8(writer.finish().bytes).unwrap()
        };
        assert_eq!(sheet(Format::Copy), "r\t\\N\t\t-5\n");
        assert_eq!(sheet(Format::Json), "[\n[\"r\",null,\"\",-5]\n]");
    }

    #[test]
    fn json_is_json_whatever_the_text() {
        let hostile: String = (1..=0x2030_u32).filter_map(char::from_u32).collect();
        let mut writer = Appended::new(&DOCUMENTS, Format::Json);
        writer.row(&["SKU".into(), hostile.as_str().into(), 1_u64.into(), "\"\\\u{2028}".into()], &[]);
        writer.row(&["SKU".into(), "x".into(), i64::MAX.into(), "".into()], &[]);
        let sheet = writer.finish();
        assert_eq!(sheet.rows, 2);
        let rows: serde_json::Value = serde_json::from_slice(&sheet.bytes).unwrap();
        assert_eq!(rows[0][1], serde_json::Value::String(hostile));
        assert_eq!(rows[0][3], "\"\\\u{2028}");
        assert_eq!(rows[1][2], i64::MAX);
    }

    #[test]
    fn no_rows_are_an_empty_array() {
        assert_eq!(Appended::new(&DOCUMENTS, Format::Json).finish().bytes, b"[]");
        assert_eq!(Merged::new(&DOCUMENTS, Format::Copy).finish().bytes, b"");
    }
}
