//! What a database holds: tables, sequences, views, and what replication and digests must know of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use crate::connect::Session;
use crate::error::{Doing, Error, ErrorKind, Result};
use crate::ident::QualifiedName;

/// How a table stores its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// Neither partitioned nor a partition (it may be an inheritance parent or child).
    Ordinary,
    /// A partitioned table: holds no rows itself.
    Partitioned,
    /// A leaf partition: holds rows.
    Partition,
}

/// Whether a table survives a crash, and can be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Persistence {
    /// An ordinary, logged table.
    Permanent,
    /// Not logged, hence not replicated.
    Unlogged,
}

/// By what an UPDATE or DELETE names its row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaIdentity {
    /// The primary key, if there is one.
    Default,
    /// Nothing.
    Nothing,
    /// The whole row.
    Full,
    /// The unique index of that name, in the table's schema.
    Index(String),
}

/// A table's column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// The type as `format_type` prints it.
    pub type_name: String,
    /// The base type's catalog name, domains resolved; `schema.name` outside pg_catalog.
    pub base_type: String,
    /// The base type's typtype: b(ase), c(omposite), e(num), r(ange), m(ultirange).
    pub base_kind: char,
    /// For an array, the element's base type as in `base_type`.
    pub element_type: Option<String>,
    /// Computed by the server from other columns.
    pub generated: bool,
    /// Its type has a collation.
    pub collatable: bool,
    /// Declared NOT NULL.
    pub not_null: bool,
}

/// A user table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// pg_class.oid on the server that was read.
    pub oid: u32,
    /// Schema and name.
    pub name: QualifiedName,
    /// Ordinary, partitioned, or a leaf.
    pub kind: TableKind,
    /// Permanent or unlogged.
    pub persistence: Persistence,
    /// In attribute order, dropped ones left out.
    pub columns: Vec<Column>,
    /// As it is set now.
    pub replica_identity: ReplicaIdentity,
    /// It has a valid primary key that serves as an identity.
    pub primary_key: bool,
    /// A unique, immediate, valid index without predicate and expressions, all of its columns NOT NULL (not the primary key's).
    pub usable_unique_index: Option<String>,
    /// Row-level security is enabled.
    pub row_security: bool,
    /// Row-level security applies to the owner too.
    pub force_row_security: bool,
    /// Heap, TOAST and indexes, in bytes.
    pub bytes: i64,
    /// pg_class.reltuples: an estimate, negative if never analysed.
    pub estimated_rows: f64,
    /// The owning role.
    pub owner: String,
    /// Every column's type has an equality operator, so that REPLICA IDENTITY FULL works.
    pub equality_for_all_columns: bool,
    /// For a partition, the partitioned table directly above it.
    pub parent: Option<QualifiedName>,
}

impl Table {
    /// Whether the table itself stores rows.
    pub fn has_storage(&self) -> bool {
        self.kind != TableKind::Partitioned
    }
}

/// A materialized view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaterializedView {
    /// Schema and name.
    pub name: QualifiedName,
    /// It holds data.
    pub populated: bool,
}

/// What a database holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// User tables, by name.
    pub tables: Vec<Table>,
    /// Every user sequence: owned, identity, standalone.
    pub sequences: Vec<QualifiedName>,
    /// In the order in which they must be refreshed.
    pub materialized_views: Vec<MaterializedView>,
    /// Foreign tables; their rows live elsewhere.
    pub foreign_tables: Vec<QualifiedName>,
    /// User schemas.
    pub schemas: Vec<String>,
    /// Owners of the tables, sequences and views.
    pub owners: Vec<String>,
    /// Installed extensions with their versions.
    pub extensions: Vec<(String, String)>,
    /// Large objects, which are never replicated.
    pub large_objects: i64,
    /// `schema.table.trigger` of triggers that fire in the apply worker (ENABLE ALWAYS or REPLICA).
    pub always_triggers: Vec<String>,
    /// Subscriptions of this database.
    pub subscriptions: Vec<String>,
    /// The database's encoding.
    pub encoding: String,
    /// By what the database sorts: LC_COLLATE, a locale of the server's own, or `ICU` and its locale.
    pub collate: String,
    /// The database's size in bytes.
    pub bytes: i64,
}

impl Inventory {
    /// What the tables that store rows take, in bytes.
    pub fn stored_bytes(&self) -> i64 {
        self.tables.iter().filter(|table| table.has_storage()).map(|table| table.bytes).sum()
    }

    /// The tables whose rows replication carries: permanent ones that hold rows themselves.
    pub fn replicated(&self) -> Vec<QualifiedName> {
        let replicated = |table: &&Table| table.persistence == Persistence::Permanent && table.has_storage();
        self.tables.iter().filter(replicated).map(|table| table.name.clone()).collect()
    }

    /// The tables to publish: permanent ones, partitioned roots standing for their leaves.
    pub fn publishable(&self) -> Vec<QualifiedName> {
        let published = |table: &&Table| table.persistence == Persistence::Permanent && table.parent.is_none();
        self.tables.iter().filter(published).map(|table| table.name.clone()).collect()
    }
}

/// The queries over user schemas, each one complete statement.
pub mod sql {
    /// Tables with their columns.
    pub const TABLES: &str = over_user_schemas!(recursive "../sql/tables.sql");
    /// Materialized views in the order of their dependencies.
    pub const MATERIALIZED_VIEWS: &str = over_user_schemas!(recursive "../sql/materialized_views.sql");
    /// Sequences and foreign tables.
    pub const RELATIONS: &str = over_user_schemas!("../sql/relations.sql");
    /// Triggers that fire in the apply worker.
    pub const ALWAYS_TRIGGERS: &str = over_user_schemas!("../sql/always_triggers.sql");
    /// The user schemas themselves.
    pub const SCHEMAS: &str = concat!(
        "select s.nspname::pg_catalog.text from (",
        include_str!("../sql/user_schemas.sql"),
        ") s order by s.nspname collate \"C\""
    );
    /// Tables without statistics, and those with statistics objects.
    pub const UNANALYZED: &str = over_user_schemas!("../sql/unanalyzed.sql");
    /// The database's own properties.
    pub const DATABASE: &str = include_str!("../sql/database.sql");
    /// Extensions with their versions.
    pub const EXTENSIONS: &str = "select extname::pg_catalog.text, extversion from pg_catalog.pg_extension order by extname collate \"C\"";
    /// Whatever a user made, by kind and name.
    pub const USER_OBJECTS: &str = over_user_schemas!("../sql/user_objects.sql");
    /// Schemas that a dump leaves out.
    pub const PROVIDER_SCHEMAS: &str = include_str!("../sql/provider_schemas.sql");
}

/// Reads what the session's database holds. Only user objects: no system, temporary, extension-owned or provider schemas'
/// objects, and nothing in a schema named `azure2neon_…`.
///
/// # Errors
/// What the server answered.
pub async fn inventory(session: &Session) -> Result<Inventory> {
    read(session).await.doing(|| "read what the database holds")
}

/// What a user made in the session's database, each as `kind name`; nothing in a new one.
///
/// # Errors
/// What the server answered.
pub async fn user_objects(session: &Session) -> Result<Vec<String>> {
    let rows = session.query(sql::USER_OBJECTS, &[]).await.doing(|| "list what the database holds")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// By what the session's database sorts, as [`Inventory::collate`] says it.
///
/// # Errors
/// What the server answered.
pub async fn collate(session: &Session) -> Result<String> {
    let doing = || "read by what the database sorts";
    session.query_one(sql::DATABASE, &[]).await.doing(doing)?.try_get("collate").doing(doing)
}

async fn read(session: &Session) -> Result<Inventory> {
    let mut found = Inventory::default();
    for row in session.query(sql::TABLES, &[]).await? {
        found.tables.push(table(&row)?);
    }
    let mut owners: BTreeSet<String> = found.tables.iter().map(|table| table.owner.clone()).collect();
    for row in session.query(sql::RELATIONS, &[]).await? {
        let name = QualifiedName::new(row.try_get::<_, String>("schema")?, row.try_get::<_, String>("name")?);
        owners.insert(row.try_get("owner")?);
        if row.try_get::<_, &str>("kind")? == "S" {
            found.sequences.push(name);
        } else {
            found.foreign_tables.push(name);
        }
    }
    for row in session.query(sql::MATERIALIZED_VIEWS, &[]).await? {
        let name = QualifiedName::new(row.try_get::<_, String>("schema")?, row.try_get::<_, String>("name")?);
        owners.insert(row.try_get("owner")?);
        found.materialized_views.push(MaterializedView { name, populated: row.try_get("populated")? });
    }
    found.owners = owners.into_iter().collect();
    for row in session.query(sql::SCHEMAS, &[]).await? {
        found.schemas.push(row.try_get(0)?);
    }
    for row in session.query(sql::EXTENSIONS, &[]).await? {
        found.extensions.push((row.try_get(0)?, row.try_get(1)?));
    }
    for row in session.query(sql::ALWAYS_TRIGGERS, &[]).await? {
        found.always_triggers.push(row.try_get(0)?);
    }
    let row = session.query_one(sql::DATABASE, &[]).await?;
    found.encoding = row.try_get("encoding")?;
    found.collate = row.try_get("collate")?;
    found.bytes = row.try_get("bytes")?;
    found.large_objects = row.try_get("large_objects")?;
    found.subscriptions = row.try_get("subscriptions")?;
    Ok(found)
}

fn table(row: &Row) -> Result<Table> {
    let unknown = |what: &str, value: &str| Error::new(ErrorKind::Other, format!("read a table's {what}"), format!("{value:?} is unknown"));
    let kind = match (row.try_get("kind")?, row.try_get("relispartition")?) {
        ("p", _) => TableKind::Partitioned,
        ("r", true) => TableKind::Partition,
        ("r", false) => TableKind::Ordinary,
        (other, _) => return Err(unknown("kind", other)),
    };
    let persistence = match row.try_get("persistence")? {
        "p" => Persistence::Permanent,
        "u" => Persistence::Unlogged,
        other => return Err(unknown("persistence", other)),
    };
    let replica_identity = match (row.try_get("replica_identity")?, row.try_get::<_, Option<String>>("identity_index")?) {
        ("d", _) => ReplicaIdentity::Default,
        ("f", _) => ReplicaIdentity::Full,
        ("i", Some(index)) => ReplicaIdentity::Index(index),
        // An identity whose index was dropped identifies nothing.
        ("n" | "i", _) => ReplicaIdentity::Nothing,
        (other, _) => return Err(unknown("replica identity", other)),
    };
    let columns = serde_json::from_str(row.try_get("columns")?)
        .map_err(|error| Error::new(ErrorKind::Other, "read a table's columns", error.to_string()))?;
    let parent = row.try_get::<_, Option<String>>("parent_schema")?.zip(row.try_get::<_, Option<String>>("parent_name")?);
    Ok(Table {
        oid: row.try_get("oid")?,
        name: QualifiedName::new(row.try_get::<_, String>("schema")?, row.try_get::<_, String>("name")?),
        kind,
        persistence,
        columns,
        replica_identity,
        primary_key: row.try_get("primary_key")?,
        usable_unique_index: row.try_get("unique_index")?,
        row_security: row.try_get("relrowsecurity")?,
        force_row_security: row.try_get("relforcerowsecurity")?,
        bytes: row.try_get("bytes")?,
        estimated_rows: row.try_get("estimated_rows")?,
        owner: row.try_get("owner")?,
        equality_for_all_columns: row.try_get("equality")?,
        parent: parent.map(|(schema, name)| QualifiedName { schema, name }),
    })
}
