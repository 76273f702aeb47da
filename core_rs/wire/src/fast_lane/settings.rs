//! What an operator sets of the fast lane.

use std::time::Duration;

use serde::Deserialize;

use crate::door::MESSAGE_BYTES_MAX;

/// The settings of the fast lane. As JSON, every field may be left out; an unknown one is an error.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Threads that serve; one does without any hand-over between threads.
    pub threads: usize,
    /// The longest message the transport takes, in bytes: twice the contract's, so that the refusal is typed.
    pub message_bytes_max: usize,
    /// Connections at once; one more is closed at once.
    pub connections_max: usize,
    /// Calls at once on one connection.
    pub streams_per_connection_max: u32,
    /// After so long without a sign of life a connection is asked for one, in milliseconds.
    pub keepalive_interval_ms: u64,
    /// How long it has to answer, in milliseconds.
    pub keepalive_timeout_ms: u64,
    /// How long a client has for the first bytes of HTTP/2, in milliseconds.
    pub greeting_timeout_ms: u64,
    /// The most bytes of headers of a call.
    pub header_list_bytes_max: u32,
    /// Commands of one `Execute` stream that may be in flight.
    pub stream_window: usize,
    /// Bytes of requests that have not come in full, on one connection; beyond it calls end with `OVERLOADED`.
    pub unfinished_bytes_max: usize,
    /// Bytes of answers that one connection has not taken; beyond it calls are refused with `OVERLOADED`, and
    /// streams are not read.
    pub unread_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threads: 1,
            message_bytes_max: 2 * MESSAGE_BYTES_MAX,
            connections_max: 10_000,
            streams_per_connection_max: 1_000,
            keepalive_interval_ms: 30_000,
            keepalive_timeout_ms: 20_000,
            greeting_timeout_ms: 20_000,
            header_list_bytes_max: 16 << 10,
            stream_window: 1_024,
            unfinished_bytes_max: 4 * MESSAGE_BYTES_MAX,
            unread_bytes_max: 4 * MESSAGE_BYTES_MAX,
        }
    }
}

impl Settings {
    pub(super) const fn keepalive_interval(&self) -> Duration {
        Duration::from_millis(self.keepalive_interval_ms)
    }

    pub(super) const fn keepalive_timeout(&self) -> Duration {
        Duration::from_millis(self.keepalive_timeout_ms)
    }

    pub(super) const fn greeting_timeout(&self) -> Duration {
        Duration::from_millis(self.greeting_timeout_ms)
    }

    /// Settings that nothing can be served under, as a sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        let at_least = [
            ("threads", self.threads, 1),
            ("message_bytes_max", self.message_bytes_max, MESSAGE_BYTES_MAX + 1),
            ("connections_max", self.connections_max, 1),
            ("streams_per_connection_max", self.streams_per_connection_max as usize, 1),
            ("header_list_bytes_max", self.header_list_bytes_max as usize, 4 << 10),
            ("stream_window", self.stream_window, 1),
            ("unfinished_bytes_max", self.unfinished_bytes_max, self.message_bytes_max),
            ("unread_bytes_max", self.unread_bytes_max, 1),
        ];
        match at_least.iter().find(|(_, value, least)| value < least) {
            Some((name, value, least)) => Err(format!("{name} is {value}, but must be at least {least}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transport_takes_twice_what_the_contract_allows() {
        assert_eq!(Settings::default().message_bytes_max, 16 << 20);
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn settings_that_nothing_can_be_served_under_are_named() {
        let bad = Settings { threads: 0, ..Settings::default() };
        assert_eq!(bad.check(), Err("threads is 0, but must be at least 1".to_owned()));
    }
}
