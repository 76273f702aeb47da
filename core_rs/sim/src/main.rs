//! `lockstock-sim --seeds N --from S`: so many seeds, and what they met; at a failure the seed and how to run it
//! again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use lockstock_sim::{Tally, run};

fn main() -> ExitCode {
    match arguments(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok((seeds, from)) => simulate(seeds, from),
        Err(why) => {
            eprintln!("{why}\nusage: lockstock-sim [--seeds N] [--from SEED]");
            ExitCode::from(2)
        }
    }
}

fn arguments(given: &[String]) -> Result<(u64, u64), String> {
    let (mut seeds, mut from) = (1_000, 0);
    for pair in given.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} needs a number", pair.join(" "))) };
        let number = value.parse().map_err(|_| format!("{name} needs a number, not {value:?}"))?;
        match name.as_str() {
            "--seeds" => seeds = number,
            "--from" => from = number,
            _ => return Err(format!("there is no option {name}")),
        }
    }
    Ok((seeds, from))
}

fn simulate(seeds: u64, from: u64) -> ExitCode {
    let begun = Instant::now();
    let mut tally = Tally::default();
    for seed in from..from.saturating_add(seeds) {
        // A panic of the node is a finding like any other: it has a seed.
        let ran = catch_unwind(AssertUnwindSafe(|| run(seed)))
            .unwrap_or_else(|_| Err("something panicked, see above".to_owned()));
        match ran {
            Ok(run) => tally.join(&run.tally),
            Err(why) => {
                eprintln!("seed {seed}: {why}\nto run it again: make sim SEEDS=1 FROM={seed}");
                return ExitCode::FAILURE;
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    print!("{tally}");
    println!("{seeds} seeds from {from} in {seconds:.1} s, {:.0} a minute", per_minute(seeds, seconds));
    ExitCode::SUCCESS
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn per_minute(seeds: u64, seconds: f64) -> f64 {
    seeds as f64 * 60.0 / seconds.max(1e-9)
}
