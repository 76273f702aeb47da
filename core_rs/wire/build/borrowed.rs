//! Writes the requests as structs that borrow from the bytes they came in. They are read from the canonical form alone
//! (`src/canonical.rs` says what that is), so nothing here knows of merging, unknown fields or defaults.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto};

/// Wire types.
const VARINT: i32 = 0;
const EIGHT_BYTES: i32 = 1;
const LENGTH_DELIMITED: i32 = 2;

/// The messages of a package by name.
pub type Messages<'d> = BTreeMap<&'d str, &'d DescriptorProto>;

/// These messages and all that stand in them.
pub fn borrowed<'d>(messages: &Messages<'d>, roots: Vec<&'d str>) -> Result<String, Box<dyn Error>> {
    let (mut left, mut written) = (roots, BTreeMap::new());
    while let Some(name) = left.pop() {
        if !written.contains_key(name) {
            let message = messages.get(name).ok_or_else(|| format!("the contract has no message {name}"))?;
            left.extend(message.field.iter().filter_map(|field| own(field)));
            written.insert(name, one(messages, message)?);
        }
    }
    Ok(written.into_values().collect())
}

/// The message of our own package that a field is, if it is one.
fn own(field: &FieldDescriptorProto) -> Option<&str> {
    field.type_name().strip_prefix(".lockstock.v1.").filter(|_| field.r#type() == Type::Message)
}

/// Whether a message borrows anything.
fn borrows(messages: &Messages<'_>, name: &str) -> bool {
    messages.get(name).is_some_and(|message| {
        message.field.iter().any(|field| match field.r#type() {
            Type::String | Type::Bytes => true,
            _ => own(field).is_some_and(|name| borrows(messages, name)),
        })
    })
}

fn lifetime(borrows: bool) -> &'static str {
    if borrows { "<'a>" } else { "" }
}

/// The type of a field's value, how one is read, and its wire type.
fn value(
    messages: &Messages<'_>,
    field: &FieldDescriptorProto,
) -> Result<(String, &'static str, i32), Box<dyn Error>> {
    let scalar = |name: &str, read, wire| Ok((name.to_owned(), read, wire));
    match field.r#type() {
        Type::String => scalar("&'a str", "text", LENGTH_DELIMITED),
        Type::Bytes => scalar("&'a [u8]", "bytes", LENGTH_DELIMITED),
        Type::Int64 => scalar("i64", "int64", VARINT),
        Type::Int32 | Type::Enum => scalar("i32", "int32", VARINT),
        Type::Uint32 => scalar("u32", "uint32", VARINT),
        Type::Double => scalar("f64", "double", EIGHT_BYTES),
        Type::Bool => scalar("bool", "truth", VARINT),
        Type::Message => match own(field) {
            // What makes another request long is seldom there.
            Some(name) if name.ends_with("Request") => {
                Ok((format!("Box<{name}{}>", lifetime(borrows(messages, name))), "boxed", LENGTH_DELIMITED))
            }
            Some(name) => {
                Ok((format!("{name}{}", lifetime(borrows(messages, name))), "message", LENGTH_DELIMITED))
            }
            None => {
                let name = field.type_name().strip_prefix(".google.protobuf.");
                let name = name.ok_or_else(|| format!("{} is not known", field.type_name()))?;
                scalar(&format!("prost_types::{name}"), "message", LENGTH_DELIMITED)
            }
        },
        other => Err(format!("no request has a field of the type {other:?} yet").into()),
    }
}

fn one(messages: &Messages<'_>, message: &DescriptorProto) -> Result<String, Box<dyn Error>> {
    let (name, life) = (message.name(), lifetime(borrows(messages, message.name())));
    let (mut fields, mut choices, mut reads) = (String::new(), String::new(), String::new());
    for field in &message.field {
        let (kind, read, wire) = value(messages, field)?;
        let (number, at) = (field.number(), field.name());
        let key = number << 3 | wire;
        let choice = field.oneof_index.filter(|_| !field.proto3_optional());
        if let Some(choice) = choice {
            let choice_name = message.oneof_decl[usize::try_from(choice)?].name();
            let of: Vec<_> = message.field.iter().filter(|it| it.oneof_index == Some(choice)).collect();
            let choice_type = format!("{name}{}", camel(choice_name));
            // A choice stands where its first field would.
            let rank = of.iter().map(|it| it.number()).min().unwrap_or(number);
            if rank == number {
                writeln!(fields, "    pub {choice_name}: Option<{choice_type}<'a>>,")?;
                writeln!(
                    choices,
                    "#[derive(Clone, Debug, PartialEq)]\npub(crate) enum {choice_type}<'a> {{"
                )?;
                for it in of {
                    writeln!(choices, "    {}({}),", camel(it.name()), value(messages, it)?.0)?;
                }
                writeln!(choices, "}}")?;
            }
            writeln!(
                reads,
                "            {key} => {{ from.once({rank})?; self.{choice_name} = Some({choice_type}::{}(from.{read}()?)); }}",
                camel(at)
            )?;
        } else if field.label() == Label::Repeated {
            if wire != LENGTH_DELIMITED {
                return Err(format!("{name}.{at}: no request has a list of numbers yet").into());
            }
            writeln!(fields, "    pub {at}: Few<{kind}>,")?;
            writeln!(
                reads,
                "            {key} => {{ from.again({number})?; self.{at}.push(from.{read}()?); }}"
            )?;
        } else if field.proto3_optional() || field.r#type() == Type::Message {
            writeln!(fields, "    pub {at}: Option<{kind}>,")?;
            writeln!(
                reads,
                "            {key} => {{ from.once({number})?; self.{at} = Some(from.{read}()?); }}"
            )?;
        } else {
            writeln!(fields, "    pub {at}: {kind},")?;
            writeln!(
                reads,
                "            {key} => {{ from.once({number})?; self.{at} = said(from.{read}()?)?; }}"
            )?;
        }
    }
    Ok(format!(
        "#[derive(Clone, Debug, Default, PartialEq)]\npub(crate) struct {name}{life} {{\n{fields}}}\n\
         {choices}\
         impl<'a> Canonical<'a> for {name}{life} {{\n    \
             fn take(&mut self, key: u32, from: &mut Fields<'a>) -> Option<()> {{\n        \
                 match key {{\n{reads}            _ => return None,\n        }}\n        \
                 Some(())\n    }}\n}}\n"
    ))
}

/// `lock_request` as `LockRequest`.
fn camel(name: &str) -> String {
    let upper = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').map(upper).collect()
}
