//! Connections: taken up to a bound, one more is closed at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::connection;
use super::guests::Guests;
use super::node::Node;
use super::socket::Socket;

/// After an error of the listener (too many open files), to leave the processor to others.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);

/// Connections taken one after the other; then those there are have their turn. Thousands may come at once, and each costs
/// some 100 us until it is greeted.
const TOGETHER_MAX: u32 = 8;

/// Takes connections until it is told to stop; the listener is closed then. Whether all of them ended as they should.
pub(super) async fn serve(
    listener: TcpListener,
    node: Arc<Node>,
    guests: Guests,
    stop: impl Future<Output = ()>,
) -> bool {
    let places = Arc::new(Semaphore::new(node.settings.connections_max.min(Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    let mut clean = true;
    let mut stop = std::pin::pin!(stop);
    let mut taken = 0;
    loop {
        if taken == TOGETHER_MAX {
            taken = 0;
            tokio::task::yield_now().await;
        }
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = connections.join_next() => {
                clean &= ended.is_ok();
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            continue;
        };
        taken += 1;
        // Without a place: closed at once, which a client sees better than a connection nobody serves.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let socket = Socket::new(stream, node.settings.greeting_timeout(), place);
        connections.spawn(connection::serve(socket, Arc::clone(&node), guests.clone()));
    }
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        clean &= ended.is_ok();
    }
    clean
}
