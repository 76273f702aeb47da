//! Master data: the shop as it opens, and what is changed while it sells.

use lockstock_stock::command::{Command, DocumentKind, Live, PutDocument, SHOP_ID, WarehouseState};
use lockstock_stock::event::DeductionPolicy::{OnOrder, OnPayment};

use super::{CATEGORIES, REGIONS, SKUS, WAREHOUSES, Workload, ids};
use crate::world::{Name, World};

fn put(kind: DocumentKind, id: Name, live: Live<'static>) -> PutDocument<'static> {
    PutDocument { kind, id, expected_version: None, live, body: b"{}" }
}

impl Workload {
    fn live_sku(&mut self) -> Live<'static> {
        let policy = self.rng.pick(&[None, None, Some(OnOrder), Some(OnPayment)]);
        Live::Sku { category: self.rng.pick(&CATEGORIES), policy }
    }

    fn live_warehouse(&mut self, state: WarehouseState) -> Live<'static> {
        let (skus, categories) = match self.rng.below(10) {
            0 => (self.rng.some(&SKUS, 4), Vec::new()),
            1 => (Vec::new(), vec![self.rng.pick(&CATEGORIES[..2])]),
            2 => (vec![self.rng.pick(&SKUS)], vec![self.rng.pick(&CATEGORIES[..2])]),
            _ => (Vec::new(), Vec::new()),
        };
        Live::Warehouse { state, skus, categories }
    }

    fn live_plan(&mut self) -> Live<'static> {
        Live::RoutePlan { warehouses: self.rng.some(&WAREHOUSES, 6) }
    }

    /// The shop as it opens. `nowhere` has no plan.
    pub fn opening(&mut self) -> Command<'static> {
        let mut documents = Vec::new();
        for sku in SKUS {
            documents.push(put(DocumentKind::Sku, sku, self.live_sku()));
        }
        for warehouse in WAREHOUSES {
            documents.push(put(
                DocumentKind::Warehouse,
                warehouse,
                self.live_warehouse(WarehouseState::Active),
            ));
        }
        for region in REGIONS {
            documents.push(put(DocumentKind::Region, region, Live::Nothing));
        }
        for region in &REGIONS[..3] {
            documents.push(put(DocumentKind::RoutePlan, region, self.live_plan()));
        }
        documents.push(put(DocumentKind::Channel, "web", Live::Nothing));
        for document in &mut documents {
            document.expected_version = Some(0);
        }
        Command::PutDocuments { documents }
    }

    pub fn put_documents(&mut self, world: &World) -> Command<'static> {
        let mut documents = match self.rng.below(12) {
            0 => vec![put(DocumentKind::Sku, self.rng.pick(&SKUS), self.live_sku())],
            1..=6 => {
                let state = self.rng.pick(&[
                    WarehouseState::Active,
                    WarehouseState::Active,
                    WarehouseState::Active,
                    WarehouseState::Paused,
                    WarehouseState::Paused,
                    WarehouseState::Closed,
                ]);
                vec![put(
                    DocumentKind::Warehouse,
                    self.some_warehouse(world, state),
                    self.live_warehouse(state),
                )]
            }
            7 => {
                let region =
                    if self.rng.percent(10) { "no-such-region" } else { self.rng.pick(&REGIONS[..3]) };
                vec![put(DocumentKind::RoutePlan, region, self.live_plan())]
            }
            8 => {
                // New ones, and a plan that names one of them, in one request.
                self.extras += 1;
                let id = ids().extras[self.extras - 1];
                vec![
                    put(DocumentKind::Sku, id, self.live_sku()),
                    put(DocumentKind::Warehouse, id, self.live_warehouse(WarehouseState::Active)),
                    put(DocumentKind::Region, id, Live::Nothing),
                    put(DocumentKind::Channel, id, Live::Nothing),
                    put(DocumentKind::RoutePlan, id, Live::RoutePlan { warehouses: vec![id, "w2", "w1"] }),
                ]
            }
            9..=10 => {
                let policy = self.rng.pick(&[None, Some(OnOrder), Some(OnPayment)]);
                vec![put(DocumentKind::Shop, SHOP_ID, Live::Shop { policy })]
            }
            _ => {
                let plan = Live::RoutePlan { warehouses: vec!["w3", "no-such-warehouse"] };
                vec![put(DocumentKind::RoutePlan, "north", plan)]
            }
        };
        for document in &mut documents {
            let version = world.documents.get(&(document.kind, document.id)).map(|(version, _)| *version);
            document.expected_version = match self.rng.below(20) {
                0 => Some(0),
                1 => Some(version.unwrap_or(0) + 1),
                2..=9 => version.or(Some(0)),
                _ => None,
            };
        }
        Command::PutDocuments { documents }
    }

    /// To close one, mostly one that is empty.
    fn some_warehouse(&mut self, world: &World, state: WarehouseState) -> Name {
        let empty = |name: &Name| {
            world.cells.iter().filter(|((_, at), _)| at == name).all(|(_, cell)| cell.on_hand() == 0)
        };
        let spare: Vec<Name> = WAREHOUSES.into_iter().filter(empty).collect();
        if state == WarehouseState::Closed && !spare.is_empty() && self.rng.percent(70) {
            return self.rng.pick(&spare);
        }
        self.rng.pick(&WAREHOUSES)
    }
}
