//! Plans into what is there already, and what is refused of it.

use super::*;
use crate::cloud::{TargetDatabase, TargetSettings};
use crate::plan::Makes;
use crate::survey::ExistingTarget;

pub(crate) fn existing(databases: &[(&str, &str)], roles: &[&str]) -> ExistingTarget {
    let database = |(name, owner): &(&str, &str)| TargetDatabase { name: (*name).into(), owner: (*owner).into() };
    ExistingTarget {
        line: None,
        project: TargetProject {
            id: "calm-lake-1".into(),
            name: "platform".into(),
            region: "aws-eu-west-2".into(),
            major: 17,
            branch: "br-1".into(),
            endpoint: "ep-1".into(),
            created: None,
            publishes: Some(true),
        },
        databases: databases.iter().map(database).collect(),
        roles: roles.iter().map(|role| (*role).into()).collect(),
        settings: TargetSettings { compute: "0.25-2".parse().ok(), suspend_seconds: Some(600), history_seconds: Some(86_400) },
        objects: Vec::new(),
        extensions: None,
        collate: None,
        workers: None,
    }
}

fn into_existing(there: ExistingTarget, change: impl FnOnce(&mut Settings)) -> Result<Plan> {
    let survey = Survey { existing: Some(there), ..survey(vec![table("a")]) };
    let mut settings = Settings { home: Home::Existing { project: "calm-lake-1".into(), branch: None }, ..settings() };
    change(&mut settings);
    plan(&survey, &settings, "abcdef")
}

fn change<'a>(plan: &'a Plan, id: &str) -> &'a steps::ChangeTargetSettings {
    match &plan.step(id).unwrap().action {
        Action::RaiseTargetSettings(step) | Action::KeepHistory(step) | Action::RestoreTargetSettings(step) => step,
        _ => unreachable!(),
    }
}

#[test]
fn an_existing_project_is_used_and_only_what_the_run_made_in_it_is_taken_back() {
    for (databases, roles, makes, inverse) in [
        (&[][..], &[][..], Makes::DatabaseAndRole, Some("delete database shop and role shop_owner")),
        (&[("other", "me")], &["me", "shop_owner"], Makes::Database, Some("delete database shop")),
        (&[("shop", "me")], &["me"], Makes::Nothing, None),
    ] {
        let plan = into_existing(existing(databases, roles), |_| {}).unwrap();
        assert_eq!(plan.target.makes, makes);
        let operation = |id: &str| plan.step(id).unwrap().action.operation();
        assert!(operation("use-project").describe().starts_with("use Neon project platform (calm-lake-1)"));
        assert_eq!(operation("use-project").inverse(), None);
        assert_eq!(operation("create-database").inverse().as_deref(), inverse);
        assert_eq!(operation("import-schema").inverse().is_some(), makes == Makes::Nothing);
        assert!(plan.step("create-project").is_none() && plan.step("keep-history").is_none(), "its history is others' too");
    }
}

#[test]
fn settings_of_an_existing_project_are_put_back_as_they_were() {
    let plan = into_existing(existing(&[], &[]), |settings| settings.migration_compute = "2-8".parse().ok()).unwrap();
    let (raised, restored) = (change(&plan, "raise-target-settings"), change(&plan, "restore-target-settings"));
    assert_eq!(raised.to.to_string(), "compute of 2-8 CU, never suspended");
    assert_eq!(raised.from.to_string(), "compute of 0.25-2 CU, suspended after 600 s without work");
    assert_eq!(restored.to, raised.from);
    let ids: Vec<&str> = plan.findings.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(ids, ["target-restart", "target-resize", "way-back"]);
}

#[test]
fn an_existing_project_that_is_awake_is_not_set_at_all() {
    let mut there = existing(&[], &[]);
    there.settings.suspend_seconds = Some(-1);
    let plan = into_existing(there, |_| {}).unwrap();
    assert!(plan.step("raise-target-settings").is_none());
    assert_eq!(change(&plan, "restore-target-settings").to.to_string(), "never suspended");
}

#[test]
fn a_new_project_keeps_history_before_the_application_comes() {
    let sizes = |settings: &mut Settings| {
        settings.compute = "0.5-2".parse().ok();
        settings.migration_compute = "4".parse().ok();
        settings.history_seconds = Some(604_800);
    };
    let mut chosen = settings();
    sizes(&mut chosen);
    let plan = plan(&survey(vec![table("a")]), &chosen, "abcdef").unwrap();
    let create = plan.step("create-project").unwrap().action.operation().describe();
    assert!(create.contains("compute of 4 CU, never suspended, 0 s of history"), "{create}");
    assert_eq!(change(&plan, "keep-history").to.history_seconds, Some(604_800));
    assert_eq!(change(&plan, "restore-target-settings").to.to_string(), "compute of 0.5-2 CU, suspended when idle as the account has it");
    let at = |id| plan.steps.iter().position(|step| step.id() == id).unwrap();
    assert!(at("copy-data") < at("keep-history") && at("keep-history") < at("hand-over"));
}

#[test]
fn an_existing_target_that_does_not_fit_is_refused() {
    let refused = |there: ExistingTarget, change: fn(&mut Settings)| {
        let error = into_existing(there, change).and_then(|plan| plan.refuse_blocked()).unwrap_err();
        (error.kind(), error.message().to_owned())
    };
    let full = ExistingTarget { objects: (1..=7).map(|n| format!("table public.t{n}")).collect(), ..existing(&[("shop", "me")], &["me"]) };
    let (kind, message) = refused(full, |_| {});
    assert_eq!(kind, ErrorKind::AlreadyExists);
    assert!(message.contains("public.t5 and 2 more"), "{message}");

    let (kind, message) = refused(existing(&[("shop", "me")], &["me"]), |settings| settings.target_role = Some("you".into()));
    assert_eq!((kind, message.contains("belongs to me")), (ErrorKind::Configuration, true), "{message}");
    let (kind, message) = refused(existing(&[], &[]), |settings| settings.target_major = Some(18));
    assert_eq!((kind, message.contains("PostgreSQL 17, not 18")), (ErrorKind::Configuration, true), "{message}");
    let mut old = existing(&[], &[]);
    old.project.major = 15;
    assert_eq!(refused(old, |_| {}).0, ErrorKind::Configuration);
}

#[test]
fn reserved_and_impossible_names_are_refused_with_the_way_out() {
    let long = "n".repeat(64);
    for name in ["postgres", "template0", "template1", "", &long] {
        let error = plan(&survey(vec![]), &Settings { target_database: Some(name.into()), ..settings() }, "abcdef").unwrap_err();
        assert!(error.remedy().unwrap().contains("`database = "), "{name}: {error}");
    }
    for name in ["pg_app", "neon_superuser", "cloud_admin", "zenith_admin", "public", "none", &long] {
        let error = plan(&survey(vec![]), &Settings { target_role: Some(name.into()), ..settings() }, "abcdef").unwrap_err();
        assert!(error.remedy().unwrap().contains("`role = "), "{name}: {error}");
    }
    // An owner's name that is made up here is never one of these.
    let plan = plan(&survey(vec![]), &Settings { target_database: Some("pg_Köln shop".into()), ..settings() }, "abcdef").unwrap();
    assert_eq!(plan.target.role, "db_pg_k_ln_shop_owner");
}
