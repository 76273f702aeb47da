//! Editing an order by delta.

use lockstock_stock::check;
use lockstock_stock::command::Command;

use super::form::{self, Checked};
use super::order::wanted;
use super::{Context, Form, each, hold};
use crate::canonical::{AmendOrderRequest, AmendRequest};

macro_rules! amends {
    ($request:ident $id:ident) => {
        impl Form for $request<'_> {
            fn form<'a>(&'a self, context: &Context<'_>) -> Checked<Command<'a>> {
                let reservation = check::id(stringify!($id), self.$id)?;
                let expected_version = match u64::try_from(self.expected_version) {
                    Ok(0) => None,
                    Ok(version) => Some(version),
                    Err(_) => {
                        return Err(form::out_of_range(
                            "expected_version",
                            self.expected_version,
                            "0 or above",
                        ));
                    }
                };
                if self.deltas.is_empty() && self.additions.is_empty() {
                    return Err(form::missing("deltas"));
                }
                check::optional_lines_len("deltas", self.deltas.len())?;
                check::optional_lines_len("additions", self.additions.len())?;
                check::unique("deltas", self.deltas.iter().map(|delta| delta.line))?;
                let deltas = each("deltas", &self.deltas, |delta| {
                    Ok((form::line(delta.line)?, check::delta("delta", delta.delta)?))
                })?;
                let additions = wanted("additions", &self.additions)?;
                let hold = hold("hold", self.hold.as_ref(), context)?;
                Ok(Command::Amend { reservation, expected_version, deltas, additions, hold })
            }
        }
    };
}

amends!(AmendRequest reservation_id);
amends!(AmendOrderRequest order_id);
