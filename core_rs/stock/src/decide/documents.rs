//! Master data: documents that are put together, or none of them.

use std::collections::{HashMap, HashSet};

use super::draft::Draft;
use super::find;
use crate::command::{DocumentKind, Live, PutDocument, SHOP_ID, WarehouseState};
use crate::counters::Counter;
use crate::event::{Change, DocumentChange, Exception, ExceptionKind, LivePart};
use crate::ids::{SkuIx, Units, WarehouseIx};
use crate::refusal::Refusal;
use crate::state::State;

/// A kind in the words of a refusal.
const fn word(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Sku => "SKU",
        DocumentKind::Warehouse => "warehouse",
        DocumentKind::Region => "region",
        DocumentKind::Channel => "channel",
        DocumentKind::RoutePlan => "route plan",
        DocumentKind::Shop => "shop",
    }
}

fn not_found(kind: DocumentKind, id: &str, expected: u64) -> Refusal {
    let id = id.to_owned();
    match kind {
        DocumentKind::Sku => Refusal::SkuNotFound { sku: id },
        DocumentKind::Warehouse => Refusal::WarehouseNotFound { warehouse: id },
        DocumentKind::Region | DocumentKind::RoutePlan => Refusal::RegionNotFound { region: id },
        DocumentKind::Channel => Refusal::ChannelNotFound { channel: id },
        // There is always a shop; before the first change of its rules it stands at no version.
        DocumentKind::Shop => Refusal::StaleVersion { id, expected, current: 0 },
    }
}

/// Puts documents. Plans come last whatever their place in the request, so that they may name regions and
/// warehouses that it creates.
pub(super) fn put(draft: &mut Draft<'_>, documents: &[PutDocument<'_>]) -> Result<(), Refusal> {
    let mut created = Created::default();
    let mut once = HashSet::new();
    for document in documents {
        if !once.insert((document.kind, document.id)) {
            let value = format!("{} {}", word(document.kind), document.id);
            return Err(Refusal::LineRepeated { field: "documents".to_owned(), value });
        }
        version_fits(draft.state, document)?;
        created.note(draft.state, document)?;
    }
    for plans in [false, true] {
        for document in documents.iter().filter(|it| (it.kind == DocumentKind::RoutePlan) == plans) {
            let live = live_part(draft.state, &created, document)?;
            draft.change(Change::Document(Box::new(DocumentChange {
                kind: document.kind,
                id: document.id.into(),
                live,
                body: document.body.into(),
            })));
        }
    }
    note_pools_short(draft, documents);
    Ok(())
}

fn version_fits(state: &State, document: &PutDocument<'_>) -> Result<(), Refusal> {
    let current = state.document(document.kind, document.id).map(|known| known.version);
    match (document.expected_version, current) {
        (None, _) | (Some(0), None) => Ok(()),
        (Some(0), Some(_)) => {
            Err(Refusal::DocumentExists { kind: word(document.kind), id: document.id.to_owned() })
        }
        (Some(expected), None) => Err(not_found(document.kind, document.id, expected)),
        (Some(expected), Some(current)) if expected == current => Ok(()),
        (Some(expected), Some(current)) => {
            Err(Refusal::StaleVersion { id: document.id.to_owned(), expected, current })
        }
    }
}

/// What the request creates that a plan in it may name.
#[derive(Default)]
struct Created<'a> {
    warehouses: HashMap<&'a str, WarehouseIx>,
    regions: HashSet<&'a str>,
}

impl<'a> Created<'a> {
    fn note(&mut self, state: &State, document: &PutDocument<'a>) -> Result<(), Refusal> {
        match document.kind {
            DocumentKind::Region => {
                self.regions.insert(document.id);
            }
            DocumentKind::Warehouse if state.find_warehouse(document.id).is_none() => {
                let index = state.warehouses().len() + self.warehouses.len();
                let index = u32::try_from(index).map_err(|_| Refusal::TooManyLines {
                    field: "documents".to_owned(),
                    limit: u32::MAX as usize,
                })?;
                self.warehouses.insert(document.id, WarehouseIx(index));
            }
            _ => {}
        }
        Ok(())
    }

    fn warehouse(&self, state: &State, id: &str) -> Result<WarehouseIx, Refusal> {
        self.warehouses.get(id).map_or_else(|| find::warehouse(state, id), |created| Ok(*created))
    }
}

fn live_part(state: &State, created: &Created<'_>, document: &PutDocument<'_>) -> Result<LivePart, Refusal> {
    match (document.kind, &document.live) {
        (DocumentKind::Region | DocumentKind::Channel, Live::Nothing) => Ok(LivePart::Nothing),
        (DocumentKind::Sku, Live::Sku { category, policy }) => {
            Ok(LivePart::Sku { category: (*category).into(), policy: *policy })
        }
        (DocumentKind::Shop, Live::Shop { policy }) if document.id == SHOP_ID => {
            Ok(LivePart::Shop { policy: *policy })
        }
        (DocumentKind::Shop, Live::Shop { .. }) => {
            Err(Refusal::FieldsConflict { field: "documents.id".to_owned() })
        }
        (DocumentKind::Warehouse, Live::Warehouse { state: works, skus, categories }) => {
            if *works == WarehouseState::Closed {
                empty(state, document.id)?;
            }
            let (skus, categories) = (sorted(skus), sorted(categories));
            Ok(LivePart::Warehouse { state: *works, skus, categories })
        }
        (DocumentKind::RoutePlan, Live::RoutePlan { warehouses }) => {
            if state.find_region(document.id).is_none() && !created.regions.contains(document.id) {
                return Err(Refusal::RegionNotFound { region: document.id.to_owned() });
            }
            let mut once = HashSet::new();
            let mut plan = Vec::with_capacity(warehouses.len());
            for id in warehouses {
                if !once.insert(*id) {
                    let field = "documents.route_plan.warehouses".to_owned();
                    return Err(Refusal::LineRepeated { field, value: (*id).to_owned() });
                }
                plan.push(created.warehouse(state, id)?);
            }
            Ok(LivePart::RoutePlan { warehouses: plan.into_boxed_slice() })
        }
        _ => Err(Refusal::FieldRequired { field: "documents.live".to_owned() }),
    }
}

fn sorted(names: &[&str]) -> Box<[Box<str>]> {
    let mut names: Vec<Box<str>> = names.iter().map(|name| (*name).into()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_boxed_slice()
}

/// A warehouse closes only with nothing on hand, in transit or returning. Each counter by itself has to be
/// zero: a loss can bring `on_hand` to zero while a promise still stands on it.
fn empty(state: &State, id: &str) -> Result<(), Refusal> {
    const LIVE: [Counter; 7] = [
        Counter::Available,
        Counter::Locked,
        Counter::Allocated,
        Counter::Picking,
        Counter::Defective,
        Counter::InTransit,
        Counter::Returning,
    ];
    let Some(warehouse) = state.find_warehouse(id) else { return Ok(()) };
    let holds = |sku: &&crate::state::Sku| {
        sku.cell(warehouse).is_some_and(|cell| LIVE.iter().any(|counter| cell.get(*counter) != 0))
    };
    state.skus().iter().find(holds).map_or(Ok(()), |sku| {
        Err(Refusal::WarehouseNotEmpty { warehouse: id.to_owned(), sku: sku.id.to_string() })
    })
}

/// A pause goes through, and where it leaves promises uncovered that is put on record.
fn note_pools_short(draft: &mut Draft<'_>, documents: &[PutDocument<'_>]) {
    let state = draft.state;
    let active = |works: WarehouseState| works == WarehouseState::Active;
    // (warehouse, the sign of what it adds to the sum over ACTIVE warehouses)
    let switched: Vec<(WarehouseIx, Units)> = documents
        .iter()
        .filter_map(|document| {
            let Live::Warehouse { state: works, .. } = &document.live else { return None };
            let warehouse = state.find_warehouse(document.id)?;
            let (before, after) = (active(state.warehouse(warehouse).state), active(*works));
            (before != after).then_some((warehouse, if after { 1 } else { -1 }))
        })
        .collect();
    if switched.is_empty() {
        return;
    }
    for (index, sku) in (0..).zip(state.skus()) {
        let available = |at: WarehouseIx| sku.cell(at).map_or(0, |cell| cell.get(Counter::Available));
        let change: Units = switched.iter().map(|(at, sign)| sign * available(*at)).sum();
        let free = state.free(SkuIx(index)) + change;
        let first = switched.iter().find(|(at, sign)| sign * available(*at) < 0);
        if let Some((warehouse, _)) = first.filter(|_| change < 0 && free < 0) {
            draft.change(Change::Exception(Exception {
                kind: ExceptionKind::PoolShort,
                sku: SkuIx(index),
                warehouse: *warehouse,
                quantity: -free,
                reservation: None,
            }));
        }
    }
}
