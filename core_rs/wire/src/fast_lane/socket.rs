//! The socket of one connection: what is said on it first, and whether anything is.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

/// The client's preface of HTTP/2 has so many bytes.
const PREFACE_BYTES: usize = 24;

/// One connection's socket; its place is free again when it is dropped.
pub(super) struct Socket {
    stream: TcpStream,
    greeting: Option<Greeting>,
    heard: Arc<AtomicBool>,
    _place: OwnedSemaphorePermit,
}

/// What a client says first. Until it has, nothing else asks whether anybody is there.
struct Greeting {
    missing: usize,
    deadline: Pin<Box<Sleep>>,
}

impl Socket {
    pub fn new(stream: TcpStream, greeting_timeout: Duration, place: OwnedSemaphorePermit) -> Self {
        // Small answers must not wait for each other; where it fails, they are only later.
        let _ = stream.set_nodelay(true);
        let deadline = Box::pin(tokio::time::sleep(greeting_timeout));
        let greeting = Some(Greeting { missing: PREFACE_BYTES, deadline });
        Self { stream, greeting, heard: Arc::default(), _place: place }
    }

    /// Becomes true whenever something has come.
    pub fn heard(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.heard)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let came = buffer.filled().len() - before;
        if came > 0 {
            self.heard.store(true, Ordering::Relaxed);
        }
        if let Some(greeting) = &mut self.greeting {
            greeting.missing = greeting.missing.saturating_sub(came);
            if greeting.missing == 0 {
                self.greeting = None;
            } else if greeting.deadline.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
