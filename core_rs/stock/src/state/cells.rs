//! The counters of one SKU by warehouse, and what a lock asks of all of them without walking over them: a SKU may
//! stand in hundreds of warehouses, a lock takes from one.

use crate::counters::{Cell, Counter};
use crate::few::Few;
use crate::ids::{Units, WarehouseIx};

/// Cells sorted by warehouse; only where the SKU ever was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells {
    list: Vec<(WarehouseIx, Cell)>,
    pub(super) index: Index,
}

/// What follows from the cells: it stands in no hash and in no snapshot, `check` compares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// The warehouses where `available` is not zero, sorted.
    pub(super) stocked: Few<Shelf>,
    /// The sum of `available`.
    pub(super) on_shelf: Units,
}

/// A warehouse where `available` is not zero, and the place of its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shelf {
    warehouse: WarehouseIx,
    place: u32,
}

impl Shelf {
    #[expect(clippy::cast_possible_truncation, reason = "no more cells than numbers of warehouses")]
    const fn new(warehouse: WarehouseIx, place: usize) -> Self {
        Self { warehouse, place: place as u32 }
    }
}

impl Index {
    fn of(list: &[(WarehouseIx, Cell)]) -> Self {
        let mut index = Self::default();
        for (place, (warehouse, cell)) in list.iter().enumerate() {
            let available = cell.get(Counter::Available);
            index.on_shelf = index.on_shelf.wrapping_add(available);
            if available != 0 {
                index.stocked.push(Shelf::new(*warehouse, place));
            }
        }
        index
    }

    fn find(&self, warehouse: WarehouseIx) -> Result<usize, usize> {
        self.stocked.binary_search_by_key(&warehouse, |shelf| shelf.warehouse)
    }

    /// `available` has changed. The sum wraps, as the counters do, so that the inverse restores it exactly.
    fn follow(&mut self, place: usize, warehouse: WarehouseIx, (before, after): (Units, Units)) {
        self.on_shelf = self.on_shelf.wrapping_add(after.wrapping_sub(before));
        if (before == 0) != (after == 0) {
            match self.find(warehouse) {
                Ok(at) => drop(self.stocked.remove(at)),
                Err(at) => self.stocked.insert(at, Shelf::new(warehouse, place)),
            }
        }
    }

    /// The cells from a place on have moved by one.
    fn moved(&mut self, from: usize, by: impl Fn(u32) -> u32) {
        for shelf in self.stocked.iter_mut().filter(|shelf| shelf.place as usize >= from) {
            shelf.place = by(shelf.place);
        }
    }
}

impl From<Vec<(WarehouseIx, Cell)>> for Cells {
    /// Of a list that is sorted.
    fn from(list: Vec<(WarehouseIx, Cell)>) -> Self {
        Self { index: Index::of(&list), list }
    }
}

impl Cells {
    pub(super) fn is_indexed(&self) -> bool {
        self.index == Index::of(&self.list)
    }

    pub(crate) fn list(&self) -> &[(WarehouseIx, Cell)] {
        &self.list
    }

    /// Where the cell of a warehouse stands, or where it would. Mostly it is one with units: that is known without a
    /// look at others.
    fn find(&self, warehouse: WarehouseIx) -> Result<usize, usize> {
        match self.index.find(warehouse) {
            Ok(at) => Ok(self.index.stocked[at].place as usize),
            Err(_) => self.list.binary_search_by_key(&warehouse, |(at, _)| *at),
        }
    }

    pub(crate) fn get(&self, warehouse: WarehouseIx) -> Option<&Cell> {
        let (at, cell) = self.list.get(self.find(warehouse).ok()?)?;
        (*at == warehouse).then_some(cell)
    }

    /// The first cell with units: where there are any, mostly the one a lock takes from.
    pub(crate) fn first_stocked(&self) -> Option<&Cell> {
        let Shelf { place, .. } = self.index.stocked.first()?;
        self.list.get(*place as usize).map(|(_, cell)| cell)
    }

    /// `available` in a warehouse. Where there is none its cell is not looked at.
    pub(crate) fn available(&self, warehouse: WarehouseIx) -> Units {
        self.index.find(warehouse).map_or(0, |at| self.units_on(self.index.stocked[at]))
    }

    fn units_on(&self, Shelf { place, .. }: Shelf) -> Units {
        self.list.get(place as usize).map_or(0, |(_, cell)| cell.get(Counter::Available))
    }

    /// The sum of `available` over all warehouses but some, which are sorted.
    pub(crate) fn available_outside(&self, except: &[WarehouseIx]) -> Units {
        let Index { stocked, on_shelf } = &self.index;
        let inside: Units = if except.len() < stocked.len() {
            except.iter().map(|warehouse| self.available(*warehouse)).sum()
        } else {
            let inside = stocked.iter().filter(|shelf| except.binary_search(&shelf.warehouse).is_ok());
            inside.map(|shelf| self.units_on(*shelf)).sum()
        };
        on_shelf - inside
    }

    /// The place of a warehouse's cell, which is made if it is not there; whether it was made.
    pub(super) fn entry(&mut self, warehouse: WarehouseIx) -> (usize, bool) {
        match self.find(warehouse) {
            Ok(at) => (at, false),
            Err(at) => {
                make_room(&mut self.list);
                self.list.insert(at, (warehouse, Cell::default()));
                self.index.moved(at, |place| place + 1);
                (at, true)
            }
        }
    }

    /// Changes the counters at a place.
    pub(super) fn change(&mut self, at: usize, change: impl FnOnce(&mut Cell)) {
        let (warehouse, cell) = &mut self.list[at];
        let before = cell.get(Counter::Available);
        change(cell);
        self.index.follow(at, *warehouse, (before, cell.get(Counter::Available)));
    }

    /// Takes a cell away that was made in vain: nothing is in it.
    pub(super) fn remove(&mut self, warehouse: WarehouseIx) {
        if let Ok(at) = self.find(warehouse) {
            self.list.remove(at);
            self.index.moved(at, |place| place - 1);
        }
    }

    /// The list, to see that a change behind the index is missed.
    #[cfg(test)]
    pub(crate) fn list_mut(&mut self) -> &mut Vec<(WarehouseIx, Cell)> {
        &mut self.list
    }
}

/// Entries up to which a list takes room for one at a time.
const EXACT: usize = 4;

/// Most lists have one entry or two, and there may be a million of them: no room for more than they have.
fn make_room<T>(list: &mut Vec<T>) {
    if list.len() < EXACT {
        list.reserve_exact(1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::state::testing::Random;

    #[test]
    fn cells_are_the_map_of_what_was_put_into_them_and_know_where_units_are() {
        for bound in [1, 3, 60] {
            let mut random = Random(bound as u64);
            let (mut cells, mut twin) = (Cells::default(), BTreeMap::new());
            for _ in 0..2_000 {
                let warehouse = WarehouseIx(u32::try_from(random.below(bound)).unwrap());
                let units = Units::try_from(random.below(3)).unwrap() - 1;
                let (at, made) = cells.entry(warehouse);
                assert_eq!(made, !twin.contains_key(&warehouse));
                cells.change(at, |cell| cell.0[Counter::Available.at()] = units);
                twin.insert(warehouse, units);
                if units == 0 && random.one_in(2) {
                    cells.remove(warehouse);
                    twin.remove(&warehouse);
                }
                assert!(cells.is_indexed());
                let mut except: Vec<WarehouseIx> =
                    (0..3).filter_map(|_| random.pick(&[0, 1, 2, 50])).map(WarehouseIx).collect();
                except.sort_unstable();
                except.dedup();
                let outside =
                    twin.iter().filter(|(at, _)| !except.contains(at)).map(|(_, units)| units).sum();
                assert_eq!(cells.available_outside(&except), outside);
                assert_eq!(cells.available(warehouse), twin.get(&warehouse).copied().unwrap_or(0));
            }
            assert!(cells.list().iter().map(|(at, cell)| (*at, cell.get(Counter::Available))).eq(twin));
        }
    }
}
