//! Commands as bytes: written once, then only what differs is filled in. All that differs has a fixed width.

use crate::ids::{Ids, TEXT_BYTES, scatter, write_decimal};

/// What stands in for a request id until one is filled in.
pub const REQUEST_ID: &[u8; TEXT_BYTES] = &[0xf1; TEXT_BYTES];
/// For the digits of a reservation.
pub const RESERVATION: &[u8; 12] = &[0xf2; 12];
/// For the digits of a SKU.
pub const SKU: &[u8; 7] = &[0xf3; 7];
/// For the digits of a warehouse.
pub const WAREHOUSE: &[u8; 5] = &[0xf4; 5];

/// The rows that lines name.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// SKUs in all.
    pub skus: u64,
    /// Lines a command.
    pub lines: u64,
    /// The first warehouse.
    pub warehouse_first: u64,
    /// Warehouses.
    pub warehouses: u64,
    /// In turn, so that every row is met; else scattered, as buyers are.
    pub in_turn: bool,
}

impl Rows {
    /// The SKU and the warehouse of a line of a command.
    pub const fn row(&self, number: u64, line: u64) -> (u64, u64) {
        let at = number * self.lines + line;
        if self.in_turn {
            (at / self.warehouses % self.skus, self.warehouse_first + at % self.warehouses)
        } else {
            (scatter(at) % self.skus, self.warehouse_first)
        }
    }
}

/// A command to be.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: Vec<u8>,
    holes: Vec<(usize, Hole)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    RequestId,
    Reservation,
    Sku { line: u64 },
    Warehouse { line: u64 },
}

impl Template {
    /// Finds what stands in.
    pub fn new(bytes: Vec<u8>) -> Self {
        let mut holes = Vec::new();
        let (mut at, mut skus, mut warehouses) = (0, 0, 0);
        while at < bytes.len() {
            let rest = &bytes[at..];
            if rest.starts_with(REQUEST_ID) {
                holes.push((at, Hole::RequestId));
                at += REQUEST_ID.len();
            } else if rest.starts_with(RESERVATION) {
                holes.push((at, Hole::Reservation));
                at += RESERVATION.len();
            } else if rest.starts_with(SKU) {
                holes.push((at, Hole::Sku { line: skus }));
                skus += 1;
                at += SKU.len();
            } else if rest.starts_with(WAREHOUSE) {
                holes.push((at, Hole::Warehouse { line: warehouses }));
                warehouses += 1;
                at += WAREHOUSE.len();
            } else {
                at += 1;
            }
        }
        Self { bytes, holes }
    }

    /// Appends the command with this number.
    pub fn write(&self, number: u64, rows: &Rows, ids: &mut Ids, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let bytes = &mut out[start..];
        for &(at, hole) in &self.holes {
            match hole {
                Hole::RequestId => ids.write(&mut bytes[at..at + REQUEST_ID.len()]),
                Hole::Reservation => write_decimal(number, &mut bytes[at..at + RESERVATION.len()]),
                Hole::Sku { line } => write_decimal(rows.row(number, line).0, &mut bytes[at..at + SKU.len()]),
                Hole::Warehouse { line } => {
                    write_decimal(rows.row(number, line).1, &mut bytes[at..at + WAREHOUSE.len()]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: Rows = Rows { skus: 3, lines: 2, warehouse_first: 10, warehouses: 2, in_turn: true };

    #[test]
    fn what_differs_is_filled_in_and_the_rest_stays() {
        let template = Template::new(
            [b"<".as_slice(), RESERVATION, b"|", SKU, WAREHOUSE, b"|", SKU, WAREHOUSE, b">"].concat(),
        );
        let mut out = b"before ".to_vec();
        template.write(1, &ROWS, &mut Ids::new().unwrap(), &mut out);
        assert_eq!(out, b"before <000000000001|000000100010|000000100011>");
    }

    #[test]
    fn every_row_is_met_once_in_a_turn() {
        let rows: std::collections::BTreeSet<_> =
            (0..3).flat_map(|number| (0..2).map(move |line| ROWS.row(number, line))).collect();
        assert_eq!(rows.len(), 6);
    }

    #[test]
    fn buyers_are_scattered_over_all_skus_and_always_the_same_way() {
        let rows = Rows { skus: 1_000, lines: 1, in_turn: false, ..ROWS };
        let met: std::collections::BTreeSet<_> = (0..100_000).map(|number| rows.row(number, 0).0).collect();
        assert_eq!(met.len(), 1_000);
        assert_eq!(rows.row(17, 0), rows.row(17, 0));
    }
}
