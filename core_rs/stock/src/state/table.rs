//! Tables of what grows without bound. Growing one moves a small part of small entries, never everything,
//! so that no command waits while millions of entries are moved.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hint::black_box;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use super::block::room;
use super::hash::Numbers;
use super::names::{NAME_SHARDS, NameKey, Names, Slot, Slots};
use super::prefetch::TOGETHER;
use crate::ids::OwnerNo;

const SHARDS: usize = 256;
/// Owners a page holds.
pub(crate) const fn page_of<V>() -> usize {
    room::<V>(64 << 10)
}

/// Numbers a run covers: the bits of a word.
const RUN: u64 = 64;

/// What a table of owners holds.
pub(crate) trait Owner {
    fn no(&self) -> OwnerNo;
    fn id(&self) -> &str;
    /// The id's bytes, without a look at whether they are text.
    fn name(&self) -> &[u8];
}

macro_rules! owners {
    ($($owner:ty),*) => {$(
        impl Owner for $owner {
            fn no(&self) -> OwnerNo {
                self.no
            }

            fn id(&self) -> &str {
                &self.id
            }

            fn name(&self) -> &[u8] {
                self.id.as_bytes()
            }
        }
    )*};
}

owners!(super::Reservation, super::Receipt, super::Transfer);

/// Owners in the order in which they were put, which is that of their numbers. They lie in pages that never
/// move; a place is how many came before. Ids and numbers lead to places, so that neither is kept twice.
#[derive(Debug)]
pub(crate) struct Owners<V> {
    pages: Vec<Vec<V>>,
    len: usize,
    numbers: Places,
    names: Names,
    /// Where the one is that was looked for last: a command asks for its owner again and again. Only a hint, whoever
    /// follows it looks at the number there.
    recent: AtomicUsize,
}

impl<V> Default for Owners<V> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            len: 0,
            numbers: Places::default(),
            names: Names::default(),
            recent: AtomicUsize::new(0),
        }
    }
}

fn at<V>(pages: &[Vec<V>], place: usize) -> Option<&V> {
    pages.get(place / page_of::<V>())?.get(place % page_of::<V>())
}

impl<V: Owner> Owners<V> {
    /// The n-th.
    pub(crate) fn at(&self, place: usize) -> Option<&V> {
        at(&self.pages, place)
    }

    /// How many came before.
    pub(crate) fn place(&self, no: OwnerNo) -> Option<usize> {
        let recent = self.recent.load(Relaxed);
        if self.at(recent).is_some_and(|owner| owner.no() == no) {
            return Some(recent);
        }
        let place = self.numbers.get(no)?;
        self.recent.store(place, Relaxed);
        Some(place)
    }

    pub(crate) fn get(&self, no: OwnerNo) -> Option<&V> {
        self.at(self.place(no)?)
    }

    pub(crate) fn get_mut(&mut self, no: OwnerNo) -> Option<&mut V> {
        let place = self.place(no)?;
        self.pages.get_mut(place / page_of::<V>())?.get_mut(place % page_of::<V>())
    }

    /// By id.
    pub(crate) fn find(&self, id: &str) -> Option<&V> {
        let name = id.as_bytes();
        let recent = self.at(self.recent.load(Relaxed)).filter(|owner| owner.name() == name);
        if recent.is_some() {
            return recent;
        }
        let place = self.named(self.names.key(name), name)?;
        self.recent.store(place, Relaxed);
        self.at(place)
    }

    fn named(&self, key: NameKey, name: &[u8]) -> Option<usize> {
        self.names.get(key, |place| self.at(place).is_some_and(|owner| owner.name() == name))
    }

    /// Reads early ([`super::prefetch`]) what looking for these ids will read.
    pub(crate) fn prefetch(&self, ids: &[&str]) {
        self.prefetch_places(self.names.prefetch(ids));
    }

    /// The same for these numbers.
    pub(crate) fn prefetch_numbers(&self, numbers: [Option<OwnerNo>; TOGETHER]) {
        self.prefetch_places(numbers.map(|no| no.and_then(|no| self.numbers.get(no))));
    }

    fn prefetch_places(&self, places: [Option<usize>; TOGETHER]) {
        for owner in places.into_iter().flatten().filter_map(|place| self.at(place)) {
            black_box((owner.no(), owner.name().first()));
        }
    }

    /// Puts a new owner; whether its id was free and its number comes after all others.
    #[must_use]
    pub(crate) fn push(&mut self, owner: V) -> bool {
        let (no, place) = (owner.no(), self.len);
        let last = place.checked_sub(1).and_then(|last| self.at(last));
        let Some(short) = u32::try_from(place).ok().filter(|place| *place < u32::MAX) else { return false };
        if last.is_some_and(|last| last.no() >= no) {
            return false;
        }
        let (pages, name) = (&self.pages, owner.name());
        let same = |place| at(pages, place).is_some_and(|owner| owner.name() == name);
        if !self.names.insert(self.names.key(name), short, same) {
            return false;
        }
        self.numbers.insert(no, short);
        if place.is_multiple_of(page_of::<V>()) {
            self.pages.push(Vec::with_capacity(page_of::<V>()));
        }
        if let Some(page) = self.pages.last_mut() {
            page.push(owner);
        }
        self.recent = AtomicUsize::new(place);
        self.len += 1;
        true
    }

    /// Takes the owner that was put last away again, if it is this one.
    pub(crate) fn pop(&mut self, no: OwnerNo) -> Option<V> {
        let last = self.len.checked_sub(1)?;
        if self.place(no) != Some(last) {
            return None;
        }
        let owner = self.pages.last_mut()?.pop()?;
        self.pages.pop_if(|page| page.is_empty());
        self.len = last;
        self.names.remove(self.names.key(owner.name()), last);
        self.numbers.remove(no);
        Some(owner)
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// How many ids lead somewhere: as many as there are owners.
    pub(crate) fn names(&self) -> usize {
        self.names.len()
    }

    /// All owners, in the order in which they were put.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.pages.iter().flatten()
    }

    /// The first to whom its id or its number does not lead, looked for without the hint.
    pub(crate) fn lost(&self) -> Option<&V> {
        let leads = |place, owner: &V| {
            let named = self.named(self.names.key(owner.name()), owner.name());
            (named, self.numbers.get(owner.no())) == (Some(place), Some(place))
        };
        self.values().enumerate().find(|(place, owner)| !leads(*place, owner)).map(|(_, owner)| owner)
    }

    /// Forgets an id, to see that it is missed.
    #[cfg(test)]
    pub(crate) fn unname(&mut self, id: &str) {
        let key = self.names.key(id.as_bytes());
        if let Some(place) = self.named(key, id.as_bytes()) {
            self.names.remove(key, place);
        }
    }
}

/// Owners that are put together from whole pages, in their order. Their ids are noted at the end, shard by shard: one by
/// one, each would be a look somewhere else in a large table.
#[derive(Debug)]
pub(crate) struct Assembled<V> {
    owners: Owners<V>,
    named: Box<[Vec<Slot>]>,
}

impl<V> Default for Assembled<V> {
    fn default() -> Self {
        Self { owners: Owners::default(), named: (0..NAME_SHARDS).map(|_| Vec::new()).collect() }
    }
}

impl<V: Owner> Assembled<V> {
    pub(crate) const fn len(&self) -> usize {
        self.owners.len
    }

    /// Puts the next page, full unless it is the last; the first that has no number after all before it, or no place.
    pub(crate) fn push(&mut self, page: Vec<V>) -> Result<(), OwnerNo> {
        let Owners { pages, len, numbers, names, .. } = &mut self.owners;
        let full = page_of::<V>();
        debug_assert!(*len == pages.len() * full && page.len() <= full, "only the last page is not full");
        let mut last = pages.last().and_then(|page| page.last()).map(Owner::no);
        for owner in &page {
            let no = owner.no();
            let place = u32::try_from(*len).ok().filter(|place| *place < u32::MAX);
            let Some(place) = place.filter(|_| last.is_none_or(|last| last < no)) else { return Err(no) };
            let NameKey { shard, hash } = names.key(owner.name());
            self.named[shard].push(Slot::new(hash, place));
            numbers.insert(no, place);
            last = Some(no);
            *len += 1;
        }
        pages.push(page);
        Ok(())
    }

    /// All of them, or one whose id another has.
    pub(crate) fn finish(self) -> Result<Owners<V>, OwnerNo> {
        let Self { mut owners, named } = self;
        for (shard, named) in named.into_iter().enumerate() {
            let mut slots = Slots::with_room(named.len());
            for slot in named {
                let Some(owner) = owners.at(slot.place()) else { continue };
                let same = |place| owners.at(place).is_some_and(|other| other.name() == owner.name());
                match slots.find(slot.hash(), same) {
                    Ok(_) => return Err(owner.no()),
                    Err(at) => slots.insert(at, slot, &mut Vec::new()),
                }
            }
            owners.names.shards[shard] = slots;
        }
        Ok(owners)
    }
}

/// Numbers that only grow, to places that are counted: of every 64 numbers which are taken, and the place of
/// the first that is. Next to nothing a number, and one look.
#[derive(Debug)]
struct Places {
    /// All but the newest.
    runs: Box<[HashMap<u64, Run, Numbers>]>,
    /// The run of the number that came last, if it is not empty: the next one mostly stands in it too.
    newest: (u64, Run),
}

#[derive(Clone, Copy, Debug, Default)]
struct Run {
    taken: u64,
    first: u32,
}

impl Default for Places {
    fn default() -> Self {
        Self { runs: (0..SHARDS).map(|_| HashMap::default()).collect(), newest: (0, Run::default()) }
    }
}

impl Places {
    const fn split(no: OwnerNo) -> (u64, u64) {
        (no.0 / RUN, 1 << (no.0 % RUN))
    }

    fn shard(run: u64) -> usize {
        usize::from(run.to_le_bytes()[0])
    }

    fn get(&self, no: OwnerNo) -> Option<usize> {
        let (number, bit) = Self::split(no);
        let run = if number == self.newest.0 {
            self.newest.1
        } else {
            *self.runs[Self::shard(number)].get(&number)?
        };
        let before = (run.taken & (bit - 1)).count_ones();
        (run.taken & bit != 0).then_some(run.first as usize + before as usize)
    }

    fn insert(&mut self, no: OwnerNo, place: u32) {
        let (number, bit) = Self::split(no);
        if number != self.newest.0 || self.newest.1.taken == 0 {
            let begun = self.runs[Self::shard(number)].remove(&number);
            let newest = (number, begun.unwrap_or(Run { taken: 0, first: place }));
            let (before, run) = std::mem::replace(&mut self.newest, newest);
            if run.taken != 0 {
                self.runs[Self::shard(before)].insert(before, run);
            }
        }
        self.newest.1.taken |= bit;
    }

    fn remove(&mut self, no: OwnerNo) {
        let (number, bit) = Self::split(no);
        if number == self.newest.0 {
            self.newest.1.taken &= !bit;
        } else if let Entry::Occupied(mut run) = self.runs[Self::shard(number)].entry(number) {
            run.get_mut().taken &= !bit;
            if run.get().taken == 0 {
                run.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Debug)]
    struct Named {
        no: OwnerNo,
        id: Arc<str>,
        value: u64,
    }

    owners!(Named);

    const PAGE: usize = page_of::<Named>();

    fn named(number: u64) -> Named {
        Named { no: OwnerNo(number), id: format!("R-{number}").into(), value: number * 2 }
    }

    fn filled(numbers: impl Iterator<Item = u64>) -> Owners<Named> {
        let mut owners = Owners::default();
        numbers.for_each(|number| assert!(owners.push(named(number))));
        owners
    }

    fn value(owner: Option<&Named>) -> Option<u64> {
        owner.map(|owner| owner.value)
    }

    #[test]
    fn owners_are_found_by_number_and_by_id_and_stand_in_order() {
        for step in [1, 3, 64, 100] {
            let numbers = || (step..3_000).step_by(usize::try_from(step).unwrap());
            let mut owners = filled(numbers());
            assert_eq!((owners.len(), owners.names()), (numbers().count(), numbers().count()));
            for number in numbers() {
                assert_eq!(value(owners.get(OwnerNo(number))), Some(number * 2));
                assert_eq!(value(owners.find(&format!("R-{number}"))), Some(number * 2));
            }
            assert!(owners.get(OwnerNo(0)).is_none() && owners.get(OwnerNo(3_000)).is_none());
            assert!(step == 1 || owners.get(OwnerNo(step + 1)).is_none());
            assert!(owners.find("R-0").is_none());
            assert!(owners.values().map(|owner| owner.no.0).eq(numbers()));
            owners.get_mut(OwnerNo(step)).unwrap().value = 1;
            assert_eq!(value(owners.get(OwnerNo(step))), Some(1));
        }
    }

    #[test]
    fn only_the_last_owner_is_taken_away_again() {
        let mut owners = filled(0..=PAGE as u64);
        let last = OwnerNo(PAGE as u64);
        assert!(owners.pop(OwnerNo(1)).is_none());
        assert_eq!(owners.pop(last).map(|owner| owner.no), Some(last));
        let id = format!("R-{PAGE}");
        assert!(owners.get(last).is_none() && owners.find(&id).is_none() && owners.pop(last).is_none());
        assert_eq!((owners.len(), owners.names()), (PAGE, PAGE));
        assert!(owners.push(named(last.0)));
        assert_eq!((value(owners.find(&id)), owners.values().count()), (Some(last.0 * 2), PAGE + 1));
    }

    #[test]
    fn who_is_not_led_to_is_lost_though_the_last_look_was_at_him() {
        let mut owners = filled(0..100);
        assert!(owners.lost().is_none());
        owners.numbers.remove(OwnerNo(50));
        assert!(owners.find("R-50").is_some() && owners.get(OwnerNo(50)).is_some(), "the hint leads there");
        assert_eq!(owners.lost().map(|owner| owner.no), Some(OwnerNo(50)));
        owners.unname("R-7");
        assert!(owners.get(OwnerNo(7)).is_some());
        assert_eq!(owners.lost().map(|owner| owner.no), Some(OwnerNo(7)));
    }

    #[test]
    fn an_id_is_given_once_and_numbers_grow() {
        let mut owners = filled(0..1_000);
        assert!(!owners.push(Named { no: OwnerNo(1_000), ..named(7) }), "an id that is taken");
        assert!(!owners.push(Named { id: "new".into(), ..named(999) }), "a number that is not the next");
        assert_eq!((owners.len(), owners.names()), (1_000, 1_000));
        assert!(owners.push(named(1_000)));
    }

    #[test]
    fn owners_that_are_put_together_from_pages_are_those_that_are_put_one_by_one() {
        for count in [0, 1, PAGE as u64, 5 * PAGE as u64 + 7, 300_000] {
            let mut assembled = Assembled::default();
            let all: Vec<u64> = (1..=count).map(|number| number * 3).collect();
            for page in all.chunks(PAGE) {
                assembled.push(page.iter().copied().map(named).collect()).unwrap();
            }
            let mut owners = assembled.finish().unwrap();
            assert_eq!((owners.len(), owners.names()), (all.len(), all.len()));
            assert!(owners.lost().is_none() && owners.values().map(|owner| owner.no.0).eq(all));
            assert!(owners.push(named(count * 3 + 1)) && owners.lost().is_none(), "and it goes on");
        }
    }

    #[test]
    fn pages_that_name_an_id_twice_or_a_number_that_does_not_grow_give_no_owners() {
        let page = |numbers: &[u64]| numbers.iter().copied().map(named).collect::<Vec<_>>();
        let mut assembled = Assembled::default();
        let numbers: Vec<u64> = (1..=PAGE as u64).collect();
        assembled.push(page(&numbers)).unwrap();
        assert_eq!(assembled.push(page(&[PAGE as u64])).err(), Some(OwnerNo(PAGE as u64)));
        let mut assembled = Assembled::default();
        assembled.push(page(&numbers)).unwrap();
        let next = OwnerNo(PAGE as u64 + 1);
        assembled.push(vec![Named { no: next, ..named(7) }]).unwrap();
        assert_eq!(assembled.finish().err(), Some(next));
    }
}
