//! The steps of an order, as they came or with what a planner added to them.

use lockstock_stock::check;
use lockstock_stock::command::{Command, Order, Picked, Selection, Service};
use lockstock_stock::event::Operation;
use lockstock_stock::limits::ATTRIBUTES_BYTES_MAX;
use prost::{DecodeError, Message};

use super::form::{self, At as _, Checked};
use super::order::{Parts, Source, demand, no_cause, order};
use super::reservation::{named_parts, parts};
use super::{Asks, Context, Form, asks, each, hold, malformed, read, reread, rewritten};
use crate::canonical::{
    self, Canonical as _, Cause, ConfirmPickingRequest, ExchangeOrderRequest, PickedLine, PlaceOrderRequest,
    ShipOrderRequest,
};
use crate::proto::lockstock::internal::v1 as internal;
use crate::proto::lockstock::v1 as pb;

asks! {
    /// A step of an order, and its bytes.
    Step of Orders:
    PlaceOrder PlaceOrderRequest,
    PayOrder PayOrderRequest,
    ExtendOrder ExtendOrderRequest,
    CancelOrder CancelOrderRequest,
    AmendOrder AmendOrderRequest,
    MoveOrder MoveOrderRequest,
    PushOrder PushOrderRequest,
    RecallOrder RecallOrderRequest,
    ConfirmPicking ConfirmPickingRequest,
    ShipOrder ShipOrderRequest,
    ExpectOrderReturn ExpectOrderReturnRequest,
    CancelOrderReturn CancelOrderReturnRequest,
    TakeOrderReturn TakeOrderReturnRequest,
    ExchangeOrder ExchangeOrderRequest,
}

/// What the planners hand on: a step and the plan of what it places.
pub(crate) struct Planned {
    operation: Operation,
    /// The step in canonical form.
    asked: Vec<u8>,
    plan: internal::Planned,
}

impl Planned {
    /// Reads a request of the planners; `None` where there is no such method.
    pub(crate) fn read(method: &str, bytes: &[u8]) -> Option<Checked<Self>> {
        match method {
            "PlacePlanned" => Some(internal::PlacePlannedRequest::decode(bytes).map_or_else(
                |error| Err(malformed(&error)),
                |it| Self::of(Operation::PlaceOrder, it.asked, it.planned),
            )),
            "ExchangePlanned" => Some(internal::ExchangePlannedRequest::decode(bytes).map_or_else(
                |error| Err(malformed(&error)),
                |it| Self::of(Operation::ExchangeOrder, it.asked, it.planned),
            )),
            _ => None,
        }
    }

    fn of(
        operation: Operation,
        asked: Option<impl Message>,
        plan: Option<internal::Planned>,
    ) -> Checked<Self> {
        let asked = form::required("asked", asked)?.encode_to_vec();
        Ok(Self { operation, asked, plan: form::required("planned", plan)? })
    }

    /// The step with its plan.
    pub(crate) fn step(&self) -> Checked<PlannedStep<'_>> {
        let step = reread(&self.asked, |asked| Step::read(self.operation, asked))?;
        Ok(PlannedStep { step, plan: &self.plan })
    }
}

/// A step with the plan of what it places. It is told from others by the step alone: a retry may be planned
/// otherwise.
pub(crate) struct PlannedStep<'a> {
    step: Step<'a>,
    plan: &'a internal::Planned,
}

impl Asks for PlannedStep<'_> {
    fn operation(&self) -> Operation {
        self.step.operation()
    }

    fn service(&self) -> Service {
        self.step.service()
    }

    fn cause(&self) -> Option<&Cause<'_>> {
        self.step.cause()
    }

    fn canonical(&self) -> &[u8] {
        self.step.canonical()
    }

    fn command<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>> {
        match &self.step {
            Step::PlaceOrder(request, _) => place(request, Some(self.plan), context),
            Step::ExchangeOrder(request, _) => exchange(request, Some(self.plan), context),
            other => other.command(context),
        }
    }
}

impl Form for PlaceOrderRequest<'_> {
    fn form<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>> {
        place(self, None, context)
    }
}

impl Form for ExchangeOrderRequest<'_> {
    fn form<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>> {
        exchange(self, None, context)
    }
}

fn placed<'a>(
    request: &'a PlaceOrderRequest<'a>,
    plan: Option<&'a internal::Planned>,
    context: &Context<'_>,
) -> Checked<Order<'a>> {
    let reservation = check::id("order_id", request.order_id)?;
    let destination = form::required("destination", request.destination.as_ref())?;
    let source = Some(Source::Destination(destination, plan));
    let parts = Parts {
        reservation,
        demand: demand(&request.lines, source, request.split.as_ref())?,
        channel: request.channel,
        buyer: request.buyer,
        attributes: request.attributes,
    };
    order(parts, context)
}

fn place<'a>(
    request: &'a PlaceOrderRequest<'a>,
    plan: Option<&'a internal::Planned>,
    context: &Context<'_>,
) -> Checked<Command<'a>> {
    let order = placed(request, plan, context)?;
    let hold = hold("hold", request.hold.as_ref(), context)?;
    let policy = form::policy("deduction_policy", request.deduction_policy)?;
    Ok(Command::Place { order, hold, policy })
}

fn exchange<'a>(
    request: &'a ExchangeOrderRequest<'a>,
    plan: Option<&'a internal::Planned>,
    context: &Context<'_>,
) -> Checked<Command<'a>> {
    let reservation = check::id("order_id", request.order_id)?;
    let warehouse = check::id("warehouse", request.warehouse)?;
    let returned = Selection { reservation, warehouse, parts: named_parts(&request.lines)? };
    let replacement = form::required("replacement", request.replacement.as_ref())?;
    no_cause(replacement.cause.as_ref())?;
    // It is paid: nothing is held until a deadline, nothing waits for a payment.
    form::unset("replacement.hold", replacement.hold.is_none())?;
    form::unset("replacement.deduction_policy", replacement.deduction_policy == 0)?;
    let replacement = placed(replacement, plan, context).at(|| "replacement".to_owned())?;
    Ok(Command::Exchange { returned, replacement })
}

impl Form for ConfirmPickingRequest<'_> {
    fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
        let reservation = check::id("order_id", self.order_id)?;
        let warehouse = check::id("warehouse", self.warehouse)?;
        check::lines_len("lines", self.lines.len())?;
        check::unique("lines", self.lines.iter().map(|found| found.line))?;
        let lines = each("lines", &self.lines, picked)?;
        Ok(Command::ConfirmPicking { reservation, warehouse, lines })
    }
}

fn picked(found: &PickedLine) -> Checked<Picked> {
    let line = form::line(found.line)?;
    let (picked, short) = (check::amount("picked", found.picked)?, check::amount("short", found.short)?);
    check::quantity("picked", picked + short)?;
    Ok(Picked { line, picked, short })
}

impl Form for ShipOrderRequest<'_> {
    fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
        let reservation = check::id("order_id", self.order_id)?;
        let warehouse = check::optional_id("warehouse", self.warehouse)?;
        let parcel = Selection { reservation, warehouse, parts: parts(&self.lines)? };
        let attributes = check::bytes("attributes", self.attributes, ATTRIBUTES_BYTES_MAX)?;
        Ok(Command::ShipOrder { parcel, attributes })
    }
}
