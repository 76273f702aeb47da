//! Operations on a known reservation, but for amendments.

use lockstock_stock::check;
use lockstock_stock::command::{Command, Disposition, Part, Returned, Selection};

use super::form::{self, Checked};
use super::{Context, Form, each};
use crate::proto::lockstock::v1::{
    self as pb, CancelRequest, CancelReturnRequest, DeductRequest, ExpectReturnRequest, ExtendRequest,
    LineQuantity, MoveRequest, PushFulfilmentRequest, RecallRequest, ReturnLine, ReturnRequest, ShipRequest,
    ShortPickRequest, UnlockRequest,
};

/// Lines whose quantities may be left out; none is everything.
pub(super) fn parts(lines: &[LineQuantity]) -> Checked<Vec<Part>> {
    check::optional_lines_len("lines", lines.len())?;
    check::unique("lines", lines.iter().map(|part| part.line))?;
    each("lines", lines, |part| {
        Ok(Part {
            line: form::line(part.line)?,
            quantity: part.quantity.map(|quantity| check::quantity("quantity", quantity)).transpose()?,
        })
    })
}

/// At least one line, each with a quantity.
pub(super) fn named_parts(lines: &[LineQuantity]) -> Checked<Vec<Part>> {
    check::lines_len("lines", lines.len())?;
    if let Some(at) = lines.iter().position(|part| part.quantity.is_none()) {
        return Err(form::missing(format!("lines[{at}].quantity")));
    }
    parts(lines)
}

pub(super) fn selection<'a>(
    reservation: &'a str,
    warehouse: &'a str,
    parts: Vec<Part>,
) -> Checked<Selection<'a>> {
    Ok(Selection { reservation: check::id("reservation_id", reservation)?, warehouse, parts })
}

macro_rules! everywhere {
    ($($request:ident $command:ident),*) => {$(
        impl Form for $request {
            fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
                Ok(Command::$command(selection(&self.reservation_id, "", parts(&self.lines)?)?))
            }
        }
    )*};
}

everywhere!(UnlockRequest Unlock, DeductRequest Deduct, CancelRequest Cancel);

macro_rules! at_a_warehouse {
    ($($request:ident $command:ident $warehouse:ident $parts:ident),* $(,)?) => {$(
        impl Form for $request {
            fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
                let warehouse = check::$warehouse("warehouse", &self.warehouse)?;
                Ok(Command::$command(selection(&self.reservation_id, warehouse, $parts(&self.lines)?)?))
            }
        }
    )*};
}

at_a_warehouse! {
    PushFulfilmentRequest PushFulfilment optional_id parts,
    RecallRequest Recall optional_id parts,
    ShipRequest Ship optional_id parts,
    ShortPickRequest ShortPick id named_parts,
    ExpectReturnRequest ExpectReturn id named_parts,
    CancelReturnRequest CancelReturn id parts,
}

impl Form for ExtendRequest {
    fn form<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>> {
        let reservation = check::id("reservation_id", &self.reservation_id)?;
        let hold = form::hold("hold", form::required("hold", self.hold.as_ref())?, context.limits)?;
        Ok(Command::Extend { reservation, hold })
    }
}

impl Form for MoveRequest {
    fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
        let reservation = check::id("reservation_id", &self.reservation_id)?;
        let line = form::line(self.line)?;
        let from = check::id("from_warehouse", &self.from_warehouse)?;
        let to = check::id("to_warehouse", &self.to_warehouse)?;
        form::different(from, to)?;
        let quantity = self.quantity.map(|quantity| check::quantity("quantity", quantity)).transpose()?;
        Ok(Command::Move { reservation, line, from, to, quantity })
    }
}

impl Form for ReturnRequest {
    fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
        let reservation = check::id("reservation_id", &self.reservation_id)?;
        let warehouse = check::id("warehouse", &self.warehouse)?;
        check::lines_len("lines", self.lines.len())?;
        Ok(Command::Return { reservation, warehouse, lines: each("lines", &self.lines, returned)? })
    }
}

fn returned(line: &ReturnLine) -> Checked<Returned> {
    Ok(Returned {
        line: form::line(line.line)?,
        quantity: check::quantity("quantity", line.quantity)?,
        disposition: match pb::Disposition::try_from(line.disposition) {
            Ok(pb::Disposition::Sellable) => Disposition::Sellable,
            Ok(pb::Disposition::Defective) => Disposition::Defective,
            Ok(pb::Disposition::Lost) => Disposition::Lost,
            Ok(pb::Disposition::Unspecified) | Err(_) => {
                return Err(form::unknown("disposition", line.disposition));
            }
        },
    })
}
