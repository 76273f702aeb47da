//! Choosing warehouses by trying everything: domain.md section 4 rule 3, with no thought for speed.

use std::collections::BTreeMap;

/// Units by SKU.
pub type BySku<K> = BTreeMap<K, i64>;

/// A choice of warehouses: their positions in the plan, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub positions: Vec<usize>,
    pub exact: bool,
}

/// Positions of every set of `size` out of `of`, in lexicographic order.
pub fn sets(of: usize, size: usize) -> Vec<Vec<usize>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..of {
        for rest in sets(of - first - 1, size - 1) {
            let mut set = vec![first];
            set.extend(rest.into_iter().map(|at| at + first + 1));
            all.push(set);
        }
    }
    all
}

fn serves<K: Ord>(set: &[usize], demand: &BySku<K>, shelves: &[BySku<K>]) -> bool {
    demand.iter().all(|(sku, asked)| {
        let there: i64 = set.iter().map(|at| shelves[*at].get(sku).copied().unwrap_or(0)).sum();
        there >= *asked
    })
}

/// The fewest parcels, and among equals the set whose positions come first: every set is tried.
pub fn best<K: Ord>(demand: &BySku<K>, shelves: &[BySku<K>], parcels: usize) -> Option<Vec<usize>> {
    (1..=parcels.min(shelves.len()))
        .flat_map(|size| sets(shelves.len(), size))
        .find(|set| serves(set, demand, shelves))
}

/// Everything that helps, in this order, until all is served.
fn greedy<K: Ord + Clone>(demand: &BySku<K>, shelves: &[BySku<K>], order: &[usize]) -> Option<Vec<usize>> {
    let mut rest = demand.clone();
    let mut chosen = Vec::new();
    for at in order {
        let (at, shelf) = (*at, &shelves[*at]);
        let mut helps = false;
        for (sku, missing) in &mut rest {
            let taken = shelf.get(sku).copied().unwrap_or(0).min(*missing);
            helps |= taken > 0;
            *missing -= taken;
        }
        if helps {
            chosen.push(at);
        }
    }
    chosen.sort_unstable();
    rest.values().all(|missing| *missing == 0).then_some(chosen)
}

/// What decision 1 promises: exact for at most 16 candidates that can give anything and 3 parcels,
/// beyond that greedy, and said to be: down the plan, and where that makes more parcels than `most`, the
/// fullest first, if that makes fewer.
pub fn choose<K: Ord + Clone>(demand: &BySku<K>, shelves: &[BySku<K>], most: usize) -> Option<Choice> {
    let useful: Vec<usize> = (0..shelves.len())
        .filter(|at| demand.keys().any(|sku| shelves[*at].get(sku).copied().unwrap_or(0) > 0))
        .collect();
    let short: Vec<BySku<K>> = useful.iter().map(|at| shelves[*at].clone()).collect();
    let back = |set: Vec<usize>| set.into_iter().map(|at| useful[at]).collect();
    let alone = best(demand, &short, 1);
    let exact = alone.or_else(|| if useful.len() <= 16 { best(demand, &short, 3) } else { None });
    if let Some(set) = exact {
        return Some(Choice { positions: back(set), exact: true });
    }
    let down: Vec<usize> = (0..short.len()).collect();
    let mut fullest = down.clone();
    let help = |at: usize| -> i64 {
        demand.iter().map(|(sku, asked)| short[at].get(sku).copied().unwrap_or(0).min(*asked)).sum()
    };
    fullest.sort_by_key(|at| -help(*at));
    let mut set = greedy(demand, &short, &down)?;
    if set.len() > most {
        let other = greedy(demand, &short, &fullest)?;
        if other.len() < set.len() {
            set = other;
        }
    }
    Some(Choice { positions: back(set), exact: false })
}
