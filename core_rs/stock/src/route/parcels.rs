//! Which warehouses ship: the fewest parcels; among equal counts the positions that come first when they are
//! sorted.
//!
//! The search is exact up to 16 useful candidates and 3 parcels; beyond that it is greedy and says so, so that the
//! work is bounded: in plan order; where that makes too many parcels, those who have the most first, which for one SKU
//! are the fewest there can be.

use crate::ids::Units;
use crate::limits::{EXACT_CANDIDATES_MAX, EXACT_PARCELS_MAX};

/// What is needed of one SKU, and who offers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Units, above zero.
    pub units: Units,
    /// (position, units above zero), by position.
    pub offers: Vec<(usize, Units)>,
}

/// The chosen positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcels {
    /// In plan order.
    pub positions: Vec<usize>,
    /// False where they were found greedily.
    pub exact: bool,
}

/// The fewest parcels that cover all needs; `None` where the offers together do not. They may be more than `most`,
/// which says only how hard to look for fewer.
#[must_use]
pub fn choose(needs: &[Need], most: usize) -> Option<Parcels> {
    if needs.iter().any(|need| need.offers.iter().map(|(_, units)| units).sum::<Units>() < need.units) {
        return None;
    }
    let mut useful: Vec<usize> = needs.iter().flat_map(|need| &need.offers).map(|(at, _)| *at).collect();
    useful.sort_unstable();
    useful.dedup();
    if let Some(position) = covers_all(needs) {
        return Some(Parcels { positions: vec![position], exact: true });
    }
    if useful.len() <= EXACT_CANDIDATES_MAX {
        let rows = rows(needs, &useful);
        for count in 2..=EXACT_PARCELS_MAX {
            if let Some(chosen) = fewest(&rows, useful.len(), count) {
                let positions = chosen.into_iter().map(|at| useful[at]).collect();
                return Some(Parcels { positions, exact: true });
            }
        }
    }
    let in_order = greedy(needs, &useful);
    if in_order.len() <= most {
        return Some(Parcels { positions: in_order, exact: false });
    }
    let mut fullest_first = greedy(needs, &by_help(needs, &useful));
    fullest_first.sort_unstable();
    let positions = if fullest_first.len() < in_order.len() { fullest_first } else { in_order };
    Some(Parcels { positions, exact: false })
}

/// The candidates by how much of what is needed they have, most first; equals in plan order.
fn by_help(needs: &[Need], useful: &[usize]) -> Vec<usize> {
    let mut helps: Vec<(Units, usize)> = useful.iter().map(|position| (0, *position)).collect();
    for need in needs {
        for (position, units) in &need.offers {
            if let Ok(at) = useful.binary_search(position) {
                helps[at].0 += need.units.min(*units);
            }
        }
    }
    helps.sort_by_key(|(help, _)| std::cmp::Reverse(*help));
    helps.into_iter().map(|(_, position)| position).collect()
}

/// The first position that serves all of them alone.
pub fn alone<T>(
    positions: impl IntoIterator<Item = usize>,
    all: &[T],
    serves: impl Fn(&T, usize) -> bool,
) -> Option<usize> {
    positions.into_iter().find(|position| all.iter().all(|one| serves(one, *position)))
}

/// The first candidate that covers every need.
fn covers_all(needs: &[Need]) -> Option<usize> {
    // Who covers all covers the first, so only its offers are looked at.
    let candidates = needs.first()?.offers.iter().map(|(position, _)| *position);
    alone(candidates, needs, |need, position| {
        need.offers
            .binary_search_by_key(&position, |(at, _)| *at)
            .is_ok_and(|at| need.offers[at].1 >= need.units)
    })
}

/// One need against a handful of candidates.
struct Row {
    units: Units,
    offers: [Units; EXACT_CANDIDATES_MAX],
}

/// The needs, those with the fewest offers first: they rule a choice out soonest.
fn rows(needs: &[Need], useful: &[usize]) -> Vec<Row> {
    let mut scarce: Vec<&Need> = needs.iter().collect();
    scarce.sort_by_key(|need| need.offers.len());
    let row = |need: &Need| {
        let mut offers = [0; EXACT_CANDIDATES_MAX];
        for (position, units) in &need.offers {
            if let Ok(at) = useful.binary_search(position) {
                offers[at] = *units;
            }
        }
        Row { units: need.units, offers }
    };
    scarce.into_iter().map(row).collect()
}

/// The lexicographically first choice of `count` candidates that covers every row.
fn fewest(rows: &[Row], candidates: usize, count: usize) -> Option<Vec<usize>> {
    if candidates < count {
        return None;
    }
    let mut chosen: Vec<usize> = (0..count).collect();
    loop {
        let covers = |row: &Row| chosen.iter().map(|at| row.offers[*at]).sum::<Units>() >= row.units;
        if rows.iter().all(covers) {
            return Some(chosen);
        }
        // The next choice in lexicographic order: the last place that can still move on does.
        let place = (0..count).rev().find(|place| chosen[*place] < candidates - count + place)?;
        chosen[place] += 1;
        for later in place + 1..count {
            chosen[later] = chosen[later - 1] + 1;
        }
    }
}

/// Every candidate that gives something that is still missing, in this order, until nothing is.
fn greedy(needs: &[Need], candidates: &[usize]) -> Vec<usize> {
    let mut left: Vec<Units> = needs.iter().map(|need| need.units).collect();
    let mut chosen = Vec::new();
    for position in candidates {
        let mut gives = false;
        for (left, need) in left.iter_mut().zip(needs).filter(|(left, _)| **left > 0) {
            let Ok(at) = need.offers.binary_search_by_key(position, |(at, _)| *at) else { continue };
            *left -= need.offers[at].1.min(*left);
            gives = true;
        }
        if gives {
            chosen.push(*position);
        }
        if left.iter().all(|units| *units == 0) {
            break;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(units: Units, offers: &[(usize, Units)]) -> Need {
        Need { units, offers: offers.to_vec() }
    }

    fn chosen(needs: &[Need]) -> (Vec<usize>, bool) {
        chosen_of(needs, usize::MAX)
    }

    fn chosen_of(needs: &[Need], most: usize) -> (Vec<usize>, bool) {
        let parcels = choose(needs, most).unwrap();
        (parcels.positions, parcels.exact)
    }

    #[test]
    fn the_first_warehouse_that_serves_every_line_alone_is_taken() {
        let needs = [need(5, &[(0, 4), (1, 5), (2, 9)]), need(1, &[(0, 1), (2, 1)])];
        assert_eq!(chosen(&needs), (vec![2], true));
    }

    #[test]
    fn fewest_parcels_win_over_earlier_positions() {
        let needs = [need(10, &[(0, 1), (1, 2), (2, 5), (3, 5), (4, 6)])];
        assert_eq!(chosen(&needs), (vec![2, 3], true));
    }

    #[test]
    fn among_equal_counts_the_lexicographically_first_positions_win() {
        let needs = [need(10, &[(0, 4), (1, 5), (2, 5), (3, 6)])];
        assert_eq!(chosen(&needs), (vec![0, 3], true));
    }

    #[test]
    fn three_parcels_are_exact_and_four_are_greedy() {
        let needs = [need(9, &[(0, 1), (1, 2), (2, 3), (3, 3), (4, 3)])];
        assert_eq!(chosen(&needs), (vec![2, 3, 4], true));
        let needs = [need(10, &[(0, 1), (1, 2), (2, 3), (3, 3), (4, 3)])];
        assert_eq!(chosen(&needs), (vec![0, 1, 2, 3, 4], false));
    }

    #[test]
    fn beyond_sixteen_candidates_a_split_is_greedy_but_one_parcel_is_still_exact() {
        let mut offers: Vec<(usize, Units)> = (0..17).map(|at| (at, 1)).collect();
        offers[16].1 = 5;
        assert_eq!(chosen(&[need(5, &offers)]), (vec![16], true));
        let (positions, exact) = chosen(&[need(6, &offers)]);
        assert_eq!((positions, exact), ((0..6).collect(), false));
    }

    #[test]
    fn where_plan_order_makes_too_many_parcels_those_who_have_the_most_come_first() {
        let needs = [need(10, &[(0, 1), (1, 2), (2, 3), (3, 3), (4, 3)])];
        assert_eq!(chosen_of(&needs, 4), (vec![1, 2, 3, 4], false));
        let mut offers: Vec<(usize, Units)> = (0..17).map(|at| (at, 1)).collect();
        offers.extend([(17, 5), (18, 5)]);
        assert_eq!(chosen_of(&[need(10, &offers)], 2), (vec![17, 18], false));
        assert_eq!(chosen_of(&[need(10, &offers)], 1), (vec![17, 18], false), "and the number it would take");
        assert_eq!(
            chosen_of(&[need(10, &offers)], 10),
            ((0..10).collect(), false),
            "in plan order where it may"
        );
    }

    #[test]
    fn needs_that_nobody_covers_have_no_parcels() {
        assert_eq!(choose(&[need(3, &[(0, 1), (1, 1)])], 9), None);
    }

    #[test]
    fn a_split_found_is_the_one_of_an_exhaustive_search() {
        // A small fixed generator: every case of it is searched exhaustively.
        let mut seed: u64 = 42;
        let mut draw = |below: i64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(seed >> 33).unwrap() % below
        };
        for _ in 0..2_000 {
            let candidates = usize::try_from(1 + draw(6)).unwrap();
            let mut needs = Vec::new();
            for _ in 0..=draw(3) {
                let mut drawn = Need { units: 1 + draw(8), offers: Vec::new() };
                drawn.offers.extend((0..candidates).map(|at| (at, draw(6))).filter(|(_, units)| *units > 0));
                needs.push(drawn);
            }
            let mut subsets: Vec<Vec<usize>> = (1_u32..1 << candidates)
                .map(|mask| (0..candidates).filter(|at| mask >> at & 1 == 1).collect())
                .collect();
            subsets.sort_by_key(|positions: &Vec<usize>| (positions.len(), positions.clone()));
            let covers = |positions: &Vec<usize>| {
                needs.iter().all(|need| {
                    let given = need.offers.iter().filter(|(at, _)| positions.contains(at));
                    given.map(|(_, units)| units).sum::<Units>() >= need.units
                })
            };
            let best = subsets.into_iter().find(covers);
            match choose(&needs, usize::MAX) {
                Some(parcels) if parcels.exact => assert_eq!(Some(parcels.positions), best, "{needs:?}"),
                Some(parcels) => {
                    assert!(best.is_some_and(|best| best.len() > EXACT_PARCELS_MAX), "{needs:?}");
                    assert!(covers(&parcels.positions), "{needs:?}");
                }
                None => assert_eq!(best, None, "{needs:?}"),
            }
        }
    }
}
