//! What no way can save the two servers: reading the rows, writing them, and making indexes, keys and statistics.

use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

use azure2neon_postgres::inventory::inventory;
use azure2neon_postgres::schema::{Entry, Section, indexed_table};
use azure2neon_postgres::{Endpoint, Ident, Session, literal};
use futures::future::join_all;
use futures::{StreamExt, pin_mut};

use crate::lab::Sites;
use crate::ours;

/// Memory of all index builds together, in MB, as ours has it.
const MAINTENANCE_MEMORY: usize = 512;

/// What is done before the clock runs: the target's empty tables, and each table's rows in a file.
pub struct Prepared {
    /// Largest first.
    tables: Vec<Moved>,
    /// Statements behind the rows, dearest first, by what must be done before what.
    rest: [Vec<String>; 2],
    _folder: tempfile::TempDir,
}

struct Moved {
    name: String,
    columns: String,
    file: String,
}

pub async fn prepare(sites: &Sites<'_>) -> Prepared {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let source = sites.source_nearby().connect().await.unwrap();
    let mut tables = inventory(&source).await.unwrap().tables;
    tables.sort_by_key(|table| -table.bytes);
    let rank = |entry: &Entry| {
        let table = indexed_table(entry);
        tables.iter().position(|one| Some(&one.name) == table.as_ref()).unwrap_or(usize::MAX)
    };
    let mut moved = Vec::new();
    for table in tables.iter().filter(|table| table.has_storage()) {
        let columns: Vec<String> =
            table.columns.iter().filter(|column| !column.generated).map(|column| Ident::new(&*column.name).to_string()).collect();
        let file = folder.path().join(table.oid.to_string()).display().to_string();
        let one = Moved { name: table.name.to_string(), columns: columns.join(", "), file };
        source.batch_execute(&format!("copy {} ({}) to {} (format binary)", one.name, one.columns, literal(&one.file))).await.unwrap();
        moved.push(one);
    }
    let entries = ours::dump(sites).await.unwrap();
    ours::apply(&sites.target, &entries, |section| section == Section::PreData).await.unwrap();
    let (mut indexes, others): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().filter(|entry| entry.section != Section::PreData).partition(|entry| indexed_table(entry).is_some());
    indexes.sort_by_key(|entry| rank(entry));
    let sql = |entries: Vec<&Entry>| entries.into_iter().map(|entry| entry.sql.clone()).collect();
    Prepared { tables: moved, rest: [sql(indexes), sql(others)], _folder: folder }
}

pub async fn run(sites: &mut Sites<'_>, jobs: usize, prepared: &Prepared) -> Result<(), String> {
    let outward = |table: &Moved| format!("copy {} ({}) to stdout (format binary)", table.name, table.columns);
    let reads = prepared.tables.iter().map(outward).collect();
    let sources = sessions(&sites.source_nearby(), jobs).await;
    each(&sources, reads, async |session: &Session, sql: &str| {
        let rows = session.copy_out(sql).await?;
        pin_mut!(rows);
        while let Some(piece) = rows.next().await {
            piece?;
        }
        Ok(())
    })
    .await?;
    sites.lap("copy to nothing");
    let inward = |table: &Moved| {
        let Moved { name, columns, file } = table;
        format!("begin; truncate only {name}; copy {name} ({columns}) from {} (format binary, freeze); commit", literal(file))
    };
    let writes = prepared.tables.iter().map(inward).collect();
    let targets = sessions(&sites.target_nearby(), jobs).await;
    let batch = async |session: &Session, sql: &str| session.batch_execute(sql).await;
    each(&targets, writes, batch).await?;
    sites.lap("copy from files");
    let [indexes, others] = prepared.rest.clone();
    each(&targets, indexes, batch).await?;
    sites.lap("indexes");
    // Foreign keys of two sessions can deadlock over a common table.
    each(&targets[..1], others, batch).await?;
    sites.lap("foreign keys and others");
    each(&targets, prepared.tables.iter().map(|table| format!("analyze {}", table.name)).collect(), batch).await?;
    sites.lap("statistics");
    Ok(())
}

async fn sessions(at: &Endpoint, jobs: usize) -> Vec<Session> {
    let settings = format!("set synchronous_commit = off; set maintenance_work_mem = '{}MB'", MAINTENANCE_MEMORY / jobs.max(1));
    join_all((0..jobs).map(async |_| {
        let session = at.connect().await.unwrap();
        session.batch_execute(&settings).await.unwrap();
        session
    }))
    .await
}

/// Each session takes the next of `statements` as soon as it is free.
async fn each<F>(sessions: &[Session], statements: Vec<String>, execute: F) -> Result<(), String>
where
    F: AsyncFn(&Session, &str) -> Result<(), tokio_postgres::Error>,
{
    let left = Mutex::new(statements.into_iter());
    let done = join_all(sessions.iter().map(async |session| {
        loop {
            let Some(sql) = left.lock().unwrap().next() else { return Ok(()) };
            execute(session, &sql).await.map_err(|error| format!("{}: {error:?}", &sql[..sql.len().min(200)]))?;
        }
    }))
    .await;
    done.into_iter().collect()
}
