//! Commands beside buyers: adjustments, receipts, transfers.

use lockstock_stock::command::{
    Adjustment, Arrival, Command, Rest, SetLine, SetTarget, SkuPart, StockLine, WarehouseState,
};
use lockstock_stock::ids::Units;

use super::{MINUTE, SKUS, WAREHOUSES, Workload, ids};
use crate::world::{Cell, Name, Transfer, TransferLine, World};

impl Workload {
    /// A place where a counter stands above zero, mostly.
    fn place(&mut self, world: &World, holds: impl Fn(&Cell) -> Units) -> (Name, Name, Units) {
        let full: Vec<(Name, Name, Units)> = world
            .cells
            .iter()
            .filter(|(_, cell)| holds(cell) > 0)
            .map(|((sku, warehouse), cell)| (*sku, *warehouse, holds(cell)))
            .collect();
        if full.is_empty() || self.rng.percent(8) {
            return (self.sku(), self.warehouse(), 1);
        }
        self.rng.pick(&full)
    }

    pub fn increase(&mut self, _: &World) -> Command<'static> {
        self.more(Adjustment::Increase)
    }

    pub fn other_receipt(&mut self, _: &World) -> Command<'static> {
        self.more(Adjustment::OtherReceipt)
    }

    fn more(&mut self, adjustment: Adjustment) -> Command<'static> {
        let count = 1 + self.rng.below(2);
        let lines = (0..count)
            .map(|_| StockLine {
                sku: self.sku(),
                warehouse: self.warehouse(),
                quantity: self.rng.between(1, 9),
            })
            .collect();
        Command::Adjust { adjustment, lines }
    }

    pub fn adjust(&mut self, world: &World) -> Command<'static> {
        let adjustment = self.rng.pick(&[
            Adjustment::Decrease,
            Adjustment::RecordLoss,
            Adjustment::Issue,
            Adjustment::MarkDefective,
            Adjustment::Restore,
            Adjustment::WriteOff,
        ]);
        let count = 1 + self.rng.below(2);
        let lines = (0..count)
            .map(|_| {
                let (sku, warehouse, there) = match adjustment {
                    Adjustment::Restore | Adjustment::WriteOff => self.place(world, |cell| cell.defective),
                    Adjustment::RecordLoss => self.place(world, Cell::good),
                    _ => self.place(world, |cell| cell.available),
                };
                StockLine { sku, warehouse, quantity: self.units(there) }
            })
            .collect();
        Command::Adjust { adjustment, lines }
    }

    pub fn set(&mut self, world: &World) -> Command<'static> {
        let mut lines: Vec<SetLine<'static>> = Vec::new();
        for _ in 0..=self.rng.below(2) {
            let (sku, warehouse, _) = self.place(world, |cell| cell.on_hand().max(1));
            if lines.iter().any(|line| line.sku == sku) {
                continue;
            }
            let target = self.rng.pick(&[SetTarget::Available, SetTarget::OnHand]);
            let cell = world.peek(sku, warehouse);
            let current = if target == SetTarget::Available { cell.available } else { cell.on_hand() };
            let expected = if self.rng.percent(12) { current + 1 } else { current };
            let value = (current + self.rng.between(-4, 4)).max(0);
            lines.push(SetLine { sku, warehouse, target, value, expected });
        }
        Command::Set { lines }
    }

    pub fn expect_receipt(&mut self, world: &World) -> Command<'static> {
        let known: Vec<Name> = world.receipts.keys().copied().collect();
        let (receipt, warehouse) = if !known.is_empty() && self.rng.percent(30) {
            let id = self.rng.pick(&known);
            let here = world.receipts[id].warehouse;
            (id, if self.rng.percent(85) { here } else { self.warehouse() })
        } else {
            self.receipts += 1;
            (ids().receipts[self.receipts - 1], self.warehouse())
        };
        let count = 1 + self.rng.below(3);
        let lines =
            (0..count).map(|_| SkuPart { sku: self.sku(), quantity: Some(self.rng.between(1, 6)) }).collect();
        let expected_at = if self.rng.percent(40) { 0 } else { self.now + self.rng.between(0, 600 * MINUTE) };
        Command::ExpectReceipt { receipt, warehouse, expected_at, lines }
    }

    pub fn receive(&mut self, world: &World) -> Command<'static> {
        let open: Vec<Name> = world
            .receipts
            .iter()
            .filter(|(_, receipt)| receipt.lines.iter().any(|line| line.expected > 0))
            .map(|(id, _)| *id)
            .collect();
        let all: Vec<Name> = world.receipts.keys().copied().collect();
        let unknown = ids().receipts[1_999 - self.receipts];
        let receipt = self.owner(&open, &all, unknown);
        let known = world.receipts.get(receipt);
        let warehouse = match known {
            Some(known) if !self.rng.percent(5) => known.warehouse,
            _ => self.warehouse(),
        };
        let mut lines: Vec<Arrival<'static>> = Vec::new();
        for _ in 0..=self.rng.below(2) {
            let (sku, there) = match known {
                Some(known) if !known.lines.is_empty() && !self.rng.percent(10) => {
                    let line = known.lines[self.rng.below(known.lines.len())];
                    (line.sku, line.expected)
                }
                _ => (self.sku(), 1),
            };
            if lines.iter().all(|line| line.sku != sku) {
                let (good, rest) = self.cut_in_two(there);
                let defective = self.rng.between(0, rest);
                lines.push(Arrival { sku, good, defective, missing: rest - defective });
            }
        }
        Command::Receive { receipt, warehouse, lines }
    }

    fn cut_in_two(&mut self, there: Units) -> (Units, Units) {
        let all = self.units(there);
        let first = if self.rng.percent(60) { all } else { self.rng.between(0, all) };
        (first, all - first)
    }

    pub fn draft(&mut self, world: &World) -> Command<'static> {
        let transfer = match world.transfers.keys().next_back() {
            Some(id) if self.rng.percent(5) => id,
            _ => {
                self.transfers += 1;
                ids().transfers[self.transfers - 1]
            }
        };
        let (sku, from, there) = self.place(world, |cell| cell.available);
        let to = if self.rng.percent(5) { from } else { self.warehouse() };
        let whole = there > 0 && self.rng.percent(30);
        let units = if whole { there } else { self.units(there) };
        let mut lines = vec![SkuPart { sku, quantity: Some(units) }];
        if self.rng.percent(40) {
            let sku = self.rng.pick(&SKUS);
            let there = world.peek(sku, from).available;
            lines.push(SkuPart { sku, quantity: Some(self.units(there)) });
        }
        Command::DraftTransfer { transfer, from, to, lines }
    }

    fn transfer(&mut self, world: &World, fits: impl Fn(&Transfer) -> bool) -> Name {
        let all: Vec<Name> = world.transfers.keys().copied().collect();
        let fitting = world.transfers.iter().filter(|(_, transfer)| !transfer.closed && fits(transfer));
        let mut fitting: Vec<Name> = fitting.map(|(id, _)| *id).collect();
        if self.rng.percent(50) {
            // One end of it has closed since.
            let shut = |name: Name| world.is(name, WarehouseState::Closed);
            let cut_off = |id: &Name| shut(world.transfers[id].from) || shut(world.transfers[id].to);
            let some: Vec<Name> = fitting.iter().copied().filter(cut_off).collect();
            fitting = if some.is_empty() { fitting } else { some };
        }
        self.owner(&fitting, &all, "no-such-transfer")
    }

    /// A SKU of the transfer, mostly, and how many units it holds.
    fn line_of(&mut self, transfer: Option<&Transfer>, holds: fn(&TransferLine) -> Units) -> (Name, Units) {
        match transfer {
            Some(transfer) if !transfer.lines.is_empty() && !self.rng.percent(5) => {
                let line = transfer.lines[self.rng.below(transfer.lines.len())];
                (line.sku, holds(&line))
            }
            _ => (self.sku(), 1),
        }
    }

    fn transfer_parts(
        &mut self,
        world: &World,
        holds: fn(&TransferLine) -> Units,
    ) -> (Name, Vec<SkuPart<'static>>) {
        let id = self.transfer(world, |transfer| transfer.lines.iter().map(holds).sum::<Units>() > 0);
        if self.rng.percent(45) {
            return (id, Vec::new());
        }
        let (sku, there) = self.line_of(world.transfers.get(id).map(|transfer| &**transfer), holds);
        let quantity = if self.rng.percent(20) { None } else { Some(self.units(there)) };
        (id, vec![SkuPart { sku, quantity }])
    }

    pub fn cancel_transfer(&mut self, world: &World) -> Command<'static> {
        let (transfer, lines) = self.transfer_parts(world, |line| line.allocated + line.picking);
        Command::CancelTransfer { transfer, lines }
    }

    pub fn push_transfer(&mut self, world: &World) -> Command<'static> {
        let (transfer, lines) = self.transfer_parts(world, |line| line.allocated);
        Command::PushTransfer { transfer, lines }
    }

    pub fn recall_transfer(&mut self, world: &World) -> Command<'static> {
        let (transfer, lines) = self.transfer_parts(world, |line| line.picking);
        Command::RecallTransfer { transfer, lines }
    }

    pub fn ship_transfer(&mut self, world: &World) -> Command<'static> {
        let (transfer, lines) = self.transfer_parts(world, |line| line.allocated + line.picking);
        Command::ShipTransfer { transfer, lines }
    }

    pub fn receive_transfer(&mut self, world: &World) -> Command<'static> {
        let transfer = self.transfer(world, |transfer| transfer.lines.iter().any(|line| line.in_transit > 0));
        let known = world.transfers.get(transfer).map(|transfer| &**transfer);
        let (sku, there) = self.line_of(known, |line| line.in_transit);
        let (good, defective) = self.cut_in_two(there);
        let lines = vec![Arrival { sku, good, defective, missing: 0 }];
        Command::ReceiveTransfer { transfer, lines }
    }

    pub fn close_transfer(&mut self, world: &World) -> Command<'static> {
        let ready =
            |transfer: &Transfer| transfer.lines.iter().all(|line| line.allocated + line.picking == 0);
        let transfer = self.transfer(world, ready);
        let mut lines = Vec::new();
        if let Some(known) = world.transfers.get(transfer) {
            for line in known.lines.iter().filter(|line| line.in_transit > 0) {
                let wrong = i64::from(self.rng.percent(6));
                let restored = self.rng.between(0, line.in_transit);
                let damaged = self.rng.between(0, line.in_transit - restored);
                let lost = line.in_transit - restored - damaged + wrong;
                lines.push(Rest { sku: line.sku, restored, damaged, lost });
            }
        }
        Command::CloseTransfer { transfer, lines }
    }

    /// Opening stock.
    pub fn opening_stock(&mut self) -> Command<'static> {
        let mut lines = Vec::new();
        for sku in SKUS {
            for warehouse in WAREHOUSES {
                if self.rng.percent(self.fullness) {
                    lines.push(StockLine { sku, warehouse, quantity: self.rng.between(1, self.richness) });
                }
            }
        }
        lines.push(StockLine { sku: "apple", warehouse: "w1", quantity: 1 });
        Command::Adjust { adjustment: Adjustment::OtherReceipt, lines }
    }
}
