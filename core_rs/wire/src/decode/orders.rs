//! The steps of an order, as they came or with what a planner added to them.

use lockstock_stock::check;
use lockstock_stock::command::{Command, Order, Picked, Selection, Service};
use lockstock_stock::event::Operation;
use lockstock_stock::limits::ATTRIBUTES_BYTES_MAX;
use prost::{DecodeError, Message};

use super::form::{self, At as _, Checked};
use super::order::{Parts, Source, demand, no_cause, order};
use super::reservation::{named_parts, parts};
use super::{Asks, Context, Form, asks, each, hold, malformed};
use crate::proto::lockstock::internal::v1::{self as internal};
use crate::proto::lockstock::v1::{
    self as pb, Cause, ConfirmPickingRequest, ExchangeOrderRequest, PickedLine, PlaceOrderRequest,
    ShipOrderRequest,
};

/// A step of an order.
pub(crate) enum Step {
    PlaceOrder(pb::PlaceOrderRequest),
    PayOrder(pb::PayOrderRequest),
    ExtendOrder(pb::ExtendOrderRequest),
    CancelOrder(pb::CancelOrderRequest),
    AmendOrder(pb::AmendOrderRequest),
    MoveOrder(pb::MoveOrderRequest),
    PushOrder(pb::PushOrderRequest),
    RecallOrder(pb::RecallOrderRequest),
    ConfirmPicking(pb::ConfirmPickingRequest),
    ShipOrder(pb::ShipOrderRequest),
    ExpectOrderReturn(pb::ExpectOrderReturnRequest),
    CancelOrderReturn(pb::CancelOrderReturnRequest),
    TakeOrderReturn(pb::TakeOrderReturnRequest),
    ExchangeOrder(pb::ExchangeOrderRequest),
}

asks! {
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

/// A step with the plan of what it places. It is told from others by the step alone: a retry may be planned
/// otherwise.
pub(crate) struct Planned {
    step: Step,
    plan: internal::Planned,
}

impl Planned {
    /// Reads a request of the planners; `None` where there is no such method.
    pub(crate) fn read(method: &str, bytes: &[u8]) -> Option<Checked<Self>> {
        match method {
            "PlacePlanned" => Some(internal::PlacePlannedRequest::decode(bytes).map_or_else(
                |error| Err(malformed(&error)),
                |it| Self::of(it.asked.map(Step::PlaceOrder), it.planned),
            )),
            "ExchangePlanned" => Some(internal::ExchangePlannedRequest::decode(bytes).map_or_else(
                |error| Err(malformed(&error)),
                |it| Self::of(it.asked.map(Step::ExchangeOrder), it.planned),
            )),
            _ => None,
        }
    }

    fn of(step: Option<Step>, plan: Option<internal::Planned>) -> Checked<Self> {
        Ok(Self { step: form::required("asked", step)?, plan: form::required("planned", plan)? })
    }
}

impl Asks for Planned {
    fn operation(&self) -> Operation {
        self.step.operation()
    }

    fn service(&self) -> Service {
        self.step.service()
    }

    fn cause(&self) -> Option<&Cause> {
        self.step.cause()
    }

    fn canonical(&self) -> Vec<u8> {
        self.step.canonical()
    }

    fn command<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>> {
        match &self.step {
            Step::PlaceOrder(request) => place(request, Some(&self.plan), context),
            Step::ExchangeOrder(request) => exchange(request, Some(&self.plan), context),
            other => other.command(context),
        }
    }
}

impl Form for PlaceOrderRequest {
    fn form<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>> {
        place(self, None, context)
    }
}

impl Form for ExchangeOrderRequest {
    fn form<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>> {
        exchange(self, None, context)
    }
}

fn placed<'a>(
    request: &'a PlaceOrderRequest,
    plan: Option<&'a internal::Planned>,
    context: &Context<'_>,
) -> Checked<Order<'a>> {
    let reservation = check::id("order_id", &request.order_id)?;
    let destination = form::required("destination", request.destination.as_ref())?;
    let source = Some(Source::Destination(destination, plan));
    let parts = Parts {
        reservation,
        demand: demand(&request.lines, source, request.split.as_ref())?,
        channel: &request.channel,
        buyer: &request.buyer,
        attributes: &request.attributes,
    };
    order(parts, context)
}

fn place<'a>(
    request: &'a PlaceOrderRequest,
    plan: Option<&'a internal::Planned>,
    context: &Context<'_>,
) -> Checked<Command<'a>> {
    let order = placed(request, plan, context)?;
    let hold = hold("hold", request.hold.as_ref(), context)?;
    let policy = form::policy("deduction_policy", request.deduction_policy)?;
    Ok(Command::Place { order, hold, policy })
}

fn exchange<'a>(
    request: &'a ExchangeOrderRequest,
    plan: Option<&'a internal::Planned>,
    context: &Context<'_>,
) -> Checked<Command<'a>> {
    let reservation = check::id("order_id", &request.order_id)?;
    let warehouse = check::id("warehouse", &request.warehouse)?;
    let returned = Selection { reservation, warehouse, parts: named_parts(&request.lines)? };
    let replacement = form::required("replacement", request.replacement.as_ref())?;
    no_cause(replacement.cause.as_ref())?;
    // It is paid: nothing is held until a deadline, nothing waits for a payment.
    form::unset("replacement.hold", replacement.hold.is_none())?;
    form::unset("replacement.deduction_policy", replacement.deduction_policy == 0)?;
    let replacement = placed(replacement, plan, context).at(|| "replacement".to_owned())?;
    Ok(Command::Exchange { returned, replacement })
}

impl Form for ConfirmPickingRequest {
    fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
        let reservation = check::id("order_id", &self.order_id)?;
        let warehouse = check::id("warehouse", &self.warehouse)?;
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

impl Form for ShipOrderRequest {
    fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
        let reservation = check::id("order_id", &self.order_id)?;
        let warehouse = check::optional_id("warehouse", &self.warehouse)?;
        let parcel = Selection { reservation, warehouse, parts: parts(&self.lines)? };
        let attributes = check::bytes("attributes", &self.attributes, ATTRIBUTES_BYTES_MAX)?;
        Ok(Command::ShipOrder { parcel, attributes })
    }
}
