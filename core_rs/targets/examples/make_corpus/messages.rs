//! A message for every method of the contract, with every field filled, made from the descriptors.

use lockstock_targets::METHODS;
use lockstock_wire::proto::DESCRIPTORS;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet, MethodDescriptorProto};

/// Messages that hold themselves end here.
const DEPTH: usize = 6;

/// By the method's name: its call. Where a message holds one of several, it is the first.
pub fn calls() -> Vec<(String, Vec<u8>)> {
    let contract = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let call = |(number, path): (usize, &&str)| {
        let (service, name) = path[1..].split_once('/').unwrap();
        let request = request(&contract, service, name);
        (kebab(name), [&[u8::try_from(number).unwrap()], &filled(&contract, &request, DEPTH)[..]].concat())
    };
    METHODS.iter().enumerate().map(call).collect()
}

/// The name of the message that a method takes. The planners' seam has messages only, named after the methods.
fn request(contract: &FileDescriptorSet, service: &str, name: &str) -> String {
    let (package, service) = service.rsplit_once('.').unwrap();
    let files = contract.file.iter().filter(|file| file.package() == package);
    let methods =
        files.flat_map(|file| &file.service).filter(|it| it.name() == service).flat_map(|it| &it.method);
    let mut input = methods.filter(|method| method.name() == name).map(MethodDescriptorProto::input_type);
    input.next().map_or_else(|| format!(".{package}.{name}Request"), ToOwned::to_owned)
}

fn message<'a>(contract: &'a FileDescriptorSet, name: &str) -> Option<&'a DescriptorProto> {
    contract.file.iter().find_map(|file| {
        let name = name.strip_prefix(&format!(".{}.", file.package()))?;
        file.message_type.iter().find(|message| message.name() == name)
    })
}

fn filled(contract: &FileDescriptorSet, name: &str, depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    if depth == 0 {
        return bytes;
    }
    let message = message(contract, name).unwrap();
    let mut chosen = Vec::new();
    for field in &message.field {
        if field.oneof_index.is_some() && chosen.contains(&field.oneof_index) {
            continue;
        }
        chosen.push(field.oneof_index);
        match field.r#type() {
            Type::Message => put(field, &filled(contract, field.type_name(), depth - 1), &mut bytes),
            Type::String => put(field, text(field.name()).as_bytes(), &mut bytes),
            Type::Bytes => put(field, b"of itself", &mut bytes),
            Type::Int64 | Type::Int32 | Type::Uint64 | Type::Uint32 | Type::Enum | Type::Bool => {
                encode_key(field.number().unsigned_abs(), WireType::Varint, &mut bytes);
                encode_varint(number(field.name()), &mut bytes);
            }
            Type::Double => {
                encode_key(field.number().unsigned_abs(), WireType::SixtyFourBit, &mut bytes);
                bytes.extend_from_slice(&1.0_f64.to_le_bytes());
            }
            other => panic!("the contract has no field of the type {other:?}"),
        }
    }
    bytes
}

fn put(field: &FieldDescriptorProto, value: &[u8], out: &mut Vec<u8>) {
    encode_key(field.number().unsigned_abs(), WireType::LengthDelimited, out);
    encode_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// A value that is known in the shop, by the name of its field.
fn text(field: &str) -> &'static str {
    match field {
        "sku" | "skus" => "apple",
        "to_warehouse" => "w2",
        "region" => "north",
        "channel" => "web",
        // The server makes one; and the default.
        "request_id" | "pool" => "",
        field if field.contains("warehouse") => "w1",
        _ => "order",
    }
}

fn number(field: &str) -> u64 {
    match field {
        "seconds" => 60,
        "nanos" => 0,
        _ => 1,
    }
}

fn kebab(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(letter.to_lowercase());
    }
    out
}
