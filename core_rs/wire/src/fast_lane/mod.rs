//! The fast lane: the stock service over gRPC without Python, with the same bytes as the other door.

mod connection;
mod frames;
mod guests;
mod keepalive;
mod listener;
mod node;
mod peer;
mod reply;
mod request;
mod settings;
mod socket;
mod stream;
mod waiters;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use lockstock_engine::Engine;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tonic_reflection::server::Builder;
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};
use tonic_reflection::server::v1alpha;

use crate::door::Door;
use crate::method::STOCK_SERVICE;
use crate::proto::DESCRIPTORS;
use guests::{Guest, Guests, Named};
use node::Node;
use waiters::Waiters;

pub use node::Authorize;
pub use settings::Settings;
pub use tonic::metadata::{KeyAndValueRef, MetadataMap};

/// The longest question about health or services, in bytes: names, and no more.
const QUESTION_BYTES_MAX: usize = 16 << 10;
const HEALTH_SERVICE: &str = "grpc.health.v1.Health";
const REFLECTION_SERVICE: &str = "grpc.reflection.v1.ServerReflection";
const REFLECTION_SERVICE_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";

/// Why there is no fast lane.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Settings that nothing can be served under.
    #[error("the fast lane cannot be served: {0}")]
    Settings(String),
    /// The address is taken or not ours.
    #[error("the fast lane cannot listen on {address}: {source}")]
    Address {
        /// Where.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// No thread, no timer, no socket to be had.
    #[error("the fast lane cannot start: {0}")]
    Start(#[from] std::io::Error),
    /// The contract that is built in cannot be read.
    #[error("the fast lane cannot describe itself: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// The running fast lane. Dropped, it stops at once and answers nothing more.
#[derive(Debug)]
pub struct FastLane {
    address: SocketAddr,
    /// How long it may take to stop, from when it is told.
    stop: watch::Sender<Option<Duration>>,
    thread: std::sync::Mutex<Option<JoinHandle<bool>>>,
    clean: std::sync::OnceLock<bool>,
}

impl FastLane {
    /// Serves a door on `host:port` (port 0: any that is free). `authorize` is asked before every call; `None`
    /// lets everybody call everything.
    pub fn serve(
        door: Arc<Door>,
        address: &str,
        settings: Settings,
        authorize: Option<Arc<Authorize>>,
    ) -> Result<Self, ServeError> {
        settings.check().map_err(ServeError::Settings)?;
        let listen = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        };
        let (bound, listener) =
            listen().map_err(|source| ServeError::Address { address: address.to_owned(), source })?;
        // Whatever can fail fails here, not on the thread.
        reflection()?;
        let waiters = Waiters::of(door.engine());
        let runtime = runtime(settings.threads, door.engine().clone(), waiters.clone())?;
        let (stop, stopped) = watch::channel(None);
        let thread = std::thread::Builder::new().name("lockstock-lane".to_owned()).spawn(move || {
            let clean = runtime
                .block_on(run(door, waiters.clone(), authorize, listener, settings, stopped))
                .is_ok_and(|clean| clean);
            // What is still running has had its time.
            waiters.forget();
            runtime.shutdown_background();
            clean
        })?;
        Ok(Self {
            address: bound,
            stop,
            thread: std::sync::Mutex::new(Some(thread)),
            clean: std::sync::OnceLock::new(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: health first says so, no connection is taken any more, those there are are told to go, what is
    /// in flight is answered. Waits up to `deadline`; whether all calls were answered. Told again, it says
    /// the same.
    pub fn shutdown(&self, deadline: Duration) -> bool {
        self.stop.send_if_modified(|stop| stop.is_none() && stop.replace(deadline).is_none());
        // A poisoned lock is no reason not to stop.
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The lane can only panic by a defect, and then it has not answered.
            let clean = thread.join().unwrap_or(false);
            let _ = self.clean.set(clean);
        }
        *self.clean.wait()
    }
}

impl Drop for FastLane {
    fn drop(&mut self) {
        self.shutdown(Duration::ZERO);
    }
}

fn runtime(threads: usize, engine: Engine, waiters: Waiters) -> std::io::Result<Runtime> {
    let mut builder = if threads == 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(threads);
        builder
    };
    builder.on_thread_park(move || waiters.attend(&engine));
    builder.thread_name("lockstock-lane").enable_all().build()
}

/// Two versions of the protocol, for older clients know only the first.
fn reflection() -> Result<
    (
        ServerReflectionServer<impl ServerReflection>,
        v1alpha::ServerReflectionServer<impl v1alpha::ServerReflection>,
    ),
    tonic_reflection::server::Error,
> {
    let describe = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name(STOCK_SERVICE)
            .with_service_name(HEALTH_SERVICE)
    };
    let v1 = describe().with_service_name(REFLECTION_SERVICE).build_v1()?;
    let v1alpha = describe().with_service_name(REFLECTION_SERVICE_ALPHA).build_v1alpha()?;
    Ok((
        v1.max_decoding_message_size(QUESTION_BYTES_MAX),
        v1alpha.max_decoding_message_size(QUESTION_BYTES_MAX),
    ))
}

/// Serves until it is told to stop and is done, or its time is over. Whether all calls were answered.
async fn run(
    door: Arc<Door>,
    waiters: Waiters,
    authorize: Option<Arc<Authorize>>,
    listener: TcpListener,
    settings: Settings,
    stopped: watch::Receiver<Option<Duration>>,
) -> Result<bool, ServeError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let health = health.max_decoding_message_size(QUESTION_BYTES_MAX);
    reporter.set_service_status(STOCK_SERVICE, ServingStatus::Serving).await;
    let (reflection, reflection_alpha) = reflection()?;
    let guests: [Named; 3] = [
        (HEALTH_SERVICE, Guest::new(health)),
        (REFLECTION_SERVICE, Guest::new(reflection)),
        (REFLECTION_SERVICE_ALPHA, Guest::new(reflection_alpha)),
    ];
    let (stopping, stopped_calls) = watch::channel(false);
    // Where there are several threads, one is left to who asks for little.
    let long = || Semaphore::new((settings.threads - 1).clamp(1, Semaphore::MAX_PERMITS));
    let node = Arc::new(Node {
        waiters: waiters.clone(),
        door,
        authorize,
        batches: long(),
        turns: long(),
        stopping: stopped_calls,
        settings,
    });
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let signal = {
        let stopped = stopped.clone();
        async move {
            told(stopped).await;
            not_serving(reporter).await;
            // Nobody listens where no connection is open.
            let _ = stopping.send(true);
        }
    };
    tokio::select! {
        clean = listener::serve(listener, node, Guests(Arc::from(guests)), signal) => Ok(clean),
        () = waiters.release() => Ok(false),
        () = out_of_time(stopped) => Ok(false),
    }
}

/// Says so to whoever watches, and ends their watching, which would hold the connection open.
async fn not_serving(mut reporter: HealthReporter) {
    for service in ["", STOCK_SERVICE] {
        reporter.set_service_status(service, ServingStatus::NotServing).await;
    }
    for service in ["", STOCK_SERVICE] {
        reporter.clear_service_status(service).await;
    }
}

/// Until the lane is told to stop, or its handle is gone; how long it has.
async fn told(mut stopped: watch::Receiver<Option<Duration>>) -> Duration {
    match stopped.wait_for(Option::is_some).await {
        Ok(deadline) => deadline.unwrap_or_default(),
        Err(_) => Duration::ZERO,
    }
}

async fn out_of_time(stopped: watch::Receiver<Option<Duration>>) {
    let deadline = told(stopped).await;
    tokio::time::sleep(deadline).await;
}
