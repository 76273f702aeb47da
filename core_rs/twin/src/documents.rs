//! Master data: SKUs, warehouses, regions, channels and route plans, together or not at all.

use lockstock_stock::command::{DocumentKind, Live, PutDocument, WarehouseState};
use lockstock_stock::refusal::Reason;

use super::Attempt;
use super::world::Warehouse;

impl Attempt<'_> {
    pub fn put(&mut self, documents: &[PutDocument<'static>]) {
        let before = self.world.clone();
        for document in documents {
            self.put_one(document);
        }
        self.note_pool_short(&before);
    }

    fn put_one(&mut self, document: &PutDocument<'static>) {
        let (kind, id) = (document.kind, document.id);
        let version = self.world.documents.get(&(kind, id)).map(|(version, _)| *version);
        match (document.expected_version, version) {
            (Some(0), Some(_)) => self.rule(Reason::DocumentExists),
            (Some(expected), None) if expected > 0 => self.rule(match kind {
                DocumentKind::Sku => Reason::SkuNotFound,
                DocumentKind::Warehouse => Reason::WarehouseNotFound,
                DocumentKind::Region | DocumentKind::RoutePlan => Reason::RegionNotFound,
                DocumentKind::Channel => Reason::ChannelNotFound,
                DocumentKind::Shop => Reason::StaleVersion,
            }),
            (Some(expected), Some(version)) if expected != version => self.rule(Reason::StaleVersion),
            _ => {}
        }
        match &document.live {
            Live::Nothing => match kind {
                DocumentKind::Region => {
                    self.world.regions.entry(id).or_default();
                }
                _ => {
                    self.world.channels.insert(id);
                }
            },
            Live::Sku { category, policy } => {
                let sku = self.world.skus.entry(id).or_default();
                sku.category = category;
                sku.policy = *policy;
            }
            Live::Shop { policy } => self.world.shop_policy = *policy,
            Live::Warehouse { state, skus, categories } => {
                let at = Warehouse { state: *state, skus: skus.clone(), categories: categories.clone() };
                self.world.warehouses.insert(id, at);
                // A sum of zero that hides promises (available -2, picking 2) is not empty.
                let mut cells = self.world.cells.iter().filter(|((_, at), _)| *at == id);
                let empty = cells.all(|(_, cell)| {
                    [cell.available, cell.locked, cell.allocated, cell.picking, cell.defective]
                        .into_iter()
                        .chain([cell.in_transit, cell.returning])
                        .all(|units| units == 0)
                });
                self.unless(*state != WarehouseState::Closed || empty, Reason::WarehouseNotEmpty);
            }
            Live::RoutePlan { warehouses } => {
                let known = warehouses.iter().all(|at| self.world.warehouses.contains_key(at));
                self.unless(known, Reason::WarehouseNotFound);
                let region = self.world.regions.contains_key(id);
                if self.unless(region, Reason::RegionNotFound) {
                    self.world.regions.insert(id, warehouses.clone());
                }
            }
        }
        self.world.documents.insert((kind, id), (self.sequence, document.body));
    }
}
