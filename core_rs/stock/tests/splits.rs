//! Splitting an order over warehouses: `domain.md` section 4 rule 3, the real search against trying every
//! set, over thousands of drawn shelves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may be blunt")]

mod shop;

use lockstock_stock::command::{Command, From, Order};
use lockstock_stock::counters::AllocationCounter;
use lockstock_stock::limits::{EXACT_CANDIDATES_MAX, EXACT_PARCELS_MAX};
use lockstock_stock::machine::{Machine, Reply};
use lockstock_stock::refusal::Refusal;
use lockstock_stock::route::{Need, choose};
use lockstock_twin::rng::Rng;
use lockstock_twin::routing::{self, BySku};
use shop::{Shop, demand};

/// Shelves of a few SKUs over some warehouses, and what is wanted of them.
struct Drawn {
    shelves: Vec<BySku<usize>>,
    wanted: BySku<usize>,
}

fn draw(rng: &mut Rng, warehouses: usize, most: i64) -> Drawn {
    let skus = 1 + rng.below(4);
    let full = rng.pick(&[20, 50, 90]);
    let shelf = |rng: &mut Rng| -> BySku<usize> {
        (0..skus).map(|sku| (sku, if rng.percent(full) { rng.between(1, 6) } else { 0 })).collect()
    };
    let shelves: Vec<BySku<usize>> = (0..warehouses).map(|_| shelf(rng)).collect();
    let wanted = (0..skus).map(|sku| (sku, rng.between(1, most))).collect();
    Drawn { shelves, wanted }
}

fn needs(drawn: &Drawn) -> Vec<Need> {
    let offers = |sku: &usize| {
        let shelves = drawn.shelves.iter().enumerate();
        shelves.map(|(at, shelf)| (at, shelf[sku])).filter(|(_, units)| *units > 0).collect()
    };
    drawn.wanted.iter().map(|(sku, units)| Need { units: *units, offers: offers(sku) }).collect()
}

fn covers(drawn: &Drawn, positions: &[usize]) -> bool {
    drawn
        .wanted
        .iter()
        .all(|(sku, units)| positions.iter().map(|at| drawn.shelves[*at][sku]).sum::<i64>() >= *units)
}

#[test]
fn where_it_is_promised_exact_the_choice_is_the_best_of_all_sets() {
    let mut rng = Rng::new(4);
    let (mut split, mut greedy, mut short) = (0, 0, 0);
    for round in 0..4_000 {
        let warehouses = 1 + rng.below(EXACT_CANDIDATES_MAX);
        let most = rng.pick(&[3, 8, 16]);
        let drawn = draw(&mut rng, warehouses, most);
        let best = routing::best(&drawn.wanted, &drawn.shelves, EXACT_PARCELS_MAX);
        match (choose(&needs(&drawn), usize::MAX), best) {
            (Some(parcels), Some(best)) => {
                assert_eq!((parcels.positions, parcels.exact), (best.clone(), true), "round {round}");
                split += usize::from(best.len() > 1);
            }
            (Some(parcels), None) => {
                // More than three parcels: greedy, said to be, and it serves.
                assert!(!parcels.exact && parcels.positions.len() > EXACT_PARCELS_MAX, "round {round}");
                assert!(covers(&drawn, &parcels.positions), "round {round}");
                greedy += 1;
            }
            (None, best) => {
                let all: Vec<usize> = (0..warehouses).collect();
                assert!(best.is_none() && !covers(&drawn, &all), "round {round}");
                short += 1;
            }
        }
    }
    assert!(split > 500 && greedy > 100 && short > 100, "{split} splits, {greedy} greedy, {short} short");
}

#[test]
fn beyond_sixteen_candidates_one_parcel_is_exact_and_a_split_says_that_it_is_greedy() {
    let mut rng = Rng::new(5);
    let (mut alone, mut greedy) = (0, 0);
    for round in 0..2_000 {
        let warehouses = 17 + rng.below(60);
        let most = rng.pick(&[3, 9]);
        let mut drawn = draw(&mut rng, warehouses, most);
        for shelf in &mut drawn.shelves {
            // Every warehouse is a useful candidate.
            shelf.insert(0, shelf[&0].max(1));
        }
        let parcels_max = rng.pick(&[2, 4, usize::MAX]);
        let expected = routing::choose(&drawn.wanted, &drawn.shelves, parcels_max);
        let Some(parcels) = choose(&needs(&drawn), parcels_max) else {
            assert_eq!(expected, None, "round {round}");
            continue;
        };
        assert!(covers(&drawn, &parcels.positions), "round {round}");
        assert_eq!(parcels.exact, parcels.positions.len() == 1, "round {round}");
        let expected = expected.unwrap();
        assert_eq!((parcels.positions, parcels.exact), (expected.positions, expected.exact), "round {round}");
        alone += usize::from(parcels.exact);
        greedy += usize::from(!parcels.exact);
    }
    assert!(alone > 50 && greedy > 50, "{alone} alone, {greedy} greedy");
}

#[test]
fn of_one_sku_no_split_is_refused_that_fits_into_the_parcels() {
    let mut rng = Rng::new(7);
    let mut found = 0;
    for round in 0..2_000 {
        let warehouses = 2 + rng.below(40);
        let offers: Vec<(usize, i64)> = (0..warehouses).map(|at| (at, rng.between(1, 6))).collect();
        let units = rng.between(1, 20);
        let mut fullest: Vec<i64> = offers.iter().map(|(_, units)| *units).collect();
        fullest.sort_unstable_by_key(|units| -units);
        let fewest = (1..=warehouses).find(|count| fullest[..*count].iter().sum::<i64>() >= units);
        let most = 1 + rng.below(6);
        let parcels = choose(&[Need { units, offers }], most);
        assert_eq!(parcels.is_some(), fewest.is_some(), "round {round}");
        if let (Some(parcels), Some(fewest)) = (parcels, fewest) {
            let needed = parcels.positions.len();
            assert!(
                if needed <= most { fewest <= needed } else { fewest == needed },
                "round {round}: {needed}"
            );
            found += usize::from(!parcels.exact && needed <= most);
        }
    }
    assert!(found > 100, "{found}");
}

const SKUS: [&str; 4] = ["apple", "bread", "candle", "drum"];

/// A lock over drawn shelves of a real machine: who gives what to each line.
fn lock_over(drawn: &Drawn, max_parcels: u32) -> (Shop, Reply) {
    let names: Vec<&'static str> =
        (0..drawn.shelves.len()).map(|at| &*String::leak(format!("w{at:02}"))).collect();
    let mut shop = Shop::open(&SKUS, &names);
    for (at, shelf) in drawn.shelves.iter().enumerate() {
        for (sku, units) in shelf.iter().filter(|(_, units)| **units > 0) {
            shop.stock(SKUS[*sku], names[at], *units);
        }
    }
    // Each SKU on two lines where it can be: they are one demand.
    let mut lines = Vec::new();
    for (sku, units) in &drawn.wanted {
        lines.push((SKUS[*sku], (units + 1) / 2));
        if *units > 1 {
            lines.push((SKUS[*sku], units / 2));
        }
    }
    let mut wanted = demand(&lines);
    wanted.from = From::Warehouses(names);
    wanted.max_parcels = max_parcels;
    let order = Order { reservation: "order", demand: wanted, channel: "", buyer: 0, attributes: b"" };
    let request = shop.request(Command::Lock { order, hold: None });
    let reply = shop.send(request);
    (shop, reply)
}

#[test]
fn a_lock_takes_all_it_can_from_the_earlier_of_the_chosen_warehouses() {
    let mut rng = Rng::new(6);
    let (mut granted, mut limited) = (0, 0);
    for round in 0..250 {
        let warehouses = 2 + rng.below(7);
        let drawn = draw(&mut rng, warehouses, 9);
        let max_parcels = u32::try_from(rng.below(4)).unwrap();
        let most = if max_parcels == 0 { usize::MAX } else { usize::try_from(max_parcels).unwrap() };
        let choice = routing::choose(&drawn.wanted, &drawn.shelves, most);
        let (shop, reply) = lock_over(&drawn, max_parcels);
        match reply {
            Reply::Done(answer) => {
                let choice = choice.unwrap();
                assert_eq!(answer.split_exact, choice.exact, "round {round}");
                assert_earlier_first(&shop.machine, &drawn, &choice.positions);
                granted += 1;
            }
            Reply::Refused(Refusal::ParcelLimit { parcels_needed, .. }) => {
                let needed = choice.unwrap().positions.len();
                assert_eq!(parcels_needed, u32::try_from(needed).unwrap(), "round {round}");
                assert!(parcels_needed > max_parcels && max_parcels > 0);
                limited += 1;
            }
            Reply::Refused(Refusal::InsufficientStock { .. }) => assert_eq!(choice, None, "round {round}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(granted > 60 && limited > 10, "{granted} granted, {limited} limited");
}

/// Walks lines and warehouses once more: an earlier warehouse is emptied before a later one is touched.
fn assert_earlier_first(machine: &Machine, drawn: &Drawn, positions: &[usize]) {
    let reservation = machine.state().find_reservation("order").unwrap();
    let mut left = drawn.shelves.clone();
    for line in &reservation.lines {
        let sku = SKUS.iter().position(|id| **id == *machine.state().sku(line.sku).id).unwrap();
        let mut missing = line.held(AllocationCounter::Locked);
        for at in positions {
            let id = format!("w{at:02}");
            let warehouse = machine.state().find_warehouse(&id).unwrap();
            let given = line.allocation(warehouse).map_or(0, |at| at.get(AllocationCounter::Locked));
            let there = left[*at].get_mut(&sku).unwrap();
            assert_eq!(given, missing.min(*there), "{id} of {positions:?}");
            *there -= given;
            missing -= given;
        }
        assert_eq!(missing, 0);
    }
}
