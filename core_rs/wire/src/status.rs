//! Refusals as `google.rpc.Status`, built in one place for both doors.

use std::collections::BTreeMap;
use std::time::Duration;

use lockstock_stock::refusal::{Refusal, Retry, ShortSku};
use prost::{Message, Name};

use crate::encode::timestamp;
use crate::proto::google::rpc::Status;
use crate::proto::lockstock::v1;

/// `google.rpc.ErrorInfo.domain`.
pub const DOMAIN: &str = "lockstock";

/// `google.rpc.ErrorInfo`. Its metadata is an ordered map: the same refusal gives the same bytes.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ErrorInfo {
    /// The name of one of `lockstock.v1.Reason`.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// [`DOMAIN`].
    #[prost(string, tag = "2")]
    pub domain: String,
    /// Whatever varies in the message.
    #[prost(btree_map = "string, string", tag = "3")]
    pub metadata: BTreeMap<String, String>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct RetryInfo {
    /// Wait at least so long.
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<prost_types::Duration>,
}

impl Name for ErrorInfo {
    const NAME: &'static str = "ErrorInfo";
    const PACKAGE: &'static str = "google.rpc";
}

impl Name for RetryInfo {
    const NAME: &'static str = "RetryInfo";
    const PACKAGE: &'static str = "google.rpc";
}

/// A call that failed: what the transport says in its own terms, and the whole status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The gRPC status code.
    pub code: i32,
    /// The sentence.
    pub message: String,
    /// The serialised `google.rpc.Status`.
    pub status: Vec<u8>,
}

/// Builds statuses.
#[derive(Clone, Copy, Debug)]
pub struct Statuses {
    retry_hint: Duration,
}

impl Statuses {
    /// With the delay that a refusal of [`Retry::Soon`] proposes.
    #[must_use]
    pub const fn new(retry_hint: Duration) -> Self {
        Self { retry_hint }
    }

    /// A refusal as a status.
    #[must_use]
    pub fn status(&self, refusal: &Refusal) -> Status {
        let reason = refusal.reason();
        let metadata = refusal.metadata().into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect();
        let mut details =
            vec![any(&ErrorInfo { reason: reason.name().to_owned(), domain: DOMAIN.to_owned(), metadata })];
        if let Refusal::InsufficientStock { shortages } = refusal {
            details.push(any_of(
                "lockstock.v1.InsufficientStock",
                &v1::InsufficientStock { shortages: shortages.iter().map(short_sku).collect() },
            ));
        }
        if reason.retry() == Retry::Soon {
            details
                .push(any(&RetryInfo { retry_delay: prost_types::Duration::try_from(self.retry_hint).ok() }));
        }
        Status { code: reason.code() as i32, message: refusal.message(), details }
    }

    /// A refusal as a failed call.
    #[must_use]
    pub fn failure(&self, refusal: &Refusal) -> Failure {
        let status = self.status(refusal);
        Failure { code: status.code, status: status.encode_to_vec(), message: status.message }
    }
}

fn any<M: Message + Name>(detail: &M) -> prost_types::Any {
    any_of(&M::full_name(), detail)
}

fn any_of(name: &str, detail: &impl Message) -> prost_types::Any {
    prost_types::Any { type_url: format!("type.googleapis.com/{name}"), value: detail.encode_to_vec() }
}

/// A short SKU of a refusal or of `CheckAvailability`.
pub(crate) fn short_sku(short: &ShortSku) -> v1::ShortSku {
    v1::ShortSku {
        sku: short.sku.clone(),
        lines: short.lines.clone(),
        asked: short.asked,
        available_here: short.available_here,
        available_elsewhere: short.available_elsewhere,
        available_paused: short.available_paused,
        locked: short.locked,
        claimed: short.claimed,
        next_unlock_at: short.next_unlock_at.map(timestamp),
        in_transit: short.in_transit,
        next_arrival_at: short.next_arrival_at.map(timestamp),
    }
}

#[cfg(test)]
mod tests {
    use lockstock_stock::refusal::Reason;

    use super::*;

    fn statuses() -> Statuses {
        Statuses::new(Duration::from_millis(250))
    }

    fn detail<M: Message + Default + Name>(status: &Status) -> Option<M> {
        let url = format!("type.googleapis.com/{}", M::full_name());
        let found = status.details.iter().find(|detail| detail.type_url == url)?;
        Some(M::decode(found.value.as_slice()).unwrap())
    }

    #[test]
    fn the_reasons_of_the_core_and_of_the_contract_are_one_list() {
        let core: Vec<(i32, String)> =
            Reason::ALL.iter().map(|reason| (*reason as i32, format!("REASON_{}", reason.name()))).collect();
        let contract: Vec<(i32, String)> = (1..1_000)
            .filter_map(|number| v1::Reason::try_from(number).ok())
            .map(|reason| (reason as i32, reason.as_str_name().to_owned()))
            .collect();
        assert_eq!(core, contract);
    }

    #[test]
    fn a_status_names_reason_domain_and_whatever_varies() {
        let status = statuses().status(&Refusal::ParcelLimit { max_parcels: 1, parcels_needed: 3 });
        assert_eq!((status.code, status.message.as_str()), (9, "it would take 3 parcels, and 1 are allowed"));
        let info: ErrorInfo = detail(&status).unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("PARCEL_LIMIT", "lockstock"));
        assert_eq!(info.metadata["max_parcels"], "1");
        assert_eq!(info.metadata["parcels_needed"], "3");
        assert!(detail::<RetryInfo>(&status).is_none());
    }

    #[test]
    fn what_may_be_tried_again_soon_says_when() {
        let status = statuses().status(&Refusal::Overloaded { limit: "records in flight".to_owned() });
        assert_eq!(status.code, 8);
        let delay = detail::<RetryInfo>(&status).unwrap().retry_delay.unwrap();
        assert_eq!((delay.seconds, delay.nanos), (0, 250_000_000));
    }

    #[test]
    fn insufficient_stock_lists_every_short_sku() {
        let shortages = ["PEN", "BOOK"].map(|sku| ShortSku {
            sku: sku.to_owned(),
            lines: vec![1, 2],
            asked: 9,
            available_here: 4,
            next_unlock_at: Some(1_500_000),
            ..ShortSku::default()
        });
        let status = statuses().status(&Refusal::InsufficientStock { shortages: shortages.to_vec() });
        let found =
            status.details.iter().find(|at| at.type_url.ends_with("lockstock.v1.InsufficientStock")).unwrap();
        let stock = v1::InsufficientStock::decode(found.value.as_slice()).unwrap();
        assert_eq!(
            stock.shortages.iter().map(|short| short.sku.as_str()).collect::<Vec<_>>(),
            ["PEN", "BOOK"]
        );
        let at = stock.shortages[0].next_unlock_at.unwrap();
        assert_eq!((at.seconds, at.nanos), (1, 500_000_000));
        assert_eq!(stock.shortages[0].next_arrival_at, None);
    }

    #[test]
    fn the_same_refusal_gives_the_same_bytes() {
        let refusal = Refusal::QuantityNotHeld {
            state: "locked",
            asked: 9,
            held: 2,
            owner: Some("o".to_owned()),
            line: Some("1".to_owned()),
            sku: None,
            warehouse: None,
        };
        assert_eq!(statuses().failure(&refusal), statuses().failure(&refusal.clone()));
    }
}
