//! Where ids lead: a table of places that grows a small part at a time.

use std::hint::black_box;

use super::block::room;
use super::hash::Texts;
use super::prefetch::TOGETHER;

/// Ids that callers choose, to places. Hashed from a seed that nobody knows, against chosen collisions; of
/// the hash enough is kept that growing does not read the ids again and that a wrong id is seldom compared.
#[derive(Debug)]
pub(super) struct Names {
    texts: Texts,
    pub(super) shards: Box<[Slots]>,
    /// What a shard held that is growing; empty in between.
    moving: Vec<Slot>,
}

/// Where an id is looked for: its shard, and the part of its hash that is kept there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NameKey {
    pub(super) shard: usize,
    pub(super) hash: u16,
}

/// Shards of names: more, for the names of one are moved at once when it grows.
pub(super) const NAME_SHARDS: u16 = 1_024;

impl Default for Names {
    fn default() -> Self {
        let shards = (0..NAME_SHARDS).map(|_| Slots::default()).collect();
        Self { texts: Texts::default(), shards, moving: Vec::new() }
    }
}

impl Names {
    pub(super) fn key(&self, name: &[u8]) -> NameKey {
        let [a, b, c, d, ..] = self.texts.of(name).to_le_bytes();
        NameKey {
            shard: usize::from(u16::from_le_bytes([a, b]) % NAME_SHARDS),
            hash: u16::from_le_bytes([c, d]),
        }
    }

    pub(super) fn get(&self, NameKey { shard, hash }: NameKey, is: impl Fn(usize) -> bool) -> Option<usize> {
        self.shards[shard].find(hash, is).ok()
    }

    /// Reads early ([`super::prefetch`]) where these ids stand or would stand; where each seems to lead, by its hash alone.
    pub(super) fn prefetch(&self, names: &[&str]) -> [Option<usize>; TOGETHER] {
        let mut keys = [NameKey::default(); TOGETHER];
        let mut homes = [[None; 2]; TOGETHER];
        for ((key, home), name) in keys.iter_mut().zip(&mut homes).zip(names) {
            *key = self.key(name.as_bytes());
            *home = self.shards[key.shard].around_home(key.hash);
        }
        for home in homes.as_flattened().iter().flatten() {
            black_box(**home);
        }
        let mut places = [None; TOGETHER];
        for (place, key) in places.iter_mut().zip(keys).take(names.len()) {
            *place = self.get(key, |_| true);
        }
        places
    }

    /// Notes an id, if it is not noted yet; whether it was not.
    pub(super) fn insert(
        &mut self,
        NameKey { shard, hash }: NameKey,
        place: u32,
        is: impl Fn(usize) -> bool,
    ) -> bool {
        let slots = &mut self.shards[shard];
        let vacant = slots.find(hash, is).err();
        vacant.map(|at| slots.insert(at, Slot::new(hash, place), &mut self.moving)).is_some()
    }

    pub(super) fn remove(&mut self, NameKey { shard, hash }: NameKey, place: usize) {
        self.shards[shard].remove(hash, place);
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|slots| slots.taken).sum()
    }
}

/// A hash table of places with open addressing, at most four fifths full and, as it grows by a quarter, seldom
/// under two thirds. It lies in chunks that are never given back: larger and larger blocks would leave holes behind
/// that together are larger than the table.
#[derive(Debug, Default)]
pub(super) struct Slots {
    #[expect(clippy::vec_box, reason = "a chunk stays where it is while the list of chunks grows")]
    chunks: Vec<Box<[Slot; CHUNK]>>,
    taken: usize,
}

const CHUNK: usize = room::<Slot>(1 << 10);

/// The kept part of a hash, and the two halves of the place after the one meant: zeros where it is empty. Six
/// bytes: of slots there are more than of anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot([u16; 3]);

impl Slot {
    const EMPTY: Self = Self([0; 3]);

    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    pub(super) const fn new(hash: u16, place: u32) -> Self {
        let after = place.saturating_add(1);
        Self([hash, after as u16, (after >> 16) as u16])
    }

    pub(super) const fn hash(self) -> u16 {
        self.0[0]
    }

    pub(super) const fn place(self) -> usize {
        (((self.0[2] as usize) << 16) | self.0[1] as usize) - 1
    }
}

impl Slots {
    /// Empty, with room for so many and no more than they need.
    pub(super) fn with_room(count: usize) -> Self {
        let chunks = (count * 5).div_ceil(4 * CHUNK);
        Self { chunks: (0..chunks).map(|_| Box::new([Slot::EMPTY; CHUNK])).collect(), taken: 0 }
    }

    const fn len(&self) -> usize {
        self.chunks.len() * CHUNK
    }

    /// What stands there, if anything does.
    fn at(&self, at: usize) -> Option<Slot> {
        let slot = *self.chunks.get(at / CHUNK)?.get(at % CHUNK)?;
        (slot != Slot::EMPTY).then_some(slot)
    }

    fn set(&mut self, at: usize, slot: Slot) {
        self.chunks[at / CHUNK][at % CHUNK] = slot;
    }

    const fn next(&self, at: usize) -> usize {
        if at + 1 == self.len() { 0 } else { at + 1 }
    }

    /// Where a hash would stand if nothing were in its way: hashes are spread evenly over any number of slots.
    fn home(&self, hash: u16) -> usize {
        (usize::from(hash) * self.len()) >> u16::BITS
    }

    /// Slots of the two lines of memory that nearly every search for a hash reads.
    fn around_home(&self, hash: u16) -> [Option<&Slot>; 2] {
        const LINE: usize = 64 / size_of::<Slot>();
        let at = self.home(hash);
        let chunk = self.chunks.get(at / CHUNK);
        [at, at + LINE].map(|at| chunk?.get(at % CHUNK))
    }

    /// The slots from a hash's home to the first empty one.
    fn probe(&self, hash: u16) -> impl Iterator<Item = (usize, Slot)> + '_ {
        let mut at = self.home(hash);
        std::iter::from_fn(move || {
            let slot = self.at(at)?;
            let here = at;
            at = self.next(at);
            Some((here, slot))
        })
    }

    /// The place of the one with this hash that is meant, or the empty slot where it would stand.
    pub(super) fn find(&self, hash: u16, is: impl Fn(usize) -> bool) -> Result<usize, usize> {
        let mut at = self.home(hash);
        // Chunk after chunk, round and round: somewhere one is empty.
        while let Some(slots) = self.chunks.get(at / CHUNK).and_then(|chunk| chunk.get(at % CHUNK..)) {
            for (number, slot) in slots.iter().enumerate() {
                if *slot == Slot::EMPTY {
                    return Err(at + number);
                }
                if slot.hash() == hash && is(slot.place()) {
                    return Ok(slot.place());
                }
            }
            at = self.next(at + slots.len() - 1);
        }
        Err(at)
    }

    /// Takes the empty slot where a hash was looked for.
    pub(super) fn insert(&mut self, at: usize, slot: Slot, moving: &mut Vec<Slot>) {
        if (self.taken + 1) * 5 > self.len() * 4 {
            for chunk in &mut self.chunks {
                moving.extend(chunk.iter().filter(|slot| **slot != Slot::EMPTY));
                chunk.fill(Slot::EMPTY);
            }
            let more = (self.chunks.len() / 4).max(1);
            self.chunks.extend((0..more).map(|_| Box::new([Slot::EMPTY; CHUNK])));
            moving.drain(..).for_each(|slot| self.put(slot));
            self.put(slot);
        } else {
            self.set(at, slot);
        }
        self.taken += 1;
    }

    fn put(&mut self, slot: Slot) {
        let mut at = self.home(slot.hash());
        while self.at(at).is_some() {
            at = self.next(at);
        }
        self.set(at, slot);
    }

    /// Empties a slot and puts those behind it again, which may have stood there because of it.
    fn remove(&mut self, hash: u16, place: usize) {
        let found = self.probe(hash).find(|(_, slot)| slot.place() == place);
        let Some((mut at, _)) = found else { return };
        self.set(at, Slot::EMPTY);
        self.taken -= 1;
        at = self.next(at);
        while let Some(slot) = self.at(at) {
            self.set(at, Slot::EMPTY);
            self.put(slot);
            at = self.next(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_with_the_same_hash_or_the_same_home_are_told_apart() {
        // All have the last of so few slots for their home, so that they stand at the beginning too.
        let hashes = [u16::MAX, u16::MAX, u16::MAX, u16::MAX - 1, u16::MAX - 9, u16::MAX];
        for gone in 0..hashes.len() {
            let mut slots = Slots::default();
            for (place, hash) in (0..).zip(hashes) {
                let at = slots.find(hash, |_| false).unwrap_err();
                slots.insert(at, Slot::new(hash, place), &mut Vec::new());
            }
            slots.remove(hashes[gone], gone);
            assert_eq!(slots.taken, hashes.len() - 1);
            for (place, hash) in hashes.into_iter().enumerate() {
                let found = slots.find(hash, |at| at == place).ok();
                assert_eq!(found, (place != gone).then_some(place), "{place} after {gone} is gone");
            }
        }
    }

    #[test]
    fn a_table_is_found_whole_at_every_length_and_never_too_empty() {
        let mut slots = Slots::default();
        let hash = |place: u32| u16::try_from(place.wrapping_mul(40_503) % 65_536).unwrap();
        for place in 0..5_000 {
            let vacant = slots.find(hash(place), |_| false).unwrap_err();
            slots.insert(vacant, Slot::new(hash(place), place), &mut Vec::new());
            let at = usize::try_from(place).unwrap();
            assert_eq!(slots.find(hash(place), |found| found == at), Ok(at));
            assert!(slots.taken < 4 * CHUNK || slots.taken * 5 >= slots.len() * 3, "{place}");
        }
        for place in 0..5_000 {
            let at = usize::try_from(place).unwrap();
            assert_eq!(slots.find(hash(place), |found| found == at), Ok(at));
        }
        assert_eq!(Slot::new(7, u32::MAX - 1).place(), 0xFFFF_FFFE);
    }
}
