//! From the engine's terms to messages.

mod answer;
mod layers;
mod protobuf;
mod reads;
mod reservation;
mod stock;

use lockstock_stock::ids::{Micros, Sequence};

pub(crate) use answer::{append_answer, append_result, append_to_list};
pub(crate) use layers::{dispatch, sales};
pub(crate) use reads::{availability, documents, named_documents};
pub(crate) use reservation::reservation;
pub(crate) use stock::{Counters, counters, levels_len};

/// A point in time.
pub(crate) fn timestamp(at: Micros) -> prost_types::Timestamp {
    const SECOND: Micros = 1_000_000;
    prost_types::Timestamp {
        seconds: at.div_euclid(SECOND),
        // Below 10^9 by construction.
        nanos: i32::try_from(at.rem_euclid(SECOND) * 1_000).unwrap_or_default(),
    }
}

/// A sequence, which `int64` holds for the next 292,000 years at a million a second.
pub(crate) fn number(sequence: Sequence) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_and_the_rest_in_nanoseconds_also_before_1970() {
        for (at, seconds, nanos) in [(1_500_000, 1, 500_000_000), (0, 0, 0), (-1, -1, 999_999_000)] {
            let made = timestamp(at);
            assert_eq!((made.seconds, made.nanos), (seconds, nanos), "{at}");
        }
    }
}
