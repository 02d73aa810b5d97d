//! The source's definitions in the target's spelling.
//!
//! A server spells a definition from its parsed form, so that its text depends on the version, and on how it was first written:
//! `IN (…)` over varchars reads otherwise after a dump is restored. Hence where two texts differ, the target parses and spells the
//! source's. Nothing stays of that: it makes temporary objects and drops them in the same transaction.

use futures::future::join_all;
use tokio_postgres::SimpleQueryMessage;

use super::{Catalog, Object, ObjectName};
use crate::connect::Session;

/// The temporary object,
const TEMP: &str = "pg_temp.azure2neon_respelled";
/// and as a relation's oid.
const TEMP_OID: &str = "'pg_temp.azure2neon_respelled'::pg_catalog.regclass";

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
                Some(of) => spelled.replacen(&on(&name.kind, TEMP), &on(&name.kind, of), 1),
                None => spelled,
            };
        }
    }
}

async fn spell(session: &Session, Spelling { make, read, drop }: &Spelling) -> Option<String> {
    let answer = session.simple_query(&format!("{make}; {read}; drop {drop} {TEMP}")).await.ok()?;
    answer.iter().find_map(|message| if let SimpleQueryMessage::Row(row) = message { row.get(0).map(str::to_owned) } else { None })
}

/// How the definition of an index, a trigger or a rule names its table.
fn on(kind: &str, table: &str) -> String {
    if kind == "rule" { format!(" TO {table}") } else { format!(" ON {table} ") }
}

fn spelling(catalog: &Catalog, name: &ObjectName, object: &Object, aspect: &str, value: &str) -> Option<Spelling> {
    match (name.kind.as_str(), aspect) {
        ("view" | "materialized view", "definition") => Some(Spelling {
            make: format!("create temporary view azure2neon_respelled as {}", value.trim_end_matches(';')),
            read: format!("select pg_catalog.pg_get_viewdef({TEMP_OID})"),
            drop: "view",
        }),
        ("function" | "procedure", "sql body") => {
            let returns = object.aspect("result").map(|result| format!("returns {result}")).unwrap_or_default();
            Some(Spelling {
                make: format!("create {} {TEMP}({}) {returns} language sql {value}", name.kind, object.aspect("arguments")?),
                read: "select pg_catalog.pg_get_function_sqlbody(oid) from pg_catalog.pg_proc where proname = 'azure2neon_respelled'"
                    .into(),
                drop: "routine",
            })
        }
        ("constraint", "definition") if object.aspect("on") == Some("domain") => {
            let domain = ObjectName { kind: "domain".into(), name: object.of.clone()? };
            let base = catalog.objects.get(&domain)?.aspect("type")?;
            let of_temp = format!("contypid = '{TEMP}'::pg_catalog.regtype and contype = 'c'");
            Some(Spelling {
                make: format!("create domain {TEMP} as {base}; alter domain {TEMP} add {value}"),
                read: format!("select pg_catalog.pg_get_constraintdef(oid) from pg_catalog.pg_constraint where {of_temp}"),
                drop: "domain",
            })
        }
        (kind, aspect) => on_table(kind, name, object, aspect, value),
    }
}

/// What is a part of a table is made on a temporary one with the same columns.
fn on_table(kind: &str, name: &ObjectName, object: &Object, aspect: &str, value: &str) -> Option<Spelling> {
    let of = object.of.as_deref()?;
    let own = name.name.strip_prefix(of).and_then(|rest| rest.strip_prefix('.'));
    // Never the table itself: a definition in which it is not found is not executed.
    let elsewhere = || value.contains(&on(kind, of)).then(|| value.replacen(&on(kind, of), &on(kind, TEMP), 1));
    let (change, get, catalog, of_temp) = match (kind, aspect) {
        ("constraint", "definition") => {
            let change = format!("alter table {TEMP} add constraint azure2neon_respelled {value}");
            (change, "pg_get_constraintdef(oid)", "pg_constraint", "conname = 'azure2neon_respelled' and conrelid")
        }
        ("index", "definition") => (elsewhere()?, "pg_get_indexdef(indexrelid)", "pg_index", "indrelid"),
        ("trigger", "definition") => (elsewhere()?, "pg_get_triggerdef(oid)", "pg_trigger", "not tgisinternal and tgrelid"),
        ("rule", "definition") => (elsewhere()?, "pg_get_ruledef(oid)", "pg_rewrite", "ev_class"),
        ("column", "default") => {
            let change = format!("alter table {TEMP} alter column {} set default {value}", own?);
            (change, "pg_get_expr(adbin, adrelid)", "pg_attrdef", "adrelid")
        }
        ("column", "generated as") => {
            let (own, type_name) = (own?, object.aspect("type")?);
            let column = format!("{own} {type_name} generated always as ({value}) stored");
            let change = format!("alter table {TEMP} drop column {own}; alter table {TEMP} add column {column}");
            (change, "pg_get_expr(adbin, adrelid)", "pg_attrdef", "adrelid")
        }
        ("policy", "using" | "with check") => {
            let command = if aspect == "using" { "select" } else { "insert" };
            let change = format!("create policy azure2neon_respelled on {TEMP} for {command} {aspect} ({value})");
            (change, "pg_get_expr(coalesce(polqual, polwithcheck), polrelid)", "pg_policy", "polrelid")
        }
        _ => return None,
    };
    Some(Spelling {
        make: format!("create temporary table azure2neon_respelled (like {of}); {change}"),
        read: format!("select pg_catalog.{get} from pg_catalog.{catalog} where {of_temp} = {TEMP_OID}"),
        drop: "table",
    })
}
