//! Calls that wait for their sequence to be durable, woken once a batch.

use std::sync::Arc;

use lockstock_engine::Engine;
use lockstock_stock::ids::Sequence;
use tokio::sync::watch;

/// The engine has failed: what is waited for will not become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abandoned;

#[derive(Clone, Copy, Debug)]
struct Progress {
    durable: Sequence,
    failed: bool,
}

/// What the engine has made durable, to wait for.
#[derive(Clone, Debug)]
pub(super) struct Waiters {
    progress: watch::Receiver<Progress>,
}

impl Waiters {
    pub fn of(engine: &Engine) -> Self {
        let (sender, progress) = watch::channel(Progress { durable: 0, failed: false });
        let sender = Arc::new(sender);
        let moved = {
            let sender = Arc::clone(&sender);
            move |durable| {
                sender.send_if_modified(|progress| {
                    let forward = durable > progress.durable;
                    progress.durable = progress.durable.max(durable);
                    forward
                });
            }
        };
        engine.on_durable(Box::new(moved.clone()));
        engine.on_failure(Box::new(move |_| {
            sender.send_modify(|progress| progress.failed = true);
        }));
        // Registered first, looked at second: nothing that happens in between is missed.
        moved(engine.durable());
        Self { progress }
    }

    pub async fn wait(&self, sequence: Sequence) -> Result<(), Abandoned> {
        if self.progress.borrow().durable >= sequence {
            return Ok(());
        }
        let mut progress = self.progress.clone();
        let reached =
            progress.wait_for(|it| it.failed || it.durable >= sequence).await.map_err(|_| Abandoned)?;
        if reached.durable >= sequence { Ok(()) } else { Err(Abandoned) }
    }
}
