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
    /// What stands in the database stays.
    Keep,
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

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Keep, Into::into)
    }
}

/// Formatted rows of one table.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// Which table.
    pub table: &'static str,
    /// How many rows.
    pub rows: usize,
    /// The rows.
    pub bytes: Vec<u8>,
}

/// Writes the rows of one table.
pub(super) struct Writer {
    table: &'static Table,
    format: Format,
    rows: usize,
    out: String,
}

impl Writer {
    pub(super) fn new(table: &'static Table, format: Format) -> Self {
        Self { table, format, rows: 0, out: String::new() }
    }

    /// One row: its keys and set columns, then what is added to its counters.
    pub(super) fn row(&mut self, values: &[Value<'_>], add: &[Units]) {
        debug_assert_eq!(values.len() + add.len(), self.table.width(), "{}", self.table.name);
        let out = &mut self.out;
        if self.format == Format::Json {
            out.push_str(if self.rows == 0 { "[\n[" } else { ",\n[" });
        }
        for (at, value) in values.iter().enumerate() {
            separate(out, self.format, at);
            match self.format {
                Format::Copy => copy_value(out, value),
                Format::Json => json_value(out, value),
            }
        }
        for (at, units) in (values.len()..).zip(add) {
            separate(out, self.format, at);
            integer(out, *units);
        }
        out.push(match self.format {
            Format::Copy => '\n',
            Format::Json => ']',
        });
        self.rows += 1;
    }

    pub(super) fn finish(mut self) -> Sheet {
        if self.format == Format::Json {
            self.out.push_str(if self.rows == 0 { "[]" } else { "\n]" });
        }
        Sheet { table: self.table.name, rows: self.rows, bytes: self.out.into_bytes() }
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

fn copy_value(out: &mut String, value: &Value<'_>) {
    match value {
        Value::Text(text) => copy_text(out, text),
        Value::Integer(number) => integer(out, *number),
        Value::Boolean(flag) => out.push(if *flag { 't' } else { 'f' }),
        Value::Keep => out.push_str("\\N"),
    }
}

fn copy_text(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
}

fn json_value(out: &mut String, value: &Value<'_>) {
    match value {
        Value::Text(text) => json_text(out, text),
        Value::Integer(number) => integer(out, *number),
        Value::Boolean(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Keep => out.push_str("null"),
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
    // Writing to a String cannot fail.
    let _ = write!(out, "{number}");
}

#[cfg(test)]
mod tests {
    use super::super::columns::{DOCUMENTS, RECEIPTS};
    use super::*;

    #[test]
    fn copy_escapes_what_would_end_a_value_or_a_row() {
        let mut writer = Writer::new(&DOCUMENTS, Format::Copy);
        writer.row(&["SKU".into(), "a\tb\\c\nd\re".into(), 7_u64.into(), "\\N".into()], &[]);
        let sheet = writer.finish();
        assert_eq!(sheet.bytes, b"SKU\ta\\tb\\\\c\\nd\\re\t7\t\\\\N\n");
    }

    #[test]
    fn a_kept_value_is_null_and_an_empty_text_is_not() {
        let row: [Value<'_>; 4] = ["r".into(), None::<u64>.into(), "".into(), Some(-5_i64).into()];
        let sheet = |format| {
            let mut writer = Writer::new(&RECEIPTS, format);
            writer.row(&row, &[]);
            String::from_utf8(writer.finish().bytes).unwrap()
        };
        assert_eq!(sheet(Format::Copy), "r\t\\N\t\t-5\n");
        assert_eq!(sheet(Format::Json), "[\n[\"r\",null,\"\",-5]\n]");
    }

    #[test]
    fn json_is_json_whatever_the_text() {
        let hostile: String = (1..=0x2030_u32).filter_map(char::from_u32).collect();
        let mut writer = Writer::new(&DOCUMENTS, Format::Json);
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
        assert_eq!(Writer::new(&DOCUMENTS, Format::Json).finish().bytes, b"[]");
        assert_eq!(Writer::new(&DOCUMENTS, Format::Copy).finish().bytes, b"");
    }
}
