//! Lists that nearly always hold one thing, which then takes no memory of its own.

use std::ops::{Deref, DerefMut};

/// A list; its first element stands in it, from the second on all stand elsewhere.
#[derive(Clone, Debug)]
pub enum Few<T> {
    /// Exactly one.
    One(T),
    /// Any number, in practice none or several. One pointer: the list takes no more room than its one thing.
    Many(Option<Box<Vec<T>>>),
}

impl<T> Few<T> {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self::Many(None)
    }

    fn many(list: Vec<T>) -> Self {
        Self::Many(Some(Box::new(list)))
    }

    /// What is made of each.
    pub fn map<U>(&self, mut make: impl FnMut(&T) -> U) -> Few<U> {
        match self {
            Self::One(one) => Few::One(make(one)),
            Self::Many(_) => self.iter().map(make).collect(),
        }
    }

    /// Appends.
    pub fn push(&mut self, one: T) {
        match self {
            Self::Many(Some(list)) if !list.is_empty() => list.push(one),
            Self::Many(_) => *self = Self::One(one),
            Self::One(_) => {
                if let Self::One(first) = std::mem::take(self) {
                    *self = Self::many(vec![first, one]);
                }
            }
        }
    }

    /// Puts one at a place, before what stands there and behind it.
    pub fn insert(&mut self, at: usize, one: T) {
        self.push(one);
        self[at..].rotate_right(1);
    }

    /// Takes the one at a place away, if one stands there.
    pub fn remove(&mut self, at: usize) -> Option<T> {
        if at >= self.len() {
            return None;
        }
        self[at..].rotate_left(1);
        self.pop()
    }

    /// Takes the last away. What is left stands as if it had never been more.
    pub fn pop(&mut self) -> Option<T> {
        match std::mem::take(self) {
            Self::One(one) => Some(one),
            Self::Many(list) => {
                let mut list = list?;
                let taken = list.pop();
                *self = if list.len() == 1 {
                    list.pop().map_or(Self::new(), Self::One)
                } else {
                    Self::Many(Some(list))
                };
                taken
            }
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(list) => list.as_deref().map_or(&[], Vec::as_slice),
        }
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::One(one) => std::slice::from_mut(one),
            Self::Many(list) => list.as_deref_mut().map_or(&mut [], Vec::as_mut_slice),
        }
    }
}

impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Few<T> {}

impl<T, const N: usize> From<[T; N]> for Few<T> {
    fn from(list: [T; N]) -> Self {
        list.into_iter().collect()
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(list: I) -> Self {
        let mut list = list.into_iter();
        match (list.next(), list.next()) {
            (Some(first), Some(second)) => {
                let mut many = Vec::with_capacity(list.size_hint().0.saturating_add(2));
                many.extend([first, second]);
                many.extend(list);
                Self::many(many)
            }
            (Some(one), None) => Self::One(one),
            (None, _) => Self::new(),
        }
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self {
            Self::One(one) => (Some(one), Vec::new()),
            Self::Many(list) => (None, list.map(|list| *list).unwrap_or_default()),
        };
        one.into_iter().chain(many)
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_what_was_put_into_it_whatever_its_length() {
        for length in 0..5 {
            let mut pushed = Few::new();
            (0..length).for_each(|number| pushed.push(number));
            let collected: Few<i32> = (0..length).collect();
            assert_eq!(pushed, collected);
            assert!(pushed.iter().copied().eq(0..length));
            for number in (0..length).rev() {
                assert_eq!(pushed.pop(), Some(number));
                assert_eq!(matches!(pushed, Few::One(_)), number == 1, "one takes no memory of its own");
                assert!(pushed.iter().copied().eq(0..number));
            }
            assert_eq!((pushed.pop(), pushed.len()), (None, 0));
            pushed.push(7);
            assert_eq!(pushed, Few::from([7]));
        }
    }

    #[test]
    fn what_is_put_in_between_stands_there_and_leaves_from_there() {
        for length in 0..4 {
            for at in 0..=length {
                let mut list: Few<usize> = (0..length).collect();
                list.insert(at, 9);
                assert_eq!((list.len(), list.get(at)), (length + 1, Some(&9)));
                assert_eq!((list.remove(at), list.remove(length)), (Some(9), None));
                assert!(list.iter().copied().eq(0..length));
            }
        }
    }
}
