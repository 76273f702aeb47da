//! The words of a table. A line is a command and, after `->`, what comes of it: an outcome (`DONE`,
//! `PARTIAL`, `RELOCKED`, `EXPIRED_SOLD_OUT`, `SOLD_OUT`), `KNOWN` or `REUSED` for a repeated request, or a reason.
//!
//! ```text
//! sku BOOK category=paper policy=ON_PAYMENT      shop policy=ON_ORDER
//! warehouse SH state=PAUSED skus=BOOK,PEN categories=paper
//! region CN plan=SH,BJ            channel web
//! lock O1 BOOK 10 PEN 2 region=CN hold=30m max_parcels=2 partial channel=web   (or from=SH,BJ)
//! place O1 BOOK 10 region=CN hold=30m policy=ON_PAYMENT          (region=CN from=SH to=geo:1,2: planned)
//! unlock O1 1:3 2                 deduct, cancel: the same; no parts: everything
//! cancel_order O1 1:3             ship_order O1 at=SH 1:3 says=parcel
//! confirm_picking O1 at=SH 1:3/1  line:picked/short
//! push O1 at=SH 1:3               recall, ship, short_pick, expect_return, cancel_return: the same
//! return O1 at=SH 1:3:SELLABLE    move O1 1 SH BJ 3      extend O1 10m
//! exchange O1 at=SH 1:1 for O2 PEN 1 region=CN
//! amend O1 1:+2 2:-1 add=PEN:3 hold=10m version=7
//! increase SH BOOK 5 BJ PEN 2     decrease, loss, stock, issue, mark_defective, restore, write_off: the same
//! set SH BOOK available 5 8       from 5 to 8; or on_hand
//! expect_receipt P1 SH BOOK 10 arrives=2d        receive P1 SH BOOK 8/1/1      good/defective/missing
//! draft T1 SH BJ BOOK 5           cancel_transfer T1 BOOK 2; push_transfer, recall_transfer, ship_transfer
//! receive_transfer T1 BOOK 3/1    close_transfer T1 BOOK 1/0/1   restored/damaged/lost
//! ```
//!
//! A verb with a dot before it (`.deduct`) is asked of the orders' service, where it has another name: a step
//! of the order. Every command may carry `reason=text`, `key=name` (a request id to be used again) and `stamp=-5d` (its
//! stamp, from now). Beside commands there are `tick 30m`, `sweep`, `available` (a dry run) and `expect`.

use lockstock_stock::command::{
    Adjustment, Arrival, Command, Demand, Disposition, DocumentKind, From, Live, Order, Part, Picked,
    PutDocument, Rest, Returned, SHOP_ID, Selection, SetLine, SetTarget, SkuPart, StockLine, Wanted,
    WarehouseState,
};
use lockstock_stock::event::DeductionPolicy;
use lockstock_stock::few::Few;
use lockstock_stock::ids::{LineNo, Micros, Units};

pub type Parsed<T> = Result<T, String>;

/// The words of a line: plain ones in order, and `name=value` ones.
pub struct Words<'a> {
    plain: Vec<&'a str>,
    named: Vec<(&'a str, &'a str)>,
    next: usize,
}

impl<'a> Words<'a> {
    pub fn new(text: &'a str) -> Self {
        let (named, plain): (Vec<&str>, Vec<&str>) =
            text.split_whitespace().partition(|word| word.contains('='));
        let named = named.into_iter().filter_map(|word| word.split_once('=')).collect();
        Self { plain, named, next: 0 }
    }

    pub fn named(&self, name: &str) -> Option<&'a str> {
        self.named.iter().find(|(at, _)| *at == name).map(|(_, value)| *value)
    }

    pub fn all_named(&self) -> &[(&'a str, &'a str)] {
        &self.named
    }

    /// A flag: a plain word that stands anywhere in the line.
    pub fn flag(&mut self, name: &str) -> bool {
        let found = self.plain.iter().position(|word| *word == name);
        found.map(|at| self.plain.remove(at)).is_some()
    }

    pub fn word(&mut self) -> Parsed<&'a str> {
        let word = self.plain.get(self.next).copied().ok_or("a word is missing")?;
        self.next += 1;
        Ok(word)
    }

    pub fn maybe(&mut self) -> Option<&'a str> {
        self.word().ok()
    }

    pub fn number<T: std::str::FromStr>(&mut self) -> Parsed<T> {
        number(self.word()?)
    }

    pub fn rest(&mut self) -> Vec<&'a str> {
        let rest = self.plain.get(self.next..).unwrap_or_default().to_vec();
        self.next = self.plain.len();
        rest
    }

    /// Pairs `SKU quantity` up to the end or the word `for`.
    fn pairs(&mut self) -> Parsed<Vec<(&'a str, Option<Units>)>> {
        let mut pairs = Vec::new();
        while let Some(sku) = self.maybe() {
            let quantity = match self.maybe() {
                None | Some("all") => None,
                Some(word) => Some(number(word)?),
            };
            pairs.push((sku, quantity));
        }
        Ok(pairs)
    }
}

pub fn number<T: std::str::FromStr>(word: &str) -> Parsed<T> {
    word.replace('_', "").parse().map_err(|_| format!("{word} is no number"))
}

/// `30m`, `-5d`, `250ms`, in microseconds.
pub fn duration(word: &str) -> Parsed<Micros> {
    let split = word.find(char::is_alphabetic).ok_or_else(|| format!("{word} has no unit"))?;
    let (count, unit) = word.split_at(split);
    let unit = match unit {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return Err(format!("{unit} is no unit of time")),
    };
    number::<Micros>(count).map(|count| count * unit)
}

fn list(word: Option<&str>) -> Vec<&str> {
    word.map(|word| word.split(',').filter(|it| !it.is_empty()).collect()).unwrap_or_default()
}

fn part(word: &str) -> Parsed<Part> {
    match word.split_once(':') {
        None => Ok(Part { line: number(word)?, quantity: None }),
        Some((line, quantity)) => Ok(Part { line: number(line)?, quantity: Some(number(quantity)?) }),
    }
}

fn selection<'a>(words: &mut Words<'a>) -> Parsed<Selection<'a>> {
    let reservation = words.word()?;
    let parts: Parsed<Vec<Part>> = words.rest().into_iter().map(part).collect();
    Ok(Selection { reservation, warehouse: words.named("at").unwrap_or_default(), parts: parts? })
}

pub fn demand<'a>(words: &mut Words<'a>) -> Parsed<Demand<'a>> {
    let allow_partial = words.flag("partial");
    let pool = words.named("pool").unwrap_or_default();
    let wanted = |(sku, quantity): (&'a str, Option<Units>)| {
        Ok(Wanted { sku, quantity: quantity.ok_or("an order names quantities")?, pool })
    };
    let lines: Parsed<Few<Wanted<'a>>> = words.pairs()?.into_iter().map(wanted).collect();
    let warehouses = list(words.named("from"));
    let from = match (words.named("to"), words.named("region")) {
        (Some(destination), region) => From::Planned { region, warehouses, destination },
        (None, Some(region)) => From::Region(region),
        (None, None) => From::Warehouses(warehouses),
    };
    let max_parcels = words.named("max_parcels").map_or(Ok(0), number)?;
    Ok(Demand { lines: lines?, from, max_parcels, allow_partial })
}

fn order<'a>(words: &mut Words<'a>) -> Parsed<Order<'a>> {
    let reservation = words.word()?;
    let channel = words.named("channel").unwrap_or_default();
    Ok(Order { reservation, demand: demand(words)?, channel, buyer: 7, attributes: b"gift" })
}

fn adjustment<'a>(adjustment: Adjustment, words: &mut Words<'a>) -> Parsed<Command<'a>> {
    let mut lines = Vec::new();
    while let Some(warehouse) = words.maybe() {
        lines.push(StockLine { warehouse, sku: words.word()?, quantity: words.number()? });
    }
    Ok(Command::Adjust { adjustment, lines })
}

fn three(word: &str) -> Parsed<[Units; 3]> {
    let mut three = [0; 3];
    for (at, part) in word.split('/').enumerate() {
        *three.get_mut(at).ok_or("at most three numbers")? = number(part)?;
    }
    Ok(three)
}

fn triples<'a>(words: &mut Words<'a>) -> Parsed<Vec<(&'a str, [Units; 3])>> {
    let mut triples = Vec::new();
    while let Some(sku) = words.maybe() {
        triples.push((sku, three(words.word()?)?));
    }
    Ok(triples)
}

fn arrivals<'a>(words: &mut Words<'a>) -> Parsed<Vec<Arrival<'a>>> {
    let arrival =
        |(sku, [good, defective, missing]): (&'a str, [Units; 3])| Arrival { sku, good, defective, missing };
    Ok(triples(words)?.into_iter().map(arrival).collect())
}

fn sku_parts<'a>(words: &mut Words<'a>) -> Parsed<Vec<SkuPart<'a>>> {
    Ok(words.pairs()?.into_iter().map(|(sku, quantity)| SkuPart { sku, quantity }).collect())
}

fn policy(words: &Words<'_>) -> Parsed<Option<DeductionPolicy>> {
    let named = |word| DeductionPolicy::ALL.iter().copied().find(|policy| policy.name() == word);
    words
        .named("policy")
        .map(|word| named(word).ok_or("an unknown policy"))
        .transpose()
        .map_err(str::to_owned)
}

fn picked(word: &str) -> Parsed<Picked> {
    let (line, found) = word.split_once(':').ok_or("line:picked/short")?;
    let [picked, short, _] = three(found)?;
    Ok(Picked { line: number(line)?, picked, short })
}

fn returned(word: &str) -> Parsed<Returned> {
    let mut words = word.split(':');
    let mut next = || words.next().ok_or("line:quantity:disposition");
    let (line, quantity) = (number(next()?)?, number(next()?)?);
    let disposition = match next()? {
        "SELLABLE" => Disposition::Sellable,
        "DEFECTIVE" => Disposition::Defective,
        "LOST" => Disposition::Lost,
        other => return Err(format!("{other} is no disposition")),
    };
    Ok(Returned { line, quantity, disposition })
}

fn document<'a>(
    kind: DocumentKind,
    id: &'a str,
    live: Live<'a>,
    words: &Words<'a>,
) -> Parsed<PutDocument<'a>> {
    let expected_version = words.named("version").map(number).transpose()?;
    Ok(PutDocument { kind, id, expected_version, live, body: b"{}" })
}

fn put<'a>(verb: &str, words: &mut Words<'a>) -> Parsed<Command<'a>> {
    let id = if verb == "shop" { SHOP_ID } else { words.word()? };
    let mut documents = Vec::new();
    match verb {
        "sku" => {
            let live =
                Live::Sku { category: words.named("category").unwrap_or_default(), policy: policy(words)? };
            documents.push(document(DocumentKind::Sku, id, live, words)?);
        }
        "warehouse" => {
            let state = match words.named("state") {
                None | Some("ACTIVE") => WarehouseState::Active,
                Some("PAUSED") => WarehouseState::Paused,
                Some("CLOSED") => WarehouseState::Closed,
                Some(other) => return Err(format!("{other} is no state of a warehouse")),
            };
            let (skus, categories) = (list(words.named("skus")), list(words.named("categories")));
            let live = Live::Warehouse { state, skus, categories };
            documents.push(document(DocumentKind::Warehouse, id, live, words)?);
        }
        "shop" => {
            let live = Live::Shop { policy: policy(words)? };
            documents.push(document(DocumentKind::Shop, SHOP_ID, live, words)?);
        }
        "channel" => documents.push(document(DocumentKind::Channel, id, Live::Nothing, words)?),
        "region" => documents.push(document(DocumentKind::Region, id, Live::Nothing, words)?),
        _ => {}
    }
    if let Some(plan) = words.named("plan") {
        // Before the region on purpose: a plan may stand anywhere in the request.
        let live = Live::RoutePlan { warehouses: list(Some(plan)) };
        let plan =
            PutDocument { kind: DocumentKind::RoutePlan, id, expected_version: None, live, body: b"{}" };
        documents.insert(0, plan);
    }
    for id in list(words.named("with_warehouse")) {
        let live =
            Live::Warehouse { state: WarehouseState::Active, skus: Vec::new(), categories: Vec::new() };
        documents.push(PutDocument {
            kind: DocumentKind::Warehouse,
            id,
            expected_version: Some(0),
            live,
            body: b"{}",
        });
    }
    Ok(Command::PutDocuments { documents })
}

fn amend<'a>(words: &mut Words<'a>) -> Parsed<Command<'a>> {
    let reservation = words.word()?;
    let mut deltas: Vec<(LineNo, Units)> = Vec::new();
    for word in words.rest() {
        let (line, delta) = word.split_once(':').ok_or("line:delta")?;
        deltas.push((number(line)?, number(delta.trim_start_matches('+'))?));
    }
    let mut additions = Vec::new();
    for word in list(words.named("add")) {
        let (sku, quantity) = word.split_once(':').ok_or("add=SKU:quantity")?;
        additions.push(Wanted { sku, quantity: number(quantity)?, pool: "" });
    }
    let expected_version = words.named("version").map(number).transpose()?;
    let hold = words.named("hold").map(duration).transpose()?;
    Ok(Command::Amend { reservation, expected_version, deltas, additions, hold })
}

fn set<'a>(words: &mut Words<'a>) -> Parsed<Command<'a>> {
    let mut lines = Vec::new();
    while let Some(warehouse) = words.maybe() {
        let sku = words.word()?;
        let target = match words.word()? {
            "available" => SetTarget::Available,
            "on_hand" => SetTarget::OnHand,
            other => return Err(format!("{other} cannot be set")),
        };
        let (expected, value) = (words.number()?, words.number()?);
        lines.push(SetLine { sku, warehouse, target, value, expected });
    }
    Ok(Command::Set { lines })
}

fn relocate<'a>(words: &mut Words<'a>) -> Parsed<Command<'a>> {
    let (reservation, line) = (words.word()?, words.number()?);
    let (from, to) = (words.word()?, words.word()?);
    let quantity = words.maybe().map(number).transpose()?;
    Ok(Command::Move { reservation, line, from, to, quantity })
}

/// The command of a line; `now` dates what is dated. `None` where the verb is none of a command.
pub fn command<'a>(verb: &str, text: &'a str, now: Micros) -> Parsed<Option<Command<'a>>> {
    let (text, replacement) =
        text.split_once(" for ").map_or((text, None), |(text, other)| (text, Some(other)));
    let words = &mut Words::new(text);
    let from_now = |word: Option<&str>| word.map(duration).transpose().map(|it| it.map_or(0, |it| now + it));
    Ok(Some(match verb {
        "sku" | "warehouse" | "region" | "channel" | "plan" | "shop" => put(verb, words)?,
        "lock" => {
            let hold = words.named("hold").map(duration).transpose()?;
            Command::Lock { order: order(words)?, hold }
        }
        "lock_and_deduct" => Command::LockAndDeduct { order: order(words)? },
        "place" => {
            let hold = words.named("hold").map(duration).transpose()?;
            let policy = policy(words)?;
            Command::Place { order: order(words)?, hold, policy }
        }
        "cancel_order" => Command::CancelOrder(selection(words)?),
        "ship_order" => {
            let attributes = words.named("says").unwrap_or_default().as_bytes();
            Command::ShipOrder { parcel: selection(words)?, attributes }
        }
        "confirm_picking" => {
            let (reservation, warehouse) = (words.word()?, words.named("at").unwrap_or_default());
            let lines: Parsed<Vec<Picked>> = words.rest().into_iter().map(picked).collect();
            Command::ConfirmPicking { reservation, warehouse, lines: lines? }
        }
        "unlock" => Command::Unlock(selection(words)?),
        "deduct" => Command::Deduct(selection(words)?),
        "cancel" => Command::Cancel(selection(words)?),
        "push" => Command::PushFulfilment(selection(words)?),
        "recall" => Command::Recall(selection(words)?),
        "ship" => Command::Ship(selection(words)?),
        "short_pick" => Command::ShortPick(selection(words)?),
        "expect_return" => Command::ExpectReturn(selection(words)?),
        "cancel_return" => Command::CancelReturn(selection(words)?),
        "extend" => Command::Extend { reservation: words.word()?, hold: duration(words.word()?)? },
        "move" => relocate(words)?,
        "return" => {
            let (reservation, warehouse) = (words.word()?, words.named("at").unwrap_or_default());
            let lines: Parsed<Vec<Returned>> = words.rest().into_iter().map(returned).collect();
            Command::Return { reservation, warehouse, lines: lines? }
        }
        "exchange" => {
            let replacement = order(&mut Words::new(replacement.ok_or("an exchange is for something")?))?;
            Command::Exchange { returned: selection(words)?, replacement }
        }
        "amend" => amend(words)?,
        "stock" => adjustment(Adjustment::OtherReceipt, words)?,
        "increase" => adjustment(Adjustment::Increase, words)?,
        "decrease" => adjustment(Adjustment::Decrease, words)?,
        "loss" => adjustment(Adjustment::RecordLoss, words)?,
        "issue" => adjustment(Adjustment::Issue, words)?,
        "mark_defective" => adjustment(Adjustment::MarkDefective, words)?,
        "restore" => adjustment(Adjustment::Restore, words)?,
        "write_off" => adjustment(Adjustment::WriteOff, words)?,
        "set" => set(words)?,
        "expect_receipt" => {
            let (receipt, warehouse, expected_at) =
                (words.word()?, words.word()?, from_now(words.named("arrives"))?);
            Command::ExpectReceipt { receipt, warehouse, expected_at, lines: sku_parts(words)? }
        }
        "receive" => {
            Command::Receive { receipt: words.word()?, warehouse: words.word()?, lines: arrivals(words)? }
        }
        "draft" => {
            let (transfer, from, to) = (words.word()?, words.word()?, words.word()?);
            Command::DraftTransfer { transfer, from, to, lines: sku_parts(words)? }
        }
        "cancel_transfer" => Command::CancelTransfer { transfer: words.word()?, lines: sku_parts(words)? },
        "push_transfer" => Command::PushTransfer { transfer: words.word()?, lines: sku_parts(words)? },
        "recall_transfer" => Command::RecallTransfer { transfer: words.word()?, lines: sku_parts(words)? },
        "ship_transfer" => Command::ShipTransfer { transfer: words.word()?, lines: sku_parts(words)? },
        "receive_transfer" => Command::ReceiveTransfer { transfer: words.word()?, lines: arrivals(words)? },
        "close_transfer" => {
            let transfer = words.word()?;
            let rest = |(sku, [restored, damaged, lost]): (&'a str, [Units; 3])| Rest {
                sku,
                restored,
                damaged,
                lost,
            };
            Command::CloseTransfer { transfer, lines: triples(words)?.into_iter().map(rest).collect() }
        }
        _ => return Ok(None),
    }))
}
