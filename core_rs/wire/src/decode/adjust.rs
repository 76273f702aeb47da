//! Units that come and go beside orders, and compare and set.

use lockstock_stock::check;
use lockstock_stock::command::{Adjustment, Command, SetLine, SetTarget, StockLine};

use super::form::{self, Checked};
use super::{Context, Form, each};
use crate::canonical::{
    self, DecreaseRequest, IncreaseRequest, IssueRequest, MarkDefectiveRequest, OtherReceiptRequest,
    RecordLossRequest, RestoreRequest, SetRequest, WriteOffRequest,
};
use crate::proto::lockstock::v1 as pb;

fn stock_lines<'a>(lines: &'a [canonical::StockLine<'a>]) -> Checked<Vec<StockLine<'a>>> {
    check::lines_len("lines", lines.len())?;
    each("lines", lines, |line| {
        Ok(StockLine {
            sku: check::id("sku", line.sku)?,
            warehouse: check::id("warehouse", line.warehouse)?,
            quantity: check::quantity("quantity", line.quantity)?,
        })
    })
}

macro_rules! adjustments {
    ($($request:ident $adjustment:ident),* $(,)?) => {$(
        impl Form for $request<'_> {
            fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
                Ok(Command::Adjust { adjustment: Adjustment::$adjustment, lines: stock_lines(&self.lines)? })
            }
        }
    )*};
}

adjustments! {
    IncreaseRequest Increase,
    DecreaseRequest Decrease,
    RecordLossRequest RecordLoss,
    OtherReceiptRequest OtherReceipt,
    IssueRequest Issue,
    MarkDefectiveRequest MarkDefective,
    RestoreRequest Restore,
    WriteOffRequest WriteOff,
}

impl Form for SetRequest<'_> {
    fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
        check::lines_len("lines", self.lines.len())?;
        let lines: Vec<_> = each("lines", &self.lines, set_line)?;
        check::unique("lines", lines.iter().map(|line| format!("{} in {}", line.sku, line.warehouse)))?;
        Ok(Command::Set { lines })
    }
}

fn set_line<'a>(line: &'a canonical::SetLine<'a>) -> Checked<SetLine<'a>> {
    Ok(SetLine {
        sku: check::id("sku", line.sku)?,
        warehouse: check::id("warehouse", line.warehouse)?,
        target: match pb::SetTarget::try_from(line.target) {
            Ok(pb::SetTarget::Available) => SetTarget::Available,
            Ok(pb::SetTarget::OnHand) => SetTarget::OnHand,
            Ok(pb::SetTarget::Unspecified) | Err(_) => return Err(form::unknown("target", line.target)),
        },
        value: check::amount("value", line.value)?,
        // Any number can be believed; below zero, `available` is what a recorded loss made of it.
        expected: line.expected,
    })
}
