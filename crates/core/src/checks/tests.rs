mod server;

use std::collections::BTreeSet;

use azure2neon_postgres::assessment;
use azure2neon_postgres::dependents::{Dependent, DependentKind};
use azure2neon_postgres::extensions::Hanging;
use azure2neon_postgres::inventory::Persistence;
use azure2neon_postgres::statistics::Changes;

use super::*;
use crate::cloud::{OfferedExtensions, Storage};
use crate::planner::plan;
use crate::planner::tests::target_tests::existing;
use crate::planner::tests::{settings, survey, table};
use crate::selection::Selection;
use crate::survey::ExistingTarget;

fn ids(survey: &Survey, mode: Mode) -> Vec<String> {
    let settings = Settings { mode, ..settings() };
    plan(survey, &settings, "abcdef").unwrap().findings.into_iter().map(|finding| finding.id).collect()
}

fn disk(gib: i64, grows: bool) -> Option<Storage> {
    Some(Storage { bytes: gib << 30, grows })
}

/// A check's id, and what makes it find something.
type Trouble = (&'static str, fn(&mut Survey));

/// What each check that looks at the survey finds, and nothing else does.
const TROUBLES: &[Trouble] = &[
    ("encoding", |survey| survey.inventory.encoding = "LATIN1".into()),
    ("large-objects", |survey| survey.inventory.large_objects = 3),
    ("no-tables", |survey| survey.inventory.tables.clear()),
    ("tables-without-key", |survey| survey.inventory.tables[0].primary_key = false),
    ("tables-without-equality", |survey| {
        survey.inventory.tables[0].primary_key = false;
        survey.inventory.tables[0].equality_for_all_columns = false;
    }),
    ("unlogged-tables", |survey| survey.inventory.tables[0].persistence = Persistence::Unlogged),
    ("foreign-tables", |survey| survey.inventory.foreign_tables = vec![survey.inventory.tables[0].name.clone()]),
    ("always-triggers", |survey| survey.inventory.always_triggers = vec!["public.a.t".into()]),
    ("subscriptions", |survey| survey.inventory.subscriptions = vec!["s".into()]),
    ("extensions", |survey| extension(survey, ("citext", "1.6"), &["citext 1.6"], Vec::new())),
    ("extensions-older-version", |survey| extension(survey, ("vector", "0.8.1"), &["vector 0.8.0"], Vec::new())),
    ("extensions-left-behind", |survey| extension(survey, ("pgaudit", "16.0"), &[], vec![hanging("pgaudit", &[])])),
    ("extensions-missing", |survey| extension(survey, ("tdigest", "1.4"), &["citext 1.6"], vec![hanging("tdigest", &[])])),
    ("text-order", |survey| survey.text_order.otherwise = vec!["name in public.by_name".into()]),
    ("text-order-unknown", |survey| survey.text_order.unknown = vec!["name in public.by_name".into()]),
    ("collation", |survey| survey.inventory.collate = "en_US.utf8".into()),
];

/// The source has this extension, the target offers these, and this hangs on it.
fn extension(survey: &mut Survey, (name, version): (&str, &str), offered: &[&str], hanging: Vec<Hanging>) {
    survey.inventory.extensions = vec![("plpgsql".into(), "1.0".into()), (name.into(), version.into())];
    let versions = offered.iter().filter_map(|one| one.split_once(' ')).map(|(name, version)| (name.into(), version.into())).collect();
    survey.extensions = Some(OfferedExtensions { versions, provenance: "a list of a day".into() });
    survey.hanging = hanging;
}

fn hanging(extension: &str, names: &[&str]) -> Hanging {
    let objects = names.len().try_into().unwrap();
    Hanging { oid: 1, extension: extension.into(), objects, names: names.iter().map(|name| (*name).into()).collect() }
}

#[test]
fn an_extension_that_is_not_there_is_one_cause_with_all_that_hangs_on_it() {
    let mut survey = survey(vec![table("a")]);
    let on_it = hanging("pgstattuple", &["view public.bloat", "function public.f()"]);
    extension(&mut survey, ("pgstattuple", "1.5"), &[], vec![on_it]);
    let plan = |settings: &Settings| crate::planner::plan(&survey, settings, "abcdef").unwrap();
    let blocking = plan(&settings());
    let finding = blocking.findings.iter().find(|finding| finding.id == "extensions-missing").unwrap();
    assert_eq!(
        finding.what,
        "1 extension not offered by the target, according to a list of a day: \
         pgstattuple 1.5 (2 objects hang on it: view public.bloat, function public.f())"
    );
    assert!(blocking.refuse_blocked().is_err());
    let allowed = Settings { expected_failures: vec!["EXTENSION pgstattuple".into()], ..settings() };
    plan(&allowed).refuse_blocked().unwrap();
}

#[test]
fn what_was_surveyed_is_looked_at_by_each_check() {
    assert_eq!(ids(&survey(vec![table("a")]), Mode::Online), ["way-back"]);
    for (id, change) in TROUBLES.iter().chain(server::TROUBLES) {
        let mut survey = survey(vec![table("a")]);
        change(&mut survey);
        let mut found = ids(&survey, Mode::Online);
        found.retain(|found| !matches!(found.as_str(), "way-back" | "no-way-back"));
        if *id == "tables-without-equality" {
            found.retain(|found| found != "tables-without-key");
        }
        assert_eq!(found, [*id], "{id}");
    }
    let tried: BTreeSet<&str> = TROUBLES.iter().chain(server::TROUBLES).map(|(id, _)| *id).collect();
    let there: BTreeSet<&str> = CHECKS.iter().filter(|check| matches!(check.look, Look::Survey(_))).map(|check| check.id).collect();
    assert_eq!(tried, there, "each has a trouble here");
}

#[test]
fn what_the_server_lists_has_its_check() {
    let asked: BTreeSet<&str> = assessment::QUERIES.iter().map(|(id, _)| *id).chain([assessment::UNCHECKED]).collect();
    let listed: BTreeSet<&str> = CHECKS.iter().filter(|check| matches!(check.look, Look::Listed { .. })).map(|check| check.id).collect();
    assert_eq!(asked, listed);
    let mut survey = survey(vec![table("a")]);
    let hit = |object: &str, bytes| Hit { object: object.into(), bytes, relation: None };
    survey.assessment.insert("bloat", (0..12).map(|n| hit(&format!("t{n:02}"), n * 1024)).collect());
    survey.assessment.insert("rules", vec![hit("r on public.a", 0)]);
    let findings = plan(&survey, &settings(), "abcdef").unwrap().findings;
    let what = |id: &str| findings.iter().find(|finding| finding.id == id).unwrap().what.clone();
    assert_eq!(what("rules"), "1 rule of a table: r on public.a");
    let bloat = what("bloat");
    assert!(bloat.starts_with("12 tables with many dead rows: t11 (11.0 KiB), t10") && bloat.ends_with(" and 2 more"), "{bloat}");
    assert!(!ids(&survey, Mode::Offline).contains(&"rules".to_owned()), "it matters to replication only");
    assert!(ids(&survey, Mode::Offline).contains(&"bloat".to_owned()));
}

#[test]
fn everything_that_blocks_is_named_at_once() {
    let mut survey = survey(vec![table("a")]);
    survey.inventory.encoding = "LATIN1".into();
    survey.inventory.large_objects = 3;
    let plan = plan(&survey, &settings(), "abcdef").unwrap();
    assert_eq!(plan.findings.iter().filter(|finding| finding.severity == Severity::Blocks).count(), 2);
    let error = plan.refuse_blocked().unwrap_err();
    assert!(error.message().contains("encoding: ") && error.message().contains("large-objects: "), "{error}");
    assert!(error.remedy().unwrap().contains("bytea"), "{error:?}");

    let reasons = [("encoding", "it is ASCII throughout"), ("large-objects", "orphans")];
    let accepted: BTreeMap<String, String> = reasons.iter().map(|(id, why)| ((*id).to_owned(), (*why).to_owned())).collect();
    let accepting = Settings { accepted, ..settings() };
    let plan = crate::planner::plan(&survey, &accepting, "abcdef").unwrap();
    plan.refuse_blocked().unwrap();
    assert_eq!(plan.findings[0].accepted.as_deref(), Some("it is ASCII throughout"));
    let unknown = Settings { accepted: BTreeMap::from([("large-object".to_owned(), "orphans".to_owned())]), ..settings() };
    assert!(crate::planner::plan(&survey, &unknown, "abcdef").unwrap_err().message().contains("large-object "));
}

#[test]
fn what_blocks_is_named_before_anybody_connects() {
    let mut survey = Survey { inventory: Default::default(), ..survey(Vec::new()) };
    refuse_beforehand(&survey, &settings()).unwrap();
    (survey.server.ready, survey.server.password_login) = (false, false);
    let error = refuse_beforehand(&survey, &settings()).unwrap_err();
    assert!(error.message().contains("server-state: ") && error.message().contains("password-login: "), "{error}");
    let error = error.joined_by(&Error::new(ErrorKind::Unreachable, "nobody answers").hint("see the firewall"));
    assert!(error.message().ends_with("; and nobody answers") && error.remedy().unwrap().ends_with("; see the firewall"), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Blocked);
}

#[test]
fn a_file_is_named_by_its_check() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/checks");
    for check in CHECKS {
        assert!(folder.join(format!("{}.rs", check.id.replace('-', "_"))).is_file(), "{}", check.id);
    }
}

#[test]
fn tables_without_key_say_how_often_their_rows_change() {
    let mut survey = survey(vec![table("a"), table("b"), table("c")]);
    survey.inventory.tables.iter_mut().for_each(|table| table.primary_key = false);
    let name = |n: usize| survey.inventory.tables[n].name.clone();
    let changes = |counted, hours| Changes { counted, hours };
    survey.changes = [(name(0), changes(1_000, Some(10.0))), (name(1), changes(7, None))].into();
    let findings = plan(&survey, &settings(), "abcdef").unwrap().findings;
    let what = &findings.iter().find(|finding| finding.id == "tables-without-key").unwrap().what;
    for said in ["\"a\", 100 rows changed an hour (8.0 KiB)", "\"b\", 7 rows changed since statistics are kept", "\"c\" (8.0 KiB)"] {
        assert!(what.contains(said), "{what}");
    }
}

#[test]
fn what_the_selection_leaves_out_is_not_told() {
    let mut survey = survey(vec![Table { oid: 7, ..table("a") }, Table { oid: 8, ..table("b") }]);
    let hit = |object: &str, relation| Hit { object: object.into(), bytes: 0, relation };
    survey.assessment.insert("rules", vec![hit("r on public.a", Some(7)), hit("r on public.b", Some(8))]);
    survey.assessment.insert("bloat", vec![hit("public.b", Some(8))]);
    survey.assessment.insert("event-triggers", vec![hit("watch", None)]);
    let told = |survey: &Survey, settings: &Settings| -> Vec<String> {
        let mut findings = plan(survey, settings, "abcdef").unwrap().findings;
        findings.retain(|finding| ["rules", "bloat", "event-triggers"].contains(&&*finding.id));
        findings.into_iter().map(|finding| finding.what).collect()
    };
    assert!(told(&survey, &settings()).contains(&"1 table with many dead rows: public.b".to_owned()));
    survey.dependents = vec![Dependent {
        catalog_id: (1259, 8),
        kind: DependentKind::Part,
        name: Some(survey.inventory.tables[1].name.clone()),
        identity: String::new(),
        needs: "public.b".into(),
    }];
    let selection = Selection { tables: Vec::new(), exclude_tables: vec!["public.b".into()] };
    let mut narrowed = told(&survey, &Settings { selection, ..settings() });
    narrowed.sort();
    assert_eq!(narrowed, ["1 event trigger: watch", "1 rule of a table: r on public.a"]);
}

#[test]
fn a_target_that_is_there_is_asked_by_what_it_sorts() {
    let mut survey = survey(vec![table("a")]);
    let what = |survey: &Survey| {
        let findings = plan(survey, &settings(), "abcdef").unwrap().findings;
        findings.into_iter().find(|finding| finding.id == "collation").map(|finding| finding.what)
    };
    survey.inventory.collate = "ICU en-US".into();
    assert_eq!(what(&survey).unwrap(), "the database sorts by ICU en-US, the target by C.UTF-8");
    survey.existing = Some(ExistingTarget { collate: Some("ICU en-US".into()), ..existing(&[("shop", "me")], &["me"]) });
    assert_eq!(what(&survey), None);
    survey.inventory.collate = "C".into();
    assert_eq!(what(&survey).unwrap(), "the database sorts by C, the target by ICU en-US");
}
