//! The schema: dumped by pg_dump, executed by ourselves one table-of-contents entry at a time.

mod apply;
mod causes;
mod indexed;
mod script;
mod tools;

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::connect::Endpoint;
use crate::error::{Doing, Result};
use crate::ident::Ident;
use crate::inventory::sql::PROVIDER_SCHEMAS;

pub use apply::apply;
pub(crate) use apply::{applied, transaction};
pub use causes::{Cause, causes};
pub use indexed::{indexed_table, names_table};
pub use tools::Tools;

/// How long pg_dump waits for a table's lock, in milliseconds; its own request would queue the application behind it.
const LOCK_WAIT: &str = "10000";

/// When an entry is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// Schemas, types, functions, tables: before the data.
    PreData,
    /// What may be a replica identity: primary keys, unique constraints and indexes, and their attachment to partitions.
    Keys,
    /// Everything else: indexes, foreign keys, triggers, rules.
    PostData,
}

/// One entry of the dump's table of contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The first 16 bytes of the statement's SHA-256, in hex.
    pub id: String,
    /// As pg_dump calls it: TABLE, INDEX, FK CONSTRAINT, …
    pub kind: String,
    /// `schema.name`, or the name alone.
    pub name: String,
    /// When it is due.
    pub section: Section,
    /// The statements.
    pub sql: String,
    /// Ids of the entries that must be there first. Only a dump knows them; they are not kept.
    #[serde(skip)]
    pub needs: Vec<String>,
}

/// An entry that the server refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The entry's id.
    pub id: String,
    /// The entry's kind.
    pub kind: String,
    /// The entry's name.
    pub name: String,
    /// The first 300 characters of its SQL.
    pub sql: String,
    /// What the server answered.
    pub message: String,
    /// Its SQLSTATE.
    pub sqlstate: Option<String>,
}

/// Dumps the schema of `source`'s database. `scratch` is a folder for the archive, which is removed afterwards.
///
/// # Errors
/// [`crate::ErrorKind::Tool`] if a program failed, with what it printed.
pub async fn dump_schema(tools: &Tools, source: &Endpoint, ca_file: Option<&Path>, scratch: &Path) -> Result<Vec<Entry>> {
    dump_schema_without(tools, source, ca_file, scratch, &BTreeSet::new()).await
}

/// The same without the objects of these catalogs and oids, and what is said about them, such as comments.
///
/// # Errors
/// The same.
pub async fn dump_schema_without(
    tools: &Tools,
    source: &Endpoint,
    ca_file: Option<&Path>,
    scratch: &Path,
    left_out: &BTreeSet<(u32, u32)>,
) -> Result<Vec<Entry>> {
    let folder = tempfile::Builder::new().prefix("schema-").tempdir_in(scratch).doing(|| "make a folder for the dump")?;
    let archive = folder.path().join("schema.dump");
    let file = archive.display().to_string();
    let mut arguments: Vec<String> = [
        "--format=custom",
        "--schema-only",
        "--no-owner",
        "--no-privileges",
        "--no-publications",
        "--no-subscriptions",
        "--no-tablespaces",
        "--no-security-labels",
        "--no-password",
        "--encoding=UTF8",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("--lock-wait-timeout={LOCK_WAIT}"));
    for row in source.connect().await?.query(PROVIDER_SCHEMAS, &[]).await.doing(|| "list the schemas to leave out")? {
        arguments.push(format!("--exclude-schema={}", Ident::new(row.try_get::<_, String>(0)?)));
    }
    arguments.push(format!("--file={file}"));
    tools.dump(&arguments, &source.environment(ca_file)).await.map_err(|error| {
        use secrecy::ExposeSecret;
        error.without(source.password.expose_secret())
    })?;
    let list = tools.restore(&["--list".to_owned(), file.clone()]).await?;
    let script = tools.restore(&["--verbose", "--no-owner", "--no-privileges", "--file=-", &file].map(str::to_owned)).await?;
    script::entries(&script, &list, left_out)
}
