//! When locks end.

use super::{OwnerNo, Reservation, State};
use crate::ids::Micros;

/// When a lock ends, and the place of its reservation: places are counted in the order of numbers, so this is
/// the order of deadlines and numbers. Twelve bytes, for there is one an open lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due([u32; 3]);

impl Due {
    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    pub(crate) const fn new(deadline: Micros, place: u32) -> Self {
        // Never below zero, where an event that is applied has set it.
        let deadline = deadline.cast_unsigned();
        Self([(deadline >> 32) as u32, deadline as u32, place])
    }

    pub(crate) const fn deadline(self) -> Micros {
        (((self.0[0] as u64) << 32) | self.0[1] as u64).cast_signed()
    }

    const fn place(self) -> usize {
        self.0[2] as usize
    }
}

impl State {
    /// The deadlines of locks, earliest first.
    pub fn deadlines(&self) -> impl Iterator<Item = (Micros, OwnerNo)> + '_ {
        self.deadlines.iter().filter_map(|(due, ())| {
            let reservation = self.reservations.at(due.place())?;
            Some((due.deadline(), reservation.no))
        })
    }

    /// The deadline of the lock that ends next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Micros> {
        self.deadlines.first().map(|(due, ())| due.deadline())
    }

    /// How many locks are open.
    #[must_use]
    pub const fn open_locks(&self) -> usize {
        self.deadlines.len()
    }

    /// Whether a reservation's lock stands among the deadlines, and where, by how it stands now.
    pub(super) fn index_deadline(&mut self, no: OwnerNo, was: Option<Micros>) {
        let Some(place) = self.reservations.place(no) else { return };
        let due = self.reservations.at(place).and_then(Reservation::due);
        if was == due {
            return;
        }
        let Ok(place) = u32::try_from(place) else { return };
        if let Some(was) = was {
            self.deadlines.remove(Due::new(was, place));
        }
        if let Some(due) = due {
            let noted = self.deadlines.insert(Due::new(due, place), ());
            debug_assert!(noted.is_ok(), "a lock stands among the deadlines once");
        }
    }

    /// Notes when the locks end of reservations that are about to be put, from a place on.
    pub(crate) fn append_deadlines(&mut self, first: usize, dues: impl Iterator<Item = Option<Micros>>) {
        let places = u32::try_from(first).into_iter().flat_map(|first| first..);
        for (place, due) in places.zip(dues).filter_map(|(place, due)| Some((place, due?))) {
            let noted = self.deadlines.insert(Due::new(due, place), ());
            debug_assert!(noted.is_ok(), "a lock stands among the deadlines once");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_deadlines_and_then_of_places() {
        let deadlines = [0, 1, i64::from(u32::MAX), 1 << 32, 1_700_000_000_000_000, Micros::MAX];
        let all = deadlines.iter().flat_map(|deadline| [0, 1, u32::MAX].map(|place| (*deadline, place)));
        let all: Vec<(Due, Micros, usize)> =
            all.map(|(deadline, place)| (Due::new(deadline, place), deadline, place as usize)).collect();
        assert!(all.is_sorted_by(|a, b| a.0 < b.0));
        assert!(
            all.iter().all(|(due, deadline, place)| (due.deadline(), due.place()) == (*deadline, *place))
        );
        assert_eq!(size_of::<Due>(), 12);
    }
}
