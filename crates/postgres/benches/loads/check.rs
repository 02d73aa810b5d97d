//! Whether a load brought everything over.

use azure2neon_postgres::inventory::{Persistence, Table, inventory};
use azure2neon_postgres::{Endpoint, digest};

/// Indexes, constraints, sequences' and triggers' definitions, and that every table has statistics.
const OBJECTS: &str = include_str!("objects.sql");

/// Compares all rows by digests, and what was made beside them.
///
/// # Errors
/// What differs.
pub async fn expect_equal(source: &Endpoint, target: &Endpoint) -> Result<(), String> {
    let (source, target) = (source.connect().await.unwrap(), target.connect().await.unwrap());
    let objects = |rows: Vec<tokio_postgres::Row>| rows.iter().map(|row| row.get(0)).collect::<Vec<String>>();
    let [there, here] = [objects(source.query(OBJECTS, &[]).await.unwrap()), objects(target.query(OBJECTS, &[]).await.unwrap())];
    if let Some(lost) = there.iter().find(|one| !here.contains(one)) {
        return Err(format!("the target lacks: {lost}"));
    }
    let unanalyzed =
        "select n.nspname || '.' || c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r' and c.reltuples < 0 and n.nspname !~ '^(pg_|information_schema|azure2neon)'";
    if let Some(row) = target.query(unanalyzed, &[]).await.unwrap().first() {
        return Err(format!("not analyzed: {}", row.get::<_, &str>(0)));
    }
    let kept = |table: &Table| table.persistence == Persistence::Permanent && table.has_storage();
    let tables: Vec<Table> = inventory(&source).await.unwrap().tables.into_iter().filter(kept).collect();
    for table in &tables {
        let (there, here) = tokio::join!(digest::digest(&source, table), digest::digest(&target, table));
        let (there, here) = (there.unwrap(), here.map_err(|error| error.to_string())?);
        if there != here {
            return Err(format!("{} differs: {there:?}, {here:?}", table.name));
        }
    }
    Ok(())
}
