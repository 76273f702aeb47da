//! Deciding: what a command would do to a state, as an event, or why it is refused. Reads only.
//!
//! One file a family of operations. Each checks names, then form that depends on the state, then units, and
//! takes them from a draft of the event ([`draft`]) while it checks.

mod adjust;
mod amend;
mod documents;
mod draft;
mod find;
mod fulfil;
mod goods;
mod held;
mod ledger;
mod order;
mod pay;
mod returns;
mod shortage;
mod source;
mod transfer;
mod verb;

use crate::command::{Command, Demand, Request, Service, Wanted};
use crate::event::{Change, Event, Operation};
use crate::ids::{Micros, OwnerNo};
use crate::limits::{Limits, SWEEP_PER_COMMAND};
use crate::refusal::Refusal;
use crate::state::State;

use amend::Amendment;
use draft::Draft;

pub use order::Availability;

/// What a request would do to the state as it is: an event that [`State::apply`] accepts, or a refusal.
///
/// The values in it have passed [`crate::check`]. A lock whose deadline has passed is treated as standing
/// until its expiry is applied: [`crate::machine::Machine::step`] sees to that first, and moves the request's
/// fingerprint into the event. `room`: an empty list for its changes.
pub fn decide(
    state: &State,
    limits: &Limits,
    request: &Request<'_>,
    now: Micros,
    room: Vec<Change>,
) -> Result<Event, Refusal> {
    let mut draft = Draft::new(state, now, room);
    fill(&mut draft, limits, request)?;
    Ok(draft.finish(operation(request), request))
}

fn fill(draft: &mut Draft<'_>, limits: &Limits, request: &Request<'_>) -> Result<(), Refusal> {
    match &request.command {
        Command::Lock { order, hold } => order::lock(draft, limits, order, *hold),
        Command::Place { order, hold, policy } => order::place(draft, limits, order, *hold, *policy),
        Command::LockAndDeduct { order } => order::lock_and_deduct(draft, order),
        Command::Unlock(selection) => held::unlock(draft, selection),
        Command::Deduct(selection) => pay::deduct(draft, selection),
        Command::Cancel(selection) => held::cancel(draft, selection),
        Command::CancelOrder(selection) => held::cancel_order(draft, selection),
        Command::Extend { reservation, hold } => held::extend(draft, limits, reservation, *hold),
        Command::Move { reservation, line, from, to, quantity } => {
            fulfil::relocate(draft, reservation, *line, from, to, *quantity)
        }
        Command::PushFulfilment(selection) => fulfil::push(draft, selection),
        Command::Recall(selection) => fulfil::recall(draft, selection),
        Command::Ship(selection) => fulfil::ship(draft, selection),
        Command::ShipOrder { parcel, attributes } => fulfil::ship_order(draft, parcel, attributes),
        Command::ConfirmPicking { reservation, warehouse, lines } => {
            fulfil::confirm_picking(draft, reservation, warehouse, lines)
        }
        Command::ShortPick(selection) => fulfil::short_pick(draft, selection),
        Command::ExpectReturn(selection) => returns::expect(draft, selection),
        Command::CancelReturn(selection) => returns::cancel(draft, selection),
        Command::Return { reservation, warehouse, lines } => {
            returns::come_back(draft, reservation, warehouse, lines)
        }
        Command::Adjust { adjustment, lines } => adjust::adjust(draft, *adjustment, lines),
        Command::Set { lines } => adjust::set(draft, lines),
        Command::ExpectReceipt { receipt, warehouse, expected_at, lines } => {
            goods::expect(draft, receipt, warehouse, *expected_at, lines)
        }
        Command::Receive { receipt, warehouse, lines } => {
            goods::receive(draft, receipt, warehouse, lines, request.reason)
        }
        Command::DraftTransfer { transfer, from, to, lines } => {
            transfer::draft_transfer(draft, transfer, from, to, lines)
        }
        Command::CancelTransfer { transfer, lines } => {
            transfer::run(draft, &transfer::CANCEL, transfer, lines)
        }
        Command::PushTransfer { transfer, lines } => transfer::run(draft, &transfer::PUSH, transfer, lines),
        Command::RecallTransfer { transfer, lines } => {
            transfer::run(draft, &transfer::RECALL, transfer, lines)
        }
        Command::ShipTransfer { transfer, lines } => transfer::run(draft, &transfer::SHIP, transfer, lines),
        Command::ReceiveTransfer { transfer, lines } => {
            transfer::receive(draft, transfer, lines, request.reason)
        }
        Command::CloseTransfer { transfer, lines } => transfer::close(draft, transfer, lines),
        Command::Exchange { returned, replacement } => {
            returns::expect(draft, returned)?;
            order::lock_and_deduct(draft, replacement)
        }
        Command::Amend { reservation, expected_version, deltas, additions, hold } => {
            let (reservation, expected_version, hold) = (*reservation, *expected_version, *hold);
            amend::amend(draft, limits, &Amendment { reservation, expected_version, deltas, additions, hold })
        }
        Command::PutDocuments { documents } => documents::put(draft, documents),
    }
}

/// Which operation a request is: a command of the service it was asked of. Commands that only one service
/// has are operations of that one whatever the request says, so that no pair is wrong.
#[must_use]
pub fn operation(request: &Request<'_>) -> Operation {
    match request.service {
        Service::Stock => of_stock(&request.command),
        Service::Orders => of_orders(&request.command),
    }
}

/// The steps of an order that are operations on stock too.
fn of_orders(command: &Command<'_>) -> Operation {
    match command {
        Command::Deduct(_) => Operation::PayOrder,
        Command::Extend { .. } => Operation::ExtendOrder,
        Command::Amend { .. } => Operation::AmendOrder,
        Command::Move { .. } => Operation::MoveOrder,
        Command::PushFulfilment(_) => Operation::PushOrder,
        Command::Recall(_) => Operation::RecallOrder,
        Command::ExpectReturn(_) => Operation::ExpectOrderReturn,
        Command::CancelReturn(_) => Operation::CancelOrderReturn,
        Command::Return { .. } => Operation::TakeOrderReturn,
        Command::Exchange { .. } => Operation::ExchangeOrder,
        _ => of_stock(command),
    }
}

fn of_stock(command: &Command<'_>) -> Operation {
    match command {
        Command::Place { .. } => Operation::PlaceOrder,
        Command::CancelOrder(_) => Operation::CancelOrder,
        Command::ConfirmPicking { .. } => Operation::ConfirmPicking,
        Command::ShipOrder { .. } => Operation::ShipOrder,
        Command::Lock { .. } => Operation::Lock,
        Command::LockAndDeduct { .. } => Operation::LockAndDeduct,
        Command::Unlock(_) => Operation::Unlock,
        Command::Deduct(_) => Operation::Deduct,
        Command::Cancel(_) => Operation::Cancel,
        Command::Extend { .. } => Operation::Extend,
        Command::Move { .. } => Operation::Move,
        Command::PushFulfilment(_) => Operation::PushFulfilment,
        Command::Recall(_) => Operation::Recall,
        Command::Ship(_) => Operation::Ship,
        Command::ShortPick(_) => Operation::ShortPick,
        Command::ExpectReturn(_) => Operation::ExpectReturn,
        Command::CancelReturn(_) => Operation::CancelReturn,
        Command::Return { .. } => Operation::Return,
        Command::Adjust { adjustment, .. } => adjust::operation(*adjustment),
        Command::Set { .. } => Operation::Set,
        Command::ExpectReceipt { .. } => Operation::ExpectReceipt,
        Command::Receive { .. } => Operation::Receive,
        Command::DraftTransfer { .. } => Operation::DraftTransfer,
        Command::CancelTransfer { .. } => Operation::CancelTransfer,
        Command::PushTransfer { .. } => Operation::PushTransfer,
        Command::RecallTransfer { .. } => Operation::RecallTransfer,
        Command::ShipTransfer { .. } => Operation::ShipTransfer,
        Command::ReceiveTransfer { .. } => Operation::ReceiveTransfer,
        Command::CloseTransfer { .. } => Operation::CloseTransfer,
        Command::Exchange { .. } => Operation::Exchange,
        Command::Amend { .. } => Operation::Amend,
        Command::PutDocuments { .. } => Operation::PutDocuments,
    }
}

/// What a command names that may lie anywhere in large tables: a reservation, be it there or not, and the lines it asks
/// units for.
pub(crate) fn named<'c, 'a>(command: &'c Command<'a>) -> (Option<&'a str>, &'c [Wanted<'a>]) {
    match command {
        Command::Lock { order, .. } | Command::Place { order, .. } | Command::LockAndDeduct { order } => {
            (Some(order.reservation), &order.demand.lines)
        }
        Command::Exchange { replacement, .. } => (subject(command), &replacement.demand.lines),
        _ => (subject(command), &[]),
    }
}

/// The reservation that a command is about, if it is about one that exists.
pub(crate) fn subject<'a>(command: &Command<'a>) -> Option<&'a str> {
    match command {
        Command::Unlock(selection)
        | Command::Deduct(selection)
        | Command::Cancel(selection)
        | Command::CancelOrder(selection)
        | Command::PushFulfilment(selection)
        | Command::Recall(selection)
        | Command::Ship(selection)
        | Command::ShipOrder { parcel: selection, .. }
        | Command::ShortPick(selection)
        | Command::ExpectReturn(selection)
        | Command::CancelReturn(selection)
        | Command::Exchange { returned: selection, .. } => Some(selection.reservation),
        Command::Extend { reservation, .. }
        | Command::Move { reservation, .. }
        | Command::Return { reservation, .. }
        | Command::ConfirmPicking { reservation, .. }
        | Command::Amend { reservation, .. } => Some(reservation),
        _ => None,
    }
}

/// The expiry of these reservations' locks, and the request ids to forget, as one event; `None` where
/// there is nothing to do. Nothing is checked against a bound: what is promised can always be given back.
pub(crate) fn sweep(
    state: &State,
    expired: impl IntoIterator<Item = OwnerNo>,
    horizon_ms: Option<u64>,
    now: Micros,
) -> Option<Event> {
    let mut expired = expired.into_iter().filter_map(|no| state.reservation(no)).peekable();
    // Asked before every command, and nearly always for nothing.
    if expired.peek().is_none() && horizon_ms.is_none() {
        return None;
    }
    let mut draft = Draft::new(state, now, Vec::new());
    for reservation in expired {
        held::expiry(reservation).for_each(|movement| draft.change(Change::Movement(movement)));
    }
    if let Some(stamp_ms) = horizon_ms {
        draft.change(Change::Horizon { stamp_ms });
    }
    Some(draft.finish_own(Operation::Sweep))
}

/// The state hash as it is, as an event.
pub(crate) fn checkpoint(state: &State, now: Micros) -> Event {
    let mut draft = Draft::new(state, now, Vec::new());
    draft.change(Change::Checkpoint { state_hash: state.hash() });
    draft.finish_own(Operation::Checkpoint)
}

/// A dry run of a lock, for `CheckAvailability`: promises nothing, a lock decides again. Locks that are due
/// count as given back, as they would be for a lock.
pub fn availability(state: &State, now: Micros, demand: &Demand<'_>) -> Result<Availability, Refusal> {
    let mut draft = Draft::new(state, now, Vec::new());
    let mut due = state.deadlines().take_while(|(deadline, _)| *deadline <= now);
    for (_, no) in due.by_ref().take(SWEEP_PER_COMMAND) {
        if let Some(reservation) = state.reservation(no) {
            held::expiry(reservation).for_each(|movement| draft.suppose(&movement));
        }
    }
    let answer = order::availability(&draft, demand);
    // More locks are due than one command may sweep: what is short may not be.
    let behind = due.next().is_some() && !answer.as_ref().is_ok_and(|answer| answer.refused.is_empty());
    if behind { Err(Refusal::SweepBehind { swept: SWEEP_PER_COMMAND }) } else { answer }
}
