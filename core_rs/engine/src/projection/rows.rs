//! The rows of a fold, with names for numbers. A value that the batch does not know is kept.

use std::collections::BTreeMap;

use lockstock_stock::counters::SKU_COUNTERS;
use lockstock_stock::event::Event;
use lockstock_stock::ids::OwnerNo;

use super::columns::{self, Table};
use super::error::ProjectionError;
use super::fold::{Fold, ReceiptPatch, ReservationPatch, TransferPatch};
use super::format::{Format, Sheet, Value, Writer};
use super::names::{Ask, Names};
use super::{history, text};

/// The rows of every table that the events change, tables without rows left out.
pub(super) fn of_fold(
    events: &[Event],
    fold: &Fold<'_>,
    names: &Names,
    format: Format,
) -> Result<Vec<Sheet>, ProjectionError> {
    let rows = Rows { fold, names, format };
    let mut sheets = vec![
        rows.documents(),
        rows.skus()?,
        rows.warehouses(),
        rows.stock()?,
        rows.pool_stock()?,
        rows.reservations()?,
        rows.reservation_lines()?,
        rows.allocations()?,
        rows.receipts()?,
        rows.receipt_lines()?,
        rows.transfers()?,
        rows.transfer_lines()?,
    ];
    sheets.extend(history::of_events(events, names, format)?);
    sheets.retain(|sheet| sheet.rows > 0);
    Ok(sheets)
}

struct Rows<'a> {
    fold: &'a Fold<'a>,
    names: &'a Names,
    format: Format,
}

impl Rows<'_> {
    fn writer(&self, table: &'static Table) -> Writer {
        Writer::new(table, self.format)
    }

    fn documents(&self) -> Sheet {
        let mut writer = self.writer(&columns::DOCUMENTS);
        for ((kind, id), (version, body)) in &self.fold.documents {
            writer.row(
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
        let mut writer = self.writer(&columns::SKUS);
        for (sku, (category, counters)) in rows {
            writer.row(&[sku.into(), category.into()], &counters);
        }
        Ok(writer.finish())
    }

    fn warehouses(&self) -> Sheet {
        let mut writer = self.writer(&columns::WAREHOUSES);
        for (warehouse, state) in &self.fold.warehouses {
            writer.row(&[(*warehouse).into(), text::of_state(*state).into()], &[]);
        }
        writer.finish()
    }

    fn stock(&self) -> Result<Sheet, ProjectionError> {
        let mut writer = self.writer(&columns::STOCK);
        for ((sku, warehouse), counters) in &self.fold.stock.0 {
            writer.row(&[self.names.sku(*sku)?.into(), self.names.warehouse(*warehouse)?.into()], counters);
        }
        Ok(writer.finish())
    }

    fn pool_stock(&self) -> Result<Sheet, ProjectionError> {
        let mut writer = self.writer(&columns::POOL_STOCK);
        for ((sku, pool), counters) in &self.fold.pool_stock.0 {
            writer.row(&[self.names.sku(*sku)?.into(), self.names.get(Ask::Pool(*pool))?.into()], counters);
        }
        Ok(writer.finish())
    }

    fn reservations(&self) -> Result<Sheet, ProjectionError> {
        let mut writer = self.writer(&columns::RESERVATIONS);
        for (no, patch) in &self.fold.reservations {
            self.reservation(*no, patch, &mut writer)?;
        }
        Ok(writer.finish())
    }

    fn reservation(
        &self,
        no: OwnerNo,
        patch: &ReservationPatch<'_>,
        writer: &mut Writer,
    ) -> Result<(), ProjectionError> {
        let id = self.names.get(Ask::Reservation(no))?;
        let ReservationPatch { created, version, deadline, extensions, refund_due } = patch;
        let Some((created_at, new)) = created else {
            let mut row = [const { Value::Keep }; 14];
            row[0] = id.into();
            row[3] = (*deadline).into();
            row[4] = (*extensions).into();
            row[5] = (*version).into();
            row[6] = (*refund_due).into();
            writer.row(&row, &[]);
            return Ok(());
        };
        let region = new.source.region().map_or(Ok(""), |region| self.names.get(Ask::Region(region)))?;
        let listed = new.source.listed().iter().map(|at| self.names.warehouse(*at));
        let listed = listed.collect::<Result<Vec<&str>, _>>()?;
        let warehouses = if listed.is_empty() { String::new() } else { text::of_list(&listed) };
        let channel = new.channel.map_or(Ok(""), |channel| self.names.get(Ask::Channel(channel)))?;
        let row = [
            id.into(),
            no.0.into(),
            (*created_at).into(),
            (*deadline).into(),
            (*extensions).into(),
            (*version).into(),
            (*refund_due).into(),
            region.into(),
            warehouses.into(),
            (&*new.destination).into(),
            new.max_parcels.into(),
            channel.into(),
            text::of_buyer(new.buyer).into(),
            text::of_bytes(&new.attributes).into(),
        ];
        writer.row(&row, &[]);
        Ok(())
    }

    fn reservation_lines(&self) -> Result<Sheet, ProjectionError> {
        let mut writer = self.writer(&columns::RESERVATION_LINES);
        for ((no, line), counters) in &self.fold.reservation_lines.0 {
            let row = [
                self.names.get(Ask::Reservation(*no))?.into(),
                (*line).into(),
                self.names.line_sku(*no, *line)?.into(),
                self.names.line_pool(*no, *line)?.into(),
                self.names.line_policy(*no, *line)?.into(),
            ];
            writer.row(&row, counters);
        }
        Ok(writer.finish())
    }

    fn allocations(&self) -> Result<Sheet, ProjectionError> {
        let mut writer = self.writer(&columns::ALLOCATIONS);
        for ((no, line, warehouse), counters) in &self.fold.allocations.0 {
            let row = [
                self.names.get(Ask::Reservation(*no))?.into(),
                (*line).into(),
                self.names.warehouse(*warehouse)?.into(),
                self.names.position(*no, *line, *warehouse)?.into(),
            ];
            writer.row(&row, counters);
        }
        Ok(writer.finish())
    }

    fn receipts(&self) -> Result<Sheet, ProjectionError> {
        let mut writer = self.writer(&columns::RECEIPTS);
        for (no, ReceiptPatch { created, expected_at, .. }) in &self.fold.receipts {
            let warehouse = created.map(|new| self.names.warehouse(new.warehouse)).transpose()?;
            let row = [
                self.names.get(Ask::Receipt(*no))?.into(),
                created.map(|_| no.0).into(),
                warehouse.into(),
                (*expected_at).into(),
            ];
            writer.row(&row, &[]);
        }
        Ok(writer.finish())
    }

    fn receipt_lines(&self) -> Result<Sheet, ProjectionError> {
        let mut lines = self.fold.receipt_lines.0.clone();
        for (no, patch) in &self.fold.receipts {
            for sku in &patch.added {
                lines.entry((*no, self.names.line_of(*no, *sku)?)).or_default();
            }
        }
        let mut writer = self.writer(&columns::RECEIPT_LINES);
        for ((no, line), counters) in &lines {
            let receipt = self.names.get(Ask::Receipt(*no))?;
            writer.row(&[receipt.into(), (*line).into(), self.names.line_sku(*no, *line)?.into()], counters);
        }
        Ok(writer.finish())
    }

    fn transfers(&self) -> Result<Sheet, ProjectionError> {
        let mut writer = self.writer(&columns::TRANSFERS);
        for (no, TransferPatch { created, closed }) in &self.fold.transfers {
            let from = created.map(|new| self.names.warehouse(new.from)).transpose()?;
            let to = created.map(|new| self.names.warehouse(new.to)).transpose()?;
            let transfer = self.names.get(Ask::Transfer(*no))?;
            writer.row(
                &[transfer.into(), created.map(|_| no.0).into(), from.into(), to.into(), (*closed).into()],
                &[],
            );
        }
        Ok(writer.finish())
    }

    fn transfer_lines(&self) -> Result<Sheet, ProjectionError> {
        let mut writer = self.writer(&columns::TRANSFER_LINES);
        for ((no, line), counters) in &self.fold.transfer_lines.0 {
            let transfer = self.names.get(Ask::Transfer(*no))?;
            writer.row(&[transfer.into(), (*line).into(), self.names.line_sku(*no, *line)?.into()], counters);
        }
        Ok(writer.finish())
    }
}
