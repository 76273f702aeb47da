//! Goods on their way in, and their arrival.

use lockstock_stock::check;
use lockstock_stock::command::{Arrival, Command, SkuPart};
use lockstock_stock::ids::Units;
use lockstock_stock::refusal::Refusal;

use super::form::{self, Checked};
use super::{Context, Form, each};
use crate::canonical::{ExpectReceiptRequest, ReceiveRequest, SkuQuantity};

/// Quantities of SKUs that may be left out; none is everything. A SKU is one line of the document.
pub(super) fn sku_parts<'a>(lines: &'a [SkuQuantity<'a>]) -> Checked<Vec<SkuPart<'a>>> {
    check::optional_lines_len("lines", lines.len())?;
    each("lines", lines, |part| {
        Ok(SkuPart {
            sku: check::id("sku", part.sku)?,
            quantity: part.quantity.map(|quantity| check::quantity("quantity", quantity)).transpose()?,
        })
    })
}

/// At least one, each with a quantity.
pub(super) fn named_sku_parts<'a>(lines: &'a [SkuQuantity<'a>]) -> Checked<Vec<SkuPart<'a>>> {
    check::lines_len("lines", lines.len())?;
    if let Some(at) = lines.iter().position(|part| part.quantity.is_none()) {
        return Err(form::missing(format!("lines[{at}].quantity")));
    }
    sku_parts(lines)
}

/// What arrived of one SKU: at least one unit in all.
pub(super) fn arrival(sku: &str, good: Units, defective: Units, missing: Units) -> Checked<Arrival<'_>> {
    let arrival = Arrival {
        sku: check::id("sku", sku)?,
        good: check::amount("good", good)?,
        defective: check::amount("defective", defective)?,
        missing: check::amount("missing", missing)?,
    };
    if good == 0 && defective == 0 && missing == 0 {
        return Err(Refusal::QuantityOutOfRange { field: "good".to_owned(), value: "0".to_owned() });
    }
    Ok(arrival)
}

/// Each SKU once.
pub(super) fn arrivals_once(arrivals: &[Arrival<'_>]) -> Checked<()> {
    check::unique("lines", arrivals.iter().map(|arrival| arrival.sku))
}

impl Form for ExpectReceiptRequest<'_> {
    fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
        Ok(Command::ExpectReceipt {
            receipt: check::id("receipt_id", self.receipt_id)?,
            warehouse: check::id("warehouse", self.warehouse)?,
            expected_at: self.expected_at.as_ref().map_or(Ok(0), |at| form::time("expected_at", at))?,
            lines: named_sku_parts(&self.lines)?,
        })
    }
}

impl Form for ReceiveRequest<'_> {
    fn form<'a>(&'a self, _: &Context<'_>) -> Checked<Command<'a>> {
        let receipt = check::id("receipt_id", self.receipt_id)?;
        let warehouse = check::id("warehouse", self.warehouse)?;
        check::lines_len("lines", self.lines.len())?;
        let lines: Vec<_> =
            each("lines", &self.lines, |line| arrival(line.sku, line.good, line.defective, line.missing))?;
        arrivals_once(&lines)?;
        Ok(Command::Receive { receipt, warehouse, lines })
    }
}
