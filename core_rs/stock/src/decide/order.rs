//! New reservations: `Lock`, `Place`, `LockAndDeduct`, the replacement of an `Exchange`, and the dry run.

use std::collections::BTreeSet;

use super::draft::{Draft, Spot};
use super::find;
use super::source::{Ask, Granted, Routing, Take, choose};
use crate::command::{Demand, From, Order, Wanted};
use crate::event::{Change, DeductionPolicy, NewLine, NewReservation, Outcome, Source};
use crate::few::Few;
use crate::ids::{ChannelIx, LineNo, Micros, Units, WarehouseIx};
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
    let rule = Some(DeductionPolicy::OnOrder);
    let new = New::choose(draft, order, rule)?;
    new.post(draft, order, Kind::Lock, deadline)
}

/// Places an order: all its lines are routed together; those that are taken on order are locked, those that
/// are taken on payment are wanted, as far as they were granted.
pub(super) fn place(
    draft: &mut Draft<'_>,
    limits: &Limits,
    order: &Order<'_>,
    hold: Option<Micros>,
    rule: Option<DeductionPolicy>,
) -> Result<(), Refusal> {
    let new = New::choose(draft, order, rule)?;
    // Nothing is locked until a deadline where everything waits for the payment.
    let deadline = if new.locks() { deadline(draft.now, limits, hold)? } else { 0 };
    new.post(draft, order, Kind::Lock, deadline)
}

/// Promises units that are paid already: no deadline.
pub(super) fn lock_and_deduct(draft: &mut Draft<'_>, order: &Order<'_>) -> Result<(), Refusal> {
    let rule = Some(DeductionPolicy::OnOrder);
    New::choose(draft, order, rule)?.post(draft, order, Kind::LockAndDeduct, 0)
}

/// When a lock that is made now ends.
pub(super) fn deadline(now: Micros, limits: &Limits, hold: Option<Micros>) -> Result<Micros, Refusal> {
    now.checked_add(hold.unwrap_or(limits.hold_default)).ok_or_else(|| Refusal::DurationOutOfRange {
        field: "hold".to_owned(),
        limit: "it would end after the last time there is".to_owned(),
    })
}

/// A reservation to be made, and what it was granted.
struct New {
    channel: Option<ChannelIx>,
    demand: Resolved,
    granted: Granted,
}

impl New {
    fn choose(draft: &Draft<'_>, order: &Order<'_>, rule: Option<DeductionPolicy>) -> Result<Self, Refusal> {
        let state = draft.state;
        if state.find_reservation(order.reservation).is_some() {
            return Err(Refusal::ReservationExists { reservation: order.reservation.to_owned() });
        }
        let channel = match order.channel {
            "" => None,
            id => Some(
                state.find_channel(id).ok_or_else(|| Refusal::ChannelNotFound { channel: id.to_owned() })?,
            ),
        };
        let demand = Resolved::new(state, &order.demand, rule)?;
        let granted = choose(draft, &demand.asks, &demand.routing())?;
        Ok(Self { channel, demand, granted })
    }

    fn line(&self, line: LineNo) -> NewLine {
        self.demand.lines[line as usize - 1]
    }

    /// Whether anything of it is taken when it is made.
    fn locks(&self) -> bool {
        self.granted.takes.iter().any(|take| self.line(take.line).policy == DeductionPolicy::OnOrder)
    }

    /// Makes it: what is taken on order is taken as this kind.
    fn post(
        self,
        draft: &mut Draft<'_>,
        order: &Order<'_>,
        kind: Kind,
        deadline: Micros,
    ) -> Result<(), Refusal> {
        let Self { channel, demand, granted } = self;
        let Resolved { source, destination, lines, max_parcels, .. } = demand;
        draft.change(Change::Reservation(Box::new(NewReservation {
            id: order.reservation.into(),
            source,
            destination,
            max_parcels,
            deadline,
            channel,
            buyer: order.buyer,
            attributes: order.attributes.into(),
            lines: lines.clone(),
        })));
        let own = draft.own;
        let line = |number: LineNo| {
            let NewLine { sku, pool, policy } = lines[number as usize - 1];
            (Spot::line(sku, pool, own, number), policy)
        };
        draft.split_exact &= granted.split_exact;
        for takes in granted.takes.chunk_by(|a, b| a.line == b.line) {
            let (spot, policy) = line(takes[0].line);
            take_line(draft, kind, policy, spot, takes)?;
        }
        for (number, units) in granted.refused {
            draft.post(Kind::Refuse, line(number).0, units)?;
            draft.outcome = Outcome::Partial;
        }
        Ok(())
    }
}

/// Posts what was granted to one line: taken now as this kind, or wanted until it is paid.
pub(super) fn take_line(
    draft: &mut Draft<'_>,
    kind: Kind,
    policy: DeductionPolicy,
    spot: Spot,
    takes: &[Take],
) -> Result<(), Refusal> {
    match policy {
        DeductionPolicy::OnOrder => {
            takes.iter().try_for_each(|take| draft.post(kind, spot.at(take.warehouse), take.units))
        }
        DeductionPolicy::OnPayment => draft.post(Kind::Want, spot, takes.iter().map(|take| take.units).sum()),
    }
}

/// A dry run of a lock: promises nothing. Locks that are due count as given back, as they would be.
pub(super) fn availability(draft: &Draft<'_>, demand: &Demand<'_>) -> Result<Availability, Refusal> {
    let demand = Resolved::new(draft.state, demand, None)?;
    let granted = choose(draft, &demand.asks, &demand.routing())?;
    let plan = granted.takes.iter().map(|take| (take.line, take.warehouse, take.units)).collect();
    Ok(Availability { plan, refused: granted.refused, split_exact: granted.split_exact })
}

/// A demand with names resolved.
struct Resolved {
    source: Source,
    destination: Box<str>,
    lines: Few<NewLine>,
    asks: Few<Ask>,
    max_parcels: u32,
    allow_partial: bool,
}

impl Resolved {
    fn new(state: &State, demand: &Demand<'_>, rule: Option<DeductionPolicy>) -> Result<Self, Refusal> {
        let source = source(state, &demand.from)?;
        let (mut lines, mut asks) = (Few::new(), Few::new());
        for (number, wanted) in (1..).zip(&demand.lines) {
            let line = new_line(state, wanted, rule)?;
            lines.push(line);
            asks.push(Ask { line: number, sku: line.sku, units: wanted.quantity });
        }
        let destination = match demand.from {
            From::Planned { destination, .. } => destination.into(),
            From::Region(_) | From::Warehouses(_) => Box::default(),
        };
        let Demand { max_parcels, allow_partial, .. } = *demand;
        Ok(Self { source, destination, lines, asks, max_parcels, allow_partial })
    }

    const fn routing(&self) -> Routing<'_> {
        Routing::new(&self.source, self.max_parcels, self.allow_partial)
    }
}

/// A line with names resolved, under this rule, else that of its SKU or the shop.
pub(super) fn new_line(
    state: &State,
    wanted: &Wanted<'_>,
    rule: Option<DeductionPolicy>,
) -> Result<NewLine, Refusal> {
    let (sku, pool) = (find::sku(state, wanted.sku)?, find::pool(state, wanted.pool)?);
    Ok(NewLine { sku, pool, policy: rule.unwrap_or_else(|| state.deduction_policy(sku)) })
}

fn source(state: &State, from: &From<'_>) -> Result<Source, Refusal> {
    let region =
        |id: &str| state.find_region(id).ok_or_else(|| Refusal::RegionNotFound { region: id.to_owned() });
    match from {
        From::Region(id) => region(id).map(Source::Region),
        From::Warehouses(ids) | From::Planned { region: None, warehouses: ids, .. } => {
            list(state, ids).map(Source::Warehouses)
        }
        From::Planned { region: Some(id), warehouses, .. } => {
            Ok(Source::Planned { region: region(id)?, warehouses: list(state, warehouses)? })
        }
    }
}

fn list(state: &State, ids: &[&str]) -> Result<Box<[WarehouseIx]>, Refusal> {
    let mut seen = BTreeSet::new();
    // Named twice, a warehouse would be counted twice.
    if let Some(twice) = ids.iter().find(|id| !seen.insert(**id)) {
        let (field, value) = ("warehouses.warehouses".to_owned(), (*twice).to_owned());
        return Err(Refusal::LineRepeated { field, value });
    }
    ids.iter().map(|id| find::warehouse(state, id)).collect()
}
