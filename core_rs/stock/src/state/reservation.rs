//! A reservation, its lines and their allocation to warehouses.

use std::borrow::Cow;

use crate::counters::{ALLOCATION_COUNTERS, AllocationCounter, Counters, LINE_COUNTERS, LineCounter};
use crate::event::{DeductionPolicy, NewReservation, Source};
use crate::few::Few;
use crate::ids::{ChannelIx, Micros, OwnerNo, PoolIx, RegionIx, Sequence, SkuIx, Units, WarehouseIx};
use crate::limits::COUNTER_MAX;
use crate::name::Name;

/// What one warehouse holds for one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Its counters, by [`AllocationCounter`], with the warehouse that holds them.
    pub counters: Counters<ALLOCATION_COUNTERS, WarehouseIx>,
}

impl Allocation {
    /// Nothing yet.
    pub(crate) const fn at(warehouse: WarehouseIx) -> Self {
        Self { counters: Counters::zero(warehouse) }
    }

    /// The warehouse.
    #[must_use]
    pub const fn warehouse(&self) -> WarehouseIx {
        self.counters.of()
    }

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
    /// Its counters, by [`LineCounter`], with the rule it was placed under.
    pub counters: Counters<LINE_COUNTERS, DeductionPolicy>,
    /// By warehouse, in plan order (the order in which units first came to it).
    pub allocations: Few<Allocation>,
}

impl Line {
    /// When its stock is taken; the rule it was placed under.
    #[must_use]
    pub const fn policy(&self) -> DeductionPolicy {
        self.counters.of()
    }

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
        self.allocations.iter().find(|allocation| allocation.warehouse() == warehouse)
    }

    /// requested = locked + deducted + unlocked + expired; deducted = allocated + picking + shipped +
    /// cancelled + claimed; what is wanted is no part of either; what the line has locked is what its warehouses hold locked (a presale's
    /// deposit will add quota-only locks here); returns never exceed what was shipped.
    ///
    /// It judges counters that nobody has judged before: what no counter may be balances never.
    #[must_use]
    pub fn balances(&self) -> bool {
        let counters = self.counters.all();
        counters.iter().all(|units| (0..=COUNTER_MAX).contains(units)) && self.balances_with(&counters)
    }

    /// The same of a line whose counters are at hand, and in their range.
    pub(crate) fn balances_with(&self, counters: &[Units; LINE_COUNTERS]) -> bool {
        // The bits of all numbers together: below the bound none is below zero, none too large for a sum of a few.
        let mut bits = 0;
        let mut held: [Units; ALLOCATION_COUNTERS] = [0; ALLOCATION_COUNTERS];
        for allocation in &self.allocations {
            for (sum, units) in held.iter_mut().zip(allocation.counters.all()) {
                *sum = sum.wrapping_add(units);
                bits |= *sum | units;
            }
        }
        if bits.cast_unsigned() >= COUNTER_MAX.cast_unsigned().next_power_of_two() {
            return false;
        }
        let line = |counter: LineCounter| counters[counter.at()];
        let at = |counter: AllocationCounter| held[counter.at()];
        let requested = line(LineCounter::Locked)
            + line(LineCounter::Deducted)
            + line(LineCounter::Unlocked)
            + line(LineCounter::Expired);
        let deducted = at(AllocationCounter::Allocated)
            + at(AllocationCounter::Picking)
            + at(AllocationCounter::Shipped)
            + line(LineCounter::Cancelled)
            + line(LineCounter::Claimed);
        let returned = line(LineCounter::Returned) + at(AllocationCounter::Returning);
        requested == line(LineCounter::Requested)
            && deducted == line(LineCounter::Deducted)
            && line(LineCounter::Locked) == at(AllocationCounter::Locked)
            && returned <= at(AllocationCounter::Shipped)
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

/// What of a reservation an ordinary lock does not say, and what seldom happens to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) source: Source,
    pub(crate) destination: Box<str>,
    pub(crate) max_parcels: u32,
    pub(crate) channel: Option<ChannelIx>,
    pub(crate) buyer: u128,
    pub(crate) attributes: Box<[u8]>,
    pub(crate) refund_due: bool,
}

impl Terms {
    /// A lock for a region, and nothing else said.
    fn plain(region: RegionIx) -> Self {
        Self {
            source: Source::Region(region),
            destination: Box::default(),
            max_parcels: 0,
            channel: None,
            buyer: 0,
            attributes: Box::default(),
            refund_due: false,
        }
    }

    /// What a new reservation says, where that is more than a region.
    pub(crate) fn of(new: &NewReservation) -> Option<Box<Self>> {
        let NewReservation { source, destination, max_parcels, channel, buyer, attributes, .. } = new;
        let plain = matches!(source, Source::Region(_))
            && destination.is_empty()
            && attributes.is_empty()
            && (*max_parcels, *channel, *buyer) == (0, None, 0);
        (!plain).then(|| {
            Box::new(Self {
                source: source.clone(),
                destination: destination.clone(),
                max_parcels: *max_parcels,
                channel: *channel,
                buyer: *buyer,
                attributes: attributes.clone(),
                refund_due: false,
            })
        })
    }

    /// The same, where it is more than a region.
    pub(crate) fn said(self) -> Option<Box<Self>> {
        let plain = self.source.region().is_some_and(|region| self == Self::plain(region));
        (!plain).then(|| Box::new(self))
    }
}

/// What stands in [`Terms`] beside the source, or nothing of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said<'a> {
    pub(crate) destination: &'a str,
    pub(crate) max_parcels: u32,
    pub(crate) channel: Option<ChannelIx>,
    pub(crate) buyer: u128,
    pub(crate) attributes: &'a [u8],
}

/// A reservation. There are millions: what most do not have stands elsewhere.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// The sequence of the event that created it.
    pub no: OwnerNo,
    /// Its id.
    pub id: Name,
    /// When it was made.
    pub created_at: Micros,
    /// When its lock ends or ended, as last set; 0 where nothing was ever locked.
    pub deadline: Micros,
    /// How often it was extended.
    pub extensions: u32,
    /// The sequence of the last event on it.
    pub version: Sequence,
    /// Its lines, numbered from 1.
    pub lines: Few<Line>,
    /// The region of its source, where nothing else is said.
    region: RegionIx,
    terms: Option<Box<Terms>>,
}

impl Reservation {
    /// A new one.
    pub(crate) fn new(
        no: OwnerNo,
        id: &str,
        (region, terms): (RegionIx, Option<Box<Terms>>),
        created_at: Micros,
        deadline: Micros,
        lines: Few<Line>,
    ) -> Self {
        Self { no, id: id.into(), created_at, deadline, extensions: 0, version: no.0, lines, region, terms }
    }

    /// To change what is seldom said.
    pub(crate) fn terms_mut(&mut self) -> &mut Terms {
        self.terms.get_or_insert_with(|| Box::new(Terms::plain(self.region)))
    }

    /// Where its units may come from.
    #[must_use]
    pub fn source(&self) -> Cow<'_, Source> {
        match &self.terms {
            Some(terms) => Cow::Borrowed(&terms.source),
            None => Cow::Owned(Source::Region(self.region)),
        }
    }

    /// What is said beside its source.
    pub(crate) fn said(&self) -> Said<'_> {
        self.terms.as_deref().map_or(Said::default(), |terms| Said {
            destination: &terms.destination,
            max_parcels: terms.max_parcels,
            channel: terms.channel,
            buyer: terms.buyer,
            attributes: &terms.attributes,
        })
    }

    /// Where it goes beyond its region, in the planner's words; may be empty.
    #[must_use]
    pub fn destination(&self) -> &str {
        self.said().destination
    }

    /// The most parcels; 0 for no limit.
    #[must_use]
    pub fn max_parcels(&self) -> u32 {
        self.said().max_parcels
    }

    /// The channel.
    #[must_use]
    pub fn channel(&self) -> Option<ChannelIx> {
        self.said().channel
    }

    /// The keyed hash of the buyer; 0 for none.
    #[must_use]
    pub fn buyer(&self) -> u128 {
        self.said().buyer
    }

    /// What it says of itself.
    #[must_use]
    pub fn attributes(&self) -> &[u8] {
        self.said().attributes
    }

    /// Whether a payment found the units gone.
    #[must_use]
    pub fn refund_due(&self) -> bool {
        self.terms.as_deref().is_some_and(|terms| terms.refund_due)
    }

    /// Whether its lines have units locked.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.lines.iter().any(|line| line.get(LineCounter::Locked) > 0)
    }

    /// When its lock ends, if it has one.
    #[must_use]
    pub fn due(&self) -> Option<Micros> {
        self.is_locked().then_some(self.deadline)
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
        if self.refund_due() {
            return ReservationState::RefundDue;
        }
        if self.is_locked() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_whose_sums_pass_all_numbers_balances_never() {
        let line = |units: Units, expired: Units| {
            let mut counters = [0; LINE_COUNTERS];
            counters[LineCounter::Requested.at()] = 1;
            counters[LineCounter::Locked.at()] = units;
            counters[LineCounter::Unlocked.at()] = units;
            counters[LineCounter::Expired.at()] = expired;
            let mut held = [0; ALLOCATION_COUNTERS];
            held[AllocationCounter::Locked.at()] = units;
            let allocations = Few::from([Allocation { counters: Counters::new(WarehouseIx(0), held) }]);
            let counters = Counters::new(DeductionPolicy::OnOrder, counters);
            Line { sku: SkuIx(0), pool: PoolIx(0), counters, allocations }
        };
        assert!(line(0, 1).balances());
        // Twice the largest number and three are one, for who lets sums wrap.
        assert!(!line(Units::MAX, 3).balances());
    }

    #[test]
    fn a_reservation_of_one_line_is_small() {
        assert_eq!((size_of::<Allocation>(), size_of::<Line>()), (16, 40));
        assert_eq!((size_of::<Few<Allocation>>(), size_of::<Few<Line>>()), (16, 40));
        assert_eq!((size_of::<Name>(), size_of::<Reservation>()), (40, 128));
    }
}
