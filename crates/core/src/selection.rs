//! Which of the source's tables are moved.

use std::collections::{BTreeSet, HashMap};

use azure2neon_postgres::dependents::{self, Dependent, DependentKind};
use azure2neon_postgres::{Inventory, QualifiedName, Session, extensions, inventory};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::settings::matches_pattern;

/// Patterns of `schema.name`, with `*` for any run of characters. A partition goes with its root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// What is moved; everything, if there is no pattern.
    pub tables: Vec<String>,
    /// What of that is not.
    pub exclude_tables: Vec<String>,
}

/// What to do about a selection that can't be.
pub(crate) const HINT: &str = "change `tables` or `exclude_tables` under [copy] (--table, --exclude-table)";

impl Selection {
    /// Whether every table is moved.
    pub fn is_everything(&self) -> bool {
        self.tables.is_empty() && self.exclude_tables.is_empty()
    }

    /// Whether one of its patterns names this table. Nothing names a table that is moved only because all are.
    pub(crate) fn names(&self, table: &QualifiedName) -> bool {
        is_any(&self.tables, table) && !self.excludes(table)
    }

    /// Whether it is excluded.
    pub(crate) fn excludes(&self, table: &QualifiedName) -> bool {
        is_any(&self.exclude_tables, table)
    }

    /// Whether it is moved, going by its own name.
    fn takes(&self, table: &QualifiedName) -> bool {
        (self.tables.is_empty() || is_any(&self.tables, table)) && !self.excludes(table)
    }

    /// The tables that are not moved, foreign ones too.
    pub fn left_out(&self, inventory: &Inventory) -> BTreeSet<QualifiedName> {
        if self.is_everything() {
            return BTreeSet::new();
        }
        let roots = roots(inventory);
        let tables = inventory.tables.iter().map(|table| &table.name).chain(&inventory.foreign_tables);
        tables.filter(|table| !self.takes(roots.get(table).unwrap_or(table))).cloned().collect()
    }
}

fn is_any(patterns: &[String], table: &QualifiedName) -> bool {
    let name = plain(table);
    patterns.iter().any(|pattern| matches_pattern(pattern, &name))
}

/// The name as patterns see it.
pub(crate) fn plain(table: &QualifiedName) -> String {
    format!("{}.{}", table.schema, table.name)
}

/// Of each partition the table that all of its kind are partitions of.
pub(crate) fn roots(inventory: &Inventory) -> HashMap<&QualifiedName, &QualifiedName> {
    let parents: HashMap<&QualifiedName, &QualifiedName> =
        inventory.tables.iter().filter_map(|table| Some((&table.name, table.parent.as_ref()?))).collect();
    let root = |parent| std::iter::successors(Some(parent), |table| parents.get(table).copied()).last();
    parents.iter().filter_map(|(table, parent)| Some((*table, root(*parent)?))).collect()
}

/// The inventory without these tables and what of it can't be without them.
pub fn narrow(mut inventory: Inventory, left_out: &BTreeSet<QualifiedName>, dependents: &[Dependent]) -> Inventory {
    let gone: BTreeSet<&QualifiedName> = left_out.iter().chain(dependents.iter().filter_map(gone_with_them)).collect();
    inventory.tables.retain(|table| !gone.contains(&table.name));
    inventory.foreign_tables.retain(|table| !gone.contains(table));
    inventory.sequences.retain(|sequence| !gone.contains(sequence));
    inventory.materialized_views.retain(|view| !gone.contains(&view.name));
    let of_gone = |trigger: &String| left_out.iter().any(|table| trigger.starts_with(&format!("{}.", plain(table))));
    inventory.always_triggers.retain(|trigger| !of_gone(trigger));
    inventory
}

fn gone_with_them(dependent: &Dependent) -> Option<&QualifiedName> {
    matches!(dependent.kind, DependentKind::View | DependentKind::Sequence).then_some(dependent.name.as_ref()).flatten()
}

/// Reads what the source holds of what is moved.
pub async fn read(source: &Session, selection: &Selection) -> Result<Inventory> {
    let inventory = inventory::inventory(source).await?;
    let left_out = selection.left_out(&inventory);
    let dependents = dependents::dependents(source, &left_out).await?;
    Ok(narrow(inventory, &left_out, &dependents))
}

/// Reads what a dump of the schema leaves out, by catalog and oid.
pub(crate) async fn catalog_ids(source: &Session, selection: &Selection) -> Result<BTreeSet<(u32, u32)>> {
    let behind = extensions::left_behind(source).await?.into_iter();
    if selection.is_everything() {
        return Ok(behind.collect());
    }
    let left_out = selection.left_out(&inventory::inventory(source).await?);
    let dependents = dependents::dependents(source, &left_out).await?;
    refuse_torn(&dependents).map_err(|error| {
        error.hint("the source's schema has changed since the plan: `azure2neon abort`, then begin again with another selection")
    })?;
    Ok(dependents.iter().map(|dependent| dependent.catalog_id).chain(behind).collect())
}

/// Refuses to move a table without another one that it is not the same without.
pub(crate) fn refuse_torn(dependents: &[Dependent]) -> Result<()> {
    let torn: Vec<String> = dependents
        .iter()
        .filter(|dependent| dependent.kind == DependentKind::OfOtherTable)
        .map(|dependent| format!("\n  {} needs {}", dependent.identity, dependent.needs))
        .collect();
    if torn.is_empty() {
        return Ok(());
    }
    let what = format!("tables that are moved are not the same without others that are not:{}", torn.concat());
    Err(Error::new(ErrorKind::Configuration, what).hint(HINT))
}
