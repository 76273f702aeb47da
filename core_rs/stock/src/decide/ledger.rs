//! Counters as they stand within one event: copied from the state when first touched.

use std::collections::HashMap;
use std::hash::Hash;

use crate::ids::Units;

/// From here on a hash beats walking the list.
const SEARCHED: usize = 16;

/// A small map from keys to `N` counters that remembers the order of first use.
#[derive(Debug)]
pub(super) struct Ledger<K, const N: usize> {
    entries: Vec<(K, [Units; N])>,
    index: HashMap<K, usize>,
}

impl<K, const N: usize> Default for Ledger<K, N> {
    fn default() -> Self {
        Self { entries: Vec::new(), index: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash, const N: usize> Ledger<K, N> {
    /// The place of a key, if it was ever touched.
    pub fn find(&self, key: K) -> Option<usize> {
        if self.entries.len() <= SEARCHED {
            return self.entries.iter().position(|(at, _)| *at == key);
        }
        self.index.get(&key).copied()
    }

    /// The place of a key; `load` gives its counters when it is touched for the first time.
    pub fn touch(&mut self, key: K, load: impl FnOnce() -> [Units; N]) -> usize {
        if let Some(at) = self.find(key) {
            return at;
        }
        let at = self.entries.len();
        self.entries.push((key, load()));
        if self.entries.len() > SEARCHED {
            if self.index.is_empty() {
                self.index = self.entries.iter().enumerate().map(|(at, (key, _))| (*key, at)).collect();
            } else {
                self.index.insert(key, at);
            }
        }
        at
    }

    /// The counters of a key, if it was ever touched.
    pub fn get(&self, key: K) -> Option<&[Units; N]> {
        self.find(key).map(|at| &self.entries[at].1)
    }

    /// The counters at a place that [`Self::touch`] gave.
    pub fn at(&mut self, at: usize) -> &mut [Units; N] {
        &mut self.entries[at].1
    }

    /// Everything that was touched, in the order of first use.
    pub fn entries(&self) -> &[(K, [Units; N])] {
        &self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_finds_every_key_below_and_above_its_index() {
        let mut ledger: Ledger<u32, 1> = Ledger::default();
        for key in 0..100_u32 {
            let at = ledger.touch(key * 7, || [i64::from(key)]);
            ledger.at(at)[0] += 1;
        }
        for key in 0..100_u32 {
            assert_eq!(ledger.get(key * 7), Some(&[i64::from(key) + 1]));
            assert_eq!(ledger.touch(key * 7, || [0]), key as usize);
        }
        assert_eq!(ledger.get(1), None);
        assert_eq!(ledger.entries().len(), 100);
    }
}
