//! The engine's own chooser, over plain numbers: for planners who explain or try out routes.

use lockstock_stock::check;
use lockstock_stock::ids::Units;
use lockstock_stock::limits::COUNTER_MAX;
use lockstock_stock::route::{Ask, Bounds, Item, NoRoute, Route, route as choose};
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::boundary::{Error, ExitCode, detached};

/// Who gives what to an order, as JSON.
#[pyfunction]
pub fn route(
    py: Python<'_>,
    asks: Vec<(usize, Units)>,
    offers: Vec<Vec<(usize, Units)>>,
    free: Vec<Units>,
    max_parcels: u32,
    allow_partial: bool,
) -> PyResult<String> {
    detached(py, move || {
        let (asks, items) = order(asks, offers, free).map_err(|why| Error::new(ExitCode::Failed, why))?;
        let bounds = Bounds { shipping: 0, max_parcels, allow_partial };
        answer(choose(&asks, &items, &bounds))
    })
}

fn order(
    asks: Vec<(usize, Units)>,
    offers: Vec<Vec<(usize, Units)>>,
    free: Vec<Units>,
) -> Result<(Vec<Ask>, Vec<Item>), String> {
    if offers.len() != free.len() {
        return Err(format!("offers are of {} SKUs, free is of {}", offers.len(), free.len()));
    }
    let mut items = Vec::with_capacity(offers.len());
    for (at, (offers, free)) in offers.into_iter().zip(free).enumerate() {
        if !offers.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(format!("offers[{at}] is not ordered by position, each once"));
        }
        // Bounded like counters, so that no sum of them can overflow.
        if offers.iter().any(|(_, units)| !(1..=COUNTER_MAX).contains(units)) {
            return Err(format!("offers[{at}] has units out of range"));
        }
        items.push(Item { asked: 0, free, offers });
    }
    let mut summed = Vec::with_capacity(asks.len());
    for (at, (item, units)) in asks.into_iter().enumerate() {
        let asked =
            items.get_mut(item).ok_or_else(|| format!("asks[{at}] is of SKU {item}, which is none"))?;
        let refused = |refusal| format!("asks[{at}]: {refusal}");
        check::quantity("units", units).map_err(refused)?;
        asked.asked = check::quantity("the sum", asked.asked + units).map_err(refused)?;
        summed.push(Ask { item, units });
    }
    Ok((summed, items))
}

fn answer(routed: Result<Route, NoRoute>) -> Result<String, Error> {
    let answer: Value = match routed {
        Ok(route) => json!({
            "takes": route.takes.iter().map(|it| (it.ask + 1, it.position, it.units)).collect::<Vec<_>>(),
            "refused": route.refused.iter().map(|(ask, units)| (ask + 1, units)).collect::<Vec<_>>(),
            "split_exact": route.exact,
        }),
        Err(NoRoute::Short(short)) => json!({ "short": short }),
        Err(NoRoute::Parcels { needed }) => json!({ "parcels_needed": needed }),
        Err(NoRoute::Uncovered) => {
            return Err(Error::new(ExitCode::Failed, "the offers do not cover what was granted"));
        }
    };
    Ok(answer.to_string())
}
