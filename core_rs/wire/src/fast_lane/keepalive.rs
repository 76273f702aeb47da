//! Whether anybody is still there on a connection that says nothing.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use h2::{Ping, PingPong};

/// Asks a silent connection for a sign of life.
pub(super) struct KeepAlive {
    pub pings: PingPong,
    /// Becomes true whenever something has come.
    pub heard: Arc<AtomicBool>,
    /// After so long without anything it is asked.
    pub interval: Duration,
    /// It has so long to answer; anything it says will do.
    pub timeout: Duration,
}

impl KeepAlive {
    /// Until nobody is there.
    pub async fn dead(&mut self) {
        loop {
            tokio::time::sleep(self.interval).await;
            if self.heard.swap(false, Ordering::Relaxed) {
                continue;
            }
            // Refused where the last one is still on its way: then it is that one which is waited for.
            let _ = self.pings.send_ping(Ping::opaque());
            match tokio::time::timeout(self.timeout, poll_fn(|cx| self.pings.poll_pong(cx))).await {
                // The connection has ended, and who serves it knows.
                Ok(Err(_)) => pending().await,
                Ok(Ok(_)) => {}
                Err(_) if self.heard.swap(false, Ordering::Relaxed) => {}
                Err(_) => return,
            }
        }
    }
}
