//! Operations on a known reservation or order, but for amendments, picks and parcels.

use lockstock_stock::check;
use lockstock_stock::command::{Command, Disposition, Part, Returned, Selection};

use super::form::{self, Checked};
use super::{Context, Form, each};
use crate::canonical::{
    CancelOrderRequest, CancelOrderReturnRequest, CancelRequest, CancelReturnRequest, DeductRequest,
    ExpectOrderReturnRequest, ExpectReturnRequest, ExtendOrderRequest, ExtendRequest, LineQuantity,
    MoveOrderRequest, MoveRequest, PayOrderRequest, PushFulfilmentRequest, PushOrderRequest,
    RecallOrderRequest, RecallRequest, ReturnLine, ReturnRequest, ShipRequest, ShortPickRequest,
    TakeOrderReturnRequest, UnlockRequest,
};
use crate::proto::lockstock::v1 as pb;

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

macro_rules! everywhere {
    ($id:ident: $($request:ident $command:ident),*) => {$(
        impl Form for $request<'_> {
            fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
                let reservation = check::id(stringify!($id), self.$id)?;
                Ok(Command::$command(Selection { reservation, warehouse: "", parts: parts(&self.lines)? }))
            }
        }
    )*};
}

everywhere!(reservation_id: UnlockRequest Unlock, DeductRequest Deduct, CancelRequest Cancel);
everywhere!(order_id: PayOrderRequest Deduct, CancelOrderRequest CancelOrder);

macro_rules! at_a_warehouse {
    ($id:ident: $($request:ident $command:ident $warehouse:ident $parts:ident),* $(,)?) => {$(
        impl Form for $request<'_> {
            fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
                let reservation = check::id(stringify!($id), self.$id)?;
                let warehouse = check::$warehouse("warehouse", self.warehouse)?;
                let parts = $parts(&self.lines)?;
                Ok(Command::$command(Selection { reservation, warehouse, parts }))
            }
        }
    )*};
}

at_a_warehouse! {
    reservation_id:
    PushFulfilmentRequest PushFulfilment optional_id parts,
    RecallRequest Recall optional_id parts,
    ShipRequest Ship optional_id parts,
    ShortPickRequest ShortPick id named_parts,
    ExpectReturnRequest ExpectReturn id named_parts,
    CancelReturnRequest CancelReturn id parts,
}

at_a_warehouse! {
    order_id:
    PushOrderRequest PushFulfilment optional_id parts,
    RecallOrderRequest Recall optional_id parts,
    ExpectOrderReturnRequest ExpectReturn id named_parts,
    CancelOrderReturnRequest CancelReturn id parts,
}

/// The operations that both services have with the same fields, but for the name of the id.
macro_rules! of_both {
    ($id:ident: $extend:ident $relocate:ident $come_back:ident) => {
        impl Form for $extend<'_> {
            fn form<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>> {
                let reservation = check::id(stringify!($id), self.$id)?;
                let hold = form::hold("hold", form::required("hold", self.hold.as_ref())?, context.limits)?;
                Ok(Command::Extend { reservation, hold })
            }
        }

        impl Form for $relocate<'_> {
            fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
                let reservation = check::id(stringify!($id), self.$id)?;
                let line = form::line(self.line)?;
                let from = check::id("from_warehouse", self.from_warehouse)?;
                let to = check::id("to_warehouse", self.to_warehouse)?;
                form::different(from, to)?;
                let quantity =
                    self.quantity.map(|quantity| check::quantity("quantity", quantity)).transpose()?;
                Ok(Command::Move { reservation, line, from, to, quantity })
            }
        }

        impl Form for $come_back<'_> {
            fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
                let reservation = check::id(stringify!($id), self.$id)?;
                let warehouse = check::id("warehouse", self.warehouse)?;
                check::lines_len("lines", self.lines.len())?;
                let lines = each("lines", &self.lines, returned)?;
                Ok(Command::Return { reservation, warehouse, lines })
            }
        }
    };
}

of_both!(reservation_id: ExtendRequest MoveRequest ReturnRequest);
of_both!(order_id: ExtendOrderRequest MoveOrderRequest TakeOrderReturnRequest);

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
