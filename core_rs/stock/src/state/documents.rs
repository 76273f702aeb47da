//! Master data: documents, and the live part that selling needs.

use std::sync::Arc;

use super::stock::has_id;
use super::work::{At, Master, Work};
use super::{Assortment, Document, Region, Sku, State, Violation, Warehouse, hash};
use crate::command::{DocumentKind, SHOP_ID, WarehouseState};
use crate::event::{DeductionPolicy, DocumentChange, LivePart};
use crate::ids::{ChannelIx, RegionIx, SkuIx, WarehouseIx};
use crate::name::Name;

impl State {
    #[inline(never)]
    pub(super) fn put_document(
        &mut self,
        at: At,
        change: &DocumentChange,
        work: &mut Work,
    ) -> Result<(), Violation> {
        let id: Arc<str> = Arc::from(&*change.id);
        match (change.kind, &change.live) {
            (DocumentKind::Sku, LivePart::Sku { category, policy }) => {
                self.put_sku(at, &id, category, *policy, work)?;
            }
            (DocumentKind::Warehouse, LivePart::Warehouse { state, skus, categories }) => {
                let assortment = Assortment {
                    skus: skus.iter().map(|name| Arc::from(&**name)).collect(),
                    categories: categories.iter().map(|name| Arc::from(&**name)).collect(),
                };
                self.put_warehouse(at, &id, *state, assortment, work)?;
            }
            (DocumentKind::Region, LivePart::Nothing) => self.put_region(at, &id, work)?,
            (DocumentKind::Channel, LivePart::Nothing) => self.put_channel(at, &id, work)?,
            (DocumentKind::RoutePlan, LivePart::RoutePlan { warehouses }) => {
                self.put_plan(at, &id, warehouses, work)?;
            }
            (DocumentKind::Shop, LivePart::Shop { policy }) => self.put_shop(at, &id, *policy, work)?,
            _ => return Err(at.malformed("the live part of a document is of its kind")),
        }
        let document = Document { version: at.sequence, body: change.body.clone() };
        self.hash = self.hash.wrapping_add(hash::document(change.kind, &id, &document));
        let old = self.documents.entry(change.kind).or_default().insert(Arc::clone(&id), document);
        if let Some(old) = &old {
            self.hash = self.hash.wrapping_sub(hash::document(change.kind, &id, old));
        }
        work.made(Master::Document(Box::new((change.kind, id, old))));
        Ok(())
    }

    fn put_sku(
        &mut self,
        at: At,
        id: &Arc<str>,
        category: &str,
        policy: Option<DeductionPolicy>,
        work: &mut Work,
    ) -> Result<(), Violation> {
        let category: Arc<str> = Arc::from(category);
        let ix = if let Some(ix) = self.find_sku(id) {
            let sku = &mut self.skus[ix.at()];
            let old = std::mem::replace(&mut sku.category, Arc::clone(&category));
            let old_policy = std::mem::replace(&mut sku.policy, policy);
            self.hash = self.hash.wrapping_sub(hash::text(hash::Entity::Category, ix.0, &old));
            self.hash = self.hash.wrapping_sub(hash::policy(hash::sku_policy(ix), old_policy));
            work.made(Master::SkuLive(ix, old, old_policy));
            ix
        } else {
            let ix = SkuIx(next_index(at, self.skus.len())?);
            self.skus.push(Sku::new(Name::from(&**id), Arc::clone(&category), policy));
            self.name_sku(ix);
            self.hash = self.hash.wrapping_add(hash::text(hash::Entity::Sku, ix.0, id));
            work.made(Master::Sku);
            ix
        };
        self.hash = self.hash.wrapping_add(hash::text(hash::Entity::Category, ix.0, &category));
        self.hash = self.hash.wrapping_add(hash::policy(hash::sku_policy(ix), policy));
        Ok(())
    }

    /// Notes the name of a SKU; whether it is the only one of that name.
    pub(crate) fn name_sku(&mut self, SkuIx(ix): SkuIx) -> bool {
        let Self { skus, sku_names, .. } = self;
        let Some(Sku { id, .. }) = skus.get(ix as usize) else { return false };
        sku_names.insert(sku_names.key(id.as_bytes()), ix, has_id(skus, id))
    }

    fn put_shop(
        &mut self,
        at: At,
        id: &str,
        policy: Option<DeductionPolicy>,
        work: &mut Work,
    ) -> Result<(), Violation> {
        if id != SHOP_ID {
            return Err(at.malformed("there is one shop"));
        }
        let old = std::mem::replace(&mut self.shop_policy, policy);
        self.hash = self.hash.wrapping_sub(hash::policy(hash::SHOP_POLICY, old));
        self.hash = self.hash.wrapping_add(hash::policy(hash::SHOP_POLICY, policy));
        work.made(Master::ShopLive(old));
        Ok(())
    }

    fn put_warehouse(
        &mut self,
        at: At,
        id: &Arc<str>,
        state: WarehouseState,
        assortment: Assortment,
        work: &mut Work,
    ) -> Result<(), Violation> {
        let ix = if let Some(ix) = self.find_warehouse(id) {
            let warehouse = &mut self.warehouses[ix.at()];
            self.hash = self.hash.wrapping_sub(live(ix, warehouse.state, &warehouse.assortment));
            let old_state = std::mem::replace(&mut warehouse.state, state);
            let old_assortment = std::mem::replace(&mut warehouse.assortment, assortment);
            work.made(Master::WarehouseLive(Box::new((ix, old_state, old_assortment))));
            ix
        } else {
            let ix = WarehouseIx(next_index(at, self.warehouses.len())?);
            self.warehouses.push(Warehouse { id: Arc::clone(id), state, assortment });
            self.warehouse_names.insert(Arc::clone(id), ix);
            self.hash = self.hash.wrapping_add(hash::text(hash::Entity::Warehouse, ix.0, id));
            work.made(Master::Warehouse);
            ix
        };
        self.note_rest(ix, state != WarehouseState::Active);
        let warehouse = &self.warehouses[ix.at()];
        self.hash = self.hash.wrapping_add(live(ix, warehouse.state, &warehouse.assortment));
        Ok(())
    }

    fn note_rest(&mut self, ix: WarehouseIx, rests: bool) {
        match (self.resting.binary_search(&ix), rests) {
            (Err(at), true) => self.resting.insert(at, ix),
            (Ok(at), false) => drop(self.resting.remove(at)),
            _ => {}
        }
    }

    /// The warehouses that are not ACTIVE, by how they stand.
    pub(crate) fn find_resting(&self) -> Vec<WarehouseIx> {
        let all = (0..).map(WarehouseIx).zip(&self.warehouses);
        all.filter(|(_, at)| at.state != WarehouseState::Active).map(|(ix, _)| ix).collect()
    }

    fn put_region(&mut self, at: At, id: &Arc<str>, work: &mut Work) -> Result<(), Violation> {
        if self.find_region(id).is_none() {
            let ix = RegionIx(next_index(at, self.regions.len())?);
            self.regions.push(Region { id: Arc::clone(id), plan: Box::default() });
            self.region_names.insert(Arc::clone(id), ix);
            self.hash = self.hash.wrapping_add(hash::text(hash::Entity::Region, ix.0, id));
            self.hash = self.hash.wrapping_add(hash::plan(ix.0, &[]));
            work.made(Master::Region);
        }
        Ok(())
    }

    fn put_channel(&mut self, at: At, id: &Arc<str>, work: &mut Work) -> Result<(), Violation> {
        if self.find_channel(id).is_none() {
            let ix = ChannelIx(next_index(at, self.channels.len())?);
            self.channels.push(Arc::clone(id));
            self.channel_names.insert(Arc::clone(id), ix);
            self.hash = self.hash.wrapping_add(hash::text(hash::Entity::Channel, ix.0, id));
            work.made(Master::Channel);
        }
        Ok(())
    }

    fn put_plan(&mut self, at: At, id: &str, plan: &[WarehouseIx], work: &mut Work) -> Result<(), Violation> {
        plan.iter().try_for_each(|warehouse| self.know_warehouse(at, *warehouse))?;
        let Some(ix) = self.find_region(id) else {
            return Err(at.malformed("a route plan has the id of a region that exists"));
        };
        let old = std::mem::replace(&mut self.regions[ix.at()].plan, plan.into());
        self.hash = self.hash.wrapping_sub(hash::plan(ix.0, &old)).wrapping_add(hash::plan(ix.0, plan));
        work.made(Master::Plan(ix, old));
        Ok(())
    }

    /// Undoes one step of `put_document`.
    pub(super) fn undo_document(&mut self, step: Master) {
        match step {
            Master::Document(document) => {
                let (kind, id, old) = *document;
                let documents = self.documents.entry(kind).or_default();
                match old {
                    Some(old) => drop(documents.insert(id, old)),
                    None => drop(documents.remove(&id)),
                }
            }
            Master::Sku => {
                if let Some(sku) = self.skus.pop() {
                    self.sku_names.remove(self.sku_names.key(sku.id.as_bytes()), self.skus.len());
                }
            }
            Master::SkuLive(sku, category, policy) => {
                let sku = &mut self.skus[sku.at()];
                (sku.category, sku.policy) = (category, policy);
            }
            Master::ShopLive(policy) => self.shop_policy = policy,
            Master::Warehouse => {
                self.warehouses.pop().map(|warehouse| self.warehouse_names.remove(&warehouse.id));
                if let Ok(gone) = u32::try_from(self.warehouses.len()) {
                    self.note_rest(WarehouseIx(gone), false);
                }
            }
            Master::WarehouseLive(live) => {
                let (ix, state, assortment) = *live;
                self.note_rest(ix, state != WarehouseState::Active);
                let warehouse = &mut self.warehouses[ix.at()];
                (warehouse.state, warehouse.assortment) = (state, assortment);
            }
            Master::Region => {
                self.regions.pop().map(|region| self.region_names.remove(&region.id));
            }
            Master::Plan(region, plan) => self.regions[region.at()].plan = plan,
            Master::Channel => {
                self.channels.pop().map(|channel| self.channel_names.remove(&channel));
            }
        }
    }
}

/// What a warehouse's live part contributes to the hash, in no order.
fn live(ix: WarehouseIx, state: WarehouseState, assortment: &Assortment) -> u64 {
    let state = hash::number(hash::entry(hash::Entity::Warehouse, ix.0), hash::ONLY, state as i64);
    let names = |entity: hash::Entity, names: &std::collections::HashSet<Arc<str>>| {
        names.iter().fold(0, |sum: u64, name| sum.wrapping_add(hash::text(entity, ix.0, name)))
    };
    state
        .wrapping_add(names(hash::Entity::AssortmentSku, &assortment.skus))
        .wrapping_add(names(hash::Entity::AssortmentCategory, &assortment.categories))
}

fn next_index(at: At, entries: usize) -> Result<u32, Violation> {
    u32::try_from(entries).map_err(|_| at.malformed("a table of master data is full"))
}
