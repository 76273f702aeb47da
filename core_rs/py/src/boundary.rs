//! Leaving and re-entering Python: the one helper each way, and the one error.

use std::fmt::Display;
use std::process;
use std::time::Duration;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;

pyo3::create_exception!(
    lockstock_server._core,
    CoreError,
    PyException,
    "The core cannot start or go on. The sentence says why; `code` is the process's exit code for it."
);

/// What the process ends with; the list is `ExitCode` in `errors.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// No code of its own.
    Failed = 1,
    /// A setting is wrong.
    Settings = 2,
    /// The data directory cannot be used.
    Data = 3,
    /// The database belongs to another journal, or is ahead.
    Database = 4,
    /// An address cannot be bound.
    Address = 5,
    /// The engine failed while serving.
    Engine = 70,
}

/// Why a call from Python fails.
#[derive(Debug)]
pub enum Error {
    /// An error of the core: a sentence and what the process ends with.
    Core(ExitCode, String),
    /// What a hook of Python's raised.
    Hook(PyErr),
}

impl Error {
    /// From whatever says a sentence.
    pub fn new(code: ExitCode, sentence: impl Display) -> Self {
        Self::Core(code, sentence.to_string())
    }

    fn raise(self, py: Python<'_>) -> PyErr {
        let (code, sentence) = match self {
            Self::Core(code, sentence) => (code, sentence),
            Self::Hook(raised) => return raised,
        };
        let error = CoreError::new_err(sentence);
        match error.value(py).setattr("code", code as i32) {
            Ok(()) => error,
            Err(other) => other,
        }
    }
}

/// Runs `f` without the interpreter, so that Python's other threads go on, and comes back with its result or
/// its error.
pub fn detached<T: Send>(py: Python<'_>, f: impl FnOnce() -> Result<T, Error> + Send) -> PyResult<T> {
    py.detach(f).map_err(|error| error.raise(py))
}

/// Calls a hook of Python's from where the interpreter was left, or never was.
pub fn asked<T>(
    hook: &Py<PyAny>,
    ask: impl for<'py> FnOnce(Python<'py>, &Bound<'py, PyAny>) -> PyResult<T>,
) -> PyResult<T> {
    Python::attach(|py| ask(py, hook.bind(py)))
}

/// Seconds from Python.
pub fn seconds(seconds: f64) -> Result<Duration, Error> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| Error::new(ExitCode::Failed, format!("{seconds} seconds cannot be waited: {error}")))
}

/// A value as JSON.
pub fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::new(ExitCode::Failed, error))
}

/// What belongs to the process that made it. A fork has the memory and none of the threads: there it refuses
/// to be used, and is not torn down either, for that would wait for threads that are not there.
#[derive(Debug)]
pub struct Owned<T> {
    pid: u32,
    value: Option<T>,
}

impl<T> Owned<T> {
    /// By this process.
    pub fn new(value: T) -> Self {
        Self { pid: process::id(), value: Some(value) }
    }

    /// The value, in the process that it belongs to.
    pub fn get(&self) -> Result<&T, Error> {
        match &self.value {
            Some(value) if self.pid == process::id() => Ok(value),
            _ => Err(Error::new(
                ExitCode::Failed,
                format!("the core belongs to process {} and cannot be used in a fork of it", self.pid),
            )),
        }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if self.pid != process::id() {
            std::mem::forget(self.value.take());
        }
    }
}
