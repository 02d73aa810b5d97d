//! The source's definitions in the target's spelling.
//!
//! A server spells a definition from its parsed form, so that its text depends on the version, and on how it was first written:
//! `IN (…)` over varchars reads otherwise after a dump is restored. Hence where two texts differ, the target parses and spells the
//! source's. Nothing stays of that: it makes temporary objects and drops them in the same transaction.

use std::fmt::Write as _;

use futures::future::join_all;
use tokio_postgres::SimpleQueryMessage;

use super::{Catalog, Object, ObjectName};
use crate::connect::Session;

/// The temporary object.
const TEMP: &str = "pg_temp.azure2neon_respelled";

/// How to have one definition spelled anew.
struct Spelling {
    make: String,
    read: String,
    drop: &'static str,
}

/// Puts the target's spelling in place of the source's, wherever the two differ and the target can parse it.
pub async fn respell(session: &Session, source: &mut Catalog, target: &Catalog) {
    let mut asked = Vec::new();
    for (name, object) in &source.objects {
        let Some(other) = target.objects.get(name) else { continue };
        for (aspect, value) in &object.aspects {
            if other.aspect(aspect).is_some_and(|spelled| spelled != value)
                && let Some(spelling) = spelling(source, name, object, aspect, value)
            {
                asked.push((name.clone(), aspect.clone(), spelling));
            }
        }
    }
    // Sent one behind the other, each a transaction by itself: what the target can't parse fails alone and stays as it is.
    let answers = join_all(asked.iter().map(|(_, _, spelling)| spell(session, spelling))).await;
    for ((name, aspect, _), spelled) in asked.into_iter().zip(answers) {
        let Some(object) = source.objects.get_mut(&name) else { continue };
        if let (Some(spelled), Some((_, value))) = (spelled, object.aspects.iter_mut().find(|(other, _)| *other == aspect)) {
            *value = match &object.of {
                Some(of) => spelled.replacen(&on(TEMP), &on(of), 1),
                None => spelled,
            };
        }
    }
}

async fn spell(session: &Session, Spelling { make, read, drop }: &Spelling) -> Option<String> {
    let answer = session.simple_query(&format!("{make}; {read}; drop {drop} {TEMP}")).await.ok()?;
    answer.iter().find_map(|message| if let SimpleQueryMessage::Row(row) = message { row.get(0).map(str::to_owned) } else { None })
}

/// How a definition names its table.
fn on(table: &str) -> String {
    format!(" ON {table} ")
}

fn spelling(catalog: &Catalog, name: &ObjectName, object: &Object, aspect: &str, value: &str) -> Option<Spelling> {
    let own = name.name.strip_prefix(object.of.as_deref().unwrap_or_default()).and_then(|rest| rest.strip_prefix('.'));
    let on_table = |change: String, read: &str| {
        let of = object.of.as_deref()?;
        let make = format!("create temporary table azure2neon_respelled (like {of}); {change}");
        Some(Spelling { make, read: read.replace("TEMP", &format!("'{TEMP}'::pg_catalog.regclass")), drop: "table" })
    };
    // Never the table itself: a definition in which it is not found is not executed.
    let elsewhere = || {
        let of = on(object.of.as_deref()?);
        value.contains(&of).then(|| value.replacen(&of, &on(TEMP), 1))
    };
    match (name.kind.as_str(), aspect) {
        ("view" | "materialized view", "definition") => Some(Spelling {
            make: format!("create temporary view azure2neon_respelled as {}", value.trim_end_matches(';')),
            read: format!("select pg_catalog.pg_get_viewdef('{TEMP}'::pg_catalog.regclass)"),
            drop: "view",
        }),
        ("constraint", "definition") if object.aspect("on") == Some("domain") => {
            let domain = ObjectName { kind: "domain".into(), name: object.of.clone()? };
            let base = catalog.objects.get(&domain)?.aspect("type")?;
            Some(Spelling {
                make: format!("create domain {TEMP} as {base}; alter domain {TEMP} add {value}"),
                read: format!(
                    "select pg_catalog.pg_get_constraintdef(oid) from pg_catalog.pg_constraint where contypid = '{TEMP}'::pg_catalog.regtype and contype = 'c'"
                ),
                drop: "domain",
            })
        }
        ("constraint", "definition") => on_table(
            format!("alter table {TEMP} add constraint azure2neon_respelled {value}"),
            "select pg_catalog.pg_get_constraintdef(oid) from pg_catalog.pg_constraint where conrelid = TEMP and conname = 'azure2neon_respelled'",
        ),
        ("index", "definition") => {
            on_table(elsewhere()?, "select pg_catalog.pg_get_indexdef(indexrelid) from pg_catalog.pg_index where indrelid = TEMP")
        }
        ("trigger", "definition") => on_table(
            elsewhere()?,
            "select pg_catalog.pg_get_triggerdef(oid) from pg_catalog.pg_trigger where tgrelid = TEMP and not tgisinternal",
        ),
        ("column", "default") => on_table(
            format!("alter table {TEMP} alter column {} set default {value}", own?),
            "select pg_catalog.pg_get_expr(adbin, adrelid) from pg_catalog.pg_attrdef where adrelid = TEMP",
        ),
        ("column", "generated as") => {
            let (own, kind) = (own?, object.aspect("type")?);
            let mut change = format!("alter table {TEMP} drop column {own}; ");
            let _ = write!(change, "alter table {TEMP} add column {own} {kind} generated always as ({value}) stored");
            on_table(change, "select pg_catalog.pg_get_expr(adbin, adrelid) from pg_catalog.pg_attrdef where adrelid = TEMP")
        }
        ("policy", "using" | "with check") => {
            let command = if aspect == "using" { "select" } else { "insert" };
            on_table(
                format!("create policy azure2neon_respelled on {TEMP} for {command} {aspect} ({value})"),
                "select pg_catalog.pg_get_expr(coalesce(polqual, polwithcheck), polrelid) from pg_catalog.pg_policy where polrelid = TEMP",
            )
        }
        _ => None,
    }
}
