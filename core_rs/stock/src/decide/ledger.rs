//! Counters as they stand within one event: copied from the state when first touched.

use std::collections::BTreeMap;

use crate::ids::Units;

/// From here on an index beats walking the list.
const SEARCHED: usize = 16;

/// A small map from keys to `N` counters that remembers the order of first use.
///
/// Nearly every event touches one key of each: the first stands here, so that it costs no memory elsewhere.
#[derive(Debug)]
pub(super) struct Ledger<K, const N: usize> {
    first: Option<K>,
    counters: [Units; N],
    others: Option<Box<Others<K, N>>>,
}

/// Whatever was touched after the first.
#[derive(Debug)]
struct Others<K, const N: usize> {
    entries: Vec<(K, [Units; N])>,
    /// Places among the entries, once they are many. Ordered, for keys are numbers that callers may choose.
    index: BTreeMap<K, usize>,
}

impl<K, const N: usize> Default for Ledger<K, N> {
    fn default() -> Self {
        Self { first: None, counters: [0; N], others: None }
    }
}

impl<K, const N: usize> Default for Others<K, N> {
    fn default() -> Self {
        Self { entries: Vec::new(), index: BTreeMap::new() }
    }
}

impl<K: Copy + Ord, const N: usize> Others<K, N> {
    fn find(&self, key: K) -> Option<usize> {
        if self.entries.len() <= SEARCHED {
            return self.entries.iter().position(|(at, _)| *at == key);
        }
        self.index.get(&key).copied()
    }

    fn push(&mut self, key: K, counters: [Units; N]) -> usize {
        let at = self.entries.len();
        self.entries.push((key, counters));
        if self.index.is_empty() && self.entries.len() > SEARCHED {
            self.index = self.entries.iter().enumerate().map(|(at, (key, _))| (*key, at)).collect();
        } else if !self.index.is_empty() {
            self.index.insert(key, at);
        }
        at
    }
}

impl<K: Copy + Ord, const N: usize> Ledger<K, N> {
    /// The counters of a key; `load` gives them when it is touched for the first time.
    pub fn touch(&mut self, key: K, load: impl FnOnce() -> [Units; N]) -> &mut [Units; N] {
        if self.first.is_none() {
            (self.first, self.counters) = (Some(key), load());
            return &mut self.counters;
        }
        if self.first == Some(key) {
            return &mut self.counters;
        }
        let others = self.others.get_or_insert_default();
        let at = others.find(key).unwrap_or_else(|| others.push(key, load()));
        &mut others.entries[at].1
    }

    /// The counters of a key, if it was ever touched.
    pub fn get(&self, key: K) -> Option<&[Units; N]> {
        if self.first == Some(key) {
            return Some(&self.counters);
        }
        let others = self.others.as_deref()?;
        others.find(key).map(|at| &others.entries[at].1)
    }

    /// Everything that was touched, in the order of first use.
    pub fn entries(&self) -> impl Iterator<Item = (K, &[Units; N])> {
        let others = self.others.iter().flat_map(|others| &others.entries);
        self.first.map(|key| (key, &self.counters)).into_iter().chain(others.map(|(key, all)| (*key, all)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_finds_every_key_below_and_above_its_index() {
        let mut ledger: Ledger<u32, 1> = Ledger::default();
        for key in 0..100_u32 {
            ledger.touch(key * 7, || [i64::from(key)])[0] += 1;
        }
        for key in 0..100_u32 {
            assert_eq!(ledger.get(key * 7), Some(&[i64::from(key) + 1]));
            assert_eq!(ledger.touch(key * 7, || [0]), &[i64::from(key) + 1]);
        }
        assert_eq!(ledger.get(1), None);
        assert!(ledger.entries().map(|(key, _)| key).eq((0..100).map(|key| key * 7)));
    }
}
