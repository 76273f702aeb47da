//! Rows for the database, from Python.

use lockstock_engine::projection::{self, Sheet};
use lockstock_engine::rests::Rests;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A sheet as Python takes it: the table, what its rows are to it, how many, and the rows.
type Table = (&'static str, &'static str, usize, Py<PyBytes>);

/// Rows for one transaction of the projection.
#[pyclass(frozen, module = "lockstock_server._core")]
pub struct Batch {
    first: u64,
    last: u64,
    tables: Vec<Table>,
}

impl Batch {
    /// The rows are Python's from the start: whoever writes them, while the database waits, copies none.
    pub fn new(py: Python<'_>, batch: projection::Batch) -> Self {
        let projection::Batch { first, last, sheets } = batch;
        let mut rests = Rests::default();
        let table = |sheet: Sheet| {
            py.detach(|| rests.if_due());
            (sheet.table, sheet.puts.name(), sheet.rows, PyBytes::new(py, &sheet.bytes).unbind())
        };
        Self { first, last, tables: sheets.into_iter().map(table).collect() }
    }
}

#[pymethods]
impl Batch {
    /// The first sequence in it.
    #[getter]
    const fn first(&self) -> u64 {
        self.first
    }

    /// The last sequence in it.
    #[getter]
    const fn last(&self) -> u64 {
        self.last
    }

    /// `(table, what the rows are to it, rows, formatted rows)`, in the order in which they must be written.
    #[getter]
    fn tables(&self, py: Python<'_>) -> Vec<Table> {
        let shared = |(table, puts, rows, bytes): &Table| (*table, *puts, *rows, bytes.clone_ref(py));
        self.tables.iter().map(shared).collect()
    }
}
