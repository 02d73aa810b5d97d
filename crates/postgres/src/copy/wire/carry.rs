//! Rows from one server to the other, with all that goes before and after them on the target, in one round trip.
//!
//! The target gets one query of many statements, and the rows for each COPY in it before it has asked for them. It does one
//! statement after the other and stops at the first that fails; what is still on its way then, it throws away. So the first error is
//! the only one, and nothing that follows a failure is done.

use std::pin::{Pin, pin};
use std::task::Poll;

use futures::future::{MaybeDone, maybe_done, poll_fn};
use tokio::io::{AsyncWriteExt, WriteHalf, split};

use super::answer::{Answer, listen};
use super::connect::Stream;
use super::frames::{Outbox, Walked, misunderstood};
use super::{DRAIN_DEADLINE, Wire};
use crate::copy::transfer::{Kind, Statements};
use crate::error::{Doing, Error, Result};

/// A piece of work: tables or parts of them, and what is done on the target around them.
pub struct Cargo {
    /// Statements on the target before the rows, such as `begin; truncate only …`.
    pub before: String,
    /// What is copied, in this order.
    pub tables: Vec<Statements>,
    /// Statements on the target after the rows, such as `insert …; commit; create index …`. The work counts from the first commit on.
    pub after: String,
}

/// What came of a piece of work.
#[derive(Debug)]
pub struct Carried {
    /// Rows of each table.
    pub rows: Vec<u64>,
    /// What was refused after the first commit. The statements behind it were not executed.
    pub unfinished: Option<Error>,
}

/// Hears how much goes through, and may hold it back.
pub trait Meter: Sync {
    /// So many bytes of the nth table go through, when the future is ready.
    fn pass(&self, table: usize, bytes: usize) -> impl Future<Output = ()> + Send;
}

/// Only counts.
impl<F: Fn(usize, usize) + Sync> Meter for F {
    async fn pass(&self, table: usize, bytes: usize) {
        self(table, bytes);
    }
}

/// Carries rows from `source` to `target`. After a failure the target's transaction is rolled back, and both connections can be used
/// again unless [`Wire::is_usable`] says otherwise.
///
/// # Errors
/// What failed first, on whichever side, before anything was committed. A connection lost during the commit leaves open whether it was.
pub async fn carry(source: &mut Wire, target: &mut Wire, cargo: &Cargo, meter: &impl Meter) -> Result<Carried> {
    let request = Request::new(source, cargo).await?;
    target.send(&request.into).await.doing(|| request.everything())?;
    let (carried, answer) = {
        let Wire { stream, inbox, outbox, .. } = &mut *target;
        let (mut ears, mouth) = split(stream);
        let answer = pin!(maybe_done(listen(inbox, &mut ears)));
        let mut carrier = Carrier { source: &mut *source, answer, mouth, outbox, meter, request: &request };
        let carried = carrier.run().await;
        let answer = carrier.end(&carried).await;
        (carried, answer)
    };
    target.idle = answer.over;
    if !source.idle && matches!(carried, Err(Stop::Answered | Stop::Lost(_))) {
        source.drain().await;
    }
    if answer.error.is_some() || carried.is_err() {
        target.roll_back().await;
    }
    request.result(carried, answer)
}

/// What both servers are asked for.
struct Request<'a> {
    out: String,
    into: String,
    cargo: &'a Cargo,
    /// Which of the tables come by COPY.
    copies: Vec<usize>,
    /// Rows of the others.
    bare: Vec<u64>,
}

impl<'a> Request<'a> {
    async fn new(source: &mut Wire, cargo: &'a Cargo) -> Result<Self> {
        let (mut reads, mut writes) = (Vec::new(), vec![cargo.before.clone()]);
        let (mut copies, mut bare) = (Vec::new(), vec![0; cargo.tables.len()]);
        for (nth, table) in cargo.tables.iter().enumerate() {
            match &table.kind {
                Kind::Rows { out, into } => {
                    reads.push(out.as_str());
                    writes.push(into.clone());
                    copies.push(nth);
                }
                Kind::Bare { count } => {
                    let doing = || format!("copy {}", table.table);
                    let count = source.query_text(count).await.doing(doing)?.and_then(|count| count.parse().ok());
                    bare[nth] = count.ok_or_else(|| misunderstood("no number").doing(doing()))?;
                    writes.push(format!("insert into {} select from pg_catalog.generate_series(1, {})", table.table, bare[nth]));
                }
            }
        }
        writes.push(cargo.after.clone());
        // Behind a line's end, so that no comment at the end of a statement takes the next one with it.
        Ok(Self { out: reads.join("\n;"), into: writes.join("\n;"), cargo, copies, bare })
    }

    /// What is done when `copied` COPY statements are complete.
    fn doing(&self, copied: usize, copying: bool) -> String {
        match self.copies.get(copied) {
            Some(nth) if copying || copied > 0 => format!("copy {}", self.cargo.tables[*nth].table),
            _ => self.everything(),
        }
    }

    fn everything(&self) -> String {
        let names: Vec<String> = self.cargo.tables.iter().map(|table| table.table.to_string()).collect();
        format!("copy {}", names.join(", "))
    }

    fn result(self, carried: Result<(), Stop>, mut answer: Answer) -> Result<Carried> {
        let copied = answer.copied.len();
        let refused = answer.error.take().map(|error| error.doing(self.doing(copied, answer.copying)));
        let error = match (carried, refused) {
            (Err(Stop::Source(error)), _) => return Err(error),
            (_, Some(refused)) => Some(refused),
            (Err(Stop::Lost(error)), None) => Some(error.doing(self.everything())),
            (Err(Stop::Answered), None) => Some(misunderstood("the end of its answer").doing(self.everything())),
            (Ok(()), None) => None,
        };
        if let Some(error) = error {
            if !answer.committed || copied < self.copies.len() {
                return Err(error);
            }
            return Ok(Carried { rows: self.rows(&answer), unfinished: Some(error) });
        }
        Ok(Carried { rows: self.rows(&answer), unfinished: None })
    }

    fn rows(self, answer: &Answer) -> Vec<u64> {
        let mut rows = self.bare;
        for (nth, copied) in self.copies.into_iter().zip(&answer.copied) {
            rows[nth] = *copied;
        }
        rows
    }
}

/// Why not everything was sent.
enum Stop {
    /// The source failed.
    Source(Error),
    /// The target has answered before its end; the answer says why.
    Answered,
    /// What was sent to the target did not get there.
    Lost(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Source(error)
    }
}

/// Moves the rows, and listens to the target at every step.
struct Carrier<'a, 'b, L: Future<Output = Answer>, M> {
    source: &'a mut Wire,
    answer: Pin<&'a mut MaybeDone<L>>,
    mouth: WriteHalf<&'b mut Stream>,
    outbox: &'a mut Outbox,
    meter: &'a M,
    request: &'a Request<'a>,
}

impl<L: Future<Output = Answer>, M: Meter> Carrier<'_, '_, L, M> {
    async fn run(&mut self) -> Result<(), Stop> {
        if self.request.copies.is_empty() {
            return Ok(());
        }
        let mut said = Answer::default();
        let carried = self.pump(&mut said).await;
        carried.map_err(|stop| match stop {
            Stop::Source(error) => Stop::Source(error.doing(self.request.doing(said.copied.len(), said.copying))),
            other => other,
        })
    }

    /// Moves everything that the source sends; `said` is what it has answered beside the rows.
    async fn pump(&mut self, said: &mut Answer) -> Result<(), Stop> {
        let copies = &self.request.copies;
        self.source.send(&self.request.out).await?;
        loop {
            let (moved, walked) = self.source.inbox.walk(self.outbox)?;
            if moved > 0 {
                let nth = copies.get(said.copied.len()).ok_or_else(|| misunderstood("rows"))?;
                unless_answered(self.answer.as_mut(), self.meter.pass(*nth, moved)).await?;
            }
            match walked {
                Walked::Full => self.say().await?,
                Walked::Hungry => {
                    let Wire { inbox, stream, .. } = &mut *self.source;
                    unless_answered(self.answer.as_mut(), inbox.fill(stream)).await??;
                }
                Walked::Message(tag, body) => {
                    let copied = said.copied.len();
                    said.hear(tag, &body)?;
                    self.source.idle = said.over;
                    if said.over {
                        break;
                    }
                    // Not before its source has completed it, and the last one not before that is ready for the next query: until then
                    // what was read may turn out not to count.
                    if said.copied.len() > copied && said.copied.len() < copies.len() {
                        self.outbox.done();
                    }
                }
            }
        }
        match said.error.take() {
            Some(error) => Err(error.into()),
            None if said.copied.len() == copies.len() => {
                self.outbox.done();
                self.say().await
            }
            None => Err(misunderstood("the end of its answer").into()),
        }
    }

    /// Sends what is due, whole messages whatever the target answers meanwhile; it throws away what it has no use for.
    async fn say(&mut self) -> Result<(), Stop> {
        let (mouth, bytes) = (&mut self.mouth, self.outbox.sealed());
        let mut sending = pin!(async {
            mouth.write_all(bytes).await?;
            mouth.flush().await
        });
        let mut answer = self.answer.as_mut();
        let said = poll_fn(|cx| {
            let answered = answer.as_mut().poll(cx).is_ready();
            // Nobody is there any more to read it.
            if answer.as_mut().output_mut().is_some_and(|answer| !answer.over) {
                return Poll::Ready(Err(Stop::Answered));
            }
            let sent = sending.as_mut().poll(cx);
            sent.map(|sent| match sent {
                Err(error) => Err(Stop::Lost(error.into())),
                Ok(()) if answered => Err(Stop::Answered),
                Ok(()) => Ok(()),
            })
        });
        let said = said.await;
        self.outbox.clear();
        said
    }

    /// The target's whole answer, now that it gets no more rows.
    async fn end(&mut self, carried: &Result<(), Stop>) -> Answer {
        if matches!(carried, Err(Stop::Source(_))) && self.outbox.fail("the source failed").is_ok() {
            // That it did not get there, the answer says too.
            let _ = self.say().await;
        }
        if matches!(carried, Err(Stop::Lost(_))) {
            // It may have said why before it went.
            let _ = tokio::time::timeout(DRAIN_DEADLINE, self.answer.as_mut()).await;
        } else {
            self.answer.as_mut().await;
        }
        self.answer.as_mut().take_output().unwrap_or_default()
    }
}

/// Waits for `work`, but no longer than until the target has answered.
async fn unless_answered<T>(
    mut answer: Pin<&mut MaybeDone<impl Future<Output = Answer>>>,
    work: impl Future<Output = T>,
) -> Result<T, Stop> {
    let mut work = pin!(work);
    poll_fn(|cx| match answer.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(Err(Stop::Answered)),
        Poll::Pending => work.as_mut().poll(cx).map(Ok),
    })
    .await
}
