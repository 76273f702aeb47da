//! The fast lane, from Python.

use std::sync::Arc;

use lockstock_wire::Door;
use lockstock_wire::fast_lane::{self, Authorize, KeyAndValueRef, MetadataMap, ServeError, Settings};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::boundary::{Error, ExitCode, Owned, asked, detached, seconds};

/// The running fast lane.
#[pyclass(frozen, module = "lockstock_server._core")]
pub struct FastLane {
    lane: Owned<fast_lane::FastLane>,
}

impl FastLane {
    /// Starts it. `authorize` is Python's hook: while it is asked, the lane waits for Python.
    pub fn serve(
        door: Arc<Door>,
        address: &str,
        settings: Settings,
        authorize: Option<Py<PyAny>>,
    ) -> Result<Self, Error> {
        let authorize = authorize
            .map(|hook| -> Arc<Authorize> { Arc::new(move |caller, method| allowed(&hook, caller, method)) });
        let lane = fast_lane::FastLane::serve(door, address, settings, authorize).map_err(|error| {
            let code = match &error {
                ServeError::Settings(_) => ExitCode::Settings,
                ServeError::Address { .. } => ExitCode::Address,
                ServeError::Start(_) | ServeError::Reflection(_) => ExitCode::Failed,
            };
            Error::new(code, error)
        })?;
        Ok(Self { lane: Owned::new(lane) })
    }
}

/// Asks Python's hook. One that fails allows nothing, and says so where Python says such things.
fn allowed(hook: &Py<PyAny>, caller: &MetadataMap, method: &str) -> bool {
    let ask = |py: Python<'_>, hook: &Bound<'_, PyAny>| {
        let answer = metadata(py, caller).and_then(|caller| hook.call1((caller, method))?.is_truthy());
        Ok(answer.unwrap_or_else(|error| {
            error.write_unraisable(py, Some(hook));
            false
        }))
    };
    asked(hook, ask).unwrap_or(false)
}

fn metadata<'py>(py: Python<'py>, caller: &MetadataMap) -> PyResult<Bound<'py, PyDict>> {
    let metadata = PyDict::new(py);
    for entry in caller.iter() {
        match entry {
            KeyAndValueRef::Ascii(name, value) => {
                metadata.set_item(name.as_str(), String::from_utf8_lossy(value.as_bytes()))?;
            }
            KeyAndValueRef::Binary(name, value) => {
                let bytes = value.to_bytes().map_err(|error| PyValueError::new_err(error.to_string()))?;
                metadata.set_item(name.as_str(), PyBytes::new(py, &bytes))?;
            }
        }
    }
    Ok(metadata)
}

#[pymethods]
impl FastLane {
    /// Where it listens, `host:port`.
    #[getter]
    fn address(&self, py: Python<'_>) -> PyResult<String> {
        detached(py, || Ok(self.lane.get()?.address().to_string()))
    }

    /// Stops accepting, sends GOAWAY, waits up to `deadline` seconds; whether all calls were answered.
    fn shutdown(&self, py: Python<'_>, deadline: f64) -> PyResult<bool> {
        detached(py, || Ok(self.lane.get()?.shutdown(seconds(deadline)?)))
    }
}
