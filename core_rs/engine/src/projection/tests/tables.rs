//! A database with memory: rows by key, changed as the column table says.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::projection::columns::{self, Table, Type};
use crate::projection::format::{Puts, Sheet};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Integer(i64),
    Text(String),
}

type Rows = BTreeMap<Vec<Key>, Vec<Value>>;

#[derive(Default)]
pub struct Tables(BTreeMap<&'static str, Rows>);

fn key(table: &Table, row: &[Value]) -> Vec<Key> {
    let of = |value: &Value| match value {
        Value::String(text) => Key::Text(text.clone()),
        number => Key::Integer(number.as_i64().unwrap()),
    };
    row[..table.key.len()].iter().map(of).collect()
}

impl Tables {
    /// Rows that are all there is; they must come in the order of their keys.
    pub fn fill(&mut self, table: &'static Table, rows: Vec<Vec<Value>>) {
        let keys: Vec<_> = rows.iter().map(|row| key(table, row)).collect();
        assert!(keys.is_sorted_by(|a, b| a < b), "{} is ordered by key", table.name);
        self.0.insert(table.name, keys.into_iter().zip(rows).collect());
    }

    /// What a batch does.
    pub fn take(&mut self, sheets: &[Sheet]) {
        for sheet in sheets {
            let table = columns::table(sheet.table).unwrap();
            let rows = self.0.entry(table.name).or_default();
            let changes = parse_json(&sheet.bytes);
            assert_eq!(changes.len(), sheet.rows);
            for change in changes {
                take_row(table, rows, sheet.puts, change);
            }
        }
    }

    pub fn assert_equal(&self, expected: &Self, seed: u64) {
        let none = Rows::new();
        for table in columns::TABLES {
            let have = self.0.get(table.name).unwrap_or(&none);
            let want = expected.0.get(table.name).unwrap_or(&none);
            for (have, want) in have.iter().zip(want) {
                assert_eq!(have, want, "{} under seed {seed}", table.name);
            }
            assert_eq!(have.len(), want.len(), "{} under seed {seed}", table.name);
        }
    }
}

fn take_row(table: &Table, rows: &mut Rows, puts: Puts, change: Vec<Value>) {
    assert_eq!(change.len(), table.width(), "{}", table.name);
    let key = key(table, &change);
    let Some(row) = rows.get_mut(&key) else {
        assert!(
            change.iter().all(|value| !value.is_null()),
            "a new row of {} is complete: {change:?}",
            table.name
        );
        rows.insert(key, change);
        return;
    };
    assert_eq!(puts, Puts::Merge, "{} {key:?} is appended twice", table.name);
    let set = table.key.len() + table.set.len();
    for (at, value) in change.into_iter().enumerate().skip(table.key.len()) {
        if at >= set {
            row[at] = (row[at].as_i64().unwrap() + value.as_i64().unwrap()).into();
        } else if !value.is_null() {
            row[at] = value;
        }
    }
}

pub fn parse_json(bytes: &[u8]) -> Vec<Vec<Value>> {
    let rows: Vec<Vec<Value>> = serde_json::from_slice(bytes).unwrap();
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!(rows.is_empty() || lines == rows.len() + 2, "a row stands on a line of its own");
    rows
}

/// What `PostgreSQL` reads from COPY's text format.
pub fn parse_copy(table: &Table, bytes: &[u8]) -> Vec<Vec<Value>> {
    let holds: Vec<Type> = table.key.iter().chain(table.set).map(|column| column.holds).collect();
    let text = std::str::from_utf8(bytes).unwrap();
    let value = |(at, field): (usize, &str)| match (field, holds.get(at).unwrap_or(&Type::Integer)) {
        ("\\N", _) => Value::Null,
        (field, Type::Integer) => field.parse::<i64>().unwrap().into(),
        (field, Type::Boolean) => (field == "t").into(),
        (field, Type::Text) => unescape(field).into(),
    };
    text.lines().map(|line| line.split('\t').enumerate().map(value).collect()).collect()
}

fn unescape(field: &str) -> String {
    let mut out = String::new();
    let mut letters = field.chars();
    while let Some(letter) = letters.next() {
        out.push(match letter {
            '\\' => match letters.next().unwrap() {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other => other,
            },
            other => other,
        });
    }
    out
}
