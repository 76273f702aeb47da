//! Whether the machine said what the twin says.

use lockstock_stock::answer::Answer;
use lockstock_stock::event::ExceptionKind;
use lockstock_stock::ids::Sequence;
use lockstock_stock::machine::Reply;
use lockstock_stock::refusal::Refusal;

use crate::{Broken, Done, Verdict};

/// `first` is the sequence that the request's key was first answered with.
pub fn reply(reply: &Reply, verdict: &Verdict, first: Option<Sequence>) -> Result<(), String> {
    match (reply, verdict) {
        (Reply::Known { sequence, same }, Verdict::Known { same: twin }) => {
            let agree = same == twin && first == Some(*sequence);
            if agree { Ok(()) } else { Err(format!("a known key, first answered at {first:?}")) }
        }
        (Reply::Refused(refusal), Verdict::Refused(broken)) => refused(refusal, broken),
        (Reply::Done(answer), Verdict::Done(done)) => granted(answer, done),
        _ => Err("one grants what the other does not".to_owned()),
    }
}

fn refused(refusal: &Refusal, broken: &Broken) -> Result<(), String> {
    if !broken.reasons.contains(&refusal.reason()) {
        return Err(format!("refused for another reason: {refusal}"));
    }
    match refusal {
        Refusal::InsufficientStock { shortages } if *shortages != broken.shortages => {
            Err(format!("other shortages\n  machine {shortages:?}\n  twin    {:?}", broken.shortages))
        }
        Refusal::ParcelLimit { parcels_needed, .. } if broken.parcels_needed != Some(*parcels_needed) => {
            Err(format!("other parcels: {parcels_needed} {:?}", broken.parcels_needed))
        }
        _ => Ok(()),
    }
}

fn granted(answer: &Answer, done: &Done) -> Result<(), String> {
    let exceptions: Vec<Noted> = answer
        .exceptions
        .iter()
        .map(|e| {
            let reservation = e.reservation.as_ref().map(ToString::to_string);
            (e.kind, e.sku.to_string(), e.warehouse.to_string(), e.quantity, reservation)
        })
        .collect();
    let expected: Vec<Noted> = done
        .exceptions
        .iter()
        .map(|(kind, sku, at, units, r)| {
            (*kind, (*sku).to_owned(), (*at).to_owned(), *units, r.map(ToOwned::to_owned))
        })
        .collect();
    if !same_exceptions(&exceptions, &expected) {
        return Err(format!("other exceptions\n  machine {exceptions:?}\n  twin    {expected:?}"));
    }
    let machine = (answer.outcome, &answer.refused, answer.split_exact);
    let twin = (done.outcome, &done.refused, done.split_exact);
    if machine == twin {
        Ok(())
    } else {
        Err(format!("other answers\n  machine {machine:?}\n  twin    {twin:?}"))
    }
}

type Noted = (ExceptionKind, String, String, i64, Option<String>);

/// `POOL_SHORT` stands once a SKU, at any of the warehouses where it showed.
fn same_exceptions(machine: &[Noted], twin: &[Noted]) -> bool {
    let place = |noted: &Noted| match noted.0 {
        ExceptionKind::PoolShort => (noted.0, noted.1.clone(), String::new(), noted.3, None),
        _ => noted.clone(),
    };
    let mut ours: Vec<Noted> = machine.iter().map(place).collect();
    let mut theirs: Vec<Noted> = twin.iter().map(place).collect();
    ours.sort();
    theirs.sort();
    theirs.dedup_by(|a, b| a == b && a.0 == ExceptionKind::PoolShort);
    ours == theirs && machine.iter().all(|noted| twin.contains(noted))
}
