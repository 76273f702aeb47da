//! Names for the numbers that events carry. The state's tables only grow, and what is asked of an owner here
//! never changes, so the live state answers for any event in the past. Of reservations that the events create
//! themselves it is not asked: whoever projects a flash sale would ask for little else.

use std::borrow::Cow;
use std::sync::Arc;

use lockstock_stock::event::{DeductionPolicy, NewLine, NewReservation};
use lockstock_stock::few::Few;
use lockstock_stock::ids::{ChannelIx, LineNo, OwnerNo, PoolIx, RegionIx, Sequence, SkuIx, WarehouseIx};
use lockstock_stock::movement::OwnerKind;
use lockstock_stock::state::{Allocation, State};
// Its hash is quick, and numbers that we gave ourselves need no other.
use rustc_hash::{FxHashMap, FxHashSet};

use super::error::ProjectionError;

/// How many names are looked up in one hold of the engine's lock.
pub(super) const ASKED_AT_ONCE: usize = 64;

/// A number that needs a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Ask {
    Sku(SkuIx),
    Warehouse(WarehouseIx),
    Region(RegionIx),
    Channel(ChannelIx),
    Pool(PoolIx),
    Reservation(OwnerNo),
    Receipt(OwnerNo),
    Transfer(OwnerNo),
}

impl Ask {
    /// The owner of a movement.
    pub(super) const fn owner(kind: OwnerKind, no: OwnerNo) -> Option<Self> {
        match kind {
            OwnerKind::None => None,
            OwnerKind::Reservation => Some(Self::Reservation(no)),
            OwnerKind::Receipt => Some(Self::Receipt(no)),
            OwnerKind::Transfer => Some(Self::Transfer(no)),
        }
    }

    fn unknown(self, sequence: Sequence) -> ProjectionError {
        let (what, number) = match self {
            Self::Sku(ix) => ("SKU", ix.0.into()),
            Self::Warehouse(ix) => ("warehouse", ix.0.into()),
            Self::Region(ix) => ("region", ix.0.into()),
            Self::Channel(ix) => ("channel", ix.0.into()),
            Self::Pool(ix) => ("pool", ix.0.into()),
            Self::Reservation(no) => ("reservation", no.0),
            Self::Receipt(no) => ("receipt", no.0),
            Self::Transfer(no) => ("transfer", no.0),
        };
        ProjectionError::Unknown { sequence, what, number }
    }
}

/// What never changes of an owner's line.
struct Line {
    sku: SkuIx,
    /// Of a reservation's line.
    sells: Option<(PoolIx, DeductionPolicy)>,
    /// In the order in which units first came to them.
    warehouses: Few<WarehouseIx>,
}

impl Line {
    const fn of_sku(sku: SkuIx) -> Self {
        Self { sku, sells: None, warehouses: Few::new() }
    }

    const fn new(NewLine { sku, pool, policy }: NewLine) -> Self {
        Self { sku, sells: Some((pool, policy)), warehouses: Few::new() }
    }
}

/// What never changes of an owner.
pub(super) struct Owner<'e> {
    name: Cow<'e, str>,
    lines: Few<Line>,
}

impl Owner<'_> {
    fn of_skus(name: &str, skus: impl Iterator<Item = SkuIx>) -> Self {
        Self { name: name.to_owned().into(), lines: skus.map(Line::of_sku).collect() }
    }
}

/// What a number leads to.
pub(super) enum Named {
    Entry(Arc<str>),
    Owner(OwnerNo, Owner<'static>),
}

impl Named {
    fn entry(name: &Arc<str>) -> Self {
        Self::Entry(Arc::clone(name))
    }

    /// What a state that has applied the event says; `None` where it does not know the number.
    pub(super) fn of(ask: Ask, state: &State) -> Option<Self> {
        Some(match ask {
            Ask::Sku(ix) => Self::Entry(Arc::from(&*state.skus().get(ix.at())?.id)),
            Ask::Warehouse(ix) => Self::entry(&state.warehouses().get(ix.at())?.id),
            // The state has applied the event that names them, or it would not be in the journal.
            Ask::Region(ix) => Self::entry(&state.region(ix).id),
            Ask::Channel(ix) => Self::entry(state.channel(ix)),
            Ask::Pool(ix) => Self::entry(state.pool(ix)),
            Ask::Reservation(no) => {
                let reservation = state.reservation(no)?;
                let lines = reservation.lines.iter().map(|line| Line {
                    sku: line.sku,
                    sells: Some((line.pool, line.policy())),
                    warehouses: line.allocations.iter().map(Allocation::warehouse).collect(),
                });
                Self::Owner(no, Owner { name: reservation.id.to_string().into(), lines: lines.collect() })
            }
            Ask::Receipt(no) => {
                let receipt = state.receipt(no)?;
                Self::Owner(no, Owner::of_skus(&receipt.id, receipt.lines.iter().map(|line| line.sku)))
            }
            Ask::Transfer(no) => {
                let transfer = state.transfer(no)?;
                Self::Owner(no, Owner::of_skus(&transfer.id, transfer.lines.iter().map(|line| line.sku)))
            }
        })
    }

    /// The same of several.
    pub(super) fn of_all(asked: &[Ask], state: &State) -> Vec<Option<Self>> {
        asked.iter().map(|ask| Self::of(*ask, state)).collect()
    }
}

/// The numbers that some events carry, and what they say of them themselves.
#[derive(Default)]
pub(super) struct Needs<'e> {
    asked: FxHashSet<Ask>,
    created: FxHashMap<OwnerNo, Owner<'e>>,
}

impl<'e> Needs<'e> {
    pub(super) fn ask(&mut self, ask: Ask) {
        if let Ask::Reservation(no) = ask
            && self.created.contains_key(&no)
        {
            return;
        }
        self.asked.insert(ask);
    }

    pub(super) fn ask_all(&mut self, asked: impl IntoIterator<Item = Ask>) {
        asked.into_iter().for_each(|ask| self.ask(ask));
    }

    /// A reservation that is created here: from now on all that is asked of it is known.
    pub(super) fn created(&mut self, no: OwnerNo, new: &'e NewReservation) {
        let owner = Owner { name: (&*new.id).into(), lines: new.lines.map(|line| Line::new(*line)) };
        self.created.insert(no, owner);
        new.lines.iter().for_each(|line| self.ask_line(*line));
    }

    /// A line more of a reservation.
    pub(super) fn line(&mut self, no: OwnerNo, new: NewLine) {
        if let Some(owner) = self.created.get_mut(&no) {
            owner.lines.push(Line::new(new));
        }
        self.ask_line(new);
    }

    fn ask_line(&mut self, line: NewLine) {
        self.ask_all([Ask::Sku(line.sku), Ask::Pool(line.pool)]);
    }

    /// Units of a reservation's line came to a warehouse, or moved there.
    pub(super) fn allocated(&mut self, no: OwnerNo, line: LineNo, warehouse: WarehouseIx) {
        let at = (line as usize).wrapping_sub(1);
        if let Some(line) = self.created.get_mut(&no).and_then(|owner| owner.lines.get_mut(at))
            && !line.warehouses.contains(&warehouse)
        {
            line.warehouses.push(warehouse);
        }
    }
}

/// The answers.
pub(super) struct Names<'e> {
    /// The last event of the batch, for errors.
    sequence: Sequence,
    entries: FxHashMap<Ask, Arc<str>>,
    owners: FxHashMap<OwnerNo, Owner<'e>>,
}

impl<'e> Names<'e> {
    /// Asks `look`, a few at a time, for everything that is needed.
    pub(super) fn collect(
        sequence: Sequence,
        Needs { asked, created }: Needs<'e>,
        mut look: impl FnMut(&[Ask]) -> Vec<Option<Named>>,
    ) -> Result<Self, ProjectionError> {
        let mut names = Self { sequence, entries: FxHashMap::default(), owners: created };
        let mut asked: Vec<Ask> = asked.into_iter().collect();
        // What was created together stands together.
        asked.sort_unstable();
        for some in asked.chunks(ASKED_AT_ONCE) {
            for (ask, answer) in some.iter().zip(look(some)) {
                match answer.ok_or_else(|| ask.unknown(sequence))? {
                    Named::Entry(name) => drop(names.entries.insert(*ask, name)),
                    Named::Owner(no, owner) => drop(names.owners.insert(no, owner)),
                }
            }
        }
        Ok(names)
    }

    pub(super) fn get(&self, ask: Ask) -> Result<&str, ProjectionError> {
        let name = match ask {
            Ask::Reservation(no) | Ask::Receipt(no) | Ask::Transfer(no) => {
                self.owners.get(&no).map(|owner| &*owner.name)
            }
            entry => self.entries.get(&entry).map(|name| &**name),
        };
        name.ok_or_else(|| ask.unknown(self.sequence))
    }

    pub(super) fn sku(&self, sku: SkuIx) -> Result<&str, ProjectionError> {
        self.get(Ask::Sku(sku))
    }

    pub(super) fn warehouse(&self, warehouse: WarehouseIx) -> Result<&str, ProjectionError> {
        self.get(Ask::Warehouse(warehouse))
    }

    /// The SKU of an owner's line.
    pub(super) fn line_sku(&self, owner: OwnerNo, line: LineNo) -> Result<&str, ProjectionError> {
        self.sku(self.line(owner, line)?.sku)
    }

    /// The pool of a reservation's line.
    pub(super) fn line_pool(&self, owner: OwnerNo, line: LineNo) -> Result<&str, ProjectionError> {
        self.get(Ask::Pool(self.sells(owner, line)?.0))
    }

    /// When the stock of a reservation's line is taken.
    pub(super) fn line_policy(&self, owner: OwnerNo, line: LineNo) -> Result<&str, ProjectionError> {
        Ok(self.sells(owner, line)?.1.name())
    }

    fn sells(&self, owner: OwnerNo, line: LineNo) -> Result<(PoolIx, DeductionPolicy), ProjectionError> {
        self.line(owner, line)?.sells.ok_or_else(|| self.no_line(owner))
    }

    /// Which of a line's warehouses it is, from 0.
    pub(super) fn position(
        &self,
        owner: OwnerNo,
        line: LineNo,
        warehouse: WarehouseIx,
    ) -> Result<u64, ProjectionError> {
        let warehouses = &self.line(owner, line)?.warehouses;
        let at = warehouses.iter().position(|at| *at == warehouse).ok_or_else(|| self.no_line(owner))?;
        Ok(at as u64)
    }

    /// The number of the line that has a SKU, where each SKU stands on one line only.
    pub(super) fn line_of(&self, owner: OwnerNo, sku: SkuIx) -> Result<LineNo, ProjectionError> {
        let lines = &self.owners.get(&owner).ok_or_else(|| self.no_line(owner))?.lines;
        State::line_of(lines.iter().map(|line| line.sku), sku).ok_or_else(|| self.no_line(owner))
    }

    fn line(&self, owner: OwnerNo, line: LineNo) -> Result<&Line, ProjectionError> {
        let at = (line as usize).checked_sub(1).ok_or_else(|| self.no_line(owner))?;
        self.owners.get(&owner).and_then(|owner| owner.lines.get(at)).ok_or_else(|| self.no_line(owner))
    }

    const fn no_line(&self, owner: OwnerNo) -> ProjectionError {
        ProjectionError::Unknown { sequence: self.sequence, what: "a line of owner", number: owner.0 }
    }
}
