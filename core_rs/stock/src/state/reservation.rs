//! A reservation, its lines and their allocation to warehouses.

use std::sync::Arc;

use crate::counters::{ALLOCATION_COUNTERS, AllocationCounter, Counters, LINE_COUNTERS, LineCounter};
use crate::event::{DeductionPolicy, Source};
use crate::few::Few;
use crate::ids::{ChannelIx, Micros, OwnerNo, PoolIx, Sequence, SkuIx, Units, WarehouseIx};

/// What one warehouse holds for one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// The warehouse.
    pub warehouse: WarehouseIx,
    /// Its counters, by [`AllocationCounter`].
    pub counters: Counters<ALLOCATION_COUNTERS>,
}

impl Allocation {
    /// One counter.
    #[must_use]
    pub fn get(&self, counter: AllocationCounter) -> Units {
        self.counters.get(counter.at())
    }
}

/// One line of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The SKU.
    pub sku: SkuIx,
    /// The pool it sells from.
    pub pool: PoolIx,
    /// When its stock is taken; the rule it was placed under.
    pub policy: DeductionPolicy,
    /// Its counters, by [`LineCounter`].
    pub counters: Counters<LINE_COUNTERS>,
    /// By warehouse, in plan order (the order in which units first came to it).
    pub allocations: Few<Allocation>,
}

impl Line {
    /// One counter.
    #[must_use]
    pub fn get(&self, counter: LineCounter) -> Units {
        self.counters.get(counter.at())
    }

    /// One counter of the allocations, summed over the warehouses.
    #[must_use]
    pub fn held(&self, counter: AllocationCounter) -> Units {
        self.allocations.iter().map(|allocation| allocation.get(counter)).sum()
    }

    /// The allocation at a warehouse, if units ever came to it.
    #[must_use]
    pub fn allocation(&self, warehouse: WarehouseIx) -> Option<&Allocation> {
        self.allocations.iter().find(|allocation| allocation.warehouse == warehouse)
    }

    /// requested = locked + deducted + unlocked + expired; deducted = allocated + picking + shipped +
    /// cancelled + claimed; what is wanted is no part of either; what the line has locked is what its warehouses hold locked (a presale's
    /// deposit will add quota-only locks here); returns never exceed what was shipped.
    ///
    /// Sums in 128 bits: it judges counters that nobody has judged before.
    #[must_use]
    pub fn balances(&self) -> bool {
        let mut held = [0_i128; ALLOCATION_COUNTERS];
        for allocation in &self.allocations {
            for (sum, units) in held.iter_mut().zip(allocation.counters.all()) {
                if units < 0 {
                    return false;
                }
                *sum += i128::from(units);
            }
        }
        let counters = self.counters.all();
        let line = |counter: LineCounter| i128::from(counters[counter.at()]);
        let at = |counter: AllocationCounter| held[counter.at()];
        counters.iter().all(|units| *units >= 0)
            && line(LineCounter::Requested)
                == line(LineCounter::Locked)
                    + line(LineCounter::Deducted)
                    + line(LineCounter::Unlocked)
                    + line(LineCounter::Expired)
            && line(LineCounter::Deducted)
                == at(AllocationCounter::Allocated)
                    + at(AllocationCounter::Picking)
                    + at(AllocationCounter::Shipped)
                    + line(LineCounter::Cancelled)
                    + line(LineCounter::Claimed)
            && line(LineCounter::Locked) == at(AllocationCounter::Locked)
            && line(LineCounter::Returned) + at(AllocationCounter::Returning)
                <= at(AllocationCounter::Shipped)
    }
}

/// How a reservation stands: the first that fits of `RefundDue`, `Locked`, `Deducted`, `Placed`, `Shipped`,
/// `Cancelled`, `Expired`, `Unlocked`. Derived, never stored.
///
/// What is to be shipped comes before what is to be paid and promises nothing, so `Placed` stands behind
/// `Deducted`; while something is to be paid the reservation has not ended, so it stands before the others,
/// as `Locked` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ReservationState {
    /// Some units are locked.
    Locked = 1,
    /// None are locked; some are paid and have not shipped.
    Deducted = 2,
    /// Every unit that was paid and not cancelled has shipped.
    Shipped = 3,
    /// Nothing was paid; no unit expired.
    Unlocked = 4,
    /// Nothing was paid; some units expired.
    Expired = 5,
    /// Everything that was paid has been cancelled.
    Cancelled = 6,
    /// A payment found the units gone.
    RefundDue = 7,
    /// None are locked and none that are paid wait to be shipped; some are to be taken by the payment.
    Placed = 8,
}

/// A reservation.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// The sequence of the event that created it.
    pub no: OwnerNo,
    /// Its id.
    pub id: Arc<str>,
    /// Where its units may come from.
    pub source: Source,
    /// Where it goes beyond its region, in the planner's words; may be empty.
    pub destination: Box<str>,
    /// The most parcels; 0 for no limit.
    pub max_parcels: u32,
    /// When it was made.
    pub created_at: Micros,
    /// When its lock ends or ended, as last set; 0 where nothing was ever locked.
    pub deadline: Micros,
    /// How often it was extended.
    pub extensions: u32,
    /// The sequence of the last event on it.
    pub version: Sequence,
    /// Whether a payment found the units gone.
    pub refund_due: bool,
    /// The channel.
    pub channel: Option<ChannelIx>,
    /// The keyed hash of the buyer; 0 for none.
    pub buyer: u128,
    /// What it says of itself.
    pub attributes: Box<[u8]>,
    /// Its lines, numbered from 1.
    pub lines: Few<Line>,
    /// The units its lines have locked, kept so that the index of deadlines need not sum them.
    pub(crate) locked: Units,
}

impl Reservation {
    /// The units its lines have locked.
    #[must_use]
    pub const fn locked(&self) -> Units {
        self.locked
    }

    /// When its lock ends, if it has one.
    #[must_use]
    pub fn due(&self) -> Option<Micros> {
        (self.locked > 0).then_some(self.deadline)
    }

    /// One counter, summed over the lines.
    #[must_use]
    pub fn total(&self, counter: LineCounter) -> Units {
        self.lines.iter().map(|line| line.get(counter)).sum()
    }

    /// One counter of the allocations, summed over lines and warehouses.
    #[must_use]
    pub fn held(&self, counter: AllocationCounter) -> Units {
        self.lines.iter().map(|line| line.held(counter)).sum()
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> ReservationState {
        if self.refund_due {
            return ReservationState::RefundDue;
        }
        if self.locked > 0 {
            return ReservationState::Locked;
        }
        let waiting = self.held(AllocationCounter::Allocated)
            + self.held(AllocationCounter::Picking)
            + self.total(LineCounter::Claimed);
        if waiting > 0 {
            return ReservationState::Deducted;
        }
        if self.total(LineCounter::Wanted) > 0 {
            return ReservationState::Placed;
        }
        if self.held(AllocationCounter::Shipped) > 0 {
            return ReservationState::Shipped;
        }
        if self.total(LineCounter::Cancelled) > 0 {
            return ReservationState::Cancelled;
        }
        if self.total(LineCounter::Expired) > 0 {
            ReservationState::Expired
        } else {
            ReservationState::Unlocked
        }
    }
}
