//! The whole catalog of a database, object by object, as far as two servers can be compared by it.
//!
//! Definitions are read as the server spells them. Two servers may spell the same differently: [`respell`] has the target
//! spell the source's. Function bodies that are mere text, options of foreign servers and the like are told by their hash: they may be long, and may hold
//! what must not be shown.

mod differences;
mod respell;
pub mod sql;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use futures::TryStreamExt;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use crate::connect::Session;
use crate::error::{Doing, Error, ErrorKind, Result};

pub use differences::{Difference, What, differences};
pub use respell::respell;

/// What kind of object it is, and its quoted name, with that of its schema and table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    /// `table`, `column`, `index`, …
    pub kind: String,
    /// `schema.table.column`, each quoted where it must be.
    pub name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// An object of the catalog.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its catalog and oid.
    pub catalog_id: (u32, u32),
    /// The table, view or domain that it is a part of.
    pub of: Option<String>,
    /// What is to say about it, by name. Of a hundred thousand objects, a list takes a tenth of a map's memory.
    aspects: Vec<(Arc<str>, String)>,
}

impl Object {
    /// All that there is to say about it, in a fixed order.
    pub fn aspects(&self) -> impl Iterator<Item = (&str, &str)> {
        self.aspects.iter().map(|(aspect, value)| (&**aspect, value.as_str()))
    }

    /// An aspect; none if there is nothing to say.
    pub fn aspect(&self, name: &str) -> Option<&str> {
        self.aspects.iter().find(|(aspect, _)| &**aspect == name).map(|(_, value)| value.as_str())
    }
}

/// What a database holds. No system, temporary, extension-owned or provider schemas' objects, and nothing named `azure2neon_…`,
/// nor what such a role may do.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Each object by its name.
    pub objects: BTreeMap<ObjectName, Object>,
}

impl Catalog {
    /// Drops the objects of these catalogs and oids, with their columns.
    pub fn leave_out(&mut self, ids: &BTreeSet<(u32, u32)>) {
        self.objects.retain(|_, object| !ids.contains(&object.catalog_id));
    }
}

/// Reads the catalog of the session's database, with a bounded number of queries, all sent at once.
///
/// # Errors
/// What the server answered.
pub async fn catalog(session: &Session) -> Result<Catalog> {
    let doing = || "read the catalog";
    let parts = try_join_all(sql::ALL.iter().map(|sql| read(session, sql))).await.doing(doing)?;
    let mut catalog = Catalog::default();
    for (name, object) in parts.into_iter().flatten() {
        if let Some(twin) = catalog.objects.insert(name.clone(), object) {
            return Err(Error::new(ErrorKind::Other, doing(), format!("there are two of {name}, one with oid {}", twin.catalog_id.1)));
        }
    }
    Ok(catalog)
}

async fn read(session: &Session, sql: &str) -> Result<Vec<(ObjectName, Object)>> {
    let statement = session.prepare(sql).await?;
    let aspects: Vec<Arc<str>> = statement.columns().iter().skip(LEADING).map(|column| column.name().into()).collect();
    let rows = session.query_raw(&statement, std::iter::empty::<i32>()).await?;
    let mut rows = pin!(rows);
    let mut objects = Vec::new();
    while let Some(row) = rows.try_next().await? {
        objects.push(object(&row, &aspects)?);
    }
    Ok(objects)
}

/// Columns before the aspects.
const LEADING: usize = 5;

fn object(row: &Row, names: &[Arc<str>]) -> Result<(ObjectName, Object)> {
    let mut aspects = Vec::new();
    for (at, name) in names.iter().enumerate() {
        if let Some(value) = row.try_get::<_, Option<String>>(LEADING + at)? {
            aspects.push((Arc::clone(name), value));
        }
    }
    aspects.shrink_to_fit();
    let name = ObjectName { kind: row.try_get(2)?, name: row.try_get(3)? };
    Ok((name, Object { catalog_id: (row.try_get(0)?, row.try_get(1)?), of: row.try_get(4)?, aspects }))
}
