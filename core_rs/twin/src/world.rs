//! What the twin knows: every counter a named field, everything found by name.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use lockstock_stock::command::{DocumentKind, WarehouseState};
use lockstock_stock::event::DeductionPolicy;
use lockstock_stock::ids::{Micros, Units};

/// Names live as long as the test.
pub type Name = &'static str;

/// (SKU, warehouse).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub available: Units,
    pub locked: Units,
    pub allocated: Units,
    pub picking: Units,
    pub defective: Units,
    pub in_transit: Units,
    pub returning: Units,
    pub shipped: Units,
    pub returned: Units,
    pub received: Units,
    pub lost: Units,
    pub found: Units,
    pub written_off: Units,
}

impl Cell {
    pub fn on_hand(&self) -> Units {
        self.available + self.locked + self.allocated + self.picking + self.defective
    }

    pub fn good(&self) -> Units {
        self.on_hand() - self.defective
    }

    fn balances(&self) -> bool {
        self.on_hand()
            == self.received + self.returned + self.found - self.shipped - self.lost - self.written_off
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sku {
    pub category: Name,
    pub policy: Option<DeductionPolicy>,
    pub claimed: Units,
    /// Of the pool SHARED.
    pub pool_quota: Units,
    pub pool_locked: Units,
    pub pool_sold: Units,
}

#[derive(Clone, Debug)]
pub struct Warehouse {
    pub state: WarehouseState,
    pub skus: Vec<Name>,
    pub categories: Vec<Name>,
}

/// What one warehouse holds for one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub warehouse: Name,
    pub locked: Units,
    pub allocated: Units,
    pub picking: Units,
    pub shipped: Units,
    pub returning: Units,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub sku: Name,
    pub requested: Units,
    pub refused: Units,
    pub locked: Units,
    pub deducted: Units,
    pub unlocked: Units,
    pub expired: Units,
    pub cancelled: Units,
    pub claimed: Units,
    pub returned: Units,
    /// To be taken by the payment: promised nothing.
    pub wanted: Units,
    pub on_payment: bool,
    pub held: Vec<Held>,
}

impl Line {
    pub fn sum(&self, what: impl Fn(&Held) -> Units) -> Units {
        self.held.iter().map(what).sum()
    }

    pub fn at(&self, warehouse: Name) -> Held {
        let found = self.held.iter().find(|held| held.warehouse == warehouse);
        found.copied().unwrap_or(Held { warehouse, ..Held::default() })
    }

    /// The entry of a warehouse; a new one comes last.
    pub fn entry(&mut self, warehouse: Name) -> &mut Held {
        let at = self.held.iter().position(|held| held.warehouse == warehouse).unwrap_or_else(|| {
            self.held.push(Held { warehouse, ..Held::default() });
            self.held.len() - 1
        });
        &mut self.held[at]
    }

    fn balances(&self) -> bool {
        self.requested == self.locked + self.deducted + self.unlocked + self.expired
            && self.deducted
                == self.sum(|held| held.allocated + held.picking + held.shipped)
                    + self.cancelled
                    + self.claimed
            && self.locked == self.sum(|held| held.locked)
            && self.wanted >= 0
            && (self.wanted == 0 || self.on_payment)
            && self.returned + self.sum(|held| held.returning) <= self.sum(|held| held.shipped)
    }
}

/// Where from: a list where there is one, else the region's plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub region: Option<Name>,
    pub list: Vec<Name>,
    pub destination: Name,
}

#[derive(Clone, Debug)]
pub struct Reservation {
    pub source: Source,
    pub max_parcels: u32,
    pub created_at: Micros,
    pub deadline: Micros,
    pub extensions: u32,
    /// The sequence of the last command on it; unknown once it has expired, for a sweep has a sequence
    /// that the twin, which expires eagerly, cannot know.
    pub version: Option<u64>,
    pub refund_due: bool,
    pub lines: Vec<Line>,
}

impl Reservation {
    pub fn sum(&self, what: impl Fn(&Line) -> Units) -> Units {
        self.lines.iter().map(what).sum()
    }

    pub fn state(&self) -> &'static str {
        let held = |what: fn(&Held) -> Units| self.sum(|line| line.sum(what));
        if self.refund_due {
            "REFUND_DUE"
        } else if self.sum(|line| line.locked) > 0 {
            "LOCKED"
        } else if held(|at| at.allocated + at.picking) + self.sum(|line| line.claimed) > 0 {
            "DEDUCTED"
        } else if self.sum(|line| line.wanted) > 0 {
            "PLACED"
        } else if held(|at| at.shipped) > 0 {
            "SHIPPED"
        } else if self.sum(|line| line.cancelled) > 0 {
            "CANCELLED"
        } else if self.sum(|line| line.expired) > 0 {
            "EXPIRED"
        } else {
            "UNLOCKED"
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiptLine {
    pub sku: Name,
    pub announced: Units,
    pub expected: Units,
    pub received: Units,
    pub defective: Units,
    pub missing: Units,
}

#[derive(Clone, Debug)]
pub struct Receipt {
    pub warehouse: Name,
    pub expected_at: Micros,
    pub lines: Vec<ReceiptLine>,
}

impl Receipt {
    /// The line of a SKU; a new one comes last.
    pub fn entry(&mut self, sku: Name) -> &mut ReceiptLine {
        let at = self.lines.iter().position(|line| line.sku == sku).unwrap_or_else(|| {
            self.lines.push(ReceiptLine { sku, ..ReceiptLine::default() });
            self.lines.len() - 1
        });
        &mut self.lines[at]
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransferLine {
    pub sku: Name,
    pub allocated: Units,
    pub picking: Units,
    pub shipped: Units,
    pub in_transit: Units,
    pub received: Units,
    pub restored: Units,
    pub damaged: Units,
    pub lost: Units,
}

#[derive(Clone, Debug)]
pub struct Transfer {
    pub from: Name,
    pub to: Name,
    pub closed: bool,
    pub lines: Vec<TransferLine>,
}

/// Everything. Copied before each command and thrown away if the command is refused, so the big parts
/// are shared until they change.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub skus: BTreeMap<Name, Sku>,
    pub warehouses: BTreeMap<Name, Warehouse>,
    pub regions: BTreeMap<Name, Vec<Name>>,
    pub channels: BTreeSet<Name>,
    pub shop_policy: Option<DeductionPolicy>,
    pub documents: BTreeMap<(DocumentKind, Name), (u64, &'static [u8])>,
    pub cells: BTreeMap<(Name, Name), Cell>,
    pub reservations: BTreeMap<Name, Rc<Reservation>>,
    pub receipts: BTreeMap<Name, Rc<Receipt>>,
    pub transfers: BTreeMap<Name, Rc<Transfer>>,
}

impl World {
    pub fn cell(&mut self, sku: Name, warehouse: Name) -> &mut Cell {
        self.cells.entry((sku, warehouse)).or_default()
    }

    pub fn peek(&self, sku: Name, warehouse: Name) -> Cell {
        self.cells.get(&(sku, warehouse)).copied().unwrap_or_default()
    }

    pub fn sku(&mut self, sku: Name) -> &mut Sku {
        self.skus.get_mut(sku).unwrap()
    }

    pub fn reservation(&mut self, id: Name) -> &mut Reservation {
        Rc::make_mut(self.reservations.get_mut(id).unwrap())
    }

    pub fn line(&mut self, id: Name, line: usize) -> &mut Line {
        &mut self.reservation(id).lines[line]
    }

    pub fn is(&self, warehouse: Name, state: WarehouseState) -> bool {
        self.warehouses.get(warehouse).is_some_and(|at| at.state == state)
    }

    pub fn keeps(&self, warehouse: Name, sku: Name) -> bool {
        let at = &self.warehouses[warehouse];
        (at.skus.is_empty() && at.categories.is_empty())
            || at.skus.contains(&sku)
            || at.categories.contains(&self.skus[sku].category)
    }

    /// The sum of `available` over ACTIVE warehouses less what is claimed.
    pub fn free(&self, sku: &str) -> Units {
        let active = |warehouse: Name| self.is(warehouse, WarehouseState::Active);
        let on_shelves: Units = self
            .cells
            .iter()
            .filter(|((of, at), _)| *of == sku && active(at))
            .map(|(_, cell)| cell.available)
            .sum();
        on_shelves - self.skus[sku].claimed
    }

    /// Whether a SKU's stock is taken on payment where the order does not say.
    pub fn on_payment(&self, sku: Name) -> bool {
        match (self.skus[sku].policy, self.shop_policy) {
            (Some(policy), _) | (None, Some(policy)) => policy == DeductionPolicy::OnPayment,
            (None, None) => false,
        }
    }

    /// Every due lock is over. The twin does this before it looks at anything.
    pub fn expire(&mut self, now: Micros) {
        let due = |r: &Reservation| r.deadline <= now && r.sum(|line| line.locked) > 0;
        let ids: Vec<Name> = self.reservations.iter().filter(|(_, r)| due(r)).map(|(id, _)| *id).collect();
        for id in ids {
            self.reservation(id).version = None;
            for at in 0..self.reservations[id].lines.len() {
                let line = self.reservations[id].lines[at].clone();
                for held in &line.held {
                    let cell = self.cell(line.sku, held.warehouse);
                    cell.locked -= held.locked;
                    cell.available += held.locked;
                }
                self.sku(line.sku).pool_locked -= line.locked;
                let line = self.line(id, at);
                line.expired += line.locked;
                line.locked = 0;
                line.held.iter_mut().for_each(|held| held.locked = 0);
            }
        }
    }

    /// The identities of domain.md section 2, so that a mistake of the twin does not pass for one of the
    /// machine.
    pub fn assert_sound(&self) {
        for (at, cell) in &self.cells {
            assert!(cell.balances() && cell.good() >= 0, "twin: {at:?} {cell:?}");
        }
        for (id, reservation) in &self.reservations {
            for line in &reservation.lines {
                assert!(line.balances(), "twin: {id} {line:?}");
            }
        }
        for (id, sku) in &self.skus {
            let lines = || self.reservations.values().flat_map(|r| &r.lines).filter(|line| line.sku == *id);
            assert_eq!(sku.claimed, lines().map(|line| line.claimed).sum::<Units>(), "twin: claimed of {id}");
            assert_eq!(
                sku.pool_locked,
                lines().map(|line| line.locked).sum::<Units>(),
                "twin: locked of {id}"
            );
            let sold = lines().map(|line| line.deducted - line.cancelled - line.returned).sum::<Units>();
            assert_eq!(sku.pool_sold, sold, "twin: sold of {id}");
        }
    }
}
