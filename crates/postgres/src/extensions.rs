//! Extensions: which a server lets its database have, what hangs on one, and which a migration leaves behind.

use std::collections::BTreeMap;

use crate::connect::Session;
use crate::error::{Doing, Result};
use crate::inventory::sql::EXTENSIONS;

/// So many of what hangs on an extension are named.
const NAMED: i64 = 10;

/// What hangs on extensions.
pub const HANGING: &str = include_str!("../sql/hanging_on_extensions.sql");

/// What the server offers, each with the version that it makes, and whether the role that asks may create it.
pub const AVAILABLE: &str = include_str!("../sql/available_extensions.sql");

/// Extensions by which a server is looked after; a database does without.
const INSTRUMENTS: [&str; 18] = [
    "adminpack",
    "amcheck",
    "credcheck",
    "login_hook",
    "old_snapshot",
    "pageinspect",
    "pg_buffercache",
    "pg_cron",
    "pg_failover_slots",
    "pg_freespacemap",
    "pg_repack",
    "pg_squeeze",
    "pg_surgery",
    "pg_visibility",
    "pg_walinspect",
    "pgaadauth",
    "pgaudit",
    "pglogical",
];

/// Whether the extension is the source's cloud's own, or one by which a server is looked after.
pub fn is_instrument(name: &str) -> bool {
    name == "azure" || name.starts_with("azure_") || name.starts_with("pgms_") || INSTRUMENTS.contains(&name)
}

/// What hangs on an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hanging {
    /// The extension's oid.
    pub oid: u32,
    /// Its name.
    pub extension: String,
    /// How many objects.
    pub objects: i64,
    /// The first of them, tables and views before others, each as `type name`.
    pub names: Vec<String>,
}

impl Hanging {
    /// Whether a migration leaves the extension behind: nothing but the server's administrator needs it.
    pub fn is_left_behind(&self) -> bool {
        self.objects == 0 && is_instrument(&self.extension)
    }
}

/// An extension that a server offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Available {
    /// The version that CREATE EXTENSION makes.
    pub version: String,
    /// Whether a role that is no superuser may create it, or somebody has already.
    pub creatable: bool,
}

/// What hangs on these extensions, one entry for each that is there. What a function's body names isn't looked into.
///
/// # Errors
/// What the server answered.
pub async fn hanging(session: &Session, names: &[String]) -> Result<Vec<Hanging>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let doing = || "read what hangs on extensions";
    let rows = session.query(HANGING, &[&names, &NAMED]).await.doing(doing)?;
    rows.iter()
        .map(|row| {
            Ok(Hanging {
                oid: row.try_get("extension").doing(doing)?,
                extension: row.try_get("name").doing(doing)?,
                objects: row.try_get("objects").doing(doing)?,
                names: row.try_get("names").doing(doing)?,
            })
        })
        .collect()
}

/// The extensions of the session's database that a migration leaves behind, by catalog and oid.
///
/// # Errors
/// What the server answered.
pub async fn left_behind(session: &Session) -> Result<Vec<(u32, u32)>> {
    /// The catalog of extensions.
    const PG_EXTENSION: u32 = 3079;

    let rows = session.query(EXTENSIONS, &[]).await.doing(|| "list the extensions")?;
    let names: Vec<String> = rows.iter().map(|row| row.get::<_, String>(0)).filter(|name| is_instrument(name)).collect();
    let hanging = hanging(session, &names).await?;
    Ok(hanging.iter().filter(|of| of.is_left_behind()).map(|of| (PG_EXTENSION, of.oid)).collect())
}

/// What the session's server offers.
///
/// # Errors
/// What the server answered.
pub async fn available(session: &Session) -> Result<BTreeMap<String, Available>> {
    let doing = || "list the extensions that the server offers";
    let rows = session.query(AVAILABLE, &[]).await.doing(doing)?;
    rows.iter()
        .map(|row| {
            let available = Available { version: row.try_get("version").doing(doing)?, creatable: row.try_get("creatable").doing(doing)? };
            Ok((row.try_get("name").doing(doing)?, available))
        })
        .collect()
}
