//! Tables of what grows without bound. Growing one moves a small part of small entries, never everything,
//! so that no command waits while millions of entries are moved.

use std::collections::HashMap;
use std::sync::Arc;

use super::hash::{Numbers, Texts};
use crate::ids::OwnerNo;

const SHARDS: usize = 256;

/// A hash map by number, in shards: each grows on its own.
#[derive(Clone, Debug)]
struct Shards<V>(Box<[HashMap<u64, V, Numbers>]>);

impl<V> Default for Shards<V> {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| HashMap::default()).collect())
    }
}

impl<V> Shards<V> {
    fn of(&self, key: u64) -> &HashMap<u64, V, Numbers> {
        &self.0[usize::from(key.to_le_bytes()[0])]
    }

    fn of_mut(&mut self, key: u64) -> &mut HashMap<u64, V, Numbers> {
        &mut self.0[usize::from(key.to_le_bytes()[0])]
    }
}

/// Owners by number, in the order in which they were put. They lie in pages that never move.
#[derive(Clone, Debug)]
pub(crate) struct Owners<V> {
    places: Shards<usize>,
    pages: Vec<Vec<V>>,
    len: usize,
    /// The place of the one that was put or changed last: an event asks for its owner again and again.
    recent: Option<(OwnerNo, usize)>,
}

const PAGE: usize = 256;

impl<V> Default for Owners<V> {
    fn default() -> Self {
        Self { places: Shards::default(), pages: Vec::new(), len: 0, recent: None }
    }
}

impl<V> Owners<V> {
    pub(crate) fn get(&self, no: OwnerNo) -> Option<&V> {
        let place = self.place(no)?;
        self.pages.get(place / PAGE)?.get(place % PAGE)
    }

    fn place(&self, no: OwnerNo) -> Option<usize> {
        match self.recent {
            Some((recent, place)) if recent == no => Some(place),
            _ => self.places.of(no.0).get(&no.0).copied(),
        }
    }

    pub(crate) fn get_mut(&mut self, no: OwnerNo) -> Option<&mut V> {
        let place = self.place(no)?;
        self.recent = Some((no, place));
        self.pages.get_mut(place / PAGE)?.get_mut(place % PAGE)
    }

    /// Puts a new owner; its number must be new.
    pub(crate) fn push(&mut self, no: OwnerNo, owner: V) {
        let place = self.len;
        if place.is_multiple_of(PAGE) {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        if let Some(page) = self.pages.last_mut() {
            page.push(owner);
            self.places.of_mut(no.0).insert(no.0, place);
            self.recent = Some((no, place));
            self.len += 1;
        }
    }

    /// Takes the owner that was put last away again, if it is this one.
    pub(crate) fn pop(&mut self, no: OwnerNo) -> Option<V> {
        let last = self.len.checked_sub(1)?;
        if self.place(no) != Some(last) {
            return None;
        }
        self.recent = None;
        self.places.of_mut(no.0).remove(&no.0);
        self.len = last;
        let owner = self.pages.last_mut()?.pop();
        self.pages.pop_if(|page| page.is_empty());
        owner
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// All owners, in the order in which they were put.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.pages.iter().flatten()
    }
}

/// An id and its number; with the rare others whose ids have the same hash.
#[derive(Clone, Debug)]
struct Named {
    id: Arc<str>,
    no: OwnerNo,
    next: Option<Box<Self>>,
}

impl Named {
    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |named| named.next.as_deref())
    }
}

/// Ids that callers choose, to numbers. Hashed from a seed that nobody knows, against chosen collisions; the
/// hash is kept, so that growing does not read the ids again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    texts: Texts,
    shards: Shards<Named>,
    len: usize,
}

impl Names {
    fn hash(&self, id: &str) -> u64 {
        self.texts.of(id)
    }

    pub(crate) fn get(&self, id: &str) -> Option<OwnerNo> {
        self.get_at(self.hash(id), id)
    }

    fn get_at(&self, hash: u64, id: &str) -> Option<OwnerNo> {
        self.shards.of(hash).get(&hash)?.chain().find(|named| *named.id == *id).map(|named| named.no)
    }

    /// Names an owner; whether the id was free. One look-up, for this is on the path of every lock.
    #[must_use]
    pub(crate) fn insert(&mut self, id: Arc<str>, no: OwnerNo) -> bool {
        self.insert_at(self.hash(&id), id, no)
    }

    fn insert_at(&mut self, hash: u64, id: Arc<str>, no: OwnerNo) -> bool {
        use std::collections::hash_map::Entry::{Occupied, Vacant};
        match self.shards.of_mut(hash).entry(hash) {
            Vacant(place) => {
                place.insert(Named { id, no, next: None });
            }
            Occupied(place) if place.get().chain().any(|named| named.id == id) => return false,
            Occupied(mut place) => {
                let next = place.get_mut().next.take();
                place.get_mut().next = Some(Box::new(Named { id, no, next }));
            }
        }
        self.len += 1;
        true
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<OwnerNo> {
        self.remove_at(self.hash(id), id)
    }

    fn remove_at(&mut self, hash: u64, id: &str) -> Option<OwnerNo> {
        let no = self.get_at(hash, id)?;
        let mut rest = self.shards.of_mut(hash).remove(&hash).map(Box::new);
        while let Some(named) = rest {
            let Named { id: other, no, next } = *named;
            self.len -= 1;
            if *other != *id {
                self.insert_at(hash, other, no);
            }
            rest = next;
        }
        Some(no)
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_found_by_number_and_stand_in_order() {
        let mut owners = Owners::default();
        for number in (3..3_000).step_by(3) {
            owners.push(OwnerNo(number), number * 2);
        }
        assert_eq!(
            (owners.len(), owners.get(OwnerNo(2_997)), owners.get(OwnerNo(4))),
            (999, Some(&5_994), None)
        );
        assert!(owners.values().copied().eq((3..3_000).step_by(3).map(|number| number * 2)));
        *owners.get_mut(OwnerNo(3)).unwrap() = 1;
        assert_eq!(owners.get(OwnerNo(3)), Some(&1));
    }

    #[test]
    fn only_the_last_owner_is_taken_away_again() {
        let mut owners = Owners::default();
        for number in 0..=PAGE as u64 {
            owners.push(OwnerNo(number), number);
        }
        let last = OwnerNo(PAGE as u64);
        assert_eq!((owners.pop(OwnerNo(1)), owners.len()), (None, PAGE + 1));
        assert_eq!(owners.pop(last), Some(last.0));
        assert_eq!((owners.get(last), owners.len()), (None, PAGE));
        assert_eq!(owners.pop(last), None);
        owners.push(last, 7);
        assert_eq!((owners.get(last), owners.len(), owners.values().count()), (Some(&7), PAGE + 1, PAGE + 1));
    }

    #[test]
    fn a_name_is_given_once() {
        let mut names = Names::default();
        for number in 0..1_000 {
            assert!(names.insert(format!("R-{number}").into(), OwnerNo(number)));
        }
        assert!(!names.insert("R-7".into(), OwnerNo(1)));
        assert_eq!((names.get("R-7"), names.get("R-1000"), names.len()), (Some(OwnerNo(7)), None, 1_000));
        assert_eq!((names.remove("R-7"), names.remove("R-7"), names.len()), (Some(OwnerNo(7)), None, 999));
    }

    #[test]
    fn names_with_the_same_hash_are_told_apart() {
        for gone in ["a", "b", "c"] {
            let mut names = Names::default();
            for (number, id) in (0..).zip(["a", "b", "c"]) {
                assert!(names.insert_at(5, id.into(), OwnerNo(number)));
                assert!(!names.insert_at(5, id.into(), OwnerNo(9)));
            }
            assert_eq!(names.get_at(5, "b"), Some(OwnerNo(1)));
            assert!(names.remove_at(5, gone).is_some());
            let left = ["a", "b", "c"].iter().filter(|id| names.get_at(5, id).is_some()).count();
            assert_eq!((names.get_at(5, gone), left, names.len()), (None, 2, 2));
        }
    }
}
