use std::path::Path;

use async_trait::async_trait;
use azure2neon_postgres::schema::{self, Entry, Failure, Section, Tools};
use azure2neon_postgres::{Endpoint, QualifiedName, Session, inventory};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::copy_offline;
use crate::cloud::TargetDatabase;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::operation::{Observed, Operation, output};
use crate::plan::{Effect, Mode, Plan};
use crate::selection;
use crate::settings::{Settings, matches_pattern};

/// Imports tables, one statement at a time; every one that fails is named.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportSchema {
    /// Whether the keys come with the tables: whoever copies them row by row needs them, a load does better without.
    pub keys: bool,
    /// The database, if it was there before, and empty: an abort makes it so again.
    pub into: Option<TargetDatabase>,
    /// What stays behind with the tables that are not moved, each by type and name.
    #[serde(default)]
    pub left_out: Vec<String>,
}

impl ImportSchema {
    fn wants(&self) -> fn(Section) -> bool {
        if self.keys { |section| section != Section::PostData } else { |section| section == Section::PreData }
    }
}

/// The file in the run's folder that holds the schema's entries.
const SCHEMA: &str = "schema.json";

#[async_trait]
impl Operation for ImportSchema {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        let and_keys = if self.keys { "tables and keys" } else { "and tables without keys" };
        format!("import schemas, types, functions, {and_keys} with pg_dump; any statement that fails stops the run")
    }

    fn inverse(&self) -> Option<String> {
        self.into.as_ref().map(|database| format!("delete database {} and create it anew, empty as it was", database.name))
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        if is_spent(cx).await? {
            return Ok(Observed::Partial("a copy was broken off there".into()));
        }
        observe(cx, self.wants()).await
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        if is_spent(cx).await? {
            cx.events.notice("An earlier copy was broken off: the target's database is made anew.");
            let (project, database) = (cx.project()?, cx.plan.target.database());
            cx.clouds.target.delete_database(&project, &database.name).await?;
            cx.clouds.target.create_database(&project, &database).await?;
        }
        // Dumped anew at each attempt: a statement that failed may have been mended on the source meanwhile. What was
        // applied is known by its text, so nothing is applied twice.
        let dump = async { dump(&cx.plan, &cx.settings, (&cx.source().await?, &cx.source_endpoint().await?), cx.folder.path()).await };
        // Meanwhile the target is connected to: over a long line that takes as long as a schema.
        let (entries, mut target) = tokio::try_join!(dump, cx.target())?;
        cx.folder.keep(SCHEMA, &entries)?;
        import(cx, &mut target, "import-schema", self.wants()).await?;
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        if let (Some(database), Some(project)) = (&self.into, cx.project_unless_gone().await?) {
            cx.clouds.target.delete_database(&project, &database.name).await?;
            cx.clouds.target.create_database(&project, database).await?;
        }
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let (Some(_), Some(target)) = (&self.into, cx.target_unless_gone().await?) else { return Ok(None) };
        Ok(inventory::user_objects(&target).await?.into_iter().next().map(|object| format!("{object} on the target")))
    }

    fn note(&self, output: &Value) -> String {
        match &self.left_out[..] {
            [] => note(output),
            left_out => format!("{}; left out: {}", note(output), left_out.join(", ")),
        }
    }
}

/// The schema of what is moved, as pg_dump writes it; `scratch` is a folder for that.
pub(crate) async fn dump(plan: &Plan, settings: &Settings, source: (&Session, &Endpoint), scratch: &Path) -> Result<Vec<Entry>> {
    let tools = Tools::find(settings.tools.as_deref(), plan.source.server.major).await?;
    let left_out = selection::catalog_ids(source.0, &plan.selection).await?;
    Ok(schema::dump_schema_without(&tools, source.1, settings.network.ca_file.as_deref(), scratch, &left_out).await?)
}

/// Whether the target's database holds what is left of an offline copy: rows, and keys and triggers that the next copy would run
/// into. It may also be gone, in the midst of being made anew.
async fn is_spent(cx: &Context) -> Result<bool> {
    if cx.plan.mode == Mode::Online {
        return Ok(false);
    }
    if !cx.clouds.target.databases(&cx.project()?).await?.contains(&cx.plan.target.database()) {
        return Ok(true);
    }
    copy_offline::is_begun(&cx.target().await?, &cx.names().mark).await
}

/// The output of a step that imports.
#[derive(Serialize, Deserialize)]
struct Imported {
    /// Objects that are on the target.
    objects: usize,
    /// Those that failed, as was expected, each as `KIND name`.
    left_out: Vec<String>,
}

/// That output in a few words.
pub(super) fn note(output: &Value) -> String {
    match serde_json::from_value::<Imported>(output.clone()) {
        Ok(Imported { objects, left_out }) if left_out.is_empty() => format!("{objects} objects"),
        Ok(Imported { objects, left_out }) => format!("{objects} objects; not created, as expected: {}", left_out.join(", ")),
        Err(_) => String::new(),
    }
}

/// Whether all entries of these sections are on the target.
pub(super) async fn observe(cx: &Context, wanted: fn(Section) -> bool) -> Result<Observed> {
    let Some(entries) = cx.folder.kept::<Vec<Entry>>(SCHEMA)? else {
        return Ok(Observed::Absent);
    };
    let target = cx.target().await?;
    let applied = applied(&target, &cx.names().mark).await?;
    let missing = entries.iter().filter(|entry| wanted(entry.section) && !applied.contains(&entry.id));
    let (expected, missing): (Vec<&Entry>, Vec<&Entry>) = missing.partition(|entry| is_expected(&cx.settings, &entry.kind, &entry.name));
    Ok(match missing.first() {
        None => Observed::Present(output(&Imported {
            objects: entries.iter().filter(|entry| wanted(entry.section)).count() - expected.len(),
            left_out: expected.iter().map(|entry| format!("{} {}", entry.kind, entry.name)).collect(),
        })?),
        Some(first) => Observed::Partial(format!("{} objects are missing, the first {} {}", missing.len(), first.kind, first.name)),
    })
}

/// The schema, as it was dumped for this run.
pub(crate) fn entries(cx: &Context) -> Result<Vec<Entry>> {
    Ok(cx.folder.kept(SCHEMA)?.unwrap_or_default())
}

/// Leaves out what names these tables, which are no more.
pub(super) fn leave_out(cx: &Context, tables: &[QualifiedName]) -> Result<()> {
    let mut entries = entries(cx)?;
    entries.retain(|entry| entry.section == Section::PreData || !tables.iter().any(|table| schema::names_table(entry, table)));
    cx.folder.keep(SCHEMA, &entries)
}

/// Applies the entries of these sections and fails with all that could not be applied and was not expected to fail.
pub(super) async fn import(cx: &Context, target: &mut Session, step: &'static str, wanted: fn(Section) -> bool) -> Result<()> {
    let entries: Vec<Entry> = entries(cx)?.into_iter().filter(|entry| wanted(entry.section)).collect();
    let failures = schema::apply(target, &cx.names().mark, &entries, &mut |done, total| {
        cx.events.say(Event::Progress {
            step: step.to_owned(),
            done: done as u64,
            total: total as u64,
            unit: "objects".into(),
            detail: String::new(),
        });
    })
    .await?;
    refuse_unexpected(cx, failures)
}

/// Fails with those of the failures that were not expected.
pub(crate) fn refuse_unexpected(cx: &Context, failures: Vec<Failure>) -> Result<()> {
    let fatal: Vec<Failure> = failures.into_iter().filter(|failure| !is_expected(&cx.settings, &failure.kind, &failure.name)).collect();
    if fatal.is_empty() { Ok(()) } else { Err(schema_error(&fatal)) }
}

fn schema_error(failures: &[Failure]) -> Error {
    let list: Vec<String> = failures
        .iter()
        .map(|failure| {
            let statement = failure.sql.split_whitespace().collect::<Vec<_>>().join(" ");
            let statement: String = statement.chars().take(160).collect();
            let state = failure.sqlstate.as_deref().map(|state| format!(" (SQLSTATE {state})")).unwrap_or_default();
            format!("\n  {} {}: {}{state}\n    {statement}", failure.kind, failure.name, failure.message)
        })
        .collect();
    let count = failures.len();
    let plural = if count == 1 { "" } else { "s" };
    Error::new(ErrorKind::Schema, format!("{count} schema statement{plural} failed on the target:{}", list.concat())).hint(format!(
        "change the object on the source, or list it under [schema] expected_failures = [\"{} {}\"]; then run the same command \
         again: what was imported stays. `azure2neon abort` removes the target",
        failures.first().map(|failure| failure.kind.as_str()).unwrap_or_default(),
        failures.first().map(|failure| failure.name.as_str()).unwrap_or_default(),
    ))
}

/// Whether the operator said that the creation of this object may fail.
pub(crate) fn is_expected(settings: &Settings, kind: &str, name: &str) -> bool {
    let text = format!("{kind} {name}");
    settings.expected_failures.iter().any(|pattern| matches_pattern(pattern, &text))
}

async fn applied(target: &Session, schema: &str) -> Result<std::collections::HashSet<String>> {
    let table = QualifiedName::new(schema, "applied");
    let there: bool = target.query_one("select pg_catalog.to_regclass($1::text) is not null", &[&table.to_string()]).await?.get(0);
    if !there {
        return Ok(Default::default());
    }
    let rows = target.query(&format!("select id from {table}"), &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
