//! Copies rows again that were found to differ.

use std::collections::BTreeSet;

use futures::{SinkExt, TryStreamExt};

use super::expression::name;
use super::read::{Identity, RowState, Rows, Which, from, rows};
use super::statement::Statement;
use super::subject::{Key, Subject};
use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::ident::{Ident, literal};
use crate::inventory::Column;

/// Where the source's rows wait to be written.
const STAGE: &str = "pg_temp.azure2neon_repair";
/// Rows named in one statement.
const AT_ONCE: usize = 500;

/// A row that differs.
#[derive(Clone, Debug)]
pub struct RepairRow {
    /// What names it.
    pub identity: Identity,
    /// The row on the source when it was found to differ, if there was one.
    pub source: Option<RowState>,
}

/// What was done to a table's rows on the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// Rows that got the source's values.
    pub updated: u64,
    /// Rows that were missing.
    pub inserted: u64,
    /// Rows that the source doesn't have.
    pub deleted: u64,
    /// Rows that changed on the source since they were found to differ: not touched.
    pub changed: u64,
}

/// Makes these rows on the target as they are on the source, in one transaction there that holds the apply worker off. Only rows that
/// nobody has written on the source since they were found to differ: whatever comes for them later is then applied to what was copied
/// here. The table's own triggers don't fire; foreign keys are checked.
///
/// # Errors
/// What a server answered; nothing was changed then.
pub async fn repair(source: &Session, target: &Session, subject: &Subject, wanted: &[RepairRow]) -> Result<Repair> {
    let done = async {
        target.batch_execute(&format!("begin; lock table only {} in share row exclusive mode", subject.name)).await?;
        let triggers = disable_triggers(target, subject).await?;
        let mut repair = Repair::default();
        // Rows that are gone come first: another row may take their place in a unique index.
        let (gone, there): (Vec<_>, Vec<_>) = wanted.iter().cloned().partition(|row| row.source.is_none());
        for chunk in gone.chunks(AT_ONCE).chain(there.chunks(AT_ONCE)) {
            // What is looked at here is what is copied then.
            source.batch_execute("begin isolation level repeatable read read only").await?;
            chunk_of(source, target, subject, chunk, &mut repair).await?;
            source.batch_execute("commit").await?;
        }
        target.batch_execute(&format!("{triggers} commit")).await?;
        Ok(repair)
    };
    let done: Result<Repair> = done.await;
    if done.is_err() {
        let _ = tokio::join!(source.batch_execute("rollback"), target.batch_execute("rollback"));
    }
    done.doing(|| format!("copy rows of {} again", subject.name))
}

/// Turns the table's own triggers off; the result turns each on again as it was.
async fn disable_triggers(target: &Session, subject: &Subject) -> Result<String> {
    let sql = format!(
        "select tgname::pg_catalog.text, tgenabled::pg_catalog.text from pg_catalog.pg_trigger
         where tgrelid = {}::pg_catalog.regclass and not tgisinternal and tgenabled <> 'D'",
        literal(&subject.name.to_string())
    );
    let mut again = String::new();
    let triggers = target.query_typed(&sql, &[]).await?;
    for trigger in &triggers {
        let how = match trigger.try_get(1)? {
            "R" => "enable replica trigger",
            "A" => "enable always trigger",
            _ => "enable trigger",
        };
        again.push_str(&format!("alter table only {} {how} {}; ", subject.name, Ident::new(trigger.try_get::<_, &str>(0)?)));
    }
    if !triggers.is_empty() {
        target.batch_execute(&format!("alter table only {} disable trigger user", subject.name)).await?;
    }
    Ok(again)
}

async fn chunk_of(source: &Session, target: &Session, subject: &Subject, wanted: &[RepairRow], repair: &mut Repair) -> Result<()> {
    let identities: Vec<Identity> = wanted.iter().map(|row| row.identity.clone()).collect();
    let (here, there) = tokio::try_join!(rows(source, subject, Which::Of(&identities)), rows(target, subject, Which::Of(&identities)))?;
    let (same, changed): (Vec<_>, Vec<_>) = wanted.iter().partition(|row| here.get(&row.identity) == row.source.as_ref());
    repair.changed += changed.len() as u64;
    match &subject.key {
        Some(key) => {
            let (gone, rest): (Vec<_>, Vec<_>) = same.into_iter().partition(|row| row.source.is_none());
            let names = |rows: Vec<&RepairRow>| rows.into_iter().map(|row| row.identity.clone()).collect::<Vec<_>>();
            repair.deleted += delete(target, subject, &names(gone)).await?;
            let stale =
                rest.into_iter().filter(|row| there.get(&row.identity).map(|row| row.digest) != row.source.as_ref().map(|row| row.digest));
            write(source, target, subject, (key, &names(stale.collect())), repair).await
        }
        None => {
            for row in same {
                copies(source, target, subject, (&row.identity, &here, &there), repair).await?;
            }
            Ok(())
        }
    }
}

async fn delete(target: &Session, subject: &Subject, keys: &[Identity]) -> Result<u64> {
    if keys.is_empty() {
        return Ok(0);
    }
    let mut statement = Statement::default();
    let chosen = from(subject, Which::Of(keys), &mut statement);
    statement.text = format!(
        "with gone as (delete from only {} where ctid = any(array(select azure2neon_row.ctid from {chosen})) returning 1)
         select pg_catalog.count(*) from gone",
        subject.name
    );
    count(&statement, target).await
}

/// Brings the source's rows over and writes them over those of the same key, or beside.
async fn write(source: &Session, target: &Session, subject: &Subject, (key, keys): (&Key, &[Identity]), repair: &mut Repair) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    stage(source, target, subject, |statement| from(subject, Which::Of(keys), statement)).await?;
    let is_key = |column: &&Column| key.columns.iter().any(|other| other.name == column.name);
    let fixed = always_identity(target, subject).await?;
    let settable = |column: &&Column| !is_key(column) && !fixed.contains(&column.name);
    let quoted = |column: &Column| Ident::new(&*column.name).to_string();
    let sets: Vec<String> = carried(subject).into_iter().filter(settable).map(|c| format!("{0} = s.{0}", quoted(c))).collect();
    let on: Vec<String> = key.columns.iter().map(|c| format!("{} = s.{}", name(c), quoted(c))).collect();
    let on = on.join(" and ");
    if !sets.is_empty() {
        let update = format!("update only {} as azure2neon_row set {} from {STAGE} s where {on}", subject.name, sets.join(", "));
        repair.updated += target.execute_typed(&update, &[]).await?;
    }
    let insert = format!("where not exists (select from only {} as azure2neon_row where {on})", subject.name);
    repair.inserted += insert_staged(target, subject, &insert).await?;
    Ok(())
}

/// Makes as many rows of this content on the target as there are on the source.
async fn copies(
    source: &Session,
    target: &Session,
    subject: &Subject,
    (identity, here, there): (&Identity, &Rows, &Rows),
    repair: &mut Repair,
) -> Result<()> {
    let number = |rows: &Rows| rows.get(identity).map_or(0, |row| row.digest);
    let (wanted, present) = (number(here), number(there));
    let these = |statement: &mut Statement| from(subject, Which::Of(std::slice::from_ref(identity)), statement);
    if present > wanted {
        let mut statement = Statement::default();
        let chosen = these(&mut statement);
        statement.text = format!(
            "with gone as (delete from only {} where ctid = any(array(select azure2neon_row.ctid from {chosen} limit {})) returning 1)
             select pg_catalog.count(*) from gone",
            subject.name,
            present - wanted
        );
        repair.deleted += count(&statement, target).await?;
    } else if wanted > present {
        stage(source, target, subject, |statement| format!("{} limit {}", these(statement), wanted - present)).await?;
        repair.inserted += insert_staged(target, subject, "").await?;
    }
    Ok(())
}

async fn count(statement: &Statement, session: &Session) -> Result<u64> {
    let counted = statement.query(session).await?;
    let counted: i64 = counted.first().map_or(Ok(0), |row| row.try_get(0))?;
    Ok(counted.unsigned_abs())
}

/// Columns that hold values of their own.
fn carried(subject: &Subject) -> Vec<&Column> {
    subject.columns.iter().filter(|column| !column.generated).collect()
}

fn list(columns: &[&Column], prefix: &str) -> String {
    columns.iter().map(|column| format!("{prefix}{}", Ident::new(&*column.name))).collect::<Vec<_>>().join(", ")
}

async fn stage(source: &Session, target: &Session, subject: &Subject, from: impl Fn(&mut Statement) -> String) -> Result<()> {
    let columns = carried(subject);
    let mut statement = Statement::inline();
    let chosen = from(&mut statement);
    let out = format!("copy (select {} from {chosen}) to stdout", list(&columns, "azure2neon_row."));
    target
        .batch_execute(&format!(
            "drop table if exists {STAGE}; create temporary table azure2neon_repair on commit drop as select {} from only {} with no data",
            list(&columns, ""),
            subject.name
        ))
        .await?;
    let mut rows = Box::pin(source.copy_out(&out).await?);
    let mut sink = Box::pin(target.copy_in::<_, bytes::Bytes>(&format!("copy {STAGE} from stdin")).await?);
    while let Some(bytes) = rows.try_next().await? {
        sink.send(bytes).await?;
    }
    sink.as_mut().finish().await?;
    Ok(())
}

async fn insert_staged(target: &Session, subject: &Subject, condition: &str) -> Result<u64> {
    let columns = carried(subject);
    let sql = format!(
        "insert into {} ({}) overriding system value select {} from {STAGE} s {condition}",
        subject.name,
        list(&columns, ""),
        list(&columns, "s.")
    );
    Ok(target.execute_typed(&sql, &[]).await?)
}

/// Columns that take no value but the sequence's in an UPDATE.
async fn always_identity(target: &Session, subject: &Subject) -> Result<BTreeSet<String>> {
    let sql = format!(
        "select attname::pg_catalog.text from pg_catalog.pg_attribute where attrelid = {}::pg_catalog.regclass and attidentity = 'a'",
        literal(&subject.name.to_string())
    );
    target.query_typed(&sql, &[]).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
