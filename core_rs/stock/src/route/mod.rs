//! Who gives what to an order: `domain.md` section 4, rule 3, over plain numbers. The state machine routes
//! with it what it locks, and planners explain with it what it would.
//!
//! Positions are places in the list of candidates.

mod parcels;

use crate::ids::Units;

pub use parcels::{Need, Parcels, alone, choose};

/// What one line asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which of the items.
    pub item: usize,
    /// Units, above zero.
    pub units: Units,
}

/// One SKU of an order: what is asked of it and what may be had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The sum of what its lines ask.
    pub asked: Units,
    /// What may be taken at most, wherever it stands: claims come first.
    pub free: Units,
    /// (position, units above zero), by position.
    pub offers: Vec<(usize, Units)>,
}

impl Item {
    /// What the candidates have.
    #[must_use]
    pub fn offered(&self) -> Units {
        self.offers.iter().map(|(_, units)| units).sum()
    }

    /// What they may give.
    #[must_use]
    pub fn here(&self) -> Units {
        self.offered().min(self.free).max(0)
    }
}

/// Limits on splitting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// So many candidates, the first ones, ship a parcel of this order anyway: what they have is taken before
    /// all others'.
    pub shipping: usize,
    /// The most parcels, those included; 0 for no limit.
    pub max_parcels: u32,
    /// Whether less than what is asked will do, as long as it is something.
    pub allow_partial: bool,
}

/// What one candidate gives to one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Take {
    /// Which of the asks.
    pub ask: usize,
    /// Which of the candidates.
    pub position: usize,
    /// Units, above zero.
    pub units: Units,
}

/// Who gives what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// In the order of the asks, then of the candidates.
    pub takes: Vec<Take>,
    /// Which of the asks get less than they ask, and by how much.
    pub refused: Vec<(usize, Units)>,
    /// False where the split was found greedily.
    pub exact: bool,
}

/// Why there is no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// There is not enough of these items.
    Short(Vec<usize>),
    /// There is enough, in more parcels than allowed.
    Parcels {
        /// The number it would take.
        needed: u32,
    },
    /// A defect: what was granted is not covered by what is offered.
    Uncovered,
}

/// Routes an order; `items` have been summed from the asks.
pub fn route(asks: &[Ask], items: &[Item], bounds: &Bounds) -> Result<Route, NoRoute> {
    let here: Vec<Units> = items.iter().map(Item::here).collect();
    let short: Vec<usize> = (0..items.len()).filter(|at| here[*at] < items[*at].asked).collect();
    let nothing = here.iter().all(|units| *units == 0);
    if !short.is_empty() && (nothing || !bounds.allow_partial) {
        return Err(NoRoute::Short(short));
    }
    let granted: Vec<Units> = items.iter().zip(here).map(|(item, here)| here.min(item.asked)).collect();
    let (positions, exact) = split(items, &granted, bounds)?;
    let (takes, refused) = hand_out(asks, items, granted, &positions);
    Ok(Route { takes, refused, exact })
}

/// Those that ship anyway, then the fewest others that cover the rest, in the order of the candidates.
fn split(items: &[Item], granted: &[Units], bounds: &Bounds) -> Result<(Vec<usize>, bool), NoRoute> {
    let needs: Vec<Need> = items
        .iter()
        .zip(granted)
        .filter_map(|(item, granted)| {
            let (ships, others): (Vec<_>, Vec<_>) =
                item.offers.iter().copied().partition(|(at, _)| *at < bounds.shipping);
            let given: Units = ships.into_iter().map(|(_, units)| units).sum();
            let units = granted - given.min(*granted);
            (units > 0).then_some(Need { units, offers: others })
        })
        .collect();
    let mut positions: Vec<usize> = (0..bounds.shipping).collect();
    if needs.is_empty() {
        return Ok((positions, true));
    }
    let limit = if bounds.max_parcels == 0 { u32::MAX } else { bounds.max_parcels };
    let most = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(bounds.shipping);
    let parcels = choose(&needs, most).ok_or(NoRoute::Uncovered)?;
    positions.extend(parcels.positions);
    let needed = u32::try_from(positions.len()).unwrap_or(u32::MAX);
    if needed > limit {
        return Err(NoRoute::Parcels { needed });
    }
    Ok((positions, parcels.exact))
}

/// Each ask in turn gets what is left of what its item was granted, from the chosen positions in order.
fn hand_out(
    asks: &[Ask],
    items: &[Item],
    mut granted: Vec<Units>,
    positions: &[usize],
) -> (Vec<Take>, Vec<(usize, Units)>) {
    let chosen = |item: &Item| -> Vec<(usize, Units)> {
        item.offers.iter().copied().filter(|(at, _)| positions.binary_search(at).is_ok()).collect()
    };
    let mut offers: Vec<Vec<(usize, Units)>> = items.iter().map(chosen).collect();
    let (mut takes, mut refused) = (Vec::with_capacity(asks.len()), Vec::new());
    for (ask, &Ask { item, units: asked }) in asks.iter().enumerate() {
        let mut left = asked.min(granted[item]);
        granted[item] -= left;
        if left < asked {
            refused.push((ask, asked - left));
        }
        for (position, offered) in &mut offers[item] {
            let units = left.min(*offered);
            if units > 0 {
                takes.push(Take { ask, position: *position, units });
                (*offered, left) = (*offered - units, left - units);
            }
        }
    }
    (takes, refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks of one unit of each item and more; offers by item.
    fn routed(
        asks: &[(usize, Units)],
        offers: &[&[(usize, Units)]],
        free: &[Units],
        bounds: Bounds,
    ) -> Result<Route, NoRoute> {
        let asks: Vec<Ask> = asks.iter().map(|&(item, units)| Ask { item, units }).collect();
        let mut items: Vec<Item> = offers
            .iter()
            .zip(free)
            .map(|(offers, free)| Item { asked: 0, free: *free, offers: offers.to_vec() })
            .collect();
        for ask in &asks {
            items[ask.item].asked += ask.units;
        }
        route(&asks, &items, &bounds)
    }

    fn takes(route: &Route) -> Vec<(usize, usize, Units)> {
        route.takes.iter().map(|take| (take.ask, take.position, take.units)).collect()
    }

    #[test]
    fn each_line_takes_all_it_can_from_the_earlier_of_the_chosen() {
        let offers: [&[_]; 2] = [&[(0, 1), (2, 6), (4, 9)], &[(2, 1), (4, 1)]];
        let found = routed(&[(0, 5), (1, 2), (0, 4)], &offers, &[99, 99], Bounds::default()).unwrap();
        assert_eq!(takes(&found), [(0, 2, 5), (1, 2, 1), (1, 4, 1), (2, 2, 1), (2, 4, 3)]);
        assert_eq!((found.refused.as_slice(), found.exact), (&[][..], true));
    }

    #[test]
    fn no_more_is_given_than_is_free_wherever_it_stands() {
        let offers: [&[_]; 1] = [&[(0, 10)]];
        assert_eq!(routed(&[(0, 5)], &offers, &[4], Bounds::default()), Err(NoRoute::Short(vec![0])));
        assert_eq!(routed(&[(0, 5)], &offers, &[-4], Bounds::default()), Err(NoRoute::Short(vec![0])));
        let partial = Bounds { allow_partial: true, ..Bounds::default() };
        let found = routed(&[(0, 3), (0, 5)], &offers, &[4], partial).unwrap();
        assert_eq!((takes(&found), found.refused), (vec![(0, 0, 3), (1, 0, 1)], vec![(1, 4)]));
    }

    #[test]
    fn a_part_is_at_least_one_unit_of_something() {
        let partial = Bounds { allow_partial: true, ..Bounds::default() };
        let short = routed(&[(0, 1), (1, 1)], &[&[], &[(0, 1)]], &[9, 0], partial);
        assert_eq!(short, Err(NoRoute::Short(vec![0, 1])));
        let found = routed(&[(0, 1), (1, 1)], &[&[], &[(0, 1)]], &[9, 9], partial).unwrap();
        assert_eq!((takes(&found), found.refused), (vec![(1, 0, 1)], vec![(0, 1)]));
    }

    #[test]
    fn too_many_parcels_are_told_how_many_it_takes() {
        let offers: [&[_]; 1] = [&[(0, 1), (1, 1), (2, 1)]];
        let bounds = Bounds { max_parcels: 2, ..Bounds::default() };
        assert_eq!(routed(&[(0, 3)], &offers, &[9], bounds), Err(NoRoute::Parcels { needed: 3 }));
        assert!(routed(&[(0, 2)], &offers, &[9], bounds).is_ok());
    }

    #[test]
    fn who_ships_anyway_gives_first_and_counts_as_a_parcel() {
        let offers: [&[_]; 1] = [&[(0, 2), (1, 1), (2, 9)]];
        let bounds = Bounds { shipping: 1, max_parcels: 2, allow_partial: false };
        let found = routed(&[(0, 5)], &offers, &[99], bounds).unwrap();
        assert_eq!(takes(&found), [(0, 0, 2), (0, 2, 3)]);
        let bounds = Bounds { max_parcels: 1, ..bounds };
        assert_eq!(routed(&[(0, 5)], &offers, &[99], bounds), Err(NoRoute::Parcels { needed: 2 }));
        let found = routed(&[(0, 2)], &offers, &[99], bounds).unwrap();
        assert_eq!(takes(&found), [(0, 0, 2)]);
    }
}
