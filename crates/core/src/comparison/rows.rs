//! The compare of single rows.

use std::collections::BTreeSet;
use std::time::Duration;

use azure2neon_postgres::digest::{self, Identity, RowState, Rows, Which};

use super::bracket::{Job, Work};
use super::sessions::Pool;
use crate::error::{Error, ErrorKind, Result};

/// So many rows are listed at once.
pub(super) const ROWS_AT_ONCE: i64 = 10_000;
/// So many rows of a table that differ are kept, to be repaired.
const MOST_FOUND: usize = 10_000;
/// A row that is in doubt so often changes all the time.
const TRIES: usize = 8;
/// The first pause between two tries; each is twice as long as the one before,
const SHORTEST: Duration = Duration::from_millis(50);
/// up to this.
const LONGEST: Duration = Duration::from_secs(2);

/// A row that differs.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) identity: Identity,
    pub(super) source: Option<RowState>,
    pub(super) target: Option<RowState>,
}

#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    Equal,
    Different,
    InDoubt,
}

/// What is known of a row at four moments, one after another; the target has applied by the third all that was committed by the second.
#[derive(Clone, Copy)]
struct Looks<'r> {
    /// On the target, an earlier time.
    earlier: Option<&'r RowState>,
    before: Option<&'r RowState>,
    there: Option<&'r RowState>,
    after: Option<&'r RowState>,
}

impl Looks<'_> {
    fn judge(self) -> Judgement {
        let digest = |row: Option<&RowState>| row.map(|row| row.digest);
        if digest(self.there) == digest(self.before) || digest(self.there) == digest(self.after) {
            return Judgement::Equal;
        }
        match (self.before, self.after) {
            // Nobody wrote it meanwhile, and what was written before is applied.
            (Some(before), Some(after)) if before == after => Judgement::Different,
            // It was on the target before the source was asked, which doesn't have it, and nobody has touched it since.
            (None, None) if self.earlier.is_some() && self.earlier == self.there => Judgement::Different,
            _ => Judgement::InDoubt,
        }
    }
}

impl Job<'_> {
    /// Compares rows one by one; there are so many on the source and on the target.
    pub(super) async fn list(&self, work: &Work, (here, there): (i64, i64)) -> Result<()> {
        let _memory = self.lists.acquire().await.map_err(|_| Error::new(ErrorKind::Internal, "the compare's lists are gone"))?;
        {
            let mut tally = self.tally(work.table);
            (tally.source_rows, tally.target_rows) = (tally.source_rows + here, tally.target_rows + there);
        }
        let mut known: Option<Rows> = None;
        let mut earlier = Rows::new();
        let mut open: Option<Vec<Identity>> = None;
        let mut suspects = BTreeSet::new();
        let mut pause = SHORTEST;
        for _ in 0..TRIES {
            let which = open.as_deref().map_or(Which::In(&work.extent), Which::Of);
            let (before, there) = match &self.marker {
                None => tokio::try_join!(self.rows(&self.source, work, which), self.rows(&self.target, work, which))?,
                Some(marker) => {
                    let before = match known.take() {
                        Some(known) => known,
                        None => self.rows(&self.source, work, which).await?,
                    };
                    marker.passed().await?;
                    (before, self.rows(&self.target, work, which).await?)
                }
            };
            let after = if self.marker.is_some() { self.rows(&self.source, work, which).await? } else { before.clone() };
            let mut doubtful = Vec::new();
            let identities: BTreeSet<&Identity> = before.keys().chain(there.keys()).chain(after.keys()).collect();
            for identity in identities {
                let looks = Looks {
                    earlier: earlier.get(identity),
                    before: before.get(identity),
                    there: there.get(identity),
                    after: after.get(identity),
                };
                match looks.judge() {
                    Judgement::Equal => {}
                    // Once more, unless both stand still: nobody should be told of a difference that isn't one.
                    Judgement::Different | Judgement::InDoubt if self.marker.is_none() => self.found(work, identity, looks),
                    Judgement::Different if !suspects.insert(identity.clone()) => self.found(work, identity, looks),
                    Judgement::Different | Judgement::InDoubt => doubtful.push(identity.clone()),
                }
            }
            if doubtful.is_empty() {
                return Ok(());
            }
            (open, known, earlier) = (Some(doubtful), Some(after), there);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
        self.tally(work.table).changing.extend(open.unwrap_or_default());
        Ok(())
    }

    async fn rows(&self, pool: &Pool<'_>, work: &Work, which: Which<'_>) -> Result<Rows> {
        Ok(digest::rows(&*pool.lease().await?, self.subject(work.table), which).await?)
    }

    fn found(&self, work: &Work, identity: &Identity, looks: Looks<'_>) {
        let mut tally = self.tally(work.table);
        if tally.found.len() < MOST_FOUND {
            let found = Found { identity: identity.clone(), source: looks.after.cloned(), target: looks.there.cloned() };
            tally.found.push(found);
        } else {
            tally.more += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(looks: [Option<(i64, &str)>; 4]) -> Judgement {
        let rows = looks.map(|look| look.map(|(digest, version)| RowState { digest, version: version.into() }));
        let [earlier, before, there, after] = &rows;
        Looks { earlier: earlier.as_ref(), before: before.as_ref(), there: there.as_ref(), after: after.as_ref() }.judge()
    }

    #[test]
    fn a_row_in_flight_is_no_difference() {
        let (a, b, x) = (Some((1, "a")), Some((2, "b")), Some((9, "x")));
        // Written before, between or after the looks.
        assert_eq!(judge([None, a, Some((1, "t")), b]), Judgement::Equal);
        assert_eq!(judge([None, a, Some((2, "t")), b]), Judgement::Equal);
        assert_eq!(judge([None, a, x, b]), Judgement::InDoubt);
        // It came back to what it was: written twice.
        assert_eq!(judge([None, a, x, Some((1, "c"))]), Judgement::InDoubt);
        // It came and went.
        assert_eq!(judge([None, None, x, None]), Judgement::InDoubt);
        assert_eq!(judge([Some((9, "y")), None, x, None]), Judgement::InDoubt);
        assert_eq!(judge([None, a, None, None]), Judgement::Equal);
    }

    #[test]
    fn a_row_that_nobody_wrote_is_one() {
        let a = Some((1, "a"));
        assert_eq!(judge([None, a, Some((9, "x")), a]), Judgement::Different);
        assert_eq!(judge([None, a, None, a]), Judgement::Different);
        assert_eq!(judge([Some((9, "x")), None, Some((9, "x")), None]), Judgement::Different);
    }
}
