//! What was found, in words.

use azure2neon_postgres::digest::{self, Identity, RowState, Subject};
use azure2neon_postgres::inventory::Column;

use super::bracket::{Job, Tally};
use super::rows::Found;
use super::{ColumnDifference, Difference, Kind, SHOWN, TableVerdict, Verdict};
use crate::error::Result;
use crate::units;

/// The columns are looked at of so many rows of a table,
const LOOKED_INTO: usize = 20;
/// A longer key is cut to so many characters.
const LONGEST_KEY: usize = 100;

/// The verdict on each table that is wholly compared.
pub(super) async fn verdicts(job: &Job<'_>) -> Result<Vec<TableVerdict>> {
    let mut verdicts = Vec::with_capacity(job.pairs.len());
    for (table, pair) in job.pairs.iter().enumerate() {
        if !job.is_finished(table) {
            continue;
        }
        let tally = std::mem::take(&mut *job.tally(table));
        let differences = differences(job, &pair.subject, &tally).await?;
        verdicts.push(TableVerdict {
            bytes: pair.source.bytes,
            evidence: Some(pair.evidence),
            source_rows: tally.source_rows,
            target_rows: tally.target_rows,
            chunks: tally.chunks,
            asked_again: tally.asked_again,
            more_differences: tally.more + (tally.found.len() - differences.len()) as u64,
            differences,
            changing: tally.changing.iter().take(LOOKED_INTO).map(|identity| name(&pair.subject, identity)).collect(),
            ..TableVerdict::of_table(pair.subject.name.clone(), verdict(&tally), None)
        });
        job.tally(table).found = tally.found;
    }
    Ok(verdicts)
}

fn verdict(tally: &Tally) -> Verdict {
    match (tally.found.is_empty(), tally.changing.is_empty()) {
        (false, _) => Verdict::Different,
        (true, false) => Verdict::Changing,
        (true, true) => Verdict::Equal,
    }
}

async fn differences(job: &Job<'_>, subject: &Subject, tally: &Tally) -> Result<Vec<Difference>> {
    let mut differences: Vec<Difference> = tally.found.iter().take(SHOWN).map(|found| difference(subject, found)).collect();
    let changed = |difference: &Difference| difference.kind == Kind::Changed;
    let keys: Vec<Identity> = tally
        .found
        .iter()
        .zip(&differences)
        .filter(|(_, difference)| changed(difference))
        .take(LOOKED_INTO)
        .map(|(found, _)| found.identity.clone())
        .collect();
    if subject.key.is_none() || keys.is_empty() {
        return Ok(differences);
    }
    let columns: Vec<&Column> = subject.columns.iter().collect();
    let (source, target) = tokio::try_join!(job.source.lease(), job.target.lease())?;
    let (here, there) =
        tokio::try_join!(digest::columns(&source, subject, &columns, &keys), digest::columns(&target, subject, &columns, &keys))?;
    for (found, difference) in tally.found.iter().zip(&mut differences) {
        let Some((here, there)) = here.get(&found.identity).zip(there.get(&found.identity)) else { continue };
        difference.columns = columns
            .iter()
            .zip(here.iter().zip(there))
            .filter(|(_, (here, there))| here != there)
            .map(|(column, (here, there))| ColumnDifference { column: column.name.clone(), source: here.clone(), target: there.clone() })
            .collect();
    }
    Ok(differences)
}

fn difference(subject: &Subject, found: &Found) -> Difference {
    let is_keyed = subject.key.is_some();
    let show = |row: &Option<RowState>| {
        row.as_ref().map(|row| match is_keyed {
            true => format!("{:x}", row.digest),
            false => format!("{}, the first at {}", units::count(usize::try_from(row.digest).unwrap_or_default(), "row"), row.place()),
        })
    };
    let number = |row: &Option<RowState>| row.as_ref().map_or(0, |row| row.digest);
    let kind = match (&found.source, &found.target) {
        (Some(_), Some(_)) if is_keyed => Kind::Changed,
        (Some(_), None) => Kind::Missing,
        (None, Some(_)) => Kind::Extra,
        _ if number(&found.source) > number(&found.target) => Kind::Missing,
        _ => Kind::Extra,
    };
    Difference { row: name(subject, &found.identity), kind, source: show(&found.source), target: show(&found.target), columns: Vec::new() }
}

/// What names a row, for people.
fn name(subject: &Subject, identity: &Identity) -> String {
    let full = match &subject.key {
        Some(key) if key.columns.len() == identity.len() => {
            let pairs: Vec<String> = key.columns.iter().zip(identity).map(|(column, value)| format!("{} = {value}", column.name)).collect();
            pairs.join(", ")
        }
        None => format!("row {}", identity.concat()),
        Some(_) => identity.concat(),
    };
    match full.char_indices().nth(LONGEST_KEY) {
        Some((at, _)) => format!("{}…", &full[..at]),
        None => full,
    }
}
