//! The engine, from Python.

use std::sync::Arc;
use std::time::Duration;

use lockstock_engine::projection::{self, Format, Projection, ProjectionError};
use lockstock_engine::{Config, OpenError};
use lockstock_wire::status::Failure;
use lockstock_wire::{Caller, Door, fast_lane};
use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::Value;

use crate::batch::Batch;
use crate::boundary::{Error, ExitCode, Owned, detached, json, seconds};
use crate::completions::{Completions, Waiting};
use crate::fast_lane::FastLane;
use crate::metrics;

/// What refusals under overload propose to wait, where the settings do not say.
const RETRY_HINT_MS: u64 = 100;

/// Whether a call was granted, and its answer or its status.
type Payload<'py> = (bool, Bound<'py, PyBytes>);

struct Open {
    door: Arc<Door>,
    recovery: String,
    completions: Arc<Completions>,
    projection: Mutex<Projection>,
    failure: Arc<FailureWatch>,
}

/// The engine of one data directory.
#[pyclass(frozen, module = "lockstock_server._core")]
pub struct Engine {
    open: Owned<Open>,
}

#[pymethods]
impl Engine {
    /// Opens or creates the data directory and recovers.
    #[staticmethod]
    fn open(py: Python<'_>, settings: &str) -> PyResult<Self> {
        detached(py, || Ok(Self { open: Owned::new(open(settings)?) }))
    }

    /// What recovery found, as JSON.
    fn recovery(&self, py: Python<'_>) -> PyResult<String> {
        detached(py, || Ok(self.open.get()?.recovery.clone()))
    }

    /// An eventfd, readable when completions wait to be taken.
    fn completions_fd(&self, py: Python<'_>) -> PyResult<i32> {
        detached(py, || Ok(self.open.get()?.completions.fd()))
    }

    /// Runs one unary call; None: the answer comes out of `take_completions` with this token.
    fn call<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        request: &[u8],
        token: u64,
    ) -> PyResult<Option<Payload<'py>>> {
        let reply = detached(py, || {
            let open = self.open.get()?;
            let called = open.door.call(Caller::Planner, method, request);
            if called.seen <= open.door.engine().durable() {
                return Ok(Some(open.door.finish(called)));
            }
            open.completions.hold(open.door.engine(), Waiting { token, called });
            Ok(None)
        })?;
        Ok(reply.map(|reply| payload(py, reply)))
    }

    /// Has the journal begin with what `call` left to it: calls that come together share one sync.
    fn journal(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || {
            self.engine()?.journal();
            Ok(())
        })
    }

    /// Runs one unary call and waits for durability.
    fn call_blocking<'py>(&self, py: Python<'py>, method: &str, request: &[u8]) -> PyResult<Payload<'py>> {
        let reply = detached(py, || {
            let door = &self.open.get()?.door;
            let called = door.call(Caller::Planner, method, request);
            Ok(match door.engine().wait_durable(called.seen) {
                Ok(()) => door.finish(called),
                Err(_) => Err(door.abandoned()),
            })
        })?;
        Ok(payload(py, reply))
    }

    /// All calls whose answers may leave: `(token, ok, payload)`.
    fn take_completions<'py>(&self, py: Python<'py>) -> PyResult<Vec<(u64, bool, Bound<'py, PyBytes>)>> {
        let taken = detached(py, || {
            let open = self.open.get()?;
            let (ready, given_up) = open.completions.take(open.door.engine());
            let ready = ready.into_iter().map(|it| (it.token, open.door.finish(it.called)));
            let given_up = given_up.into_iter().map(|it| (it.token, Err(open.door.abandoned())));
            Ok(ready.chain(given_up).collect::<Vec<_>>())
        })?;
        let list = taken.into_iter().map(|(token, reply)| {
            let (ok, payload) = payload(py, reply);
            (token, ok, payload)
        });
        Ok(list.collect())
    }

    /// How the engine stands, as JSON.
    fn status(&self, py: Python<'_>) -> PyResult<String> {
        detached(py, || json(&self.engine()?.status()))
    }

    /// Counters and histograms, as JSON.
    fn metrics(&self, py: Python<'_>) -> PyResult<String> {
        detached(py, || json(&metrics::series(&self.engine()?.metrics())))
    }

    /// Refuses every change until thawed.
    fn freeze(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || {
            self.engine()?.freeze();
            Ok(())
        })
    }

    /// Ends a freeze.
    fn thaw(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || {
            self.engine()?.thaw();
            Ok(())
        })
    }

    /// Refuses new calls; those in flight are answered.
    fn drain(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || {
            self.engine()?.drain();
            Ok(())
        })
    }

    /// Seals the segment, writes a snapshot; blocks.
    fn snapshot(&self, py: Python<'_>) -> PyResult<(u64, u64)> {
        detached(py, || {
            let taken = self.engine()?.snapshot_now().map_err(|error| Error::new(ExitCode::Failed, error))?;
            Ok((taken.sequence, taken.size_bytes))
        })
    }

    /// Waits until the engine has failed: the sentence, or None after `timeout` seconds.
    fn wait_failed(&self, py: Python<'_>, timeout: f64) -> PyResult<Option<String>> {
        detached(py, || Ok(self.open.get()?.failure.wait(seconds(timeout)?)))
    }

    /// Starts the fast lane on `host:port`.
    #[pyo3(signature = (address, settings, authorize = None))]
    fn serve_fast_lane(
        &self,
        py: Python<'_>,
        address: &str,
        settings: &str,
        authorize: Option<Py<PyAny>>,
    ) -> PyResult<FastLane> {
        detached(py, || {
            let settings: fast_lane::Settings =
                serde_json::from_str(settings).map_err(|error| Error::new(ExitCode::Settings, error))?;
            FastLane::serve(Arc::clone(&self.open.get()?.door), address, settings, authorize)
        })
    }

    /// The keyed hash of a buyer, as the projection has it; empty for nobody.
    fn buyer_hash(&self, py: Python<'_>, buyer: &str) -> PyResult<String> {
        detached(py, || Ok(projection::buyer_text(self.engine()?.buyer_hash(buyer))))
    }

    /// The next rows after sequence `after`; None when there are none. An error with the code of the data directory
    /// may be over when the same is asked again.
    fn projection_batch(
        &self,
        py: Python<'_>,
        after: u64,
        max_events: usize,
        format: &str,
    ) -> PyResult<Option<Batch>> {
        let made = detached(py, || {
            let open = self.open.get()?;
            let format = Format::from_name(format)
                .ok_or_else(|| Error::new(ExitCode::Failed, format!("there is no format {format}")))?;
            let batch = open.projection.lock().batch(open.door.engine(), after, max_events, format);
            let failed = |error: ProjectionError| {
                let code = if error.may_pass() { ExitCode::Data } else { ExitCode::Database };
                Error::new(code, error)
            };
            batch.map_err(failed)
        })?;
        Ok(made.map(|batch| Batch::new(py, batch)))
    }

    /// Syncs, stops every thread, releases the directory.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.engine()?.close().map_err(|failed| Error::new(ExitCode::Engine, failed)))
    }
}

impl Engine {
    fn engine(&self) -> Result<&lockstock_engine::Engine, Error> {
        Ok(self.open.get()?.door.engine())
    }
}

fn payload(py: Python<'_>, reply: Result<Vec<u8>, Failure>) -> Payload<'_> {
    match reply {
        Ok(bytes) => (true, PyBytes::new(py, &bytes)),
        Err(failure) => (false, PyBytes::new(py, &failure.status)),
    }
}

fn open(settings: &str) -> Result<Open, Error> {
    let (config, retry_hint) = config(settings).map_err(|error| Error::new(ExitCode::Settings, error))?;
    let (engine, recovery) = lockstock_engine::Engine::open(config).map_err(|error| {
        let code = match &error {
            OpenError::Config(_) => ExitCode::Settings,
            OpenError::DatabaseAhead { .. } => ExitCode::Database,
            OpenError::Thread { .. } => ExitCode::Failed,
            _ => ExitCode::Data,
        };
        Error::new(code, error)
    })?;
    let start = |error: &dyn std::fmt::Display| Error::new(ExitCode::Failed, error);
    let completions = Completions::of(&engine).map_err(|error| start(&error))?;
    let failure = FailureWatch::of(&engine);
    let door = Arc::new(Door::new(engine, retry_hint).map_err(|error| start(&error))?);
    let recovery = json(&recovery)?;
    Ok(Open { door, recovery, completions, projection: Mutex::new(Projection::new()), failure })
}

/// The engine's own settings, and `retry_hint_ms`, which is the door's.
fn config(settings: &str) -> serde_json::Result<(Config, Duration)> {
    let mut settings: Value = serde_json::from_str(settings)?;
    let hint = settings.as_object_mut().and_then(|fields| fields.remove("retry_hint_ms"));
    let hint = hint.map_or(Ok(RETRY_HINT_MS), serde_json::from_value)?;
    Ok((serde_json::from_value(settings)?, Duration::from_millis(hint)))
}

/// The first failure of an engine, to wait for.
#[derive(Default)]
struct FailureWatch {
    sentence: Mutex<Option<String>>,
    told: Condvar,
}

impl FailureWatch {
    fn of(engine: &lockstock_engine::Engine) -> Arc<Self> {
        let watch = Arc::new(Self::default());
        let told = Arc::clone(&watch);
        engine.on_failure(Box::new(move |sentence| {
            told.sentence.lock().get_or_insert_with(|| sentence.to_owned());
            told.told.notify_all();
        }));
        watch
    }

    fn wait(&self, timeout: Duration) -> Option<String> {
        let mut sentence = self.sentence.lock();
        self.told.wait_while_for(&mut sentence, |sentence| sentence.is_none(), timeout);
        sentence.clone()
    }
}
