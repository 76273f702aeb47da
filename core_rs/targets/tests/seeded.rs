//! Every target over its corpus and seeded mutations of it. `LOCKSTOCK_MUTATIONS=n` makes n of each file (1,000
//! unless told).
#![allow(clippy::unwrap_used, reason = "tests may be blunt")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use lockstock_targets::TARGETS;
use lockstock_twin::rng::Rng;

const MUTATIONS: u64 = 1_000;

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// What a fuzzer does to bytes, once or a few times.
fn mutate(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len() + 1);
        let byte = u8::try_from(rng.below(256)).unwrap();
        match (rng.below(6), bytes.get_mut(at)) {
            (0, Some(old)) => *old ^= 1 << rng.below(8),
            (1, Some(old)) => *old = rng.pick(&[0, 1, 0x7F, 0x80, 0xFF]),
            (2, Some(old)) => *old = byte,
            (3, _) => bytes.insert(at, byte),
            (4, _) => bytes.truncate(at),
            (_, _) => {
                let piece = bytes[at..bytes.len().min(at + rng.below(40))].to_vec();
                let to = rng.below(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
        }
    }
    bytes
}

fn must_stand(target: fn(&[u8]), bytes: &[u8], which: &str) {
    let ran = catch_unwind(AssertUnwindSafe(|| target(bytes)));
    assert!(ran.is_ok(), "{which}: the target does not stand {bytes:?}");
}

#[test]
fn every_target_stands_its_corpus_and_mutations_of_it() {
    let mutations = std::env::var("LOCKSTOCK_MUTATIONS").map_or(MUTATIONS, |text| text.parse().unwrap());
    for (name, target) in TARGETS {
        let files = corpus(name);
        assert!(!files.is_empty(), "{name} has a corpus");
        for (at, (path, bytes)) in files.iter().enumerate() {
            must_stand(target, bytes, &path.display().to_string());
            for seed in 0..mutations {
                let mutated = mutate(bytes, &mut Rng::new(seed << 16 | at as u64));
                must_stand(target, &mutated, &format!("{} under seed {seed}", path.display()));
            }
        }
    }
}
