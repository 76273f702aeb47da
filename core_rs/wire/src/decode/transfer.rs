//! Goods between two warehouses.

use lockstock_stock::check;
use lockstock_stock::command::{Command, Rest, SkuPart};

use super::form::{self, Checked};
use super::receipt::{arrival, arrivals_once, named_sku_parts, sku_parts};
use super::{Context, Form, each};
use crate::canonical::{
    CancelTransferRequest, CloseTransferRequest, DraftTransferRequest, PushTransferRequest,
    RecallTransferRequest, ReceiveTransferRequest, ShipTransferRequest, SkuQuantity,
};

impl Form for DraftTransferRequest<'_> {
    fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
        let transfer = check::id("transfer_id", self.transfer_id)?;
        let from = check::id("from_warehouse", self.from_warehouse)?;
        let to = check::id("to_warehouse", self.to_warehouse)?;
        form::different(from, to)?;
        Ok(Command::DraftTransfer { transfer, from, to, lines: named_sku_parts(&self.lines)? })
    }
}

/// Parts of a known transfer: a SKU is a line of it, and a line is named once.
fn parts<'a>(lines: &'a [SkuQuantity<'a>]) -> Checked<Vec<SkuPart<'a>>> {
    check::unique("lines", lines.iter().map(|part| part.sku))?;
    sku_parts(lines)
}

macro_rules! parts_of_a_transfer {
    ($($request:ident $command:ident),* $(,)?) => {$(
        impl Form for $request<'_> {
            fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
                let transfer = check::id("transfer_id", self.transfer_id)?;
                Ok(Command::$command { transfer, lines: parts(&self.lines)? })
            }
        }
    )*};
}

parts_of_a_transfer! {
    CancelTransferRequest CancelTransfer,
    PushTransferRequest PushTransfer,
    RecallTransferRequest RecallTransfer,
    ShipTransferRequest ShipTransfer,
}

impl Form for ReceiveTransferRequest<'_> {
    fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
        let transfer = check::id("transfer_id", self.transfer_id)?;
        check::lines_len("lines", self.lines.len())?;
        let lines: Vec<_> =
            each("lines", &self.lines, |line| arrival(line.sku, line.good, line.defective, 0))?;
        arrivals_once(&lines)?;
        Ok(Command::ReceiveTransfer { transfer, lines })
    }
}

impl Form for CloseTransferRequest<'_> {
    fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
        let transfer = check::id("transfer_id", self.transfer_id)?;
        check::optional_lines_len("lines", self.lines.len())?;
        let lines: Vec<_> = each("lines", &self.lines, |rest| {
            Ok(Rest {
                sku: check::id("sku", rest.sku)?,
                restored: check::amount("restored", rest.restored)?,
                damaged: check::amount("damaged", rest.damaged)?,
                lost: check::amount("lost", rest.lost)?,
            })
        })?;
        check::unique("lines", lines.iter().map(|rest| rest.sku))?;
        Ok(Command::CloseTransfer { transfer, lines })
    }
}
