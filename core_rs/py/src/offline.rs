//! A data directory without an engine, from Python.

use std::path::{Path, PathBuf};

use lockstock_engine::projection::expected_rows;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::boundary::{Error, ExitCode, asked, detached, json};

/// A data directory opened for reading only, no engine running.
#[pyclass(frozen, module = "lockstock_server._core")]
pub struct Offline {
    data_dir: PathBuf,
    replayed: lockstock_engine::Offline,
}

#[pymethods]
impl Offline {
    /// Replays the journal, checking every invariant after every event; `progress` is told how far it is.
    #[staticmethod]
    #[pyo3(signature = (data_dir, until = None, progress = None))]
    fn open(
        py: Python<'_>,
        data_dir: &str,
        until: Option<u64>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        detached(py, move || {
            let mut raised = None;
            let watch = |done, all| {
                let Some(hook) = &progress else { return true };
                raised = asked(hook, |_, hook| hook.call1((done, all)).map(drop)).err();
                raised.is_none()
            };
            let replayed = lockstock_engine::Offline::open_watched(Path::new(data_dir), until, watch);
            match (raised, replayed) {
                (Some(raised), _) => Err(Error::Hook(raised)),
                (None, Ok(replayed)) => Ok(Self { data_dir: PathBuf::from(data_dir), replayed }),
                (None, Err(error)) => Err(damage(&error)),
            }
        })
    }

    /// What was found, as JSON.
    fn summary(&self, py: Python<'_>) -> PyResult<String> {
        detached(py, || json(self.replayed.summary()))
    }

    /// Every row a table must have, as one JSON array of arrays ordered by key.
    fn expected_rows<'py>(&self, py: Python<'py>, table: &str) -> PyResult<Bound<'py, PyBytes>> {
        let rows = detached(py, || {
            let state = self.replayed.state();
            let events = || {
                let events = lockstock_engine::Offline::events(&self.data_dir, 1, state.sequence());
                let events = events.map_err(|error| error.to_string())?;
                Ok::<_, String>(events.map(|event| event.map_err(|error| error.to_string())))
            };
            expected_rows(table, state, events).map_err(|error| damage(&error))
        })?;
        Ok(PyBytes::new(py, &rows))
    }

    /// Events as JSON, with names for indexes.
    #[staticmethod]
    fn dump(py: Python<'_>, data_dir: &str, first: u64, limit: usize) -> PyResult<Vec<String>> {
        detached(py, || {
            lockstock_engine::Offline::dump(Path::new(data_dir), first, limit).map_err(|error| damage(&error))
        })
    }
}

fn damage(error: &dyn std::fmt::Display) -> Error {
    Error::new(ExitCode::Data, error)
}
