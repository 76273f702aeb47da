//! New reservations: `Lock`, `LockAndDeduct`, the replacement of an `Exchange`, and the dry run.

use std::collections::BTreeSet;

use super::draft::{Draft, Spot};
use super::find;
use super::source::{Ask, Granted, Routing, choose};
use crate::command::{Demand, From, Order, Wanted};
use crate::event::{Change, NewLine, NewReservation, Outcome, Source};
use crate::ids::{LineNo, Micros, Units, WarehouseIx};
use crate::limits::Limits;
use crate::movement::Kind;
use crate::refusal::Refusal;
use crate::state::State;

/// What would be locked, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// (line, warehouse, units), in the order of the lines, then of the plan.
    pub plan: Vec<(LineNo, WarehouseIx, Units)>,
    /// What `ALLOW_PARTIAL` would not grant.
    pub refused: Vec<(LineNo, Units)>,
    /// False where the split was found greedily.
    pub split_exact: bool,
}

/// Promises units until a deadline.
pub(super) fn lock(
    draft: &mut Draft<'_>,
    limits: &Limits,
    order: &Order<'_>,
    hold: Option<Micros>,
) -> Result<(), Refusal> {
    let deadline = deadline(draft.now, limits, hold)?;
    reserve(draft, order, Kind::Lock, deadline)
}

/// Promises units that are paid already: no deadline.
pub(super) fn lock_and_deduct(draft: &mut Draft<'_>, order: &Order<'_>) -> Result<(), Refusal> {
    reserve(draft, order, Kind::LockAndDeduct, 0)
}

/// When a lock that is made now ends.
pub(super) fn deadline(now: Micros, limits: &Limits, hold: Option<Micros>) -> Result<Micros, Refusal> {
    now.checked_add(hold.unwrap_or(limits.hold_default)).ok_or_else(|| Refusal::DurationOutOfRange {
        field: "hold".to_owned(),
        limit: "it would end after the last time there is".to_owned(),
    })
}

fn reserve(draft: &mut Draft<'_>, order: &Order<'_>, kind: Kind, deadline: Micros) -> Result<(), Refusal> {
    let state = draft.state;
    if state.find_reservation(order.reservation).is_some() {
        return Err(Refusal::ReservationExists { reservation: order.reservation.to_owned() });
    }
    let channel = match order.channel {
        "" => None,
        id => {
            Some(state.find_channel(id).ok_or_else(|| Refusal::ChannelNotFound { channel: id.to_owned() })?)
        }
    };
    let demand = Resolved::new(state, &order.demand)?;
    let granted = choose(draft, &demand.asks, &demand.routing())?;
    draft.change(Change::Reservation(Box::new(NewReservation {
        id: order.reservation.into(),
        source: demand.source,
        max_parcels: demand.max_parcels,
        deadline,
        channel,
        buyer: order.buyer,
        attributes: order.attributes.into(),
        lines: demand.lines.clone().into_boxed_slice(),
    })));
    let spot = |line: LineNo| {
        let new = demand.lines[line as usize - 1];
        Spot::line(new.sku, new.pool, draft.own, line)
    };
    let spots: Vec<Spot> = (1..).take(demand.lines.len()).map(spot).collect();
    take(draft, kind, &spots, &granted)?;
    for (line, units) in &granted.refused {
        draft.post(Kind::Refuse, spots[*line as usize - 1], *units)?;
        draft.outcome = Outcome::Partial;
    }
    Ok(())
}

/// Posts what was granted; `spots` are the lines, by number.
fn take(draft: &mut Draft<'_>, kind: Kind, spots: &[Spot], granted: &Granted) -> Result<(), Refusal> {
    draft.split_exact &= granted.split_exact;
    for take in &granted.takes {
        draft.post(kind, spots[take.line as usize - 1].at(take.warehouse), take.units)?;
    }
    Ok(())
}

/// A dry run of a lock: promises nothing. Locks that are due count as given back, as they would be.
pub(super) fn availability(draft: &Draft<'_>, demand: &Demand<'_>) -> Result<Availability, Refusal> {
    let demand = Resolved::new(draft.state, demand)?;
    let granted = choose(draft, &demand.asks, &demand.routing())?;
    let plan = granted.takes.iter().map(|take| (take.line, take.warehouse, take.units)).collect();
    Ok(Availability { plan, refused: granted.refused, split_exact: granted.split_exact })
}

/// A demand with names resolved.
struct Resolved {
    source: Source,
    lines: Vec<NewLine>,
    asks: Vec<Ask>,
    max_parcels: u32,
    allow_partial: bool,
}

impl Resolved {
    fn new(state: &State, demand: &Demand<'_>) -> Result<Self, Refusal> {
        let source = source(state, &demand.from)?;
        let (mut lines, mut asks) =
            (Vec::with_capacity(demand.lines.len()), Vec::with_capacity(demand.lines.len()));
        for (number, wanted) in (1..).zip(&demand.lines) {
            let line = new_line(state, wanted)?;
            lines.push(line);
            asks.push(Ask { line: number, sku: line.sku, units: wanted.quantity });
        }
        let Demand { max_parcels, allow_partial, .. } = *demand;
        Ok(Self { source, lines, asks, max_parcels, allow_partial })
    }

    const fn routing(&self) -> Routing<'_> {
        Routing::new(&self.source, self.max_parcels, self.allow_partial)
    }
}

/// A line with names resolved.
pub(super) fn new_line(state: &State, wanted: &Wanted<'_>) -> Result<NewLine, Refusal> {
    Ok(NewLine { sku: find::sku(state, wanted.sku)?, pool: find::pool(state, wanted.pool)? })
}

fn source(state: &State, from: &From<'_>) -> Result<Source, Refusal> {
    match from {
        From::Region(id) => state
            .find_region(id)
            .map(Source::Region)
            .ok_or_else(|| Refusal::RegionNotFound { region: (*id).to_owned() }),
        From::Warehouses(ids) => {
            let mut seen = BTreeSet::new();
            // Named twice, a warehouse would be counted twice.
            if let Some(twice) = ids.iter().find(|id| !seen.insert(**id)) {
                let (field, value) = ("warehouses.warehouses".to_owned(), (*twice).to_owned());
                return Err(Refusal::LineRepeated { field, value });
            }
            let warehouses: Result<Vec<WarehouseIx>, Refusal> =
                ids.iter().map(|id| find::warehouse(state, id)).collect();
            warehouses.map(|list| Source::Warehouses(list.into_boxed_slice()))
        }
    }
}
