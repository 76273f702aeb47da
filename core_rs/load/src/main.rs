//! The load generator of the benchmarks. `run` loads a server as a JSON object on the command line says and
//! prints what came of it as JSON; the other words are the peers and floors that are ours.

mod answers;
mod compose;
mod drive;
mod echo;
mod floor;
mod ids;
mod pace;
mod process;
mod protobuf;
mod protocol;
mod record;
mod socket;
mod spec;
mod template;

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What went wrong, as a sentence.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "usage: lockstock-load run SPEC | echo ADDRESS | floor-sync DIRECTORY RECORD_BYTES SECONDS \
                     | floor-lock COMMANDS SKUS | about";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match answer(&words) {
        Ok(json) => {
            say(&json);
            ExitCode::SUCCESS
        }
        Err(error) => {
            // Nobody to tell where standard error is closed.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    // Nobody to tell where standard output is closed.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn answer(words: &[&str]) -> Result<String> {
    let json = match words {
        ["run", spec] => serde_json::to_string(&drive::run(&serde_json::from_str(spec)?)?)?,
        ["echo", address] => {
            echo::serve(address, say)?;
            String::new()
        }
        ["floor-sync", directory, record_bytes, seconds] => serde_json::to_string(&floor::sync(
            Path::new(directory),
            record_bytes.parse()?,
            seconds.parse()?,
        )?)?,
        ["floor-lock", commands, skus] => {
            serde_json::to_string(&floor::lock(commands.parse()?, skus.parse()?)?)?
        }
        ["about"] => {
            let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
            serde_json::json!({ "profile": profile, "version": env!("CARGO_PKG_VERSION") }).to_string()
        }
        _ => return Err(USAGE.into()),
    };
    Ok(json)
}
