//! A disk in memory that knows written from durable, and fails on demand: for tests.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Access, Disk, DiskFile};
use crate::{offset, size};

/// What a real disk writes in one piece or not at all.
const SECTOR: usize = 512;

/// What can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Creating a file.
    Create,
    /// Taking room for a file.
    Allocate,
    /// Writing into a file.
    Write,
    /// Shortening a file.
    Cut,
    /// Syncing a file.
    Sync,
    /// Renaming a file.
    Rename,
    /// Removing a file.
    Remove,
    /// Syncing a directory.
    SyncDir,
}

/// A disk in memory. Clones are the same disk.
///
/// What is written is visible at once and durable after a sync. A sync that fails leaves the bytes visible and
/// forgets that they are not durable, as Linux does. A crash keeps what is durable and, of the rest, any
/// sectors at all; names come and go in order.
#[derive(Clone, Default)]
pub struct FaultyDisk {
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct World {
    files: BTreeMap<u64, Data>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    pending_names: Vec<(PathBuf, Option<u64>)>,
    created: u64,
    capacity: Option<u64>,
    fails: Vec<(Op, u64, io::ErrorKind)>,
    ops_left: Option<u64>,
    is_off: bool,
    ops: u64,
    synced_at_once_max: usize,
    given_back_at_once_max: u64,
    /// Counts crashes: handles from before one are dead.
    life: u64,
}

#[derive(Clone, Default)]
struct Data {
    visible: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// Bytes of which the system was told that nobody will read them soon.
    released: u64,
    /// Bytes that were read, as often as they were.
    read: u64,
    /// Whether it was told to read nothing ahead.
    nothing_ahead: bool,
}

#[derive(Clone)]
enum Change {
    Size(usize),
    Write(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Size(bytes) => to.resize(*bytes, 0),
            Change::Write(at, bytes) => {
                to.resize(to.len().max(at + bytes.len()), 0);
                to[*at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
    }
}

/// What becomes of an operation that was begun.
enum Fate {
    Done,
    /// It is done, or part of it, but the caller is told that it failed.
    Failed(io::Error),
}

impl FaultyDisk {
    /// An empty disk.
    pub fn new() -> FaultyDisk {
        FaultyDisk::default()
    }

    /// From now on, the `nth` (from 1) operation of this kind fails. Of a write, half is written.
    pub fn fail(&self, op: Op, nth: u64, kind: io::ErrorKind) {
        self.world().fails.push((op, nth, kind));
    }

    /// The power goes off in the middle of the operation after the next `ops` ones: it and all later ones
    /// fail until `crash`.
    pub fn power_off_after(&self, ops: u64) {
        self.world().ops_left = Some(ops);
    }

    /// How many operations have changed something, for choosing where to fail.
    pub fn ops(&self) -> u64 {
        self.world().ops
    }

    /// The most bytes that one sync has made durable.
    pub fn synced_at_once_max(&self) -> usize {
        self.world().synced_at_once_max
    }

    /// The most bytes that one cut or removal has given back.
    pub fn given_back_at_once_max(&self) -> u64 {
        self.world().given_back_at_once_max
    }

    /// How many bytes files may have in all; `None` is no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world().capacity = bytes;
    }

    /// The bytes that files have in all.
    pub fn used(&self) -> u64 {
        self.world().used()
    }

    /// Whether the power has gone off.
    pub fn is_off(&self) -> bool {
        self.world().is_off
    }

    /// Faults that were asked for and have not come are forgotten.
    pub fn heal(&self) {
        let mut world = self.world();
        world.fails.clear();
        world.ops_left = None;
    }

    /// The process dies and the machine goes on: what was written stays, faults that were asked for and have not
    /// come are forgotten, open files are dead.
    pub fn kill(&self) {
        self.world().begin_life();
    }

    /// The machine goes down and comes up again. Of what was not durable the seed chooses what is there.
    /// Faults that were asked for and have not come are forgotten; open files are dead.
    pub fn crash(&self, seed: u64) {
        let mut dice = Dice(seed);
        let world = &mut *self.world();
        for data in world.files.values_mut() {
            data.crash(&mut dice);
        }
        let kept = dice.below(world.pending_names.len() + 1);
        let pending: Vec<_> = world.pending_names.drain(..).take(kept).collect();
        for (path, id) in pending {
            set_name(&mut world.durable_names, path, id);
        }
        world.names = world.durable_names.clone();
        let named: Vec<u64> = world.names.values().copied().collect();
        world.files.retain(|id, _| named.contains(id));
        world.begin_life();
    }

    /// Changes bits of a byte at rest. Whether there is such a byte.
    pub fn flip(&self, path: &Path, at: u64, bits: u8) -> bool {
        self.edit(path, |bytes| bytes.get_mut(size(at)).map(|byte| *byte ^= bits).is_some())
    }

    /// Writes bytes at rest. Whether there is room.
    pub fn overwrite(&self, path: &Path, at: u64, with: &[u8]) -> bool {
        self.edit(path, |bytes| {
            bytes.get_mut(size(at)..size(at) + with.len()).map(|old| old.copy_from_slice(with)).is_some()
        })
    }

    /// Cuts a file at rest. Whether there is one.
    pub fn truncate(&self, path: &Path, bytes: u64) -> bool {
        self.edit(path, |all| {
            all.truncate(size(bytes));
            true
        })
    }

    /// The bytes a process sees in a file.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let world = self.world();
        let id = world.names.get(path)?;
        world.files.get(id).map(|data| data.visible.clone())
    }

    /// The bytes of a file that were released, as often as they were.
    pub fn released(&self, path: &Path) -> u64 {
        let world = self.world();
        world.names.get(path).and_then(|id| world.files.get(id)).map_or(0, |data| data.released)
    }

    /// The bytes of a file that were read, as often as they were.
    pub fn read(&self, path: &Path) -> u64 {
        let world = self.world();
        world.names.get(path).and_then(|id| world.files.get(id)).map_or(0, |data| data.read)
    }

    /// Whether nothing of a file is to be read ahead.
    pub fn reads_nothing_ahead(&self, path: &Path) -> bool {
        let world = self.world();
        world.names.get(path).and_then(|id| world.files.get(id)).is_some_and(|data| data.nothing_ahead)
    }

    /// A disk with the same contents and no faults.
    #[must_use]
    pub fn fork(&self) -> FaultyDisk {
        let world = self.world();
        let copy = World {
            files: world.files.clone(),
            names: world.names.clone(),
            durable_names: world.durable_names.clone(),
            pending_names: world.pending_names.clone(),
            created: world.created,
            ..World::default()
        };
        FaultyDisk { world: Arc::new(Mutex::new(copy)) }
    }

    fn edit(&self, path: &Path, mut change: impl FnMut(&mut Vec<u8>) -> bool) -> bool {
        let world = &mut *self.world();
        let Some(data) = world.names.get(path).and_then(|id| world.files.get_mut(id)) else { return false };
        let changed = change(&mut data.visible);
        data.durable = data.visible.clone();
        data.pending.clear();
        changed
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// Counts an operation and decides its fate; an error where it does not even begin.
    fn begin(&mut self, op: Op) -> io::Result<Fate> {
        if self.is_off {
            return Err(off());
        }
        self.ops += 1;
        if let Some(left) = &mut self.ops_left {
            if *left == 0 {
                self.is_off = true;
                return Ok(Fate::Failed(off()));
            }
            *left -= 1;
        }
        for rule in self.fails.iter_mut().filter(|(kind, ..)| *kind == op) {
            rule.1 = rule.1.saturating_sub(1);
        }
        if let Some(at) = self.fails.iter().position(|(_, nth, _)| *nth == 0) {
            let (_, _, error) = self.fails.swap_remove(at);
            return Ok(Fate::Failed(error.into()));
        }
        Ok(Fate::Done)
    }

    fn begin_life(&mut self) {
        self.fails.clear();
        self.ops_left = None;
        self.is_off = false;
        self.life += 1;
    }

    fn name(&mut self, path: &Path, id: Option<u64>) {
        set_name(&mut self.names, path.to_path_buf(), id);
        self.pending_names.push((path.to_path_buf(), id));
    }

    fn used(&self) -> u64 {
        self.names.values().filter_map(|id| self.files.get(id)).map(|data| offset(data.visible.len())).sum()
    }

    fn takes(&self, more: u64) -> io::Result<()> {
        match self.capacity {
            Some(most) if self.used() + more > most => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

impl Data {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.visible);
        self.pending.push(change);
    }

    fn crash(&mut self, dice: &mut Dice) {
        // One time in three nothing or everything survives: the plain cases are the likeliest in life.
        let mode = dice.below(6);
        for change in self.pending.drain(..) {
            match change {
                _ if mode == 0 => {}
                Change::Write(at, bytes) if mode > 1 => {
                    let end = at + bytes.len();
                    let mut from = at;
                    while from < end {
                        let to = ((from / SECTOR + 1) * SECTOR).min(end);
                        if dice.below(2) == 0 {
                            Change::Write(from, bytes[from - at..to - at].to_vec()).apply(&mut self.durable);
                        }
                        from = to;
                    }
                }
                Change::Size(_) if mode > 1 && dice.below(2) == 0 => {}
                change => change.apply(&mut self.durable),
            }
        }
        self.visible = self.durable.clone();
    }
}

fn set_name(names: &mut BTreeMap<PathBuf, u64>, path: PathBuf, id: Option<u64>) {
    match id {
        Some(id) => names.insert(path, id),
        None => names.remove(&path),
    };
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

/// Small, seeded, good enough to choose sectors.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        size((z ^ (z >> 31)) % offset(n.max(1)))
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    id: u64,
    life: u64,
}

impl Disk for FaultyDisk {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        if self.world().is_off { Err(off()) } else { Ok(()) }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let world = self.world();
        if world.is_off {
            return Err(off());
        }
        let inside = world.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| path.file_name()?.to_str().map(String::from)).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world();
        let fate = world.begin(Op::Create)?;
        world.created += 1;
        let id = world.created;
        world.files.insert(id, Data::default());
        world.name(path, Some(id));
        let file = FaultyFile { disk: self.clone(), id, life: world.life };
        fate.tell().map(|()| Box::new(file) as Box<dyn DiskFile>)
    }

    fn open(&self, path: &Path, _: Access) -> io::Result<Box<dyn DiskFile>> {
        let world = self.world();
        if world.is_off {
            return Err(off());
        }
        let id = *world.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(FaultyFile { disk: self.clone(), id, life: world.life }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        let fate = world.begin(Op::Rename)?;
        if matches!(fate, Fate::Done) || world.is_off {
            let id = *world.names.get(from).ok_or(io::ErrorKind::NotFound)?;
            world.name(to, Some(id));
            world.name(from, None);
        }
        fate.tell()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let fate = world.begin(Op::Remove)?;
        if matches!(fate, Fate::Done) || world.is_off {
            let file = world.names.get(path).and_then(|id| world.files.get(id));
            let length = file.map_or(0, |data| offset(data.visible.len()));
            world.given_back_at_once_max = world.given_back_at_once_max.max(length);
            world.name(path, None);
        }
        fate.tell()
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let world = &mut *self.world();
        let fate = world.begin(Op::SyncDir)?;
        if matches!(fate, Fate::Done) {
            for (path, id) in world.pending_names.drain(..) {
                set_name(&mut world.durable_names, path, id);
            }
        }
        fate.tell()
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        let world = self.world();
        Ok(world.capacity.map_or(u64::MAX, |most| most.saturating_sub(world.used())))
    }
}

impl Fate {
    fn tell(self) -> io::Result<()> {
        match self {
            Fate::Done => Ok(()),
            Fate::Failed(error) => Err(error),
        }
    }
}

impl FaultyFile {
    /// The world, if this file has not died with a crash.
    fn alive(&self) -> io::Result<MutexGuard<'_, World>> {
        let world = self.disk.world();
        if world.is_off || world.life != self.life { Err(off()) } else { Ok(world) }
    }
}

impl DiskFile for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        let world = self.alive()?;
        Ok(world.files.get(&self.id).map_or(0, |data| offset(data.visible.len())))
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let mut world = self.alive()?;
        let data = world.files.get_mut(&self.id).ok_or(io::ErrorKind::NotFound)?;
        let rest = data.visible.get(size(at)..).unwrap_or_default();
        let read = rest.len().min(into.len());
        into[..read].copy_from_slice(&rest[..read]);
        data.read += offset(read);
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut world = self.alive()?;
        let fate = world.begin(Op::Write)?;
        let whole = matches!(fate, Fate::Done) || world.is_off;
        let bytes = if whole { bytes } else { &bytes[..bytes.len() / 2] };
        let length = world.files.get(&self.id).map_or(0, |data| data.visible.len());
        world.takes(offset((size(at) + bytes.len()).saturating_sub(length)))?;
        let data = world.files.get_mut(&self.id).ok_or(io::ErrorKind::NotFound)?;
        data.change(Change::Write(size(at), bytes.to_vec()));
        fate.tell()
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let mut world = self.alive()?;
        let fate = world.begin(Op::Allocate)?;
        let length = world.files.get(&self.id).map_or(0, |data| data.visible.len());
        world.takes(bytes.saturating_sub(offset(length)))?;
        let data = world.files.get_mut(&self.id).ok_or(io::ErrorKind::NotFound)?;
        if size(bytes) > length {
            data.change(Change::Size(size(bytes)));
        }
        fate.tell()
    }

    fn cut(&self, bytes: u64) -> io::Result<()> {
        let mut world = self.alive()?;
        let fate = world.begin(Op::Cut)?;
        if matches!(fate, Fate::Done) || world.is_off {
            let data = world.files.get_mut(&self.id).ok_or(io::ErrorKind::NotFound)?;
            let given_back = offset(data.visible.len().saturating_sub(size(bytes)));
            data.change(Change::Size(size(bytes)));
            world.given_back_at_once_max = world.given_back_at_once_max.max(given_back);
        }
        fate.tell()
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.alive()?;
        let fate = world.begin(Op::Sync)?;
        let is_off = world.is_off;
        let data = world.files.get_mut(&self.id).ok_or(io::ErrorKind::NotFound)?;
        match fate {
            Fate::Done => {
                let mut bytes = 0;
                for change in data.pending.drain(..) {
                    if let Change::Write(_, written) = &change {
                        bytes += written.len();
                    }
                    change.apply(&mut data.durable);
                }
                world.synced_at_once_max = world.synced_at_once_max.max(bytes);
            }
            // Linux marks the pages clean: they look written and never will be.
            Fate::Failed(_) if !is_off => data.pending.clear(),
            Fate::Failed(_) => {}
        }
        fate.tell()
    }

    fn release(&self, _: u64, bytes: u64) {
        if let Ok(mut world) = self.alive()
            && let Some(data) = world.files.get_mut(&self.id)
        {
            data.released += bytes;
        }
    }

    fn read_nothing_ahead(&self) {
        if let Ok(mut world) = self.alive()
            && let Some(data) = world.files.get_mut(&self.id)
        {
            data.nothing_ahead = true;
        }
    }
}
