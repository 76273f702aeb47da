//! Names for the numbers that events carry. The state's tables only grow, and what is asked of an owner here
//! never changes, so the live state answers for any event in the past.

use std::collections::HashMap;
use std::sync::Arc;

use lockstock_stock::event::DeductionPolicy;
use lockstock_stock::ids::{ChannelIx, LineNo, OwnerNo, PoolIx, RegionIx, Sequence, SkuIx, WarehouseIx};
use lockstock_stock::movement::OwnerKind;
use lockstock_stock::state::{Allocation, State};

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
    warehouses: Box<[WarehouseIx]>,
}

/// What a number leads to.
pub(super) struct Named {
    name: Arc<str>,
    /// Of an owner.
    lines: Option<Vec<Line>>,
}

impl Named {
    fn name(name: &Arc<str>) -> Self {
        Self { name: Arc::clone(name), lines: None }
    }

    /// What a state that has applied the event says; `None` where it does not know the number.
    pub(super) fn of(ask: Ask, state: &State) -> Option<Self> {
        Some(match ask {
            Ask::Sku(ix) => Self::name(&state.skus().get(ix.at())?.id),
            Ask::Warehouse(ix) => Self::name(&state.warehouses().get(ix.at())?.id),
            // The state has applied the event that names them, or it would not be in the journal.
            Ask::Region(ix) => Self::name(&state.region(ix).id),
            Ask::Channel(ix) => Self::name(state.channel(ix)),
            Ask::Pool(ix) => Self::name(state.pool(ix)),
            Ask::Reservation(no) => {
                let reservation = state.reservation(no)?;
                let lines = reservation.lines.iter().map(|line| Line {
                    sku: line.sku,
                    sells: Some((line.pool, line.policy())),
                    warehouses: line.allocations.iter().map(Allocation::warehouse).collect(),
                });
                Self { lines: Some(lines.collect()), name: Arc::from(&*reservation.id) }
            }
            Ask::Receipt(no) => {
                let receipt = state.receipt(no)?;
                let lines = receipt.lines.iter().map(|line| Line::of_sku(line.sku));
                Self { lines: Some(lines.collect()), name: Arc::clone(&receipt.id) }
            }
            Ask::Transfer(no) => {
                let transfer = state.transfer(no)?;
                let lines = transfer.lines.iter().map(|line| Line::of_sku(line.sku));
                Self { lines: Some(lines.collect()), name: Arc::clone(&transfer.id) }
            }
        })
    }

    /// The same of several.
    pub(super) fn of_all(asked: &[Ask], state: &State) -> Vec<Option<Self>> {
        asked.iter().map(|ask| Self::of(*ask, state)).collect()
    }
}

/// The answers.
pub(super) struct Names {
    /// The last event of the batch, for errors.
    sequence: Sequence,
    known: HashMap<Ask, Arc<str>>,
    lines: HashMap<OwnerNo, Vec<Line>>,
}

impl Names {
    /// Asks `look`, a few at a time, for everything in `asked`.
    pub(super) fn collect(
        sequence: Sequence,
        mut asked: Vec<Ask>,
        mut look: impl FnMut(&[Ask]) -> Vec<Option<Named>>,
    ) -> Result<Self, ProjectionError> {
        asked.sort_unstable();
        asked.dedup();
        let mut names = Self { sequence, known: HashMap::with_capacity(asked.len()), lines: HashMap::new() };
        for some in asked.chunks(ASKED_AT_ONCE) {
            for (ask, answer) in some.iter().zip(look(some)) {
                names.learn(*ask, answer.ok_or_else(|| ask.unknown(sequence))?);
            }
        }
        Ok(names)
    }

    fn learn(&mut self, ask: Ask, Named { name, lines }: Named) {
        if let (Ask::Reservation(no) | Ask::Receipt(no) | Ask::Transfer(no), Some(lines)) = (ask, lines) {
            self.lines.insert(no, lines);
        }
        self.known.insert(ask, name);
    }

    pub(super) fn get(&self, ask: Ask) -> Result<&str, ProjectionError> {
        self.known.get(&ask).map(|name| &**name).ok_or_else(|| ask.unknown(self.sequence))
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
        let lines = self.lines.get(&owner).ok_or_else(|| self.no_line(owner))?;
        State::line_of(lines.iter().map(|line| line.sku), sku).ok_or_else(|| self.no_line(owner))
    }

    fn line(&self, owner: OwnerNo, line: LineNo) -> Result<&Line, ProjectionError> {
        let at = (line as usize).checked_sub(1).ok_or_else(|| self.no_line(owner))?;
        self.lines.get(&owner).and_then(|lines| lines.get(at)).ok_or_else(|| self.no_line(owner))
    }

    const fn no_line(&self, owner: OwnerNo) -> ProjectionError {
        ProjectionError::Unknown { sequence: self.sequence, what: "a line of owner", number: owner.0 }
    }
}

impl Line {
    fn of_sku(sku: SkuIx) -> Self {
        Self { sku, sells: None, warehouses: Box::default() }
    }
}
