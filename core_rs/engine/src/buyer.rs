//! The keyed hash of buyers: a chained journal cannot forget, so no buyer's name may stand in it.

use std::hash::Hasher;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use siphasher::sip128::{Hasher128, SipHasher24};

/// How long the key is, in bytes.
const KEY_BYTES: usize = 32;

/// The key of one data directory. Losing it unlinks the buyers; leaking it lets names be tried.
pub(crate) struct BuyerKey([u8; KEY_BYTES]);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("the key of the buyers' hashes, {path}, cannot be used: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another length than 32 bytes.
    #[error("the key of the buyers' hashes, {path}, must be 32 bytes long")]
    Length {
        /// The file.
        path: String,
    },
    /// The journal knows buyers by a key that is gone.
    #[error("the key of the buyers' hashes, {path}, is missing although the journal has records: restore it")]
    Missing {
        /// The file.
        path: String,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}

impl BuyerKey {
    /// Reads the key; makes one where `create` says that nothing was ever hashed under another.
    pub fn open(path: &Path, create: bool) -> Result<Self, KeyError> {
        let name = || path.display().to_string();
        let io = |source| KeyError::Io { path: name(), source };
        match std::fs::File::open(path) {
            Ok(mut file) => {
                let mut bytes = Vec::new();
                Read::by_ref(&mut file).take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
                bytes.try_into().map(Self).map_err(|_| KeyError::Length { path: name() })
            }
            Err(error) if error.kind() == ErrorKind::NotFound && create => Self::create(path),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(KeyError::Missing { path: name() }),
            Err(error) => Err(io(error)),
        }
    }

    /// The same in every run.
    #[cfg(any(test, feature = "testing"))]
    pub const fn of_tests() -> Self {
        Self([7; KEY_BYTES])
    }

    fn create(path: &Path) -> Result<Self, KeyError> {
        let io = |source| KeyError::Io { path: path.display().to_string(), source };
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|error| KeyError::Random(error.to_string()))?;
        // Under another name first: a crash must not leave half a key.
        let draft = path.with_extension("key.new");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .map_err(io)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(io)?;
        file.write_all(&key).map_err(io)?;
        file.sync_all().map_err(io)?;
        std::fs::rename(&draft, path).map_err(io)?;
        if let Some(directory) = path.parent() {
            std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)?;
        }
        Ok(Self(key))
    }

    /// `SipHash` 2-4 with 128 bits. 0 is "no buyer" in the journal, so no buyer's hash is 0.
    pub fn hash(&self, buyer: &str) -> u128 {
        if buyer.is_empty() {
            return 0;
        }
        let (key, salt) = self.0.split_at(KEY_BYTES / 2);
        let mut short = [0; KEY_BYTES / 2];
        short.copy_from_slice(key);
        let mut hasher = SipHasher24::new_with_key(&short);
        hasher.write(salt);
        hasher.write(buyer.as_bytes());
        hasher.finish128().as_u128().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_for_its_owner_only_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("buyer.key");
        let first = BuyerKey::open(&path, true).unwrap().hash("ann");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read(&path).unwrap().len(), KEY_BYTES);
        assert_eq!(BuyerKey::open(&path, true).unwrap().hash("ann"), first);
        assert_ne!(BuyerKey::open(&path, false).unwrap().hash("bob"), first);
    }

    #[test]
    fn another_key_gives_other_hashes_and_nobody_is_zero() {
        let dir = tempfile::tempdir().unwrap();
        let one = BuyerKey::open(&dir.path().join("one"), true).unwrap();
        let two = BuyerKey::open(&dir.path().join("two"), true).unwrap();
        assert_ne!(one.hash("ann"), two.hash("ann"));
        assert_eq!(one.hash(""), 0);
    }

    #[test]
    fn a_missing_or_short_key_is_refused_with_a_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("buyer.key");
        assert!(matches!(BuyerKey::open(&path, false), Err(KeyError::Missing { .. })));
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(BuyerKey::open(&path, true), Err(KeyError::Length { .. })));
    }
}
