//! A database with transactions: rows by key, changed as the column table says. It outlives the node.

use std::collections::BTreeMap;

use lockstock_engine::projection::{Batch, Puts, TABLES, Table, expected_rows, table};
use lockstock_stock::event::Event;
use lockstock_stock::ids::Sequence;
use lockstock_stock::state::State;
use serde_json::Value;

type Row = Vec<Value>;
type Rows = BTreeMap<String, Row>;

/// What is committed.
#[derive(Default)]
pub struct Database {
    sequence: Sequence,
    tables: BTreeMap<&'static str, Rows>,
}

impl Database {
    /// The sequence it stands at.
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// One transaction. What it says of a failure leaves nothing to go on with.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), String> {
        if batch.first != self.sequence + 1 {
            let (at, first) = (self.sequence, batch.first);
            return Err(format!("the database stands at {at} and is given a batch that begins with {first}"));
        }
        for sheet in &batch.sheets {
            let table = table(sheet.table).ok_or_else(|| format!("there is no table {}", sheet.table))?;
            let rows = self.tables.entry(table.name).or_default();
            for change in parse(&sheet.bytes)? {
                take_row(table, rows, sheet.puts, change)?;
            }
        }
        self.sequence = batch.last;
        Ok(())
    }

    /// Whether it holds exactly what the state and the events up to its sequence say.
    pub fn is_exact(&self, state: &State, events: &[Event]) -> Result<(), String> {
        let none = Rows::new();
        for table in TABLES {
            let history = || Ok::<_, String>(events.iter().cloned().map(Ok::<_, String>));
            let want = expected_rows(table.name, state, history).map_err(|error| error.to_string())?;
            let want = parse(&want)?;
            let have = self.tables.get(table.name).unwrap_or(&none);
            let at = self.sequence;
            if have.len() != want.len() {
                let (name, have, want) = (table.name, have.len(), want.len());
                return Err(format!("the table {name} at sequence {at} has {have} rows where {want} belong"));
            }
            for row in want {
                let found = have.get(&key(table, &row));
                if found != Some(&row) {
                    let name = table.name;
                    return Err(format!("a row of {name} at sequence {at} is {found:?} and must be {row:?}"));
                }
            }
        }
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<Row>, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("rows that are not JSON: {error}"))
}

fn key(table: &Table, row: &[Value]) -> String {
    Value::from(row.iter().take(table.key.len()).cloned().collect::<Vec<_>>()).to_string()
}

fn take_row(table: &Table, rows: &mut Rows, puts: Puts, change: Row) -> Result<(), String> {
    let name = table.name;
    let key = key(table, &change);
    let Some(row) = rows.get_mut(&key) else {
        if change.len() != table.width() || change.iter().any(Value::is_null) {
            return Err(format!("a new row of {name} is not complete: {change:?}"));
        }
        rows.insert(key, change);
        return Ok(());
    };
    if puts == Puts::Append {
        return Err(format!("{name} {key} is appended twice"));
    }
    let set = table.key.len() + table.set.len();
    for (at, (old, new)) in row.iter_mut().zip(change).enumerate().skip(table.key.len()) {
        if at >= set {
            let sum = old.as_i64().zip(new.as_i64()).and_then(|(old, new)| old.checked_add(new));
            *old = sum.ok_or_else(|| format!("{name} {key} cannot be added to"))?.into();
        } else if !new.is_null() {
            *old = new;
        }
    }
    Ok(())
}
