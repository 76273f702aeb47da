//! The extension module `lockstock_server._core`. It registers and forwards: what it does is in the crates
//! below, what it looks like from Python is in `_core.pyi`.

mod batch;
mod boundary;
mod completions;
mod engine;
mod facts;
mod fast_lane;
mod memory;
mod metrics;
mod offline;
mod route;

use mimalloc::MiMalloc;
use pyo3::prelude::*;

/// Many small buffers come and go on several threads.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The Rust core: the engine, the fast lane, the projection's rows, offline reading.
#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::batch::Batch;
    #[pymodule_export]
    use crate::boundary::CoreError;
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::facts::{columns, limits, movements, reasons};
    #[pymodule_export]
    use crate::fast_lane::FastLane;
    #[pymodule_export]
    use crate::memory::refuse_huge_pages;
    #[pymodule_export]
    use crate::offline::Offline;
    #[pymodule_export]
    use crate::route::route;

    /// How the extension was built; `make tuned` says so of its own.
    #[pymodule_export]
    const BUILD_PROFILE: &str = match (cfg!(debug_assertions), option_env!("LOCKSTOCK_TUNED")) {
        (true, _) => "debug",
        (false, None) => "release",
        (false, Some(_)) => "tuned",
    };
}
