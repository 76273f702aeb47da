//! How the process takes its memory.

use pyo3::prelude::*;

/// From now on memory comes from the system in small pages, on Linux; what is there stays as it is.
///
/// The allocator asks for huge ones. In those a large state is read and searched faster, so a start is welcome to
/// them. But zeroing one takes up to 2.5 ms, and where memory is full the system first looks for so much in one
/// piece: then a buyer waits who happens to need a new page.
#[pyfunction]
pub fn refuse_huge_pages() {
    #[cfg(target_os = "linux")]
    {
        // Refused or not, the work is the same; only what waits for it differs.
        let _unchanged = rustix::thread::disable_transparent_huge_pages(true);
    }
}
