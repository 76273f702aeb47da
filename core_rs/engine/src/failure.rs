//! What has gone wrong for good. A failure is said once and stays.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

/// The engine has failed: nothing more is acknowledged. The sentence says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub Arc<str>);

type Hook = Box<dyn Fn(&str) + Send + Sync>;

/// The two kinds of failure. Only the first ends the service: what is in memory can no longer be made
/// durable or trusted. After the second nothing was changed, commands go on, readiness is off.
#[derive(Default)]
pub(crate) struct Health {
    fatal: OnceLock<Failed>,
    violation: OnceLock<Arc<str>>,
    hooks: Mutex<Vec<Hook>>,
}

impl Health {
    pub fn fatal(&self) -> Option<&Failed> {
        self.fatal.get()
    }

    pub fn violation(&self) -> Option<&Arc<str>> {
        self.violation.get()
    }

    /// The first sentence wins; hooks run once, on the thread that found it.
    pub fn fail(&self, sentence: &str) {
        // Under the hooks' lock, so that a hook registered at this moment runs once: here or there.
        let hooks = self.hooks.lock();
        if self.fatal.set(Failed(Arc::from(sentence))).is_ok() {
            for hook in hooks.iter() {
                hook(sentence);
            }
        }
    }

    /// An invariant would have been violated. The first stands; later ones are counted by their refusals.
    pub fn violated(&self, sentence: &str) {
        self.violation.get_or_init(|| Arc::from(sentence));
    }

    /// Runs when the engine fails; at once if it has failed already.
    pub fn on_failure(&self, hook: Hook) {
        let mut hooks = self.hooks.lock();
        if let Some(failed) = self.fatal.get() {
            hook(&failed.0);
        }
        hooks.push(hook);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn the_first_failure_is_told_once_to_each_hook_also_to_a_late_one() {
        let health = Health::default();
        let calls = Arc::new(AtomicUsize::new(0));
        let count = |health: &Health| {
            let calls = Arc::clone(&calls);
            health.on_failure(Box::new(move |sentence| {
                assert_eq!(sentence, "the disk is gone");
                calls.fetch_add(1, Ordering::SeqCst);
            }));
        };
        count(&health);
        health.fail("the disk is gone");
        health.fail("and something else");
        count(&health);
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        assert_eq!(health.fatal().map(ToString::to_string).as_deref(), Some("the disk is gone"));
    }
}
