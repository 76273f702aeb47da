//! The rows of a fold, with names for numbers. A value that the batch does not know is kept.
//!
//! What was created in the batch cannot stand in the database yet: its rows are new and whole, and come on a sheet
//! of their own, which needs no merging.

use std::collections::BTreeMap;

use lockstock_stock::counters::SKU_COUNTERS;
use lockstock_stock::event::Event;
use lockstock_stock::ids::{OwnerNo, Units};

use super::columns::{self, Table};
use super::error::ProjectionError;
use super::fold::{Fold, ReceiptPatch, ReservationPatch, TransferPatch};
use super::format::{Appended, Format, Merged, Sheet, Value};
use super::names::{Ask, Names};
use super::{history, text};
use crate::rests::resting;

/// The rows of every table that the events change, tables without rows left out.
pub(super) fn of_fold(
    events: &[Event],
    fold: &Fold<'_>,
    names: &Names<'_>,
    format: Format,
) -> Result<Vec<Sheet>, ProjectionError> {
    let rows = Rows { fold, names, format };
    let mut sheets =
        vec![rows.documents(), rows.skus()?, rows.warehouses(), rows.stock()?, rows.pool_stock()?];
    sheets.extend(rows.reservations()?);
    sheets.extend(rows.reservation_lines()?);
    sheets.extend(rows.allocations()?);
    sheets.extend(rows.receipts()?);
    sheets.extend(rows.receipt_lines()?);
    sheets.extend(rows.transfers()?);
    sheets.extend(rows.transfer_lines()?);
    sheets.extend(history::of_events(events, names, format)?);
    sheets.retain(|sheet| sheet.rows > 0);
    Ok(sheets)
}

struct Rows<'a> {
    fold: &'a Fold<'a>,
    names: &'a Names<'a>,
    format: Format,
}

/// The rows of owners: those of the batch's own are appended, those that stand from before are merged.
struct Owned {
    appended: Appended,
    merged: Merged,
}

impl Owned {
    /// A row of which everything is known.
    fn whole(&mut self, created: bool, values: &[Value<'_>], add: &[Units]) {
        if created {
            self.appended.row(values, add);
        } else {
            self.merged.whole(values, add);
        }
    }

    fn finish(self) -> [Sheet; 2] {
        [self.appended.finish(), self.merged.finish()]
    }
}

type Pair = Result<[Sheet; 2], ProjectionError>;

impl Rows<'_> {
    const fn merged(&self, table: &'static Table) -> Merged {
        Merged::new(table, self.format)
    }

    const fn owned(&self, table: &'static Table) -> Owned {
        Owned { appended: Appended::new(table, self.format), merged: Merged::new(table, self.format) }
    }

    fn documents(&self) -> Sheet {
        let mut writer = self.merged(&columns::DOCUMENTS);
        for ((kind, id), (version, body)) in &self.fold.documents {
            writer.whole(
                &[text::of_kind(*kind).into(), (*id).into(), (*version).into(), text::of_bytes(body).into()],
                &[],
            );
        }
        writer.finish()
    }

    fn skus(&self) -> Result<Sheet, ProjectionError> {
        type Row<'a> = (Option<&'a str>, [i64; SKU_COUNTERS]);
        let mut rows: BTreeMap<&str, Row<'_>> = BTreeMap::new();
        for (sku, category) in &self.fold.categories {
            rows.entry(sku).or_default().0 = Some(category);
        }
        for (sku, counters) in &self.fold.skus.0 {
            rows.entry(self.names.sku(*sku)?).or_default().1 = *counters;
        }
        let mut writer = self.merged(&columns::SKUS);
        for (sku, (category, counters)) in rows {
            writer.row(&[Some(sku.into()), category.map(Into::into)], &counters);
        }
        Ok(writer.finish())
    }

    fn warehouses(&self) -> Sheet {
        let mut writer = self.merged(&columns::WAREHOUSES);
        for (warehouse, state) in &self.fold.warehouses {
            writer.whole(&[(*warehouse).into(), text::of_state(*state).into()], &[]);
        }
        writer.finish()
    }

    fn stock(&self) -> Result<Sheet, ProjectionError> {
        let mut writer = self.merged(&columns::STOCK);
        for ((sku, warehouse), counters) in &self.fold.stock.0 {
            writer.whole(&[self.names.sku(*sku)?.into(), self.names.warehouse(*warehouse)?.into()], counters);
        }
        Ok(writer.finish())
    }

    fn pool_stock(&self) -> Result<Sheet, ProjectionError> {
        let mut writer = self.merged(&columns::POOL_STOCK);
        for ((sku, pool), counters) in &self.fold.pool_stock.0 {
            writer.whole(&[self.names.sku(*sku)?.into(), self.names.get(Ask::Pool(*pool))?.into()], counters);
        }
        Ok(writer.finish())
    }

    fn reservations(&self) -> Pair {
        let mut owned = self.owned(&columns::RESERVATIONS);
        for (no, patch) in resting(&self.fold.reservations) {
            self.reservation(*no, patch, &mut owned)?;
        }
        Ok(owned.finish())
    }

    fn reservation(
        &self,
        no: OwnerNo,
        patch: &ReservationPatch<'_>,
        owned: &mut Owned,
    ) -> Result<(), ProjectionError> {
        let id = self.names.get(Ask::Reservation(no))?;
        let ReservationPatch { created, version, deadline, extensions, refund_due } = patch;
        let Some(created) = created else {
            let mut row = [const { None }; 14];
            row[0] = Some(id.into());
            row[3] = deadline.map(Into::into);
            row[4] = extensions.map(Into::into);
            row[5] = Some((*version).into());
            row[6] = refund_due.map(Into::into);
            owned.merged.row(&row, &[]);
            return Ok(());
        };
        let (at, new) = *created;
        let region = new.source.region().map_or(Ok(""), |region| self.names.get(Ask::Region(region)))?;
        let listed = new.source.listed().iter().map(|at| self.names.warehouse(*at));
        let listed = listed.collect::<Result<Vec<&str>, _>>()?;
        let warehouses = if listed.is_empty() { String::new() } else { text::of_list(&listed) };
        let channel = new.channel.map_or(Ok(""), |channel| self.names.get(Ask::Channel(channel)))?;
        let row = [
            id.into(),
            no.0.into(),
            at.into(),
            deadline.unwrap_or(new.deadline).into(),
            extensions.unwrap_or(0).into(),
            (*version).into(),
            refund_due.unwrap_or(false).into(),
            region.into(),
            warehouses.into(),
            (&*new.destination).into(),
            new.max_parcels.into(),
            channel.into(),
            text::of_buyer(new.buyer).into(),
            text::of_bytes(&new.attributes).into(),
        ];
        owned.appended.row(&row, &[]);
        Ok(())
    }

    fn created_reservation(&self, no: OwnerNo) -> bool {
        self.fold.reservations.get(&no).is_some_and(|patch| patch.created.is_some())
    }

    fn reservation_lines(&self) -> Pair {
        let mut owned = self.owned(&columns::RESERVATION_LINES);
        for ((no, line), counters) in resting(&self.fold.reservation_lines.0) {
            let row = [
                self.names.get(Ask::Reservation(*no))?.into(),
                (*line).into(),
                self.names.line_sku(*no, *line)?.into(),
                self.names.line_pool(*no, *line)?.into(),
                self.names.line_policy(*no, *line)?.into(),
            ];
            owned.whole(self.created_reservation(*no), &row, counters);
        }
        Ok(owned.finish())
    }

    fn allocations(&self) -> Pair {
        let mut owned = self.owned(&columns::ALLOCATIONS);
        for ((no, line, warehouse), counters) in resting(&self.fold.allocations.0) {
            let row = [
                self.names.get(Ask::Reservation(*no))?.into(),
                (*line).into(),
                self.names.warehouse(*warehouse)?.into(),
                self.names.position(*no, *line, *warehouse)?.into(),
            ];
            owned.whole(self.created_reservation(*no), &row, counters);
        }
        Ok(owned.finish())
    }

    fn receipts(&self) -> Pair {
        let mut owned = self.owned(&columns::RECEIPTS);
        for (no, ReceiptPatch { created, expected_at, .. }) in &self.fold.receipts {
            let receipt = self.names.get(Ask::Receipt(*no))?;
            if let Some(new) = created {
                let warehouse = self.names.warehouse(new.warehouse)?;
                let expected_at = expected_at.unwrap_or(0);
                owned.appended.row(&[receipt.into(), no.0.into(), warehouse.into(), expected_at.into()], &[]);
            } else {
                owned.merged.row(&[Some(receipt.into()), None, None, expected_at.map(Into::into)], &[]);
            }
        }
        Ok(owned.finish())
    }

    fn receipt_lines(&self) -> Pair {
        let mut lines = self.fold.receipt_lines.0.clone();
        for (no, patch) in &self.fold.receipts {
            for sku in &patch.added {
                lines.entry((*no, self.names.line_of(*no, *sku)?)).or_default();
            }
        }
        let mut owned = self.owned(&columns::RECEIPT_LINES);
        for ((no, line), counters) in &lines {
            let created = self.fold.receipts.get(no).is_some_and(|patch| patch.created.is_some());
            let receipt = self.names.get(Ask::Receipt(*no))?;
            let row = [receipt.into(), (*line).into(), self.names.line_sku(*no, *line)?.into()];
            owned.whole(created, &row, counters);
        }
        Ok(owned.finish())
    }

    fn transfers(&self) -> Pair {
        let mut owned = self.owned(&columns::TRANSFERS);
        for (no, TransferPatch { created, closed }) in &self.fold.transfers {
            let transfer = self.names.get(Ask::Transfer(*no))?;
            if let Some(new) = created {
                let (from, to) = (self.names.warehouse(new.from)?, self.names.warehouse(new.to)?);
                let closed = closed.unwrap_or(false);
                owned
                    .appended
                    .row(&[transfer.into(), no.0.into(), from.into(), to.into(), closed.into()], &[]);
            } else {
                let row = [Some(transfer.into()), None, None, None, closed.map(Into::into)];
                owned.merged.row(&row, &[]);
            }
        }
        Ok(owned.finish())
    }

    fn transfer_lines(&self) -> Pair {
        let mut owned = self.owned(&columns::TRANSFER_LINES);
        for ((no, line), counters) in &self.fold.transfer_lines.0 {
            let created = self.fold.transfers.get(no).is_some_and(|patch| patch.created.is_some());
            let transfer = self.names.get(Ask::Transfer(*no))?;
            let row = [transfer.into(), (*line).into(), self.names.line_sku(*no, *line)?.into()];
            owned.whole(created, &row, counters);
        }
        Ok(owned.finish())
    }
}
