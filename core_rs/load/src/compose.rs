//! What goes out for a call, by carrier: the bytes behind the transport's own.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::Result;
use crate::ids::Ids;
use crate::protobuf::{bytes, message, number};
use crate::spec::{Carrier, Kind, Spec};
use crate::template::{REQUEST_ID, RESERVATION, Rows, SKU, Template, WAREHOUSE};

/// Makes the bodies of calls.
#[derive(Debug)]
pub struct Composer {
    template: Template,
    rows: Rows,
    ids: Ids,
}

impl Composer {
    /// For a phase of a run; `script` is the digest of its script, where there are scripts.
    pub fn new(spec: &Spec, kind: Kind, script: &str) -> Result<Self> {
        let template = match spec.carrier {
            Carrier::Unary => request(spec, kind),
            Carrier::Stream => command(spec, kind)?,
            Carrier::Batch => {
                let command = command(spec, kind)?;
                message(|out| bytes(1, &command, out))
            }
            Carrier::Redis => redis(spec, kind, script)?,
            Carrier::Postgres => postgres(spec, kind)?,
        };
        let rows = Rows {
            skus: spec.skus as u64,
            lines: spec.lines as u64,
            warehouse_first: spec.warehouse_first as u64,
            warehouses: spec.warehouses as u64,
            in_turn: matches!(kind, Kind::Receive | Kind::Issue),
        };
        Ok(Self { template: Template::new(template), rows, ids: Ids::new()? })
    }

    /// New ids carry the time of now.
    pub fn tick(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.ids.set_millis(u64::try_from(now.as_millis()).unwrap_or(0));
    }

    /// Writes the body of a call with the commands from `first` on.
    pub fn write(&mut self, first: u64, commands: usize, out: &mut Vec<u8>) {
        out.clear();
        for number in first..first + commands as u64 {
            self.template.write(number, &self.rows, &mut self.ids, out);
        }
    }
}

fn sku() -> Vec<u8> {
    [b"SKU-".as_slice(), SKU].concat()
}

fn warehouse() -> Vec<u8> {
    [b"WH-".as_slice(), WAREHOUSE].concat()
}

fn reservation(spec: &Spec) -> Vec<u8> {
    [spec.tag.as_bytes(), b"-", RESERVATION].concat()
}

/// The message of a unary call.
fn request(spec: &Spec, kind: Kind) -> Vec<u8> {
    let quantity = spec.quantity as u64;
    message(|out| {
        bytes(1, &message(|cause| bytes(1, REQUEST_ID, cause)), out);
        match kind {
            Kind::Lock | Kind::Place => {
                bytes(2, &reservation(spec), out);
                for _ in 0..spec.lines {
                    let line = message(|line| {
                        bytes(1, &sku(), line);
                        number(2, quantity, line);
                    });
                    bytes(3, &line, out);
                }
                let region = spec.region.as_bytes();
                if kind == Kind::Place {
                    bytes(4, &message(|destination| bytes(1, region, destination)), out);
                } else {
                    bytes(4, region, out);
                }
            }
            Kind::Deduct => bytes(2, &reservation(spec), out),
            Kind::Receive | Kind::Issue => {
                for _ in 0..spec.lines {
                    let line = message(|line| {
                        bytes(1, &sku(), line);
                        bytes(2, &warehouse(), line);
                        number(3, quantity, line);
                    });
                    bytes(2, &line, out);
                }
            }
        }
    })
}

/// The message `Command`.
fn command(spec: &Spec, kind: Kind) -> Result<Vec<u8>> {
    let field = match kind {
        Kind::Lock => 1,
        Kind::Deduct => 4,
        Kind::Receive => 18,
        Kind::Issue => 19,
        Kind::Place => return Err("orders are placed one by one".into()),
    };
    Ok(message(|out| bytes(field, &request(spec, kind), out)))
}

/// `EVALSHA digest 3 key-of-the-request stock reservation units`.
fn redis(spec: &Spec, kind: Kind, script: &str) -> Result<Vec<u8>> {
    if !matches!(kind, Kind::Lock | Kind::Deduct) || spec.lines != 1 {
        return Err("Redis only locks and deducts, one line".into());
    }
    let parts = [
        b"EVALSHA".to_vec(),
        script.as_bytes().to_vec(),
        b"3".to_vec(),
        [b"request:".as_slice(), REQUEST_ID].concat(),
        [b"stock:".to_vec(), sku()].concat(),
        [b"reservation:".to_vec(), reservation(spec)].concat(),
        spec.quantity.to_string().into_bytes(),
    ];
    let mut out = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(&part);
        out.extend_from_slice(b"\r\n");
    }
    Ok(out)
}

/// Bind, Execute, Sync of a statement that the connection has prepared under the name of its phase.
fn postgres(spec: &Spec, kind: Kind) -> Result<Vec<u8>> {
    if !matches!(kind, Kind::Lock | Kind::Deduct) || spec.lines != 1 {
        return Err("PostgreSQL only locks and deducts, one line".into());
    }
    let parameters = [REQUEST_ID.to_vec(), reservation(spec), sku(), spec.quantity.to_string().into_bytes()];
    let mut bind = b"\0work\0".to_vec();
    bind.extend_from_slice(&0_u16.to_be_bytes());
    bind.extend_from_slice(&u16::try_from(parameters.len())?.to_be_bytes());
    for parameter in parameters {
        bind.extend_from_slice(&u32::try_from(parameter.len())?.to_be_bytes());
        bind.extend_from_slice(&parameter);
    }
    bind.extend_from_slice(&0_u16.to_be_bytes());
    let mut out = Vec::new();
    for (kind, body) in [(b'B', bind.as_slice()), (b'E', b"\0\0\0\0\0"), (b'S', b"")] {
        out.push(kind);
        out.extend_from_slice(&u32::try_from(body.len() + 4)?.to_be_bytes());
        out.extend_from_slice(body);
    }
    Ok(out)
}

/// The five bytes before a gRPC message.
pub fn frame_message(body: &[u8], out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::{Fields, Value};

    fn spec(carrier: &str) -> Spec {
        let text = format!(
            r#"{{"address":"a:1","carrier":"{carrier}","work":["lock"],"tag":"t","pid":1,"seconds":1,
                "region":"CN","scripts":["d"]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_batch_has_a_command_for_each_reservation() {
        let mut composer = Composer::new(&spec("batch"), Kind::Lock, "").unwrap();
        let mut body = Vec::new();
        composer.write(5, 3, &mut body);
        let commands: Vec<_> = Fields(&body).collect::<std::result::Result<_, _>>().unwrap();
        assert_eq!(commands.len(), 3);
        let Value::Bytes(command) = commands[2].1 else { panic!("a command is a message") };
        let text = String::from_utf8_lossy(command).into_owned();
        assert!(
            text.contains("t-000000000007") && text.contains("SKU-0000000") && text.contains("CN"),
            "{text}"
        );
    }

    #[test]
    fn a_script_is_called_with_three_keys() {
        let mut composer = Composer::new(&spec("redis"), Kind::Lock, "d").unwrap();
        let mut body = Vec::new();
        composer.write(0, 1, &mut body);
        assert!(body.starts_with(b"*7\r\n$7\r\nEVALSHA\r\n$1\r\nd\r\n$1\r\n3\r\n$44\r\nrequest:"));
        assert!(body.ends_with(b"$26\r\nreservation:t-000000000000\r\n$1\r\n1\r\n"));
    }

    #[test]
    fn a_message_travels_behind_its_length() {
        let mut out = Vec::new();
        frame_message(b"abc", &mut out);
        assert_eq!(out, b"\0\0\0\0\x03abc");
    }
}
