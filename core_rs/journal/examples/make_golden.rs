//! Makes the golden journal of a format: `cargo run -p lockstock-journal --example make_golden -- DIR`.
//!
//! It is run once for each released format; what it made is committed under `tests/golden/format-<version>` and
//! never made again, so that a later release proves that it still reads it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lockstock_journal::{FORMAT_VERSION, Log, Options, SEGMENT_BYTES_MIN, Segments, Sequence, snapshot};

type Failed = Box<dyn std::error::Error>;

/// Record n is n bytes of value n.
fn records(first: Sequence, last: Sequence) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    for sequence in first..=last {
        let value = u8::try_from(sequence)?;
        bytes.extend_from_slice(&u32::from(value).to_le_bytes());
        bytes.resize(bytes.len() + usize::from(value), value);
    }
    Ok(bytes)
}

fn make(dir: &Path) -> Result<(), Failed> {
    let options = Options { segment_bytes: SEGMENT_BYTES_MIN, prepare_ahead: false, ..Options::default() };
    let (mut log, _) = Segments::open(dir, options)?;
    for (first, last) in [(1, 1), (2, 7), (8, 60)] {
        log.append(first, last, &records(first, last)?)?;
    }
    log.seal()?;
    for (first, last) in [(61, 99), (100, 100)] {
        log.append(first, last, &records(first, last)?)?;
    }
    snapshot::write(dir, log.journal_id(), 60, 0x0123_4567_89AB_CDEF, |out| out.write_all(b"a golden body"))?;
    Ok(())
}

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("name a directory for the golden journal of format {FORMAT_VERSION}");
        return ExitCode::FAILURE;
    };
    match make(&dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the golden journal cannot be made: {error}");
            ExitCode::FAILURE
        }
    }
}
