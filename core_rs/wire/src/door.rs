//! One function for both doors: bytes in, bytes out.

use std::borrow::Cow;
use std::time::Duration;

use lockstock_engine::{Engine, Executed, HOLD_COMMANDS_MAX};
use lockstock_stock::answer::Answer;
use lockstock_stock::command::Request;
use lockstock_stock::decide;
use lockstock_stock::event::{Fingerprint, Operation};
use lockstock_stock::ids::Sequence;
use lockstock_stock::limits::COMMANDS_MAX;
use lockstock_stock::machine::Reply;
use lockstock_stock::refusal::Refusal;
use lockstock_stock::state::State;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use prost::{DecodeError, Message};

use crate::canonical::{Canonical as _, CheckAvailabilityRequest};
use crate::decode::{self, Asked, Asks, Context, Planned, Step as OrderStep};
use crate::encode::{self, Counters};
use crate::method::{self, Caller, Method};
use crate::proto::lockstock::{internal::v1 as internal, v1};
use crate::recall::{self, Recalled};
use crate::request_id::RequestIds;
use crate::status::{Failure, Statuses};

pub use crate::request_id::NoRandomness;

/// The longest message of the contract, in bytes. Transports take twice as much, so that the refusal is ours.
pub const MESSAGE_BYTES_MAX: usize = 8 << 20;

/// Room for the answer to a command of one line.
const ANSWER_BYTES: usize = 256;

/// A call that the engine has judged. Nothing of it may be sent before `seen` is durable.
#[derive(Debug)]
#[must_use = "somebody waits for the answer"]
pub struct Called {
    /// The newest sequence that the answer saw; 0 where it saw nothing.
    pub seen: Sequence,
    reply: Held,
}

impl Called {
    /// How long the answer is, in bytes, as far as it does not stand in the journal.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.reply {
            Held::Ready(Ok(bytes)) => bytes.len(),
            Held::Ready(Err(failure)) => failure.status.len(),
            Held::Rest { results, .. } => results.len(),
            Held::Later(..) => 0,
        }
    }

    /// Whether finishing reads the journal: the first answers to repeated requests are there.
    #[must_use]
    pub const fn reads_journal(&self) -> bool {
        matches!(self.reply, Held::Later(..) | Held::Rest { .. })
    }
}

#[derive(Debug)]
enum Held {
    Ready(Result<Vec<u8>, Failure>),
    /// Some of it stands in the journal.
    Later(Shape, Vec<Step>),
    /// Of a batch: the results before those of which some stand in the journal, and these.
    Rest {
        results: Vec<u8>,
        steps: Vec<Step>,
    },
}

/// Which message the steps of a call make up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Answer,
    Result,
    Change,
    Changes,
}

/// What came of one command.
#[derive(Debug)]
enum Step {
    Done(Answer),
    Refused(Refusal),
    Known { sequence: Sequence, operation: Operation, fingerprint: Fingerprint },
}

impl Step {
    /// Whether its answer stands in the journal.
    const fn is_known(&self) -> bool {
        matches!(self, Self::Known { .. })
    }
}

/// What is shown of a step.
enum Shown<'s> {
    Done(&'s Answer),
    Again(Recalled),
    Refused(Cow<'s, Refusal>),
}

/// The engine behind messages.
pub struct Door {
    engine: Engine,
    statuses: Statuses,
    request_ids: RequestIds,
}

impl Door {
    /// A door to an engine; `retry_hint` is what refusals under overload propose to wait.
    pub fn new(engine: Engine, retry_hint: Duration) -> Result<Self, NoRandomness> {
        Ok(Self { engine, statuses: Statuses::new(retry_hint), request_ids: RequestIds::new()? })
    }

    /// The engine behind it.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Builds statuses.
    #[must_use]
    pub const fn statuses(&self) -> &Statuses {
        &self.statuses
    }

    /// Runs one call of a method, `/lockstock.v1.StockService/Lock` and so on. `Execute` takes one command of
    /// the stream and gives its result.
    pub fn call(&self, caller: Caller, method: &str, bytes: &[u8]) -> Called {
        match self.judge(caller, method, bytes) {
            Ok(judged) => judged,
            Err(refusal) => self.refuse(&refusal),
        }
    }

    /// Runs commands of a stream that arrived together, as one hold of the engine; a result each.
    pub fn execute<B: AsRef<[u8]>>(&self, commands: &[B]) -> Vec<Called> {
        let read: Vec<_> = commands.iter().map(|bytes| command(bytes.as_ref())).collect();
        let of_another_form = commands.iter().zip(&read).filter(|(_, read)| read.is_none());
        let rewritten: Vec<_> = of_another_form.map(|(bytes, _)| rewritten_command(bytes.as_ref())).collect();
        let mut rewritten = rewritten.iter().map(|it| reread_command(it.as_deref()));
        let asked: Vec<_> = read.into_iter().filter_map(|read| read.or_else(|| rewritten.next())).collect();
        let (steps, seen) = self.operations(&asked);
        steps.into_iter().map(|step| self.hold(Shape::Result, vec![step], seen)).collect()
    }

    /// The answer to a call, once what it saw is durable.
    pub fn finish(&self, called: Called) -> Result<Vec<u8>, Failure> {
        match called.reply {
            Held::Ready(reply) => reply,
            Held::Later(shape, steps) => self.message(shape, &steps),
            Held::Rest { mut results, steps } => {
                self.append_results(&steps, &mut results);
                Ok(results)
            }
        }
    }

    /// What a call is answered with whose sequence will never be durable: the node has failed. Whether it took
    /// effect tells a retry with the same key.
    #[must_use]
    pub fn abandoned(&self) -> Failure {
        self.statuses.failure(&Refusal::Draining {})
    }

    /// What a transport refuses a call with before it reaches the door.
    #[must_use]
    pub fn failure(&self, refusal: &Refusal) -> Failure {
        self.statuses.failure(refusal)
    }

    fn refuse(&self, refusal: &Refusal) -> Called {
        Called { seen: 0, reply: Held::Ready(Err(self.statuses.failure(refusal))) }
    }

    fn judge(&self, caller: Caller, path: &str, bytes: &[u8]) -> Result<Called, Refusal> {
        check_length(bytes)?;
        let unknown = || Refusal::MethodUnknown { method: path.to_owned() };
        match method::find(caller, path, bytes).ok_or_else(unknown)? {
            Method::Operation(operation) => {
                Ok(self.run(Shape::Answer, &[Asked::of(operation, bytes, &mut Vec::new())]))
            }
            Method::Step(operation) => {
                Ok(self.run(Shape::Answer, &[OrderStep::of(operation, bytes, &mut Vec::new())]))
            }
            Method::Planned(planned) => {
                let step = planned.as_ref().as_ref().map_err(Clone::clone).and_then(Planned::step);
                Ok(self.run(Shape::Answer, &[step]))
            }
            Method::Execute => {
                let (read, rewrite) = (Asked::of_command, decode::rewritten::<v1::Command>);
                let mut room = Vec::new();
                let asked = decode::read(bytes, &mut room, read, rewrite).flatten();
                Ok(self.run(Shape::Result, &[asked]))
            }
            Method::ExecuteBatch => self.run_batch(bytes),
            Method::GetStock => self.get_stock(&read(bytes)?),
            Method::BatchGetStock => self.batch_get_stock(&read(bytes)?),
            Method::GetSalesStock => self.get_sales_stock(&read(bytes)?),
            Method::GetDispatchStock => self.get_dispatch_stock(&read(bytes)?),
            Method::GetWarehouseStock => self.get_warehouse_stock(&read(bytes)?),
            Method::GetReservation => self.get_reservation(&read(bytes)?),
            Method::CheckAvailability => self.check_availability(bytes),
            Method::PutDocuments => Ok(self.put(Shape::Change, &[read(bytes)?])),
            Method::PutDocumentsBatch => {
                let batch: internal::PutDocumentsBatchRequest = read(bytes)?;
                if batch.changes.len() > COMMANDS_MAX {
                    return Err(Refusal::TooManyCommands { limit: COMMANDS_MAX });
                }
                Ok(self.put(Shape::Changes, &batch.changes))
            }
            Method::ListDocuments => self.list_documents(&read(bytes)?),
            Method::GetDocuments => self.get_documents(&read(bytes)?),
        }
    }

    fn run<A: Asks>(&self, shape: Shape, asked: &[Result<A, Refusal>]) -> Called {
        let (steps, seen) = self.operations(asked);
        self.hold(shape, steps, seen)
    }

    /// A hold's worth of commands goes all the way from message to result before the next: what is made of them
    /// on the way is small, and the memory of one serves the next.
    fn run_batch(&self, bytes: &[u8]) -> Result<Called, Refusal> {
        let count = checked_count(bytes)?;
        let mut room = Vec::new();
        let rewrite = decode::rewritten::<v1::ExecuteBatchRequest>;
        let commands = decode::read(bytes, &mut room, |bytes| decode::batch(count, bytes), rewrite)?;
        let (mut seen, mut rest) = (0, Vec::new());
        let mut results = Vec::with_capacity(commands.len() * ANSWER_BYTES);
        for asked in commands.chunks(HOLD_COMMANDS_MAX) {
            let (steps, saw) = self.operations(asked);
            seen = seen.max(saw);
            if rest.is_empty() && !steps.iter().any(Step::is_known) {
                self.append_results(&steps, &mut results);
            } else {
                rest.extend(steps);
            }
        }
        let reply =
            if rest.is_empty() { Held::Ready(Ok(results)) } else { Held::Rest { results, steps: rest } };
        Ok(Called { seen, reply })
    }

    /// Appends results of a batch, one after another as its message holds them.
    fn append_results(&self, steps: &[Step], out: &mut Vec<u8>) {
        for step in steps {
            encode::append_to_batch(out, |out| self.append_result(self.show(step), out));
        }
    }

    fn operations<A: Asks>(&self, asked: &[Result<A, Refusal>]) -> (Vec<Step>, Sequence) {
        self.ask(
            asked,
            |asked, context| asked.as_ref().map_err(Clone::clone).and_then(|it| decode::request(it, context)),
            |asked| asked.as_ref().map(|it| (it.operation(), decode::fingerprint(it))).map_err(Clone::clone),
        )
    }

    fn put(&self, shape: Shape, changes: &[internal::PutDocumentsRequest]) -> Called {
        let again = |change: &_| Ok((Operation::PutDocuments, decode::fingerprint_of_change(change)));
        let (steps, seen) = self.ask(changes, decode::change, again);
        self.hold(shape, steps, seen)
    }

    /// Has the engine run what has the right form; the steps stand in the order of what was asked. `again`: what tells
    /// a request that was made before from another with its key.
    fn ask<'a, T>(
        &self,
        asked: &'a [T],
        request: impl Fn(&'a T, &Context<'_>) -> Result<Request<'a>, Refusal>,
        again: impl Fn(&'a T) -> Result<(Operation, Fingerprint), Refusal>,
    ) -> (Vec<Step>, Sequence) {
        let mut requests = Vec::with_capacity(asked.len());
        let mut refused = Vec::new();
        let context = Context {
            limits: self.engine.limits(),
            buyer: &|buyer| self.engine.buyer_hash(buyer),
            fresh_key: &|| self.request_ids.fresh(self.engine.now()),
        };
        for (place, asked) in asked.iter().enumerate() {
            match request(asked, &context) {
                Ok(request) => requests.push(request),
                Err(refusal) => refused.push((place, refusal)),
            }
        }
        let executed = if requests.is_empty() { Executed::default() } else { self.engine.execute(requests) };
        let (mut refused, mut replies) = (refused.into_iter().peekable(), executed.replies.into_iter());
        let step = |(place, asked)| {
            if let Some((_, refusal)) = refused.next_if(|(at, _)| *at == place) {
                return Some(Step::Refused(refusal));
            }
            Some(match replies.next()? {
                Reply::Done(answer) => Step::Done(answer),
                Reply::Refused(refusal) => Step::Refused(refusal),
                Reply::Known { sequence, .. } => match again(asked) {
                    Ok((operation, fingerprint)) => Step::Known { sequence, operation, fingerprint },
                    Err(refusal) => Step::Refused(refusal),
                },
            })
        };
        (asked.iter().enumerate().filter_map(step).collect(), executed.seen)
    }

    fn hold(&self, shape: Shape, steps: Vec<Step>, seen: Sequence) -> Called {
        // Encoded at once where that is possible: the disk is busy in the meantime.
        let later = steps.iter().any(Step::is_known);
        let reply = if later { Held::Later(shape, steps) } else { Held::Ready(self.message(shape, &steps)) };
        Called { seen, reply }
    }

    fn show<'s>(&self, step: &'s Step) -> Shown<'s> {
        match step {
            Step::Done(answer) => Shown::Done(answer),
            Step::Refused(refusal) => Shown::Refused(Cow::Borrowed(refusal)),
            Step::Known { sequence, operation, fingerprint } => {
                match recall::recall(&self.engine, *sequence, *operation, fingerprint) {
                    Ok(recalled) => Shown::Again(recalled),
                    Err(refusal) => Shown::Refused(Cow::Owned(refusal)),
                }
            }
        }
    }

    fn message(&self, shape: Shape, steps: &[Step]) -> Result<Vec<u8>, Failure> {
        let mut shown = steps.iter().map(|step| self.show(step));
        match shape {
            Shape::Changes => {
                let results = shown.map(|it| self.changed(it)).collect();
                Ok(internal::PutDocumentsBatchResponse { results }.encode_to_vec())
            }
            Shape::Answer | Shape::Result | Shape::Change => match (shape, shown.next()) {
                (Shape::Result, Some(shown)) => Ok(written(|out| self.append_result(shown, out))),
                (_, Some(Shown::Refused(refusal))) => Err(self.statuses.failure(&refusal)),
                (Shape::Change, Some(shown)) => Ok(self.changed(shown).encode_to_vec()),
                (_, Some(Shown::Done(answer))) => {
                    Ok(written(|out| encode::append_answer(answer, false, out)))
                }
                (_, Some(Shown::Again(recalled))) => {
                    Ok(written(|out| encode::append_answer(&recalled.answer, true, out)))
                }
                (_, None) => Err(self.abandoned()),
            },
        }
    }

    fn append_result(&self, shown: Shown<'_>, out: &mut Vec<u8>) {
        match shown {
            Shown::Done(answer) => encode::append_result(answer, false, out),
            Shown::Again(recalled) => encode::append_result(&recalled.answer, true, out),
            Shown::Refused(refusal) => {
                let refused = v1::result::Result::Status(self.statuses.status(&refusal));
                refused.encode(out);
            }
        }
    }

    fn changed(&self, shown: Shown<'_>) -> internal::PutDocumentsResult {
        use internal::put_documents_result::Result as R;
        let (result, replayed, documents) = match shown {
            Shown::Done(answer) => (R::Version(encode::number(answer.sequence)), false, Vec::new()),
            Shown::Again(recalled) => {
                (R::Version(encode::number(recalled.answer.sequence)), true, recalled.documents)
            }
            Shown::Refused(refusal) => (R::Refused(self.statuses.status(&refusal)), false, Vec::new()),
        };
        internal::PutDocumentsResult { result: Some(result), replayed, documents }
    }

    fn get_stock(&self, request: &v1::GetStockRequest) -> Result<Called, Refusal> {
        let (sku, warehouses) = decode::stock(request)?;
        Ok(self.show_counters(&[sku], warehouses, Counters::stock))
    }

    fn batch_get_stock(&self, request: &v1::BatchGetStockRequest) -> Result<Called, Refusal> {
        Ok(self.show_counters(decode::skus(&request.skus)?, &[], Counters::stocks))
    }

    fn get_sales_stock(&self, request: &v1::GetSalesStockRequest) -> Result<Called, Refusal> {
        let (skus, channel) = decode::sales(request)?;
        Ok(self.show_read(self.engine.read(|state, _| encode::sales(state, skus, channel))))
    }

    fn get_dispatch_stock(&self, request: &v1::GetDispatchStockRequest) -> Result<Called, Refusal> {
        let (skus, place) = decode::dispatch(request)?;
        Ok(self.show_read(self.engine.read(|state, _| encode::dispatch(state, skus, place))))
    }

    fn get_warehouse_stock(&self, request: &v1::GetWarehouseStockRequest) -> Result<Called, Refusal> {
        let (skus, warehouses) = decode::warehouse_layer(request)?;
        Ok(self.show_counters(skus, warehouses, Counters::warehouse_layer))
    }

    /// Copies counters under the engine's lock and makes the message after it.
    fn show_counters<M: Message, S: AsRef<str>>(
        &self,
        skus: &[S],
        warehouses: &[String],
        message: fn(Counters) -> M,
    ) -> Called {
        let (copied, seen) = self.engine.read(|state, _| encode::counters(state, skus, warehouses));
        self.show_read((copied.map(message), seen))
    }

    fn get_reservation(&self, request: &v1::GetReservationRequest) -> Result<Called, Refusal> {
        let id = decode::reservation_id(request)?;
        Ok(self.show_read(self.engine.read(|state, _| encode::reservation(state, id))))
    }

    fn check_availability(&self, bytes: &[u8]) -> Result<Called, Refusal> {
        let mut room = Vec::new();
        let rewrite = decode::rewritten::<v1::CheckAvailabilityRequest>;
        let request = decode::read(bytes, &mut room, CheckAvailabilityRequest::read, rewrite)?;
        let demand = decode::availability(&request)?;
        Ok(self.show_read(
            self.engine
                .read(|state, now| encode::availability(state, decide::availability(state, now, &demand))),
        ))
    }

    fn list_documents(&self, request: &internal::ListDocumentsRequest) -> Result<Called, Refusal> {
        let asked = decode::listing(request)?;
        Ok(self.show_read(self.engine.read(|state, _| {
            Ok::<_, Refusal>(encode::documents(state, asked.kind, asked.after, asked.limit, asked.only))
        })))
    }

    fn get_documents(&self, request: &internal::GetDocumentsRequest) -> Result<Called, Refusal> {
        let (kind, ids) = decode::named(request)?;
        let read = |state: &State| Ok::<_, Refusal>(encode::named_documents(state, kind, ids));
        Ok(self.show_read(self.engine.read(|state, _| read(state))))
    }

    fn show_read<M: Message>(&self, (read, seen): (Result<M, Refusal>, Sequence)) -> Called {
        let reply = match read {
            Ok(message) => Ok(message.encode_to_vec()),
            Err(refusal) => Err(self.statuses.failure(&refusal)),
        };
        Called { seen, reply: Held::Ready(reply) }
    }
}

/// An answer's bytes; one to a lock of one line fits without growing.
fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(ANSWER_BYTES);
    write(&mut out);
    out
}

fn check_length(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(Refusal::MessageTooLarge { limit: MESSAGE_BYTES_MAX });
    }
    Ok(())
}

fn read<M: Message + Default>(bytes: &[u8]) -> Result<M, Refusal> {
    M::decode(bytes).map_err(|error| decode::malformed(&error))
}

/// One command of a stream; `None` where it is to be brought into canonical form first.
fn command(bytes: &[u8]) -> Option<Result<Asked<'_>, Refusal>> {
    check_length(bytes).map_or_else(|refusal| Some(Err(refusal)), |()| Asked::of_command(bytes))
}

fn rewritten_command(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    decode::rewritten::<v1::Command>(bytes).map_err(|error| decode::malformed(&error))
}

fn reread_command<'a>(rewritten: Result<&'a [u8], &Refusal>) -> Result<Asked<'a>, Refusal> {
    decode::reread(rewritten.map_err(Clone::clone)?, Asked::of_command).flatten()
}

/// The commands of a batch are counted before anything is made of them.
fn checked_count(bytes: &[u8]) -> Result<usize, Refusal> {
    match count(bytes).map_err(|error| decode::malformed(&error))? {
        0 => Err(Refusal::FieldRequired { field: "commands".to_owned() }),
        count @ 1..=COMMANDS_MAX => Ok(count),
        _ => Err(Refusal::TooManyCommands { limit: COMMANDS_MAX }),
    }
}

fn count(mut bytes: &[u8]) -> Result<usize, DecodeError> {
    const COMMANDS: u32 = 1;
    let mut commands = 0;
    while !bytes.is_empty() {
        let (number, wire) = decode_key(&mut bytes)?;
        skip_field(wire, number, &mut bytes, DecodeContext::default())?;
        commands += usize::from(number == COMMANDS);
    }
    Ok(commands)
}
