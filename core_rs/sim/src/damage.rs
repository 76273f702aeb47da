//! Bits that flip at rest: found and refused, except in a last batch that nothing proves durable.

use std::path::Path;

use lockstock_engine::OpenError;
use lockstock_journal::OpenError as Refused;
use lockstock_journal::disk::Disk;
use lockstock_journal::disk::faulty::FaultyDisk;
use lockstock_stock::ids::Sequence;
use lockstock_twin::rng::Rng;

use crate::machine::Machine;
use crate::replay::straight;
use crate::tally::Tally;

/// What is known of the journal before it is damaged.
pub struct Known<'a> {
    /// The state hash after each sequence, from 0.
    pub hashes: &'a [u64],
    /// The last sequence before the last frame: what must be there whatever happens to that frame.
    pub before_last_frame: Sequence,
}

/// Flips one bit of a copy of the disk and starts a node on it.
pub fn flip_one(
    machine: &Machine,
    known: &Known<'_>,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Result<(), String> {
    let copy = machine.fork();
    let layout = copy.layout();
    let Some((path, at)) = place(&copy.disk, &[&layout.journal, &layout.snapshots], rng)? else {
        return Ok(());
    };
    copy.disk.flip(&path, at, 1 << rng.below(8));
    tally.count("bits flipped");
    judge(&copy, known, &path, at, tally)
        .map_err(|why| format!("{why} (a bit was flipped in {} at {at})", path.display()))
}

/// A byte of one of the files: mostly one that says something, else any.
fn place(
    disk: &FaultyDisk,
    dirs: &[&Path],
    rng: &mut Rng,
) -> Result<Option<(std::path::PathBuf, u64)>, String> {
    let mut files = Vec::new();
    for dir in dirs {
        let names = disk.list(dir).map_err(|error| error.to_string())?;
        files.extend(names.into_iter().map(|name| dir.join(name)));
    }
    files.sort();
    if files.is_empty() {
        return Ok(None);
    }
    let path = files.swap_remove(rng.below(files.len()));
    let bytes = disk.bytes(&path).unwrap_or_default();
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let end = if rng.percent(90) { used } else { bytes.len() };
    // The end of a file is where the interesting frames are.
    let start = if rng.percent(30) { end.saturating_sub(600) } else { 0 };
    if end == start {
        return Ok(None);
    }
    Ok(Some((path, (start + rng.below(end - start)) as u64)))
}

fn judge(copy: &Machine, known: &Known<'_>, path: &Path, at: u64, tally: &mut Tally) -> Result<(), String> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let last = known.hashes.len() as u64 - 1;
    let (node, recovery) = match copy.open() {
        Ok(opened) => opened,
        Err(OpenError::Journal(error @ Refused::Damaged { segment, offset, .. })) => {
            if name != format!("segment-{segment:010}.lkj") || offset > at {
                return Err(format!("the start was refused for another place: {error}"));
            }
            tally.count("flips refused with segment and offset");
            return Ok(());
        }
        Err(OpenError::Journal(Refused::UnknownVersion { .. }))
            if name.starts_with("segment-") && at < 4_096 =>
        {
            return Err("damage was taken for another version".to_owned());
        }
        Err(error @ (OpenError::DatabaseAhead { .. } | OpenError::SnapshotAhead { .. })) => {
            if copy.proved.max(snapshot(copy)?) == 0 {
                return Err(format!("nothing proves anything, and yet: {error}"));
            }
            tally.count("flips refused because the database or a snapshot proves more");
            return Ok(());
        }
        Err(error) => return Err(format!("the start was refused without segment and offset: {error}")),
    };
    let found = recovery.sequence;
    let hash = node.look(lockstock_stock::state::State::hash);
    let first = usize::try_from(found).ok().and_then(|at| known.hashes.get(at));
    if first != Some(&hash) {
        return Err(format!(
            "damage was served: at sequence {found} the hash is {hash:016x}, it was {first:x?}"
        ));
    }
    if found == last {
        if name.starts_with("snapshot-") {
            tally.count("flips in a snapshot");
        } else {
            // Sealed segments that a snapshot covers are not read at the start: whoever reads them must find it.
            match straight(&copy.disk, &copy.layout().journal, last) {
                Err(_) => tally.count("flips found by who reads a segment that a snapshot covers"),
                Ok(replayed) if replayed.hashes == known.hashes => tally.count("flips that change nothing"),
                Ok(_) => return Err("a replay of the damaged journal gives another state".to_owned()),
            }
        }
        return Ok(());
    }
    let proved = copy.proved.max(snapshot(copy)?);
    if found < known.before_last_frame || found < proved {
        let before = known.before_last_frame;
        return Err(format!(
            "more than the last batch was cut: {found} is left of {last}, {before} and {proved} are proved"
        ));
    }
    tally.count("flips in a last batch that nothing proves");
    Ok(())
}

fn snapshot(copy: &Machine) -> Result<Sequence, String> {
    lockstock_journal::snapshot::newest_sequence_on(&copy.disk, &copy.layout().snapshots)
        .map_err(|error| error.to_string())
}
