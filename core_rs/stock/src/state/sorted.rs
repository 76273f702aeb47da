//! Sorted lists of what comes nearly in its order: request ids by their stamps, locks by their deadlines.
//!
//! Entries lie in pages, full ones where they come in order, two neighbours fuller than one whatever comes: so a list
//! takes little more than its entries, at worst twice as much, and what is newest touches the same few lines of memory
//! again and again. Where they come nearly in order pages split, and are filled up once nothing more is expected there.
//! A change moves a page or two at most, and where it adds or drops one, the list of pages behind it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many pages from the newest, keys seldom come any more: all that came within a second, where a page fills in two
/// milliseconds.
const SETTLED: usize = 512;

/// Entries sorted by their keys, each key once, at most `PAGE` to a page.
#[derive(Debug)]
pub(crate) struct Sorted<K, V, const PAGE: usize> {
    pages: VecDeque<Page<K, V, PAGE>>,
    len: usize,
    /// The page that was changed last: what comes next mostly stands there too. Only a hint, whoever follows it looks
    /// at the keys there.
    recent: usize,
    /// Where in its page the last key would stand that was looked for in vain, a hint as well: what is noted was mostly
    /// looked for just before.
    missed: AtomicUsize,
}

/// Never empty, never more than `PAGE`.
#[derive(Debug)]
struct Page<K, V, const PAGE: usize> {
    /// The key of the first entry, so that finding a page reads no page.
    first: K,
    /// How many have left at the front: they stand there until their room is needed.
    gone: usize,
    all: Vec<(K, V)>,
}

impl<K: Copy + Ord, V: Copy, const PAGE: usize> Page<K, V, PAGE> {
    /// With room for a whole page from the start, or growing would leave it with room for two.
    fn new(key: K, value: V) -> Self {
        let mut all = Vec::with_capacity(PAGE);
        all.push((key, value));
        Self { first: key, gone: 0, all }
    }

    fn entries(&self) -> &[(K, V)] {
        self.all.get(self.gone..).unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.all.len() - self.gone
    }

    /// Where a key stands, or where it would. Mostly that is at the beginning or close to the end: from there it is
    /// looked for in steps that double.
    fn find(&self, key: K) -> Result<usize, usize> {
        if self.first >= key {
            return if self.first == key { Ok(0) } else { Err(0) };
        }
        let entries = self.entries();
        let is_beyond = |at: usize| entries.get(at).is_some_and(|(at, _)| *at > key);
        let (mut high, mut step) = (entries.len(), 1);
        while high > step && is_beyond(high - step) {
            (high, step) = (high - step, step * 2);
        }
        // The key at `low` is not larger; all from `high` on are.
        let mut low = high.saturating_sub(step);
        while high - low > 1 {
            let middle = low.midpoint(high);
            if is_beyond(middle) { high = middle } else { low = middle }
        }
        if entries.get(low).is_some_and(|(at, _)| *at == key) { Ok(low) } else { Err(high) }
    }

    /// Whether a key would stand in between here and is not there.
    fn lacks(&self, key: K, at: usize) -> bool {
        let entry = |at: usize| self.all.get(self.gone + at);
        let before = at.checked_sub(1).and_then(entry);
        before.is_some_and(|(before, _)| *before < key) && entry(at).is_some_and(|(after, _)| key < *after)
    }

    fn is_full(&self) -> bool {
        self.len() >= PAGE
    }

    /// Takes the room back of those that have left.
    fn compact(&mut self) {
        self.all.drain(..self.gone);
        self.gone = 0;
    }

    /// Takes over what stands in the page behind it: both together fill a page at most.
    fn take(&mut self, next: &mut Self) {
        self.compact();
        self.all.extend(next.all.drain(next.gone..));
    }

    /// Takes over as much of the page behind it as there is room for.
    fn fill(&mut self, next: &mut Self) {
        let count = (PAGE - self.len()).min(next.len());
        if count > 0 {
            self.compact();
            self.all.extend_from_slice(&next.entries()[..count]);
            next.leave(count);
        }
    }

    /// So many leave at the front.
    fn leave(&mut self, count: usize) {
        self.gone += count;
        if let Some((first, _)) = self.all.get(self.gone) {
            self.first = *first;
        }
    }

    /// Of a page that is not full.
    fn insert(&mut self, at: usize, key: K, value: V) {
        if self.all.len() >= PAGE {
            self.compact();
        }
        self.all.insert(self.gone + at, (key, value));
        if at == 0 {
            self.first = key;
        }
    }

    fn remove(&mut self, at: usize) {
        if at > 0 {
            self.all.remove(self.gone + at);
        } else {
            self.leave(1);
        }
    }
}

impl<K, V, const PAGE: usize> Default for Sorted<K, V, PAGE> {
    fn default() -> Self {
        Self { pages: VecDeque::new(), len: 0, recent: 0, missed: AtomicUsize::new(0) }
    }
}

impl<K: Ord + Copy, V: Copy, const PAGE: usize> Sorted<K, V, PAGE> {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn first(&self) -> Option<(K, V)> {
        self.pages.front()?.entries().first().copied()
    }

    fn last(&self) -> Option<(K, V)> {
        self.pages.back()?.all.last().copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, V)> + '_ {
        self.pages.iter().flat_map(|page| page.entries().iter().copied())
    }

    /// The page in which a key stands or would stand; the newest page and the recent one without a search.
    fn page_of(&self, key: K) -> usize {
        let begins_by = |number: usize| self.pages.get(number).is_some_and(|page| page.first <= key);
        let newest = self.pages.len().saturating_sub(1);
        if begins_by(newest) {
            newest
        } else if begins_by(self.recent) && !begins_by(self.recent + 1) {
            self.recent
        } else {
            self.pages.partition_point(|page| page.first <= key).saturating_sub(1)
        }
    }

    pub(crate) fn get(&self, key: K) -> Option<V> {
        // Most keys that are looked for are newer than all.
        if self.last().is_none_or(|(newest, _)| newest < key) {
            return None;
        }
        let page = self.pages.get(self.page_of(key))?;
        match page.find(key) {
            Ok(at) => page.entries().get(at).map(|(_, value)| *value),
            Err(at) => {
                self.missed.store(at, Ordering::Relaxed);
                None
            }
        }
    }

    /// Notes a new key; where it is known already, its value, and nothing changes.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Result<(), V> {
        if self.last().is_none_or(|(newest, _)| newest < key) {
            self.append(key, value);
        } else {
            let number = self.page_of(key);
            let page = &self.pages[number];
            let missed = *self.missed.get_mut();
            let found = if page.lacks(key, missed) { Err(missed) } else { page.find(key) };
            match found {
                Ok(at) => return Err(page.entries()[at].1),
                Err(at) => self.put(number, at, key, value),
            }
            self.recent = number;
        }
        self.len += 1;
        Ok(())
    }

    /// Appends a page of entries that come after all there are, in their order.
    pub(crate) fn append_page(&mut self, entries: Vec<(K, V)>) {
        debug_assert!(entries.is_sorted_by(|a, b| a.0 < b.0) && entries.len() <= PAGE);
        let Some((first, _)) = entries.first() else { return };
        debug_assert!(self.last().is_none_or(|(last, _)| last < *first));
        self.len += entries.len();
        self.pages.push_back(Page { first: *first, gone: 0, all: entries });
    }

    fn append(&mut self, key: K, value: V) {
        if let Some(page) = self.pages.back_mut().filter(|page| page.all.len() < PAGE) {
            page.all.push((key, value));
        } else {
            self.pages.push_back(Page::new(key, value));
            self.settle();
        }
    }

    /// Puts an entry at a place of a page. A full page gives its upper part away, to the next page where that has
    /// room: keys that come in order before one that is far ahead fill their pages too.
    fn put(&mut self, number: usize, at: usize, key: K, value: V) {
        let page = &mut self.pages[number];
        if !page.is_full() {
            page.insert(at, key, value);
            return;
        }
        // Nobody has left a full page.
        let cut = if at > PAGE / 4 * 3 { at } else { PAGE / 2 };
        let mut upper = Vec::with_capacity(PAGE);
        upper.extend(page.all.drain(cut..));
        if at <= cut && cut < PAGE {
            page.insert(at, key, value);
        } else {
            upper.insert(at - cut, (key, value));
        }
        let Some((first, _)) = upper.first() else { return };
        let mut upper = Page { first: *first, gone: 0, all: upper };
        if let Some(next) = self.pages.get_mut(number + 1).filter(|next| next.len() + upper.len() <= PAGE) {
            upper.take(next);
            *next = upper;
        } else {
            self.pages.insert(number + 1, upper);
            self.settle();
        }
    }

    /// Fills the page that is settling from the one behind it. To be told whenever there is a page more: then that page
    /// is the next one, or, where the one behind it was dropped, the same one again until it is full.
    fn settle(&mut self) {
        let Some(behind) = self.pages.len().checked_sub(SETTLED) else { return };
        let mut pair = self.pages.range_mut(behind.saturating_sub(1)..=behind);
        let (Some(settling), Some(next)) = (pair.next(), pair.next()) else { return };
        settling.fill(next);
        if next.entries().is_empty() {
            self.pages.remove(behind);
        }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let number = self.page_of(key);
        self.recent = number;
        let page = self.pages.get_mut(number)?;
        let at = page.find(key).ok()?;
        let (_, value) = *page.entries().get(at)?;
        page.remove(at);
        self.len -= 1;
        if page.len() <= PAGE / 4 {
            self.join(number);
        }
        Some(value)
    }

    pub(crate) fn pop_first(&mut self) -> Option<(K, V)> {
        let (key, _) = self.first()?;
        self.remove(key).map(|value| (key, value))
    }

    /// Drops a page that has become empty, and joins one that has become small with its neighbour.
    fn join(&mut self, number: usize) {
        if self.pages.get(number).is_some_and(|page| page.entries().is_empty()) {
            self.pages.remove(number);
            return;
        }
        let room = |number: usize| {
            let pair = self.pages.get(number).zip(self.pages.get(number + 1));
            pair.is_some_and(|(a, b)| a.len() + b.len() <= PAGE / 2)
        };
        let lower = [Some(number), number.checked_sub(1)].into_iter().flatten().find(|number| room(*number));
        let Some(lower) = lower else { return };
        let Some(mut upper) = self.pages.remove(lower + 1) else { return };
        self.pages[lower].take(&mut upper);
    }

    /// Changes a value, to see that it is missed.
    #[cfg(test)]
    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let number = self.page_of(key);
        let page = self.pages.get_mut(number)?;
        let at = page.find(key).ok()?;
        let at = page.gone + at;
        page.all.get_mut(at).map(|(_, value)| value)
    }
}

impl<K: Ord + Copy, V: Copy, const PAGE: usize> FromIterator<(K, V)> for Sorted<K, V, PAGE> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut list = Self::default();
        for (key, value) in entries {
            let noted = list.insert(key, value);
            debug_assert!(noted.is_ok(), "each key once");
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::state::testing::Random;

    const PAGE: usize = 256;

    type Sorted<K, V> = super::Sorted<K, V, PAGE>;

    /// The list and its twin hold the same, and no page is empty, too long or known by a wrong key.
    fn agree(list: &Sorted<u64, u64>, twin: &BTreeMap<u64, u64>) {
        assert!(list.iter().eq(twin.iter().map(|(key, value)| (*key, *value))));
        assert_eq!((list.len(), list.first()), (twin.len(), twin.first_key_value().map(|(k, v)| (*k, *v))));
        for page in &list.pages {
            assert!((1..=PAGE).contains(&page.entries().len()));
            assert_eq!(page.entries().first().map(|(key, _)| *key), Some(page.first));
            assert_eq!(page.all.capacity(), PAGE);
        }
    }

    fn filled(keys: impl Iterator<Item = u64>) -> (Sorted<u64, u64>, BTreeMap<u64, u64>) {
        let (mut list, mut twin) = (Sorted::default(), BTreeMap::new());
        for key in keys {
            assert_eq!(list.insert(key, key * 2), Ok(()));
            twin.insert(key, key * 2);
        }
        agree(&list, &twin);
        (list, twin)
    }

    #[test]
    fn a_list_is_the_map_of_what_was_put_into_it_and_taken_out_in_any_order() {
        for seed in 0..30 {
            let mut random = Random(seed);
            let (mut list, mut twin) = (Sorted::default(), BTreeMap::new());
            // Keys that grow with the time, all over the place, or a few of which many are known.
            let (spread, bound) = [(50, 0), (1, 5_000), (1, 60)][random.below(3)];
            for step in 0..6_000_u64 {
                let key = if bound == 0 { step + random.word() % spread } else { random.word() % bound };
                let gone = if random.one_in(2_000) { 700 } else { usize::from(random.one_in(3)) };
                let known = twin.get(&key).copied();
                // Now and then another key is looked for than the one that is noted.
                let sought = if random.one_in(3) { key ^ 1 } else { key };
                assert_eq!(list.get(sought), twin.get(&sought).copied(), "seed {seed}, step {step}");
                assert_eq!(list.insert(key, step).err(), known, "seed {seed}, step {step}");
                twin.entry(key).or_insert(step);
                for _ in 0..gone {
                    let key = if bound == 0 { step - random.word() % step.clamp(1, 900) } else { key ^ 1 };
                    assert_eq!(list.remove(key), twin.remove(&key), "seed {seed}, step {step}");
                    if random.one_in(2) {
                        assert_eq!(list.pop_first(), twin.pop_first(), "seed {seed}, step {step}");
                    }
                }
            }
            agree(&list, &twin);
            while list.pop_first().is_some() {}
            agree(&list, &BTreeMap::new());
        }
    }

    #[test]
    fn pages_are_full_where_keys_come_in_order_and_never_many_whatever_comes() {
        let count = 100 * PAGE as u64;
        let orders: [(&str, usize, Box<dyn Iterator<Item = u64>>); 4] = [
            ("in order", 100, Box::new(0..count)),
            ("backwards", 200, Box::new((0..count).rev())),
            (
                "before one that is far ahead",
                101,
                Box::new(std::iter::once(u64::MAX / 2).chain(0..count - 1)),
            ),
            ("from both ends", 200, Box::new((0..count).map(|n| if n % 2 == 0 { n } else { count * 2 - n }))),
        ];
        for (order, pages, keys) in orders {
            let (list, _) = filled(keys);
            assert!(list.pages.len() <= pages, "{order}: {} pages", list.pages.len());
        }
    }

    #[test]
    fn a_list_that_is_put_together_from_pages_is_the_one_that_is_put_one_by_one() {
        let keys = 0..5 * PAGE as u64 + 7;
        let (mut list, mut twin) = (Sorted::default(), BTreeMap::new());
        for page in keys.collect::<Vec<_>>().chunks(PAGE) {
            let mut entries = Vec::with_capacity(PAGE);
            entries.extend(page.iter().map(|key| (key * 2, *key)));
            twin.extend(entries.iter().copied());
            list.append_page(entries);
        }
        list.append_page(Vec::new());
        agree(&list, &twin);
        for key in [1, 2 * PAGE as u64 - 1, u64::MAX] {
            assert_eq!(list.insert(key, key), Ok(()), "and it goes on");
            twin.insert(key, key);
        }
        agree(&list, &twin);
    }

    #[test]
    fn pages_that_split_are_filled_up_once_they_have_settled() {
        const ROOMS: u64 = 8 * PAGE as u64;
        let mut random = Random(7);
        // Within a window of eight pages they come in any order.
        let keys = (0..300).flat_map(|window| {
            let mut keys: Vec<u64> = (0..ROOMS).map(|n| window * ROOMS + n).collect();
            for left in (1..keys.len()).rev() {
                keys.swap(left, random.below(left + 1));
            }
            keys
        });
        let (list, _) = filled(keys);
        let settled = list.pages.len() - SETTLED;
        assert!(list.pages.iter().take(settled - 1).all(Page::is_full));
        let split = list.pages.iter().skip(settled).filter(|page| !page.is_full()).count();
        assert!(split > SETTLED / 2, "{split} of the newest pages have split: the order was none");
    }

    #[test]
    fn what_leaves_leaves_no_page_behind_whatever_its_order() {
        const COUNT: u64 = 100 * PAGE as u64;
        let orders: [fn(u64) -> u64; 3] = [|n| n, |n| COUNT - 1 - n, |n| n * 7_919 % COUNT];
        for order in orders {
            let (mut list, _) = filled(0..COUNT);
            for n in 0..COUNT {
                assert_eq!(list.remove(order(n)), Some(order(n) * 2));
                let most = list.len() * 4 / PAGE + 2;
                assert!(list.pages.len() <= most, "{} pages for {}", list.pages.len(), list.len());
            }
        }
    }
}
