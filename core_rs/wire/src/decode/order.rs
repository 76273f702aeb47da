//! New reservations: lock, lock and deduct, exchange.

use lockstock_stock::check;
use lockstock_stock::command::{Command, Demand, From, Order, Selection, Wanted};
use lockstock_stock::limits::{ATTRIBUTES_BYTES_MAX, DESTINATION_BYTES_MAX, ID_BYTES_MAX, WAREHOUSES_MAX};
use lockstock_stock::refusal::Refusal;

use super::form::{self, At as _, Checked};
use super::reservation::named_parts;
use super::{Context, Form, each, hold};
use crate::canonical::{
    Cause, Destination, ExchangeRequest, LockAndDeductRequest, LockAndDeductRequestSource, LockRequest,
    LockRequestSource, OrderLine, Split, WarehouseList,
};
use crate::proto::lockstock::internal::v1::Planned;

/// Where from, before it is known which message it stands in.
pub(super) enum Source<'a> {
    Region(&'a str),
    Warehouses(&'a WarehouseList<'a>),
    /// With what a planner has added to it.
    Destination(&'a Destination<'a>, Option<&'a Planned>),
}

/// Lines a buyer wants.
pub(super) fn wanted<'a, C: FromIterator<Wanted<'a>>>(field: &str, lines: &'a [OrderLine<'a>]) -> Checked<C> {
    each(field, lines, |line| {
        Ok(Wanted {
            sku: check::id("sku", line.sku)?,
            quantity: check::quantity("quantity", line.quantity)?,
            pool: check::optional_id("pool", line.pool)?,
        })
    })
}

/// What an order wants, from where, and how it may be split.
pub(super) fn demand<'a>(
    lines: &'a [OrderLine<'a>],
    source: Option<Source<'a>>,
    split: Option<&Split>,
) -> Checked<Demand<'a>> {
    check::lines_len("lines", lines.len())?;
    let from = match form::required("source", source)? {
        Source::Region(region) => From::Region(check::id("region", region)?),
        Source::Warehouses(list) => From::Warehouses(warehouses(&list.warehouses)?),
        Source::Destination(destination, plan) => towards(destination, plan)?,
    };
    Ok(Demand {
        lines: wanted("lines", lines)?,
        from,
        max_parcels: split.map_or(0, |split| split.max_parcels),
        allow_partial: split.is_some_and(|split| split.allow_partial),
    })
}

const LISTED: &str = "planned.warehouses";

/// An order goes to a region by the region's plan. Coordinates and a pickup need a plan of their own: that one
/// of them has come this far without is a mistake of the caller.
fn towards<'a>(destination: &'a Destination<'a>, plan: Option<&'a Planned>) -> Checked<From<'a>> {
    let conflict = |field: &str| Refusal::FieldsConflict { field: field.to_owned() };
    let pickup = !destination.pickup.is_empty();
    if pickup && (!destination.region.is_empty() || destination.coordinates.is_some()) {
        return Err(conflict("destination.pickup"));
    }
    let region = || check::id("destination.region", destination.region);
    let Some(plan) = plan else {
        return if pickup || destination.coordinates.is_some() {
            Err(conflict("destination"))
        } else {
            region().map(From::Region)
        };
    };
    if plan.warehouses.len() > WAREHOUSES_MAX {
        return Err(Refusal::TooManyLines { field: LISTED.to_owned(), limit: WAREHOUSES_MAX });
    }
    Ok(From::Planned {
        region: if pickup { None } else { Some(region()?) },
        // None where no warehouse can serve it: the engine says so in its own words.
        warehouses: form::ids(LISTED, &plan.warehouses)?,
        destination: check::text("planned.destination", &plan.destination, DESTINATION_BYTES_MAX)?,
    })
}

fn warehouses<'a>(list: &'a [&'a str]) -> Checked<Vec<&'a str>> {
    const FIELD: &str = "warehouses.warehouses";
    check::warehouses_len(FIELD, list.len())?;
    form::ids(FIELD, list)
}

pub(super) struct Parts<'a> {
    pub(super) reservation: &'a str,
    pub(super) demand: Demand<'a>,
    pub(super) channel: &'a str,
    pub(super) buyer: &'a str,
    pub(super) attributes: &'a [u8],
}

pub(super) fn order<'a>(parts: Parts<'a>, context: &Context<'_>) -> Checked<Order<'a>> {
    Ok(Order {
        reservation: parts.reservation,
        demand: parts.demand,
        channel: check::optional_id("channel", parts.channel)?,
        buyer: (context.buyer)(check::text("buyer", parts.buyer, ID_BYTES_MAX)?),
        attributes: check::bytes("attributes", parts.attributes, ATTRIBUTES_BYTES_MAX)?,
    })
}

impl Form for LockRequest<'_> {
    fn form<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>> {
        use LockRequestSource as S;
        let reservation = check::id("reservation_id", self.reservation_id)?;
        let source = self.source.as_ref().map(|source| match source {
            S::Region(region) => Source::Region(region),
            S::Warehouses(list) => Source::Warehouses(list),
        });
        let parts = Parts {
            reservation,
            demand: demand(&self.lines, source, self.split.as_ref())?,
            channel: self.channel,
            buyer: self.buyer,
            attributes: self.attributes,
        };
        let hold = hold("hold", self.hold.as_ref(), context)?;
        Ok(Command::Lock { order: order(parts, context)?, hold })
    }
}

impl LockAndDeductRequest<'_> {
    fn order(&self, context: &Context<'_>) -> Checked<Order<'_>> {
        use LockAndDeductRequestSource as S;
        let reservation = check::id("reservation_id", self.reservation_id)?;
        let source = self.source.as_ref().map(|source| match source {
            S::Region(region) => Source::Region(region),
            S::Warehouses(list) => Source::Warehouses(list),
        });
        let parts = Parts {
            reservation,
            demand: demand(&self.lines, source, self.split.as_ref())?,
            channel: self.channel,
            buyer: self.buyer,
            attributes: self.attributes,
        };
        order(parts, context)
    }
}

impl Form for LockAndDeductRequest<'_> {
    fn form<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>> {
        Ok(Command::LockAndDeduct { order: self.order(context)? })
    }
}

/// One step has one cause; an empty one is as good as none.
pub(super) fn no_cause(cause: Option<&Cause<'_>>) -> Checked<()> {
    form::unset("replacement.cause", cause.is_none_or(|cause| *cause == Cause::default()))
}

impl Form for ExchangeRequest<'_> {
    fn form<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>> {
        let reservation = check::id("reservation_id", self.reservation_id)?;
        let warehouse = check::id("warehouse", self.warehouse)?;
        let returned = Selection { reservation, warehouse, parts: named_parts(&self.lines)? };
        let replacement = form::required("replacement", self.replacement.as_ref())?;
        no_cause(replacement.cause.as_ref())?;
        let replacement = replacement.order(context).at(|| "replacement".to_owned())?;
        Ok(Command::Exchange { returned, replacement })
    }
}
