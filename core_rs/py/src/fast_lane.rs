//! The fast lane, from Python.

use std::sync::Arc;

use lockstock_wire::Door;
use lockstock_wire::fast_lane::{self, ServeError, Settings};
use pyo3::prelude::*;

use crate::boundary::{Error, ExitCode, Owned, detached, seconds};

/// The running fast lane.
#[pyclass(frozen, module = "lockstock_server._core")]
pub struct FastLane {
    lane: Owned<fast_lane::FastLane>,
}

impl FastLane {
    /// Starts it.
    pub fn serve(door: Arc<Door>, address: &str, settings: Settings) -> Result<Self, Error> {
        let lane = fast_lane::FastLane::serve(door, address, settings).map_err(|error| {
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
