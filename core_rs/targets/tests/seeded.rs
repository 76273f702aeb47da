//! Every target over its corpus and seeded mutations of it. `LOCKSTOCK_MUTATIONS=n` makes n of each file (1,000
//! unless told; a hundredth of it for those that start a node each time).
#![allow(clippy::unwrap_used, reason = "tests may be blunt")]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use lockstock_targets::{METHODS, TARGETS, command, is_served};
use lockstock_twin::rng::Rng;
use lockstock_wire::proto::DESCRIPTORS;
use prost::Message;
use prost_types::{FileDescriptorSet, MethodDescriptorProto};

const MUTATIONS: u64 = 1_000;
/// A node is started for each input of these.
const NODES: [&str; 2] = ["command", "stream"];

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
        let mutations = if NODES.contains(&name) { mutations / 100 } else { mutations };
        for (at, (path, bytes)) in files.iter().enumerate() {
            must_stand(target, bytes, &path.display().to_string());
            for seed in 0..mutations {
                let mutated = mutate(bytes, &mut Rng::new(seed << 16 | at as u64));
                must_stand(target, &mutated, &format!("{} under seed {seed}", path.display()));
            }
        }
    }
}

#[test]
fn every_method_stands_the_messages_of_others() {
    for (at, (path, message)) in corpus("command").iter().enumerate() {
        for method in (at % 7..METHODS.len()).step_by(7) {
            let call = [&[u8::try_from(method).unwrap()], &message[1..]].concat();
            must_stand(command, &call, &format!("{} as {}", path.display(), METHODS[method]));
        }
    }
}

#[test]
fn every_method_of_the_contract_that_the_door_serves_is_called() {
    let contract = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let mut served = BTreeSet::new();
    for file in &contract.file {
        for service in &file.service {
            let path = |method: &MethodDescriptorProto| {
                format!("/{}.{}/{}", file.package(), service.name(), method.name())
            };
            served.extend(service.method.iter().map(path).filter(|path| is_served(path)));
        }
    }
    let called: BTreeSet<_> = METHODS.iter().map(|path| (*path).to_owned()).collect();
    assert_eq!(served.difference(&called).next(), None, "it is called");
    // The planners' seam is no service of the contract.
    assert!(METHODS.iter().all(|path| is_served(path)));
    assert!(called.difference(&served).all(|path| path.starts_with("/lockstock.internal.v1.")));
}

#[test]
fn every_target_is_one_of_libfuzzer() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let sources = std::fs::read_dir(fuzz.join("fuzz_targets")).unwrap();
    assert_eq!(sources.count(), TARGETS.len());
    for (name, _) in TARGETS {
        let source = std::fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(source.contains(&format!("lockstock_targets::{name}(bytes)")), "{name}");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}
