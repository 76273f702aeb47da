//! What tells a repeated request from a reused key (decision 9): a hash of each field of its body.
//!
//! XXH3 with 64 bits: specified to the bit, for the hashes are in the journal, and quick with a few bytes. It keeps
//! nobody from making two bodies with one hash; who sends the second under the key of the first is answered as for a
//! retry, and fools but himself.
//!
//! The hashes are taken over the canonical serialisation of the decoded message, so that they do not depend
//! on how a client happened to write it, nor on whether it came alone, in a batch or on a stream.

use lockstock_stock::event::{Fingerprint, Operation};
use twox_hash::XxHash3_64;

use crate::canonical::Fields;

/// The field number of `cause` in every request.
const CAUSE: u32 = 1;
/// The field number of `request_id` in `Cause`: the key itself is no part of the body.
const REQUEST_ID: u32 = 1;
/// Fields of `Cause` are numbered from here, after those of the request.
const WITHIN_CAUSE: u32 = 1_000;
/// Fields that nearly no request has more of.
const FEW: usize = 8;
/// The number under which the operation itself stands.
const OPERATION: u32 = 0;

static NAMES: &[(u8, &[(u32, &str)])] = include!(concat!(env!("OUT_DIR"), "/operations.rs"));

/// Of an operation on stock, from its request's canonical bytes.
pub(crate) fn of_operation(operation: Operation, canonical: &[u8]) -> Fingerprint {
    let mut hashes = Hashes::new(operation);
    let mut cause: &[u8] = &[];
    each_field(canonical, |number, field| match number {
        CAUSE => cause = payload(field),
        _ => hashes.add(number, field),
    });
    each_field(cause, |number, text| {
        if number != REQUEST_ID {
            hashes.add(WITHIN_CAUSE + number, text);
        }
    });
    hashes.finish()
}

/// Of a change of documents: what the caller sent, never `documents`, for what a retry would put (route
/// plans, a merge under a mask) may have changed since.
pub(crate) fn of_documents(canonical: &[u8]) -> Fingerprint {
    const SENT: std::ops::RangeInclusive<u32> = 3..=5;
    let mut hashes = Hashes::new(Operation::PutDocuments);
    each_field(canonical, |number, field| {
        if SENT.contains(&number) {
            hashes.add(number, field);
        }
    });
    hashes.finish()
}

/// The name of a field by its number in a fingerprint of this operation.
pub(crate) fn field_name(operation: Operation, number: u32) -> String {
    let known = match (operation, number) {
        (_, OPERATION) => Some("operation"),
        (Operation::PutDocuments, 3) => Some("method"),
        (Operation::PutDocuments, 4) => Some("asked"),
        (Operation::PutDocuments, 5) => Some("update_mask"),
        (_, 1_002) => Some("cause.reason"),
        (_, 1_003) => Some("cause.document"),
        _ => NAMES
            .iter()
            .find(|(of, _)| *of == operation as u8)
            .and_then(|(_, fields)| fields.iter().find(|(at, _)| *at == number))
            .map(|(_, name)| *name),
    };
    known.map_or_else(|| format!("field {number}"), str::to_owned)
}

/// Hashes of fields that come in the order of their numbers.
struct Hashes {
    fields: Vec<(u32, u32)>,
    /// Of the fields so far.
    digest: u64,
}

impl Hashes {
    fn new(operation: Operation) -> Self {
        let mut hashes = Self { fields: Vec::with_capacity(FEW), digest: 0 };
        hashes.add(OPERATION, &[operation as u8]);
        hashes
    }

    fn add(&mut self, number: u32, bytes: &[u8]) {
        let hash = XxHash3_64::oneshot(bytes);
        self.digest = XxHash3_64::oneshot_with_seed(self.digest ^ u64::from(number), &hash.to_le_bytes());
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the name of a field needs 32 bits, the digest has 64"
        )]
        self.fields.push((number, hash as u32));
    }

    fn finish(self) -> Fingerprint {
        Fingerprint { digest: self.digest, fields: self.fields }
    }
}

/// Tells the top-level fields of canonical bytes, each with all its occurrences, which follow one another there.
#[inline]
fn each_field<'a>(canonical: &'a [u8], mut tell: impl FnMut(u32, &'a [u8])) {
    let mut fields = Fields::of(canonical);
    let (mut number, mut from) = (None, canonical);
    loop {
        let behind = fields.left();
        // These bytes were read: what cannot be read there does not exist.
        let next = fields.skip();
        if next == number && next.is_some() {
            continue;
        }
        let (field, rest) = from.split_at(from.len() - behind.len());
        if let Some(number) = number {
            tell(number, field);
        }
        if next.is_none() {
            return;
        }
        (number, from) = (next, rest);
    }
}

/// The inside of one length-delimited field.
fn payload(field: &[u8]) -> &[u8] {
    Fields::of(field).delimited().map_or(&[], |(_, inside)| inside)
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::field_descriptor_proto::Type;
    use prost_types::{DescriptorProto, FileDescriptorSet};

    use super::*;
    use crate::decode::{self, Asked, Asks, Context, Step};
    use crate::proto::lockstock::internal::v1::PutDocumentsRequest;
    use crate::proto::lockstock::v1::{self as pb, command};

    fn message(name: &str) -> DescriptorProto {
        let set = FileDescriptorSet::decode(crate::proto::DESCRIPTORS).unwrap();
        let messages = set
            .file
            .iter()
            .filter(|file| file.package() == "lockstock.v1")
            .flat_map(|file| &file.message_type);
        messages.into_iter().find(|message| message.name() == name).unwrap().clone()
    }

    /// A field on the wire, of any value but its default.
    fn field(number: u32, kind: Type) -> Vec<u8> {
        let tag = |wire: u32| u8::try_from(number << 3 | wire).unwrap();
        match kind {
            Type::String | Type::Bytes => vec![tag(2), 1, b'x'],
            Type::Message => vec![tag(2), 0],
            _ => vec![tag(0), 1],
        }
    }

    fn of(operation: &str, bytes: &[u8]) -> Fingerprint {
        if let Some(operation) = Asked::named(operation) {
            return of_asked(&Asked::of(operation, bytes, &mut Vec::new()).unwrap());
        }
        let operation = Step::named(operation).unwrap();
        of_asked(&Step::of(operation, bytes, &mut Vec::new()).unwrap())
    }

    fn of_asked(asked: &impl Asks) -> Fingerprint {
        of_operation(asked.operation(), asked.canonical())
    }

    #[test]
    fn a_fingerprint_changes_with_each_field_of_each_request_and_the_field_is_named() {
        let names = Asked::NAMES.iter().chain(Step::NAMES);
        for (name, operation) in names.zip(Operation::ALL) {
            let empty = of(name, &[]);
            assert_eq!(empty.fields.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [OPERATION]);
            for at in message(&format!("{name}Request")).field.iter().filter(|at| at.name() != "cause") {
                let number = u32::try_from(at.number()).unwrap();
                let with = of(name, &field(number, at.r#type()));
                assert_ne!(with.digest, empty.digest, "{name}.{}", at.name());
                assert_eq!(
                    (with.fields[0], with.fields[1].0, with.fields.len()),
                    (empty.fields[0], number, 2)
                );
                assert_eq!(field_name(*operation, number), at.name());
            }
        }
    }

    #[test]
    fn reason_and_document_count_and_the_request_id_does_not() {
        let with = |cause: &pb::Cause| {
            let request = pb::UnlockRequest { cause: Some(cause.clone()), ..Default::default() };
            of("Unlock", &request.encode_to_vec())
        };
        let none = of("Unlock", &[]);
        let id = pb::Cause { request_id: "a".to_owned(), ..Default::default() };
        assert_eq!(with(&id), none);
        let reason = pb::Cause { reason: "a".to_owned(), ..Default::default() };
        let document = pb::Cause { document: "a".to_owned(), ..Default::default() };
        for (cause, name) in [(&reason, "cause.reason"), (&document, "cause.document")] {
            let made = with(cause);
            assert_ne!(made.digest, none.digest);
            assert_eq!(field_name(Operation::Unlock, made.fields[1].0), name);
        }
    }

    #[test]
    fn the_operation_is_part_of_it() {
        let (unlock, deduct) = (of("Unlock", b"\x12\x01x"), of("Deduct", b"\x12\x01x"));
        assert_ne!(unlock.digest, deduct.digest);
        assert_ne!(unlock.fields[0], deduct.fields[0]);
        assert_eq!(unlock.fields[1], deduct.fields[1]);
        assert_eq!(field_name(Operation::Unlock, OPERATION), "operation");
    }

    #[test]
    fn every_value_of_a_repeated_field_counts_and_so_does_their_order() {
        let lines = |quantities: &[i64]| {
            let line = |quantity: &i64| pb::StockLine { quantity: *quantity, ..Default::default() };
            of(
                "Increase",
                &pb::IncreaseRequest { lines: quantities.iter().map(line).collect(), cause: None }
                    .encode_to_vec(),
            )
        };
        let all = [lines(&[1]), lines(&[1, 2]), lines(&[2, 1]), lines(&[1, 2, 2])];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other.digest != one.digest), "{at}");
        }
    }

    #[test]
    fn it_does_not_depend_on_how_a_client_writes_the_message() {
        // Fields in another order, a default that is written out, a field nobody knows, a field said twice.
        let written = of("Move", b"\x12\x01r\x18\x02\x22\x01a");
        assert_eq!(of("Move", b"\x22\x01a\x18\x02\x12\x01r\x2a\0\xfa\x01\x01z\x18\x02"), written);
    }

    #[test]
    fn it_is_the_same_alone_in_a_batch_and_on_a_stream() {
        let request = pb::DeductRequest { reservation_id: "order".to_owned(), ..Default::default() };
        let alone = of("Deduct", &request.encode_to_vec());
        let command = pb::Command { operation: Some(command::Operation::Deduct(request)) };
        assert_eq!(of_asked(&Asked::of_command(&command.encode_to_vec()).unwrap().unwrap()), alone);
    }

    #[test]
    fn the_hashes_are_those_of_the_released_format() {
        let request = pb::UnlockRequest { reservation_id: "order".to_owned(), ..Default::default() };
        let made = of("Unlock", &request.encode_to_vec());
        assert_eq!(made, Fingerprint { digest: GOLDEN_DIGEST, fields: GOLDEN_FIELDS.to_vec() });
    }

    // Computed with xxHash's own implementation as well.
    const GOLDEN_DIGEST: u64 = 9_803_025_667_432_593_378;
    const GOLDEN_FIELDS: [(u32, u32); 2] = [(0, 359_526_381), (2, 2_681_640_867)];

    #[test]
    fn documents_are_told_apart_by_what_the_caller_sent_and_not_by_what_is_put() {
        let limits = lockstock_stock::limits::Limits::default();
        let context = Context { limits: &limits, buyer: &|_| 0, fresh_key: &|| 1 };
        let document = |id: &str| crate::proto::lockstock::internal::v1::PutDocument {
            kind: 3,
            id: id.to_owned(),
            ..Default::default()
        };
        let sent = PutDocumentsRequest {
            documents: vec![document("CN")],
            method: "/lockstock.v1.CatalogService/CreateRegion".to_owned(),
            asked: vec![1].into(),
            ..Default::default()
        };
        let print = |request: &PutDocumentsRequest| decode::change(request, &context).unwrap().fingerprint;
        let other_plans =
            PutDocumentsRequest { documents: vec![document("CN"), document("SH")], ..sent.clone() };
        assert_eq!(print(&sent), print(&other_plans));
        let asked = PutDocumentsRequest { asked: vec![2].into(), ..sent.clone() };
        let masked = PutDocumentsRequest { update_mask: vec!["title".to_owned()], ..sent.clone() };
        for (changed, number, name) in [(asked, 4, "asked"), (masked, 5, "update_mask")] {
            assert_ne!(print(&changed).digest, print(&sent).digest);
            assert_eq!(field_name(Operation::PutDocuments, number), name);
        }
    }
}
