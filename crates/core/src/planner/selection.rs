//! What a selection of tables leaves out, and whether it can be.

use std::collections::BTreeSet;

use azure2neon_postgres::QualifiedName;
use azure2neon_postgres::dependents::{Dependent, DependentKind};

use crate::checks::{self, Check};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Finding;
use crate::selection::{self, HINT, Selection, plain, roots};
use crate::settings::matches_pattern;
use crate::survey::Survey;
use crate::units;

/// So many names are listed.
const LISTED: usize = 20;

/// The survey of what is moved alone; refuses a selection that can't be.
pub(super) fn narrowed(survey: &Survey, selection: &Selection) -> Result<Survey> {
    refuse_unmatched(survey, selection)?;
    refuse_partitions_apart(survey, selection)?;
    selection::refuse_torn(&survey.dependents)?;
    let left_out = selection.left_out(&survey.inventory);
    let inventory = selection::narrow(survey.inventory.clone(), &left_out, &survey.dependents);
    if inventory.tables.is_empty() && !left_out.is_empty() {
        return Err(Error::new(ErrorKind::Configuration, "the selection leaves no table to move").hint(HINT));
    }
    let gone: BTreeSet<u32> = survey.dependents.iter().filter_map(Dependent::relation).collect();
    let mut assessment = survey.assessment.clone();
    for hits in assessment.values_mut() {
        hits.retain(|hit| hit.relation.is_none_or(|relation| !gone.contains(&relation)));
    }
    assessment.retain(|_, hits| !hits.is_empty());
    Ok(Survey { inventory, assessment, ..survey.clone() })
}

/// A pattern that matches nothing is a mistake: a table that was meant would be left behind, or moved.
fn refuse_unmatched(survey: &Survey, selection: &Selection) -> Result<()> {
    let inventory = &survey.inventory;
    let tables: Vec<String> = inventory.tables.iter().map(|table| &table.name).chain(&inventory.foreign_tables).map(plain).collect();
    let unmatched = |pattern: &&String| !tables.iter().any(|table| matches_pattern(pattern, table));
    let Some(pattern) = selection.tables.iter().chain(&selection.exclude_tables).find(unmatched) else { return Ok(()) };
    Err(Error::new(ErrorKind::Configuration, format!("no table matches {pattern:?}; there are {}", listed(&tables)))
        .hint(format!("a pattern is schema.name, with * for any run of characters: {HINT}")))
}

/// Partitions go with their root: the target could not hold one alone, nor the root's rows without it.
fn refuse_partitions_apart(survey: &Survey, selection: &Selection) -> Result<()> {
    let left_out = selection.left_out(&survey.inventory);
    let mut apart: Vec<(&QualifiedName, &QualifiedName, &str)> = roots(&survey.inventory)
        .into_iter()
        .filter_map(|(table, root)| {
            if !left_out.contains(root) {
                return selection.excludes(table).then_some((table, root, "is excluded without"));
            }
            // Whoever excludes a root means its partitions too.
            (selection.names(table) && !selection.excludes(root)).then_some((table, root, "is selected without"))
        })
        .collect();
    apart.sort();
    let Some((table, root, how)) = apart.first() else { return Ok(()) };
    Err(Error::new(ErrorKind::Configuration, format!("{table} {how} {root}, of which it is a partition"))
        .hint(format!("partitions go with their root: name {} alone; {HINT}", plain(root))))
}

/// What of the schema stays behind beside the tables, for people.
pub(super) fn stays_behind(dependents: &[Dependent]) -> Vec<String> {
    let told = [DependentKind::ForeignKey, DependentKind::View, DependentKind::Object];
    dependents.iter().filter(|dependent| told.contains(&dependent.kind)).map(|dependent| dependent.identity.clone()).collect()
}

/// What the operator should know of it.
pub(super) fn findings(survey: &Survey, selection: &Selection) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |check: &Check, (one, rest): (&str, &str), names: Vec<String>, advice: &str| {
        if !names.is_empty() {
            let what = format!("{} {rest}: {}", units::count(names.len(), one), listed(&names));
            findings.push(check.finding(what, advice));
        }
    };
    let of = |kind| -> Vec<String> {
        let told = survey.dependents.iter().filter(|dependent| dependent.kind == kind);
        told.map(|dependent| format!("{} (needs {})", dependent.identity, dependent.needs)).collect()
    };
    add(
        &checks::tables_left_out::CHECK,
        ("table", "left out"),
        selection.left_out(&survey.inventory).iter().map(plain).collect(),
        "--table and --exclude-table say which are moved",
    );
    add(
        &checks::foreign_keys_leave_selection::CHECK,
        ("foreign key", "to what is left out"),
        of(DependentKind::ForeignKey),
        "select what they refer to as well, or see that the application keeps the references",
    );
    add(
        &checks::views_leave_selection::CHECK,
        ("view", "of what is left out"),
        of(DependentKind::View),
        "select what they read as well, or see that nobody needs them there",
    );
    add(
        &checks::objects_leave_selection::CHECK,
        ("object", "made of what is left out"),
        of(DependentKind::Object),
        "select what they are made of as well, or see that nobody needs them there",
    );
    findings
}

fn listed(names: &[String]) -> String {
    units::listed(names, LISTED)
}
