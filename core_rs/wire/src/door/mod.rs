//! One function for both doors: bytes in, bytes out.

mod arrived;
mod reads;

use std::future::ready;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use lockstock_engine::Engine;
use lockstock_stock::answer::View;
use lockstock_stock::command::Request;
use lockstock_stock::event::{Fingerprint, Operation};
use lockstock_stock::ids::Sequence;
use lockstock_stock::limits::COMMANDS_MAX;
use lockstock_stock::machine::Reply;
use lockstock_stock::refusal::Refusal;
use prost::Message;

use crate::decode::{self, Asked, Asks, Context, Planned, Step as OrderStep};
use crate::encode;
use crate::method::{self, Caller, Method};
use crate::proto::lockstock::{internal::v1 as internal, v1};
use crate::recall;
use crate::request_id::RequestIds;
use crate::status::{Failure, Statuses};
use arrived::Reading;

pub use crate::request_id::NoRandomness;

/// The longest message of the contract, in bytes. Transports take twice as much, so that the refusal is ours.
pub const MESSAGE_BYTES_MAX: usize = 8 << 20;

/// Room for the answer to a command of one line.
const ANSWER_BYTES: usize = 256;

/// Commands of a batch that are read at once, and that are run at once: either takes some 300 us.
const READ_AT_ONCE: usize = 512;
const RUN_AT_ONCE: usize = 64;

/// A call that the engine has judged. Nothing of it may be sent before `seen` is durable.
#[derive(Debug)]
#[must_use = "somebody waits for the answer"]
pub struct Called {
    /// The newest sequence that the answer saw; 0 where it saw nothing.
    pub seen: Sequence,
    reply: Result<Written, Failure>,
}

impl Called {
    /// How long the answer is, in bytes, as far as it does not stand in the journal.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.reply {
            Ok(written) => written.bytes.len(),
            Err(failure) => failure.status.len(),
        }
    }

    /// Whether finishing reads the journal: the first answers to repeated requests are there.
    #[must_use]
    pub fn reads_journal(&self) -> bool {
        self.reply.as_ref().is_ok_and(|written| !written.known.is_empty())
    }
}

/// An answer, but for what stands in the journal.
#[derive(Debug)]
struct Written {
    shape: Shape,
    bytes: Vec<u8>,
    /// The first answers that belong between the bytes, in the order of their places.
    known: Vec<Known>,
}

impl Written {
    const fn into(shape: Shape, bytes: Vec<u8>) -> Self {
        Self { shape, bytes, known: Vec::new() }
    }
}

/// How what came of a command is written: alone, or as one of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Answer,
    Result,
    Results,
    Change,
    Changes,
}

/// A command whose first answer stands in the journal, and where in an answer that belongs.
#[derive(Debug)]
struct Known {
    place: usize,
    sequence: Sequence,
    operation: Operation,
    fingerprint: Fingerprint,
}

/// What came of one command.
enum Came<'s> {
    Done(View<'s>),
    Refused(Refusal),
    /// Refused before it got to the state.
    Unseen(Refusal),
    Known {
        sequence: Sequence,
        operation: Operation,
        fingerprint: Fingerprint,
    },
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

    /// Runs operations on stock that were called together, as one hold of the engine; each is answered as if it had come
    /// alone.
    pub fn operate<'a>(&self, calls: impl IntoIterator<Item = (Operation, &'a [u8])>) -> Vec<Called> {
        let asked: Vec<_> = calls.into_iter().map(|(operation, bytes)| (Some(operation), bytes)).collect();
        self.together(Shape::Answer, &asked)
    }

    /// Runs commands of a stream that arrived together, as one hold of the engine; a result each.
    pub fn execute<B: AsRef<[u8]>>(&self, commands: &[B]) -> Vec<Called> {
        let asked: Vec<_> = commands.iter().map(|bytes| (None, bytes.as_ref())).collect();
        self.together(Shape::Result, &asked)
    }

    /// Runs what arrived together: an operation's request, or a command, which names its operation itself.
    fn together(&self, shape: Shape, arrived: &[(Option<Operation>, &[u8])]) -> Vec<Called> {
        let mut reading = Reading::of(arrived.len());
        for (operation, bytes) in arrived {
            reading.push(*operation, bytes);
        }
        let (read, rewritten) = reading.done();
        let asked = arrived::merged(read, &rewritten);
        let mut all = Vec::with_capacity(asked.len());
        let seen = self.operations(&asked, &mut |came| {
            // For those that saw the state it is told at the end how much of it.
            let seen = if matches!(came, Came::Unseen(_)) { 0 } else { Sequence::MAX };
            let mut written = Written::into(shape, room_for(1));
            all.push(Called { seen, reply: self.write(came, &mut written).map(|()| written) });
        });
        for called in &mut all {
            called.seen = called.seen.min(seen);
        }
        all
    }

    /// Runs a batch, a few commands at a time; `pause` is waited for in between, by who has others to serve. A command
    /// that was not run when the caller gives up is not run at all.
    pub async fn batch<P: Future<Output = ()>>(&self, bytes: &[u8], pause: impl Fn() -> P) -> Called {
        self.run_batch(bytes, pause).await.unwrap_or_else(|refusal| self.refuse(&refusal))
    }

    /// The answer to a call, once what it saw is durable.
    pub fn finish(&self, called: Called) -> Result<Vec<u8>, Failure> {
        let Written { shape, bytes, known } = called.reply?;
        if known.is_empty() {
            return Ok(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len() + known.len() * ANSWER_BYTES);
        let mut from = 0;
        for Known { place, sequence, operation, fingerprint } in known {
            out.extend_from_slice(&bytes[from..place]);
            from = place;
            let first = |first: View<'_>| self.append(shape, Ok(&first), true, &mut out);
            match recall::recall(&self.engine, sequence, operation, &fingerprint, first) {
                Ok(appended) => appended?,
                Err(refusal) => self.append(shape, Err(&refusal), false, &mut out)?,
            }
        }
        out.extend_from_slice(&bytes[from..]);
        Ok(out)
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
        Called { seen: 0, reply: Err(self.statuses.failure(refusal)) }
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
            Method::ExecuteBatch => at_once(self.run_batch(bytes, || ready(()))),
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
        self.called(shape, |tell| self.operations(asked, tell))
    }

    /// Nothing is run before all of it could be read. Then a few commands at a time go all the way from message to result
    /// before the next: what is made of them on the way is small, and the memory of one serves the next.
    async fn run_batch<P: Future<Output = ()>>(
        &self,
        bytes: &[u8],
        pause: impl Fn() -> P,
    ) -> Result<Called, Refusal> {
        check_length(bytes)?;
        let commands = arrived::commands(bytes)?;
        let mut reading = Reading::of(commands.len());
        for (number, some) in commands.chunks(READ_AT_ONCE).enumerate() {
            if number > 0 {
                pause().await;
            }
            for bytes in some {
                reading.push(None, bytes);
            }
            reading.check()?;
        }
        let (read, rewritten) = reading.done();
        let asked = arrived::merged(read, &rewritten);
        let (mut seen, mut reply) = (0, Ok(Written::into(Shape::Results, room_for(asked.len()))));
        for some in asked.chunks(RUN_AT_ONCE) {
            pause().await;
            seen = seen.max(self.operations(some, &mut |came| self.note(came, &mut reply)));
        }
        Ok(Called { seen, reply })
    }

    fn put(&self, shape: Shape, changes: &[internal::PutDocumentsRequest]) -> Called {
        let again = |change: &_| Ok((Operation::PutDocuments, decode::fingerprint_of_change(change)));
        self.called(shape, |tell| self.ask(changes, decode::change, again, tell))
    }

    fn operations<A: Asks>(&self, asked: &[Result<A, Refusal>], tell: &mut dyn FnMut(Came<'_>)) -> Sequence {
        self.ask(
            asked,
            |asked, context| asked.as_ref().map_err(Clone::clone).and_then(|it| decode::request(it, context)),
            |asked| asked.as_ref().map(|it| (it.operation(), decode::fingerprint(it))).map_err(Clone::clone),
            tell,
        )
    }

    /// Has the engine run what has the right form, and tells what came of each, in the order of what was asked.
    /// `again`: what tells a request that was made before from another with its key.
    fn ask<'a, T>(
        &self,
        asked: &'a [T],
        request: impl Fn(&'a T, &Context<'_>) -> Result<Request<'a>, Refusal>,
        again: impl Fn(&'a T) -> Result<(Operation, Fingerprint), Refusal>,
        tell: &mut dyn FnMut(Came<'_>),
    ) -> Sequence {
        let context = Context {
            limits: self.engine.limits(),
            buyer: &|buyer| self.engine.buyer_hash(buyer),
            fresh_key: &|| self.request_ids.fresh(self.engine.now()),
        };
        let mut requests: Vec<_> = asked.iter().map(|asked| request(asked, &context)).collect();
        let mut asked = asked.iter();
        self.engine.run(&mut requests, |told| {
            let Some(asked) = asked.next() else { return };
            tell(match told {
                Err(refusal) => Came::Unseen(refusal),
                Ok(Reply::Done(answer)) => Came::Done(answer),
                Ok(Reply::Refused(refusal)) => Came::Refused(refusal),
                Ok(Reply::Known { sequence, .. }) => match again(asked) {
                    Ok((operation, fingerprint)) => Came::Known { sequence, operation, fingerprint },
                    Err(refusal) => Came::Refused(refusal),
                },
            });
        })
    }

    /// Runs one command, and writes what came of it while the disk is busy.
    fn called(&self, shape: Shape, run: impl FnOnce(&mut dyn FnMut(Came<'_>)) -> Sequence) -> Called {
        let mut reply = Ok(Written::into(shape, room_for(1)));
        let seen = run(&mut |came| self.note(came, &mut reply));
        Called { seen, reply }
    }

    /// Writes what came of a command behind what came of those before, where none of them has failed the call.
    fn note(&self, came: Came<'_>, reply: &mut Result<Written, Failure>) {
        if let Ok(written) = reply
            && let Err(failure) = self.write(came, written)
        {
            *reply = Err(failure);
        }
    }

    fn write(&self, came: Came<'_>, to: &mut Written) -> Result<(), Failure> {
        match came {
            Came::Done(answer) => self.append(to.shape, Ok(&answer), false, &mut to.bytes),
            Came::Refused(refusal) | Came::Unseen(refusal) => {
                self.append(to.shape, Err(&refusal), false, &mut to.bytes)
            }
            Came::Known { sequence, operation, fingerprint } => {
                to.known.push(Known { place: to.bytes.len(), sequence, operation, fingerprint });
                Ok(())
            }
        }
    }

    /// Appends what is shown of a command; `Err`: what the call fails with.
    fn append(
        &self,
        shape: Shape,
        shown: Result<&View<'_>, &Refusal>,
        replayed: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        match (shape, shown) {
            (Shape::Answer | Shape::Change, Err(refusal)) => return Err(self.statuses.failure(refusal)),
            (Shape::Answer, Ok(answer)) => encode::append_answer(answer, replayed, out),
            (Shape::Result, shown) => self.append_result(shown, replayed, out),
            (Shape::Results, shown) => {
                encode::append_to_list(out, |out| self.append_result(shown, replayed, out));
            }
            (Shape::Change, shown) => self.append_change(shown, replayed, out),
            (Shape::Changes, shown) => {
                encode::append_to_list(out, |out| self.append_change(shown, replayed, out));
            }
        }
        Ok(())
    }

    fn append_result(&self, shown: Result<&View<'_>, &Refusal>, replayed: bool, out: &mut Vec<u8>) {
        match shown {
            Ok(answer) => encode::append_result(answer, replayed, out),
            Err(refusal) => v1::result::Result::Status(self.statuses.status(refusal)).encode(out),
        }
    }

    fn append_change(&self, shown: Result<&View<'_>, &Refusal>, replayed: bool, out: &mut Vec<u8>) {
        use internal::put_documents_result::Result as R;
        let (result, documents) = match shown {
            Ok(answer) => {
                let documents = if replayed { recall::documents(answer.event()) } else { Vec::new() };
                (R::Version(encode::number(answer.event().sequence)), documents)
            }
            Err(refusal) => (R::Refused(self.statuses.status(refusal)), Vec::new()),
        };
        let result = internal::PutDocumentsResult { result: Some(result), replayed, documents };
        out.append(&mut result.encode_to_vec());
    }
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

fn room_for(answers: usize) -> Vec<u8> {
    Vec::with_capacity(answers * ANSWER_BYTES)
}

/// What comes of a future that nobody makes wait.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
            return outcome;
        }
    }
}
