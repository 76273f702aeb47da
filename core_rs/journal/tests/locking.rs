//! One process a data directory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::TempDir;
use lockstock_journal::{DirLock, LockError};

/// Names the directory to lock when this test runs as the second process.
const SECOND: &str = "LOCKSTOCK_TEST_LOCK_DIR";

#[test]
fn two_processes_cannot_have_one_directory_and_a_killed_one_gives_it_back() {
    if let Some(dir) = std::env::var_os(SECOND) {
        let _lock = DirLock::acquire(&PathBuf::from(dir)).unwrap();
        writeln!(std::io::stdout(), "locked").unwrap();
        // Until it is killed.
        assert_ne!(std::io::stdin().lines().next().map(Result::unwrap), Some("never".to_owned()));
        return;
    }
    let temp = TempDir::new("locking");
    let dir = temp.0.join("data");
    let mut second = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "two_processes_cannot_have_one_directory_and_a_killed_one_gives_it_back",
            "--nocapture",
        ])
        .env(SECOND, &dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(second.stdout.take().unwrap()).lines();
    assert!(
        lines.map(Result::unwrap).any(|line| line.ends_with("locked")),
        "the second process has the lock"
    );

    let error = DirLock::acquire(&dir).unwrap_err();
    assert!(matches!(&error, LockError::Held { path } if *path == dir.join("LOCK")), "{error}");
    assert_eq!(
        error.to_string(),
        format!("another process has the data directory: {} is locked", dir.join("LOCK").display())
    );

    second.kill().unwrap();
    second.wait().unwrap();
    let lock = DirLock::acquire(&dir).unwrap();
    assert!(DirLock::acquire(&dir).is_err());
    drop(lock);
    assert!(DirLock::acquire(&dir).is_ok());
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_with_its_path() {
    let temp = TempDir::new("locking-file");
    let file = temp.0.join("file");
    std::fs::write(&file, "no directory").unwrap();
    let error = DirLock::acquire(&file.join("data")).unwrap_err();
    assert!(matches!(&error, LockError::Io(io) if io.path == file.join("data")), "{error}");
}
