//! The table of movements: what each kind of movement does to which counters.
//!
//! A movement is one row of this table times a quantity. Applying an event, projecting it into the
//! database, checking it and undoing it all read the same rows, so they cannot disagree. A row that has
//! been released never changes its meaning: an old journal replays under it. New kinds get new numbers.

use crate::counters::{
    AllocationCounter as A, Counter as C, LineCounter as L, PoolCounter as P, ReceiptCounter as R,
    SkuCounter as S, TransferCounter as T,
};
use crate::ids::{LineNo, OwnerNo, PoolIx, SkuIx, Units, WarehouseIx};

/// A sign: which way a counter goes.
pub type Sign = i64;

/// Which counters a kind of movement changes, and which way.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// On (SKU, warehouse).
    pub cell: &'static [(C, Sign)],
    /// On (SKU, pool).
    pub pool: &'static [(P, Sign)],
    /// On the SKU.
    pub sku: &'static [(S, Sign)],
    /// On the reservation's line.
    pub line: &'static [(L, Sign)],
    /// On the reservation's line at the warehouse.
    pub allocation: &'static [(A, Sign)],
    /// On the transfer's line.
    pub transfer: &'static [(T, Sign)],
    /// On the receipt's line.
    pub receipt: &'static [(R, Sign)],
}

/// Whose line a movement stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerKind {
    /// Nobody's: stock alone.
    None,
    /// A reservation's.
    Reservation,
    /// A transfer's.
    Transfer,
    /// A receipt's.
    Receipt,
}

/// One movement of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Which row of the table.
    pub kind: Kind,
    /// The SKU.
    pub sku: SkuIx,
    /// The warehouse; `None` for kinds that touch no cell.
    pub warehouse: Option<WarehouseIx>,
    /// The pool; meaningful for kinds with pool counters.
    pub pool: PoolIx,
    /// The reservation, transfer or receipt; `None` for stock alone.
    pub owner: Option<OwnerNo>,
    /// The owner's line, from 1; 0 without an owner.
    pub line: LineNo,
    /// Units, above zero.
    pub quantity: Units,
}

macro_rules! movements {
    ($( $(#[$doc:meta])* $number:literal $variant:ident $text:literal $owner:ident {
        $($table:ident: [$($counter:ident $sign:tt),* $(,)?]),* $(,)?
    })*) => {
        /// The kinds of movements. The number is what the journal holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $variant = $number),* }

        impl Kind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The kind of a number, if there is one.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }

            /// The name in answers, SQL and docs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// Whose line it stands on.
            #[must_use]
            pub const fn owner(self) -> OwnerKind {
                match self { $(Self::$variant => OwnerKind::$owner),* }
            }

            /// What it does.
            #[must_use]
            pub const fn row(self) -> &'static Row {
                match self { $(Self::$variant => const { &Row {
                    $($table: &[$((counter!($table $counter), sign!($sign))),*],)*
                    ..NOTHING
                } }),* }
            }
        }
    };
}

macro_rules! counter {
    (cell $c:ident) => {
        C::$c
    };
    (pool $c:ident) => {
        P::$c
    };
    (sku $c:ident) => {
        S::$c
    };
    (line $c:ident) => {
        L::$c
    };
    (allocation $c:ident) => {
        A::$c
    };
    (transfer $c:ident) => {
        T::$c
    };
    (receipt $c:ident) => {
        R::$c
    };
}

macro_rules! sign {
    (+) => {
        1
    };
    (-) => {
        -1
    };
}

const NOTHING: Row =
    Row { cell: &[], pool: &[], sku: &[], line: &[], allocation: &[], transfer: &[], receipt: &[] };

movements! {
    /// A buyer's units are promised.
    1 Lock "LOCK" Reservation {
        cell: [Available -, Locked +], pool: [Locked +],
        line: [Requested +, Locked +], allocation: [Locked +],
    }
    /// `ALLOW_PARTIAL`: asked and not granted.
    2 Refuse "REFUSE" Reservation { line: [Refused +] }
    /// Promised units are given back before payment.
    3 Unlock "UNLOCK" Reservation {
        cell: [Locked -, Available +], pool: [Locked -],
        line: [Locked -, Unlocked +], allocation: [Locked -],
    }
    /// Promised units are given back by the deadline.
    4 Expire "EXPIRE" Reservation {
        cell: [Locked -, Available +], pool: [Locked -],
        line: [Locked -, Expired +], allocation: [Locked -],
    }
    /// Promised units are paid.
    5 Deduct "DEDUCT" Reservation {
        cell: [Locked -, Allocated +], pool: [Locked -, Sold +],
        line: [Locked -, Deducted +], allocation: [Locked -, Allocated +],
    }
    /// Reserve on payment.
    6 LockAndDeduct "LOCK_AND_DEDUCT" Reservation {
        cell: [Available -, Allocated +], pool: [Sold +],
        line: [Requested +, Deducted +], allocation: [Allocated +],
    }
    /// A payment after the deadline takes the same quantities again.
    7 Relock "RELOCK" Reservation {
        cell: [Available -, Allocated +], pool: [Sold +],
        line: [Expired -, Deducted +], allocation: [Allocated +],
    }
    /// Paid units are cancelled before they are handed over.
    8 CancelAllocated "CANCEL_ALLOCATED" Reservation {
        cell: [Allocated -, Available +], pool: [Sold -],
        line: [Cancelled +], allocation: [Allocated -],
    }
    /// Paid units are cancelled while they are picked.
    9 CancelPicking "CANCEL_PICKING" Reservation {
        cell: [Picking -, Available +], pool: [Sold -],
        line: [Cancelled +], allocation: [Picking -],
    }
    /// A claim is cancelled: nothing becomes available.
    10 CancelClaimed "CANCEL_CLAIMED" Reservation {
        pool: [Sold -], sku: [Claimed -], line: [Claimed -, Cancelled +],
    }
    /// A promise leaves a warehouse.
    11 MoveLockedOut "MOVE_LOCKED_OUT" Reservation {
        cell: [Locked -, Available +], allocation: [Locked -],
    }
    /// A promise comes to a warehouse.
    12 MoveLockedIn "MOVE_LOCKED_IN" Reservation {
        cell: [Available -, Locked +], allocation: [Locked +],
    }
    /// A paid promise leaves a warehouse.
    13 MoveAllocatedOut "MOVE_ALLOCATED_OUT" Reservation {
        cell: [Allocated -, Available +], allocation: [Allocated -],
    }
    /// A paid promise comes to a warehouse.
    14 MoveAllocatedIn "MOVE_ALLOCATED_IN" Reservation {
        cell: [Available -, Allocated +], allocation: [Allocated +],
    }
    /// A fulfilment is handed to the warehouse.
    15 PushFulfilment "PUSH_FULFILMENT" Reservation {
        cell: [Allocated -, Picking +], allocation: [Allocated -, Picking +],
    }
    /// A fulfilment is taken back.
    16 Recall "RECALL" Reservation {
        cell: [Picking -, Allocated +], allocation: [Picking -, Allocated +],
    }
    /// Picked units leave.
    17 ShipPicking "SHIP_PICKING" Reservation {
        cell: [Picking -, Shipped +], allocation: [Picking -, Shipped +],
    }
    /// Allocated units leave, where no warehouse system is told.
    18 ShipAllocated "SHIP_ALLOCATED" Reservation {
        cell: [Allocated -, Shipped +], allocation: [Allocated -, Shipped +],
    }
    /// Units not found repair a negative `available`: they had been lost before.
    19 ShortPickRepair "SHORT_PICK_REPAIR" Reservation {
        cell: [Picking -, Available +], allocation: [Picking -],
    }
    /// Units not found are lost.
    20 ShortPickLost "SHORT_PICK_LOST" Reservation {
        cell: [Picking -, Lost +], allocation: [Picking -],
    }
    /// A short pick is routed to another warehouse.
    21 Reroute "REROUTE" Reservation {
        cell: [Available -, Allocated +], allocation: [Allocated +],
    }
    /// A short pick that nobody can replace becomes a claim.
    22 ClaimShortPick "CLAIM_SHORT_PICK" Reservation {
        sku: [Claimed +], line: [Claimed +],
    }
    /// Units are on their way back.
    23 ExpectReturn "EXPECT_RETURN" Reservation {
        cell: [Returning +], allocation: [Returning +],
    }
    /// Units will not come back.
    24 CancelReturn "CANCEL_RETURN" Reservation {
        cell: [Returning -], allocation: [Returning -],
    }
    /// Units that were expected back have arrived (how they arrived is a movement of its own).
    25 ReturnArrived "RETURN_ARRIVED" Reservation {
        cell: [Returning -], allocation: [Returning -],
    }
    /// A returned unit can be sold again.
    26 ReturnSellable "RETURN_SELLABLE" Reservation {
        cell: [Returned +, Available +], pool: [Sold -, Quota -], line: [Returned +],
    }
    /// A returned unit cannot be sold.
    27 ReturnDefective "RETURN_DEFECTIVE" Reservation {
        cell: [Returned +, Defective +], pool: [Sold -, Quota -], line: [Returned +],
    }
    /// A returned unit is gone.
    28 ReturnLost "RETURN_LOST" Reservation {
        cell: [Returned +, Lost +], pool: [Sold -, Quota -], line: [Returned +],
    }
    /// Adjusted upwards.
    29 Increase "INCREASE" None { cell: [Available +, Found +] }
    /// Adjusted downwards.
    30 Decrease "DECREASE" None { cell: [Available -, Lost +] }
    /// A recorded loss: the only way for `available` to go below zero.
    31 RecordLoss "RECORD_LOSS" None { cell: [Available -, Lost +] }
    /// Goods in beside orders.
    32 OtherReceipt "OTHER_RECEIPT" None { cell: [Available +, Received +] }
    /// Goods out beside orders.
    33 Issue "ISSUE" None { cell: [Available -, Shipped +] }
    /// A set to a higher number.
    34 SetGain "SET_GAIN" None { cell: [Available +, Found +] }
    /// A set to a lower number.
    35 SetLoss "SET_LOSS" None { cell: [Available -, Lost +] }
    /// Good units are not sellable.
    36 MarkDefective "MARK_DEFECTIVE" None { cell: [Available -, Defective +] }
    /// Defective units are good again.
    37 Restore "RESTORE" None { cell: [Defective -, Available +] }
    /// Defective units leave the books.
    38 WriteOff "WRITE_OFF" None { cell: [Defective -, WrittenOff +] }
    /// Goods are on their way in.
    39 ExpectReceipt "EXPECT_RECEIPT" Receipt {
        cell: [InTransit +], receipt: [Announced +, Expected +],
    }
    /// Goods that were expected have arrived or will not come.
    40 ReceiptArrived "RECEIPT_ARRIVED" Receipt { cell: [InTransit -], receipt: [Expected -] }
    /// Goods arrived, sellable.
    41 ReceiveGood "RECEIVE_GOOD" Receipt { cell: [Available +, Received +], receipt: [Received +] }
    /// Goods arrived, defective.
    42 ReceiveDefective "RECEIVE_DEFECTIVE" Receipt {
        cell: [Defective +, Received +], receipt: [Received +, Defective +],
    }
    /// Goods will not come.
    43 ReceiveMissing "RECEIVE_MISSING" Receipt { receipt: [Missing +] }
    /// A transfer is drafted: firm at the source.
    44 DraftTransfer "DRAFT_TRANSFER" Transfer {
        cell: [Available -, Allocated +], transfer: [Allocated +],
    }
    /// A drafted transfer is cancelled.
    45 CancelTransferAllocated "CANCEL_TRANSFER_ALLOCATED" Transfer {
        cell: [Allocated -, Available +], transfer: [Allocated -],
    }
    /// A transfer is cancelled while it is picked.
    46 CancelTransferPicking "CANCEL_TRANSFER_PICKING" Transfer {
        cell: [Picking -, Available +], transfer: [Picking -],
    }
    /// A transfer is handed to the source's warehouse system.
    47 PushTransfer "PUSH_TRANSFER" Transfer {
        cell: [Allocated -, Picking +], transfer: [Allocated -, Picking +],
    }
    /// A transfer is taken back from the source's warehouse system.
    48 RecallTransfer "RECALL_TRANSFER" Transfer {
        cell: [Picking -, Allocated +], transfer: [Picking -, Allocated +],
    }
    /// Picked units of a transfer leave the source.
    49 ShipTransferPicking "SHIP_TRANSFER_PICKING" Transfer {
        cell: [Picking -, Shipped +], transfer: [Picking -, Shipped +],
    }
    /// Allocated units of a transfer leave the source.
    50 ShipTransferAllocated "SHIP_TRANSFER_ALLOCATED" Transfer {
        cell: [Allocated -, Shipped +], transfer: [Allocated -, Shipped +],
    }
    /// The same units are on their way to the destination.
    51 TransferDeparted "TRANSFER_DEPARTED" Transfer { cell: [InTransit +], transfer: [InTransit +] }
    /// Units on their way have arrived, or are accounted for.
    52 TransferArrived "TRANSFER_ARRIVED" Transfer { cell: [InTransit -], transfer: [InTransit -] }
    /// Transferred units are on the shelf.
    53 TransferReceiveGood "TRANSFER_RECEIVE_GOOD" Transfer {
        cell: [Available +, Received +], transfer: [Received +],
    }
    /// Transferred units arrived defective.
    54 TransferReceiveDefective "TRANSFER_RECEIVE_DEFECTIVE" Transfer {
        cell: [Defective +, Received +], transfer: [Received +],
    }
    /// Closed: the units are at the source.
    55 TransferRestored "TRANSFER_RESTORED" Transfer {
        cell: [Received +, Available +], transfer: [Restored +],
    }
    /// Closed: the units are at the destination, damaged.
    56 TransferDamaged "TRANSFER_DAMAGED" Transfer {
        cell: [Received +, Defective +], transfer: [Damaged +],
    }
    /// Closed: the units are gone, on the destination's books.
    57 TransferLost "TRANSFER_LOST" Transfer {
        cell: [Received +, Lost +], transfer: [Lost +],
    }
    /// Units are to be taken by the payment: nothing is promised.
    58 Want "WANT" Reservation { line: [Wanted +] }
    /// Units are not to be taken after all.
    59 Withdraw "WITHDRAW" Reservation { line: [Wanted -] }
    /// The payment takes the units it was placed for.
    60 TakeOnPayment "TAKE_ON_PAYMENT" Reservation {
        cell: [Available -, Allocated +], pool: [Sold +],
        line: [Wanted -, Requested +, Deducted +], allocation: [Allocated +],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::{Cell, Counter};

    fn net(row: &Row, counters: &[Counter]) -> i64 {
        row.cell.iter().filter(|(c, _)| counters.contains(c)).map(|(_, sign)| sign).sum()
    }

    #[test]
    fn every_kind_conserves_on_hand() {
        for kind in Kind::ALL {
            let mut cell = Cell::default();
            for (counter, sign) in kind.row().cell {
                cell.0[counter.at()] += sign;
            }
            assert_eq!(cell.on_hand(), cell.conserved(), "{}", kind.name());
        }
    }

    #[test]
    fn lifetime_totals_never_decrease() {
        let totals = [
            Counter::Shipped,
            Counter::Returned,
            Counter::Received,
            Counter::Lost,
            Counter::Found,
            Counter::WrittenOff,
        ];
        for kind in Kind::ALL {
            assert!(
                kind.row().cell.iter().all(|(c, sign)| !totals.contains(c) || *sign > 0),
                "{} lowers a total",
                kind.name()
            );
        }
    }

    #[test]
    fn promises_of_the_cell_and_of_the_allocation_move_together() {
        for kind in Kind::ALL.iter().filter(|kind| kind.owner() == OwnerKind::Reservation) {
            let row = kind.row();
            for (cell, allocation) in [
                (Counter::Locked, A::Locked),
                (Counter::Allocated, A::Allocated),
                (Counter::Picking, A::Picking),
                (Counter::Shipped, A::Shipped),
                (Counter::Returning, A::Returning),
            ] {
                let held: i64 =
                    row.allocation.iter().filter(|(c, _)| *c == allocation).map(|(_, sign)| sign).sum();
                assert_eq!(net(row, &[cell]), held, "{} {}", kind.name(), cell.name());
            }
        }
    }

    #[test]
    fn numbers_and_kinds_are_the_same_list() {
        for (index, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(*kind as usize, index + 1);
            assert_eq!(Kind::from_number(*kind as u8), Some(*kind));
        }
        assert_eq!(Kind::from_number(0), None);
        assert_eq!(Kind::from_number(u8::try_from(Kind::ALL.len()).unwrap() + 1), None);
    }
}
