//! Rows for the database, from Python.

use lockstock_engine::projection;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Rows for one transaction of the projection.
#[pyclass(frozen, module = "lockstock_server._core")]
pub struct Batch {
    batch: projection::Batch,
}

impl Batch {
    /// As the engine made them.
    pub const fn new(batch: projection::Batch) -> Self {
        Self { batch }
    }
}

#[pymethods]
impl Batch {
    /// The first sequence in it.
    #[getter]
    const fn first(&self) -> u64 {
        self.batch.first
    }

    /// The last sequence in it.
    #[getter]
    const fn last(&self) -> u64 {
        self.batch.last
    }

    /// `(table, what the rows are to it, rows, formatted rows)`, in the order in which they must be written.
    #[getter]
    fn tables<'py>(&self, py: Python<'py>) -> Vec<(&'static str, &'static str, usize, Bound<'py, PyBytes>)> {
        self.batch
            .sheets
            .iter()
            .map(|sheet| (sheet.table, sheet.puts.name(), sheet.rows, PyBytes::new(py, &sheet.bytes)))
            .collect()
    }
}
