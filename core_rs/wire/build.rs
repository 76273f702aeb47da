//! Makes the Rust messages from the committed descriptor set, so that no protoc is needed, and the table of
//! operations with the names of their fields.

#[path = "build/borrowed.rs"]
mod borrowed;

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message as _;
use prost_types::{FieldDescriptorProto, FileDescriptorSet, MethodDescriptorProto};

use borrowed::Messages;

const DESCRIPTORS: &str = "lockstock.binpb";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={DESCRIPTORS}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/borrowed.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let descriptors = FileDescriptorSet::decode(fs::read(DESCRIPTORS)?.as_slice())?;

    prost_build::Config::new().bytes(["."]).include_file("proto.rs").compile_fds(descriptors.clone())?;

    // The clients are for the tests alone; in a folder of their own so that the messages stay the crate's.
    let clients = out.join("clients");
    fs::create_dir_all(&clients)?;
    tonic_prost_build::configure()
        .build_server(false)
        .extern_path(".lockstock.v1", "::lockstock_wire::proto::lockstock::v1")
        .out_dir(&clients)
        .compile_fds(stock_service_only(descriptors.clone()))?;

    let messages = messages(&descriptors);
    let operations = operations(&descriptors, &messages)?;
    fs::write(out.join("operations.rs"), table(&messages, &operations)?)?;
    let mut asked: Vec<&str> = operations.iter().map(|(_, name)| *name).collect();
    asked.push("CheckAvailabilityRequest");
    fs::write(out.join("borrowed.rs"), borrowed::borrowed(&messages, asked)?)?;
    Ok(())
}

/// The other services are Python's.
fn stock_service_only(mut descriptors: FileDescriptorSet) -> FileDescriptorSet {
    descriptors.file.retain(|file| file.package() == "lockstock.v1");
    for file in &mut descriptors.file {
        file.service.retain(|service| service.name() == "StockService");
    }
    descriptors
}

fn messages(descriptors: &FileDescriptorSet) -> Messages<'_> {
    let files = descriptors.file.iter().filter(|file| file.package() == "lockstock.v1");
    files.flat_map(|file| &file.message_type).map(|message| (message.name(), message)).collect()
}

/// The operations with the messages they are asked by, ordered by number: an operation's number in Command; the
/// steps of an order follow in the order of their service (a test holds them to the state machine's numbers).
fn operations<'d>(
    descriptors: &'d FileDescriptorSet,
    messages: &Messages<'d>,
) -> Result<Vec<(i32, &'d str)>, Box<dyn Error>> {
    let command = messages.get("Command").ok_or("the contract has no message Command")?;
    let of_stock = command.field.iter().map(|operation| (operation.number(), operation.type_name()));
    let orders = descriptors.file.iter().flat_map(|file| &file.service);
    let orders = orders.filter(|service| service.name() == "OrderService").flat_map(|it| &it.method);
    let steps = orders.filter(|method| method.output_type() == ".lockstock.v1.Answer");
    let first = command.field.iter().map(FieldDescriptorProto::number).max().unwrap_or_default() + 1;
    let steps = (first..).zip(steps.map(MethodDescriptorProto::input_type));
    Ok(of_stock
        .chain(steps)
        .map(|(number, name)| (number, name.rsplit('.').next().unwrap_or(name)))
        .collect())
}

/// `(number of the operation, [(field number, field name)])`.
fn table(messages: &Messages<'_>, operations: &[(i32, &str)]) -> Result<String, Box<dyn Error>> {
    let mut table = String::from("&[\n");
    for (number, name) in operations {
        let request = messages.get(name).ok_or_else(|| format!("the contract has no message {name}"))?;
        write!(table, "    ({number}, &[")?;
        for field in &request.field {
            write!(table, "({}, {:?}), ", field.number(), field.name())?;
        }
        table.push_str("]),\n");
    }
    table.push_str("]\n");
    Ok(table)
}
