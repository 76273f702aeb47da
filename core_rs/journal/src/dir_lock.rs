//! One process a data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::IoError;
use crate::disk::{Disk, RealDisk};

/// The lock on a data directory: `flock` on its file `LOCK`, held until this is dropped or the process ends,
/// however it ends.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

/// Why a data directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("another process has the data directory: {} is locked", path.display())]
    Held {
        /// The file that is locked.
        path: PathBuf,
    },
    /// The disk refused something.
    #[error(transparent)]
    Io(#[from] IoError),
}

impl DirLock {
    /// Takes the lock at once, or says that another process has it. Creates the directory where it is missing.
    pub fn acquire(dir: &Path) -> Result<DirLock, LockError> {
        RealDisk.create_dir(dir).map_err(IoError::at("create", dir))?;
        let path = dir.join("LOCK");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(IoError::at("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(DirLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held { path }),
            Err(TryLockError::Error(source)) => Err(IoError { doing: "lock", path, source }.into()),
        }
    }
}
