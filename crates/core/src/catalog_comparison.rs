//! Compares the catalogs of both servers, and says of each difference whether it was to be expected, and why.

use std::collections::{BTreeMap, BTreeSet};

use azure2neon_postgres::catalog::{self, Catalog, Difference, Object, ObjectName, What};
use azure2neon_postgres::inventory::ReplicaIdentity;
use azure2neon_postgres::schema::Entry;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::selection::{self, plain};
use crate::settings::matches_pattern;
use crate::steps::{Action, schema_entries};

/// So many differences are named in an error.
const NAMED: usize = 20;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogComparison {
    /// Objects that were compared.
    pub objects: usize,
    /// By object; the expected ones say why.
    pub differences: Vec<Difference>,
}

impl CatalogComparison {
    /// The differences that should not be.
    pub fn unexpected(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.expected_because.is_none())
    }

    /// In a few words.
    pub fn note(&self) -> String {
        let unexpected: BTreeSet<&ObjectName> = self.unexpected().map(|difference| &difference.object).collect();
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for difference in self.differences.iter().filter(|difference| difference.expected_because.is_some()) {
            *kinds.entry(difference.aspect.as_deref().unwrap_or(&difference.object.kind)).or_default() += 1;
        }
        let mut kinds: Vec<(&str, usize)> = kinds.into_iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let expected: usize = kinds.iter().map(|(_, count)| count).sum();
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let mut words = format!("{} objects alike", self.objects - unexpected.len());
        if !unexpected.is_empty() {
            words.push_str(&format!(", {} not", unexpected.len()));
        }
        if expected > 0 {
            words.push_str(&format!(", {expected} expected differences ({})", kinds.join(", ")));
        }
        words
    }

    /// Fails with the differences that should not be.
    pub fn demand_alike(&self) -> Result<()> {
        let unexpected: Vec<&Difference> = self.unexpected().collect();
        if unexpected.is_empty() {
            return Ok(());
        }
        let mut lines: String = unexpected.iter().take(NAMED).map(|difference| format!("\n  {difference}")).collect();
        if unexpected.len() > NAMED {
            lines.push_str(&format!("\n  and {} more", unexpected.len() - NAMED));
        }
        let plural = if unexpected.len() == 1 { "" } else { "s" };
        let what = format!("the catalogs are not alike, {} difference{plural}:{lines}", unexpected.len());
        Err(Error::new(ErrorKind::NotEqual, what).hint(
            "somebody changed the target, or DDL ran on the source since the import: make the two alike, then run the same \
             command again; `azure2neon abort` and start again does it too",
        ))
    }
}

/// Reads both catalogs and compares what is moved.
pub async fn compare_catalogs(cx: &Context) -> Result<CatalogComparison> {
    let (on_source, on_target) = tokio::try_join!(cx.source(), cx.target())?;
    let source = async {
        let left_out = selection::catalog_ids(&on_source, &cx.plan.selection).await?;
        let mut source = catalog::catalog(&on_source).await?;
        source.leave_out(&left_out);
        Ok::<_, Error>(source)
    };
    let target = async { Ok(catalog::catalog(&on_target).await?) };
    let (mut source, target) = tokio::try_join!(source, target)?;
    catalog::respell(&on_target, &mut source, &target).await;
    Ok(Expectations::of(cx)?.judge(&source, &target))
}

/// What makes a difference an expected one.
#[derive(Default)]
struct Expectations {
    /// The owner of all that is on the target.
    owner: String,
    /// The tables that the run gives another replica identity, by bare name, before and after.
    identities: BTreeMap<String, [Option<String>; 2]>,
    /// Kind and name of the statements that the operator lets fail.
    allowed: Vec<(String, String)>,
    /// Whether the materialized views have been filled.
    refreshed: bool,
}

impl Expectations {
    fn of(cx: &Context) -> Result<Self> {
        let identities = match cx.plan.step("set-replica-identity").map(|step| &step.action) {
            Some(Action::SetReplicaIdentity(step)) => {
                step.changes.iter().map(|change| (bare(&plain(&change.table)), [identity(&change.from), identity(&change.to)])).collect()
            }
            _ => BTreeMap::new(),
        };
        let is_allowed = |entry: &Entry| {
            let text = format!("{} {}", entry.kind, entry.name);
            cx.settings.expected_failures.iter().any(|pattern| matches_pattern(pattern, &text))
        };
        let entries = schema_entries(cx)?.into_iter().filter(is_allowed);
        Ok(Self {
            owner: cx.plan.target.role.clone(),
            identities,
            allowed: entries.map(|entry| (entry.kind, entry.name)).collect(),
            refreshed: cx.done::<serde_json::Value>("refresh-views")?.is_some(),
        })
    }

    fn judge(&self, source: &Catalog, target: &Catalog) -> CatalogComparison {
        let mut differences = catalog::differences(source, target);
        for difference in &mut differences {
            difference.expected_because = self.reason(difference, source.objects.get(&difference.object));
        }
        let extra = target.objects.keys().filter(|name| !source.objects.contains_key(name)).count();
        CatalogComparison { objects: source.objects.len() + extra, differences }
    }

    /// Why the difference was to be expected, if it was.
    fn reason(&self, difference: &Difference, object: Option<&Object>) -> Option<String> {
        let reason = match (difference.what, difference.aspect.as_deref()) {
            (What::Differs, Some(aspect)) => self.of_aspect(difference, aspect, object),
            (what, _) => self.of_object(difference, what, object),
        };
        reason.or_else(|| not_carried(&difference.object.kind)).map(str::to_owned).or_else(|| self.allowed_to_fail(difference))
    }

    fn of_object(&self, difference: &Difference, what: What, object: Option<&Object>) -> Option<&'static str> {
        let of_superuser = difference.target.as_deref().is_some_and(|owner| owner.starts_with("superuser "));
        match (what, difference.object.kind.as_str()) {
            (What::Extra, "extension" | "event trigger" | "language" | "foreign data wrapper") if of_superuser => {
                Some("the target's provider made it")
            }
            (What::Extra, "schema") if difference.object.name == "public" => Some("every new database has it"),
            (What::Missing, "index") if object.is_some_and(|object| object.aspect("validity").is_some()) => {
                Some("an index that is not valid on the source is not dumped")
            }
            _ => None,
        }
    }

    fn of_aspect(&self, difference: &Difference, aspect: &str, object: Option<&Object>) -> Option<&'static str> {
        let (source, target) = (difference.source.as_deref(), difference.target.as_deref());
        match aspect {
            "owner" if self.is_target_owner(&difference.object, target) => {
                Some("owners are not carried over; all belongs to the target's owner")
            }
            "privileges" => Some("grants are not carried over"),
            "version" => Some("the target has its own versions of extensions"),
            "tablespace" => Some("the target decides itself where its files are"),
            "access method" if target.is_none() => Some("the target stores tables its own way"),
            "persistence" if (source, target) == (Some("unlogged"), Some("logged")) => {
                Some("the target may lose what is not logged, so it is logged there")
            }
            "populated" if (source, target) == (Some("yes"), Some("no")) && !self.refreshed => {
                Some("materialized views are filled in the cut-over")
            }
            "replica identity" => {
                let own = |value: &Option<String>| value.as_deref() == source || value.as_deref() == target;
                let ours = self.identities.get(&bare(&difference.object.name)).is_some_and(|changes| changes.iter().all(own));
                ours.then_some("the run changes it for as long as it replicates")
            }
            "column order" if object.is_some_and(|object| object.aspect("inherits").is_some()) => {
                Some("a dump puts inherited columns first")
            }
            "firing mode" if difference.object.kind == "constraint" && target.is_none() => {
                Some("a dump does not carry over that a constraint is switched off")
            }
            _ => None,
        }
    }

    /// Whether this is who owns such an object on the target. What its provider makes, or makes for its user, has owners of its own.
    fn is_target_owner(&self, object: &ObjectName, owner: Option<&str>) -> bool {
        let of_provider = matches!(object.kind.as_str(), "extension" | "event trigger" | "language" | "foreign data wrapper");
        owner == Some(&self.owner) || of_provider || (object.kind == "schema" && object.name == "public")
    }

    /// Whether the operator lets the statement fail that makes the object, or its aspect.
    fn allowed_to_fail(&self, difference: &Difference) -> Option<String> {
        if difference.what == What::Extra {
            return None;
        }
        let name = archived(&difference.object);
        let kind = difference.object.kind.to_uppercase();
        let (kind, failed) = self.allowed.iter().find(|(failed, entry)| match (failed.as_str(), difference.aspect.as_deref()) {
            ("COMMENT", Some("comment")) => commented(entry, &kind).is_some_and(|entry| entry == name),
            ("DEFAULT", Some("default")) | ("ROW SECURITY", Some("row security")) | ("SEQUENCE OWNED BY", Some("owned by")) => {
                bare(entry) == name
            }
            ("TABLE ATTACH" | "INDEX ATTACH", Some("partition of")) => bare(entry) == name,
            (_, None) => bare(entry) == name && (failed.ends_with(&kind) || kind.ends_with(failed)),
            _ => false,
        })?;
        Some(format!("its statement was allowed to fail: {kind} {failed}"))
    }
}

/// Why objects of this kind are not alike, if they need not be.
fn not_carried(kind: &str) -> Option<&'static str> {
    match kind {
        "publication" | "subscription" => Some("publications and subscriptions are not carried over"),
        "user mapping" => Some("a user mapping may hold a password, so it is not carried over"),
        "default privileges" => Some("grants are not carried over"),
        "database setting" => Some("settings of databases and roles are not carried over"),
        _ => None,
    }
}

/// The name as it is compared with one that is quoted or put together otherwise.
fn bare(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '"' | '.' | ' ')).collect()
}

/// The bare name that an archive has for this object: it tells less of operators, and of casts more.
fn archived(object: &ObjectName) -> String {
    let name = object.name.as_str();
    match object.kind.as_str() {
        "cast" => bare(&format!("CAST {}", name.replace("pg_catalog.", ""))),
        "operator" => bare(name.split('(').next().unwrap_or_default()),
        "operator class" | "operator family" => bare(name.split(" USING ").next().unwrap_or_default()),
        _ => bare(name),
    }
}

/// The bare name of what an archive's comment is on, if that is of this kind: `schema.TABLE name`, `schema.TRIGGER name ON table`.
fn commented(entry: &str, kind: &str) -> Option<String> {
    let (schema, rest) = entry.split_once(&format!("{kind} "))?;
    Some(match rest.rsplit_once(" ON ") {
        Some((name, table)) => bare(&format!("{schema}{table}{name}")),
        None => bare(&format!("{schema}{rest}")),
    })
}

/// A replica identity as the catalog tells it.
fn identity(identity: &ReplicaIdentity) -> Option<String> {
    match identity {
        ReplicaIdentity::Default => None,
        ReplicaIdentity::Nothing => Some("nothing".into()),
        ReplicaIdentity::Full => Some("full".into()),
        ReplicaIdentity::Index(index) => Some(format!("index {index}")),
    }
}

#[cfg(test)]
#[path = "catalog_comparison_tests.rs"]
mod tests;
