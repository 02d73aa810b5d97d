//! What can't be without some of a database's tables.

use std::collections::BTreeSet;

use crate::connect::Session;
use crate::error::{Doing, Error, ErrorKind, Result};
use crate::ident::QualifiedName;

/// What needs some relations.
pub const DEPENDENTS: &str = include_str!("../sql/dependents.sql");

/// What a dependent is to the tables that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DependentKind {
    /// The table itself, or a part of it or of a dependent view: an index, a trigger, a type.
    Part,
    /// A sequence that belongs to such a table.
    Sequence,
    /// Another table's foreign key.
    ForeignKey,
    /// A view, materialized or not.
    View,
    /// Another table, or a part of one that it isn't the same without.
    OfOtherTable,
    /// Something that belongs to no table: a function, a type.
    Object,
}

/// Something that can't be without a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependent {
    /// Its catalog and oid, as an archive of pg_dump names it.
    pub catalog_id: (u32, u32),
    /// What it is to the tables.
    pub kind: DependentKind,
    /// Its name, if it is a relation.
    pub name: Option<QualifiedName>,
    /// Type and name, for people; empty for a part.
    pub identity: String,
    /// A table that it needs, for people.
    pub needs: String,
}

impl Dependent {
    /// Its oid, if it is a relation.
    pub fn relation(&self) -> Option<u32> {
        /// The catalog of relations.
        const PG_CLASS: u32 = 1259;

        let (catalog, oid) = self.catalog_id;
        (catalog == PG_CLASS).then_some(oid)
    }
}

/// What can't be without these tables, directly or through others, with all of their own parts. A function's body is not looked
/// into, unless the server itself knows what it needs.
///
/// # Errors
/// What the server answered.
pub async fn dependents(session: &Session, tables: &BTreeSet<QualifiedName>) -> Result<Vec<Dependent>> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let doing = || "read what depends on the tables that are left out";
    let rows = session.query(DEPENDENTS, &[&names]).await.doing(doing)?;
    rows.iter().map(|row| dependent(row).doing(doing)).collect()
}

fn dependent(row: &tokio_postgres::Row) -> Result<Dependent> {
    let name = row.try_get::<_, Option<String>>("schema")?.zip(row.try_get::<_, Option<String>>("name")?);
    Ok(Dependent {
        catalog_id: (row.try_get("class")?, row.try_get("object")?),
        kind: match row.try_get("kind")? {
            "part" => DependentKind::Part,
            "sequence" => DependentKind::Sequence,
            "foreign_key" => DependentKind::ForeignKey,
            "view" => DependentKind::View,
            "of_other_table" => DependentKind::OfOtherTable,
            "object" => DependentKind::Object,
            other => return Err(Error::new(ErrorKind::Other, "", format!("the kind {other:?} is unknown"))),
        },
        name: name.map(|(schema, name)| QualifiedName { schema, name }),
        identity: row.try_get("identity")?,
        needs: row.try_get("needs")?,
    })
}
