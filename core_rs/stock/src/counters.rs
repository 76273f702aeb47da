//! The counters of `domain.md` section 2, by name.

use crate::ids::Units;

macro_rules! counters {
    ($(#[$doc:meta])* $name:ident, $count:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// All of them, in the order in which they are stored.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The one word for it, the same in proto, SQL and docs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// Its place in storage.
            #[must_use]
            pub const fn at(self) -> usize {
                self as usize
            }
        }

        /// How many there are.
        pub const $count: usize = $name::ALL.len();
    };
}

counters! {
    /// Per (SKU, warehouse).
    Counter, COUNTERS {
        /// Good, on the shelf, promised to nobody.
        Available = "available",
        /// Promised to a reservation that is not paid.
        Locked = "locked",
        /// Paid (or bound to a transfer), not yet handed to the warehouse.
        Allocated = "allocated",
        /// Handed to the warehouse as a fulfilment.
        Picking = "picking",
        /// On the shelf, not sellable.
        Defective = "defective",
        /// On its way in: purchase orders and transfers.
        InTransit = "in_transit",
        /// Expected back from buyers.
        Returning = "returning",
        /// Lifetime total that left.
        Shipped = "shipped",
        /// Lifetime total that came back.
        Returned = "returned",
        /// Lifetime total that came in, opening stock included.
        Received = "received",
        /// Lifetime total of losses.
        Lost = "lost",
        /// Lifetime total of gains.
        Found = "found",
        /// Lifetime total of defective units taken off the books.
        WrittenOff = "written_off",
    }
}

counters! {
    /// Per (SKU, pool).
    PoolCounter, POOL_COUNTERS {
        /// What the pool may sell; of a pool without a cap only its changes.
        Quota = "quota",
        /// Locked under the pool.
        Locked = "locked",
        /// Sold under the pool: deducted - cancelled - returned.
        Sold = "sold",
    }
}

counters! {
    /// Per SKU.
    SkuCounter, SKU_COUNTERS {
        /// Promised without units.
        Claimed = "claimed",
    }
}

counters! {
    /// Per line of a reservation.
    LineCounter, LINE_COUNTERS {
        /// Granted in all.
        Requested = "requested",
        /// Asked and refused under `ALLOW_PARTIAL`.
        Refused = "refused",
        /// Promised, not paid.
        Locked = "locked",
        /// Paid.
        Deducted = "deducted",
        /// Given back before payment.
        Unlocked = "unlocked",
        /// Given back by the deadline.
        Expired = "expired",
        /// Paid and cancelled.
        Cancelled = "cancelled",
        /// Paid and without units: a claim.
        Claimed = "claimed",
        /// Came back.
        Returned = "returned",
        /// To be taken by the payment: promised nothing, no part of `requested`.
        Wanted = "wanted",
    }
}

counters! {
    /// Per line of a reservation and warehouse.
    AllocationCounter, ALLOCATION_COUNTERS {
        /// Promised, not paid.
        Locked = "locked",
        /// Paid.
        Allocated = "allocated",
        /// Handed to the warehouse.
        Picking = "picking",
        /// Left.
        Shipped = "shipped",
        /// Expected back here.
        Returning = "returning",
    }
}

counters! {
    /// Per line of a transfer (a line is a SKU).
    TransferCounter, TRANSFER_COUNTERS {
        /// Drafted, at the source.
        Allocated = "allocated",
        /// Handed to the source's warehouse system.
        Picking = "picking",
        /// Left the source, in all.
        Shipped = "shipped",
        /// On its way.
        InTransit = "in_transit",
        /// Arrived, good and defective together.
        Received = "received",
        /// Closed as never left or sent back.
        Restored = "restored",
        /// Closed as arrived damaged.
        Damaged = "damaged",
        /// Closed as gone.
        Lost = "lost",
    }
}

counters! {
    /// Per line of a receipt (a line is a SKU).
    ReceiptCounter, RECEIPT_COUNTERS {
        /// Announced in all.
        Announced = "announced",
        /// Still expected.
        Expected = "expected",
        /// Arrived, good and defective together.
        Received = "received",
        /// Arrived defective.
        Defective = "defective",
        /// Will not come.
        Missing = "missing",
    }
}

/// Counters of something that there are millions of: narrow while all of them fit, as nearly all do. What they are of
/// stands with them, where they would leave a gap.
#[derive(Clone, Debug)]
pub struct Counters<const N: usize, Of = ()>(Width<N, Of>);

#[derive(Clone, Debug)]
enum Width<const N: usize, Of> {
    Narrow(Of, [u8; N]),
    Wide(Of, Box<[Units; N]>),
}

impl<const N: usize, Of: Copy> Counters<N, Of> {
    /// Nothing of it.
    #[must_use]
    pub const fn zero(of: Of) -> Self {
        Self(Width::Narrow(of, [0; N]))
    }

    /// So many.
    #[must_use]
    pub fn new(of: Of, all: [Units; N]) -> Self {
        let mut counters = Self::zero(of);
        for (at, units) in all.into_iter().enumerate() {
            counters.set(at, units);
        }
        counters
    }

    /// What they are of.
    #[must_use]
    pub const fn of(&self) -> Of {
        match self.0 {
            Width::Narrow(of, _) | Width::Wide(of, _) => of,
        }
    }

    /// One counter, by its place.
    #[must_use]
    pub fn get(&self, at: usize) -> Units {
        match &self.0 {
            Width::Narrow(_, units) => units[at].into(),
            Width::Wide(_, units) => units[at],
        }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> [Units; N] {
        match &self.0 {
            Width::Narrow(_, units) => units.map(Units::from),
            Width::Wide(_, units) => **units,
        }
    }

    /// Sets one.
    pub(crate) fn set(&mut self, at: usize, units: Units) {
        match (&mut self.0, u8::try_from(units)) {
            (Width::Narrow(_, narrow), Ok(units)) => narrow[at] = units,
            (Width::Wide(_, wide), _) => wide[at] = units,
            (Width::Narrow(of, _), Err(_)) => {
                let of = *of;
                let mut wide = self.all();
                wide[at] = units;
                self.0 = Width::Wide(of, Box::new(wide));
            }
        }
    }
}

impl<const N: usize, Of: Copy + PartialEq> PartialEq for Counters<N, Of> {
    fn eq(&self, other: &Self) -> bool {
        self.of() == other.of() && self.all() == other.all()
    }
}

impl<const N: usize, Of: Copy + Eq> Eq for Counters<N, Of> {}

/// The counters of one SKU in one warehouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell(pub [Units; COUNTERS]);

impl Cell {
    /// One counter.
    #[must_use]
    pub const fn get(&self, counter: Counter) -> Units {
        self.0[counter.at()]
    }

    /// available + locked + allocated + picking + defective.
    #[must_use]
    pub const fn on_hand(&self) -> Units {
        self.get(Counter::Available)
            + self.get(Counter::Locked)
            + self.get(Counter::Allocated)
            + self.get(Counter::Picking)
            + self.get(Counter::Defective)
    }

    /// What `on_hand` must be by the lifetime totals: received + returned + found - shipped - lost -
    /// `written_off`.
    #[must_use]
    pub const fn conserved(&self) -> Units {
        self.get(Counter::Received) + self.get(Counter::Returned) + self.get(Counter::Found)
            - self.get(Counter::Shipped)
            - self.get(Counter::Lost)
            - self.get(Counter::WrittenOff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_hold_what_was_set_narrow_or_wide() {
        let mut counters = Counters::<3, char>::zero('a');
        for units in [0, 1, Units::from(u8::MAX), 256, -1, Units::MAX, Units::MIN, 5] {
            counters.set(1, units);
            assert_eq!((counters.of(), counters.get(1), counters.all()), ('a', units, [0, units, 0]));
            assert_eq!(counters, Counters::new('a', [0, units, 0]), "its history does not show");
            assert_ne!(counters, Counters::new('b', [0, units, 0]));
        }
    }
}
