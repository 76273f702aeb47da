//! Each request becomes its command, and whatever has not the right form is refused by the path of its field.

mod commands;
mod orders;
mod refusals;

use lockstock_stock::limits::Limits;
use prost::Message;

use super::*;

/// The key of a request that came without one.
pub(super) const FRESH: RequestKey = 1;

/// Sends a message through its bytes, as a door would, and shows the command it becomes.
pub(super) fn sent(method: &str, message: &impl Message) -> Checked<String> {
    with_request(method, message, |request| format!("{:?}", request.command))
}

/// The fake hash of a buyer is the length of its name.
const fn context(limits: &Limits) -> Context<'_> {
    Context { limits, buyer: &|buyer| buyer.len() as u128, fresh_key: &|| FRESH }
}

pub(super) fn with_request<T>(
    method: &str,
    message: &impl Message,
    show: impl FnOnce(&Request<'_>) -> T,
) -> Checked<T> {
    let bytes = message.encode_to_vec();
    let (limits, mut room) = (Limits::default(), Vec::new());
    if let Some(operation) = Asked::named(method) {
        let asked = Asked::of(operation, &bytes, &mut room)?;
        return request(&asked, &context(&limits)).map(|request| show(&request));
    }
    if let Some(operation) = Step::named(method) {
        let step = Step::of(operation, &bytes, &mut room)?;
        return request(&step, &context(&limits)).map(|request| show(&request));
    }
    let planned = Planned::read(method, &bytes).unwrap()?;
    request(&planned.step()?, &context(&limits)).map(|request| show(&request))
}

#[expect(clippy::unnecessary_wraps, reason = "it stands where the result of `sent` is compared")]
pub(super) fn shown(command: &Command<'_>) -> Checked<String> {
    Ok(format!("{command:?}"))
}

pub(super) fn order_line(sku: &str, quantity: i64) -> pb::OrderLine {
    pb::OrderLine { sku: sku.to_owned(), quantity, pool: String::new() }
}

pub(super) fn line(line: u32, quantity: Option<i64>) -> pb::LineQuantity {
    pb::LineQuantity { line, quantity }
}

pub(super) fn sku(sku: &str, quantity: Option<i64>) -> pb::SkuQuantity {
    pb::SkuQuantity { sku: sku.to_owned(), quantity }
}

pub(super) fn duration(seconds: i64, nanos: i32) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos }
}

pub(super) fn id(id: &str) -> String {
    id.to_owned()
}

pub(super) fn lock() -> pb::LockRequest {
    pb::LockRequest {
        reservation_id: id("order"),
        lines: vec![order_line("BOOK", 2)],
        source: Some(pb::lock_request::Source::Region(id("CN"))),
        ..Default::default()
    }
}

pub(super) fn replacement() -> pb::LockAndDeductRequest {
    pb::LockAndDeductRequest {
        reservation_id: id("new"),
        lines: vec![order_line("PEN", 1)],
        source: Some(pb::lock_and_deduct_request::Source::Region(id("CN"))),
        ..Default::default()
    }
}
