use azure2neon_postgres::schema::Section;

use super::*;
use crate::plan::Severity;
use crate::planner::tests::settings;

fn entry(id: &str, needs: &[&str]) -> Entry {
    let needs = needs.iter().map(|id| (*id).to_owned()).collect();
    Entry { id: id.into(), kind: "VIEW".into(), name: format!("public.{id}"), section: Section::PreData, sql: String::new(), needs }
}

fn failure(id: &str, sqlstate: &str) -> Failure {
    Failure {
        id: id.into(),
        kind: "VIEW".into(),
        name: format!("public.{id}"),
        sql: "CREATE VIEW\n    x".into(),
        message: "it can't be".into(),
        sqlstate: Some(sqlstate.into()),
    }
}

fn found(expected: &[&str], failures: Vec<Failure>) -> Vec<Finding> {
    let settings = Settings { expected_failures: expected.iter().map(|one| (*one).to_owned()).collect(), ..settings() };
    findings(&settings, &[entry("a", &[]), entry("b", &["a"]), entry("c", &["b"]), entry("d", &[])], failures, 1_200)
}

#[test]
fn a_schema_that_is_restored_is_a_note() {
    let [note] = &found(&[], Vec::new())[..] else { panic!() };
    assert_eq!((note.id.as_str(), note.severity), ("dry-restored", Severity::Note));
    assert_eq!(note.what, "4 schema statements, all restored in 1.2 s");
}

#[test]
fn each_cause_is_one_finding_with_its_followers() {
    let failures = || vec![failure("a", "0A000"), failure("b", "42P01"), failure("c", "42P01"), failure("d", "42501")];
    let found_all = found(&[], failures());
    assert_eq!(found_all.len(), 2);
    assert!(found_all.iter().all(|one| one.id == "dry-restore" && one.severity == Severity::Blocks));
    let what =
        "VIEW public.a is refused: it can't be (SQLSTATE 0A000): CREATE VIEW x; 2 others fail because of it: VIEW public.b, VIEW public.c";
    assert_eq!(found_all[0].what, what);
    assert!(found_all[0].advice.contains(r#"expected_failures = ["VIEW public.a", "VIEW public.b", "VIEW public.c"]"#));
    assert!(found_all[1].what.starts_with("VIEW public.d ") && found_all[1].what.ends_with("CREATE VIEW x"), "{}", found_all[1].what);
}

#[test]
fn what_is_expected_is_no_finding_but_what_it_brings_about_is() {
    let failures = || vec![failure("a", "0A000"), failure("b", "42P01"), failure("c", "42P01")];
    let [cause] = &found(&["VIEW public.a", "VIEW public.c"], failures())[..] else { panic!() };
    assert!(
        cause.what.starts_with("VIEW public.a ") && cause.what.ends_with("1 other fails because of it: VIEW public.b"),
        "{}",
        cause.what
    );
    let [note] = &found(&["VIEW *"], failures())[..] else { panic!() };
    assert!(
        note.id == "dry-restored" && note.what.contains("1 of 4 schema statements") && note.what.contains("VIEW public.b"),
        "{}",
        note.what
    );
}
