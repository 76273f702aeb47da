//! Request ids the server makes where none was sent.

use std::sync::atomic::{AtomicU64, Ordering};

use lockstock_stock::check;
use lockstock_stock::ids::{Micros, RequestKey};
use siphasher::sip128::SipHasher13;

/// The system gives no random bytes, without which nobody's request id is safe from being guessed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes: {0}")]
pub struct NoRandomness(String);

/// Makes `UUIDv7`s (RFC 9562). Their random bits are a keyed hash of a counter under a key that is random
/// once: two never meet, none can be guessed, and making one asks nothing of the system.
#[derive(Debug)]
pub(crate) struct RequestIds {
    key: [u8; 16],
    made: AtomicU64,
}

impl RequestIds {
    pub fn new() -> Result<Self, NoRandomness> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|error| NoRandomness(error.to_string()))?;
        Ok(Self { key, made: AtomicU64::new(0) })
    }

    /// A new one, stamped with the engine's time.
    pub fn fresh(&self, now: Micros) -> RequestKey {
        let nth = self.made.fetch_add(1, Ordering::Relaxed);
        let noise = SipHasher13::new_with_key(&self.key).hash(&nth.to_le_bytes()).as_u128();
        // The engine's time is after 1970.
        check::new_key(u64::try_from(now / 1_000).unwrap_or_default(), noise)
    }
}

#[cfg(test)]
mod tests {
    use lockstock_stock::ids::stamp_ms;

    use super::*;

    #[test]
    fn a_fresh_id_is_a_uuidv7_with_the_engines_stamp() {
        let key = RequestIds::new().unwrap().fresh(1_700_000_000_123_456);
        assert_eq!(stamp_ms(key), 1_700_000_000_123);
        assert_eq!(check::key(&check::key_text(key)), Ok(key));
    }

    #[test]
    fn ten_thousand_ids_of_one_moment_differ_and_so_do_those_of_two_servers() {
        let (one, two) = (RequestIds::new().unwrap(), RequestIds::new().unwrap());
        let made: std::collections::HashSet<_> =
            (0..10_000).flat_map(|_| [one.fresh(1_000_000), two.fresh(1_000_000)]).collect();
        assert_eq!(made.len(), 20_000);
    }
}
