//! Which tables are compared, and what is known of them on both sides.

use std::collections::BTreeMap;

use azure2neon_postgres::QualifiedName;
use azure2neon_postgres::digest::{self, Subject, Surveyed};
use azure2neon_postgres::inventory::{self, Inventory, Persistence, Table};

use super::evidence::{Evidence, Tokens};
use super::{Scope, TableVerdict, Verdict};
use crate::context::Context;
use crate::error::Result;

/// A table that both sides have.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) subject: Subject,
    pub(super) source: Surveyed,
    pub(super) evidence: Evidence,
}

/// The tables that hold rows on either side.
pub(super) struct Pairing {
    /// Tables of both.
    pub(super) pairs: Vec<Pair>,
    /// What is known of the others without reading a row.
    pub(super) verdicts: Vec<TableVerdict>,
    pub(super) tokens: Tokens,
}

/// Reads both catalogs and pairs the tables that are moved by name. What is written to them is counted from before that.
pub(super) async fn pair(cx: &Context, scope: &Scope, is_live: bool) -> Result<Pairing> {
    let (source, target) = tokio::try_join!(cx.source(), cx.target())?;
    let right = async { Ok(inventory::inventory(&target).await?) };
    let (left, right) = tokio::try_join!(cx.source_inventory(&source), right)?;
    let (mut both, mut verdicts) = match_by_name(stored(left, scope), stored(right, scope));
    if is_live {
        // What is not logged is not replicated.
        both.retain(|table| table.persistence == Persistence::Permanent);
    }
    let names: Vec<&QualifiedName> = both.iter().map(|table| &table.name).collect();
    let (left, right) = async {
        let left = async { tokio::try_join!(digest::survey(&source, &names), digest::statistics_token(&source)) };
        let right = async { tokio::try_join!(digest::survey(&target, &names), digest::statistics_token(&target)) };
        tokio::try_join!(left, right)
    }
    .await?;
    let seed = digest::seed();
    let mut pairs = Vec::with_capacity(both.len());
    for table in both {
        match left.0.get(&table.name).zip(right.0.get(&table.name)) {
            Some((source, target)) => pairs.push(Pair {
                subject: digest::subject(&table, source, target, seed),
                source: source.clone(),
                evidence: Evidence { source: source.activity, target: target.activity },
            }),
            // It was dropped just now.
            None => verdicts.push(TableVerdict::of_table(table.name, Verdict::Missing, None)),
        }
    }
    Ok(Pairing { pairs, verdicts, tokens: Tokens { source: left.1, target: right.1 } })
}

/// The tables in the scope that hold rows.
fn stored(inventory: Inventory, scope: &Scope) -> BTreeMap<QualifiedName, Table> {
    let left_out = scope.selection.left_out(&inventory);
    let is_meant = |table: &Table| {
        table.has_storage() && !left_out.contains(&table.name) && scope.only.as_ref().is_none_or(|only| only.contains(&table.name))
    };
    inventory.tables.into_iter().filter(is_meant).map(|table| (table.name.clone(), table)).collect()
}

/// The tables of both that have the same columns, and a verdict about each other one.
fn match_by_name(source: BTreeMap<QualifiedName, Table>, mut target: BTreeMap<QualifiedName, Table>) -> (Vec<Table>, Vec<TableVerdict>) {
    let (mut both, mut verdicts) = (Vec::new(), Vec::new());
    for (name, table) in source {
        match target.remove(&name).map(|other| other_columns(&table, &other)) {
            Some(None) => both.push(table),
            Some(why) => verdicts.push(TableVerdict::of_table(name, Verdict::Different, why)),
            None => verdicts.push(TableVerdict::of_table(name, Verdict::Missing, None)),
        }
    }
    verdicts.extend(target.into_keys().map(|name| TableVerdict::of_table(name, Verdict::Missing, None)));
    (both, verdicts)
}

/// The columns that one side only has, in words.
fn other_columns(source: &Table, target: &Table) -> Option<String> {
    let lacks = |one: &Table, other: &Table| -> Vec<String> {
        let is_there = |name: &str| other.columns.iter().any(|column| column.name == name);
        one.columns.iter().filter(|column| !is_there(&column.name)).map(|column| column.name.clone()).collect()
    };
    let sides = [("source", lacks(source, target)), ("target", lacks(target, source))];
    let words: Vec<String> = sides
        .iter()
        .filter(|(_, columns)| !columns.is_empty())
        .map(|(side, columns)| format!("columns on the {side} only: {}", columns.join(", ")))
        .collect();
    if words.is_empty() { None } else { Some(words.join("; ")) }
}
