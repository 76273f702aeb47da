//! The small types everything else is written in.

/// A position in the journal: 1, 2, 3, ... without a gap. 0 is "before everything".
pub type Sequence = u64;

/// A point in time: microseconds since 1970-01-01 UTC. 0 is "never".
pub type Micros = i64;

/// Whole units of a SKU.
pub type Units = i64;

/// An idempotency key: the 128 bits of a `UUIDv7`, whose upper 48 are its stamp in milliseconds.
/// 0 stands for the engine's own records (sweeps, checkpoints), which have none.
pub type RequestKey = u128;

/// The stamp of a key, in milliseconds since 1970-01-01 UTC.
#[must_use]
pub const fn stamp_ms(key: RequestKey) -> u64 {
    (key >> 80) as u64
}

macro_rules! indexes {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// As an index into the state's table of this kind.
            #[must_use]
            pub const fn at(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

indexes! {
    /// The n-th SKU that was ever created; stable for ever, so that events need no names.
    SkuIx,
    /// The n-th warehouse that was ever created.
    WarehouseIx,
    /// The n-th region that was ever created.
    RegionIx,
    /// The n-th channel that was ever created.
    ChannelIx,
    /// The n-th pool; 0 is `SHARED`, which always exists.
    PoolIx,
}

/// The default pool.
pub const SHARED: PoolIx = PoolIx(0);

/// The name of the default pool.
pub const SHARED_NAME: &str = "SHARED";

/// A reservation, transfer or receipt: the sequence of the event that created it (an event creates at
/// most one of them).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerNo(pub Sequence);

/// A line of an owner, counted from 1.
pub type LineNo = u32;
