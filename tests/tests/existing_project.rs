//! A migration into a Neon project that is there already: nothing in it is touched that the run did not make, and its settings
//! come back.

use azure2neon_local_cloud::Fault;
use azure2neon_tests::Rig;
use serde_json::json;

const INTO: [&str; 2] = ["migrate", "--yes"];
const ABORT: [&str; 2] = ["abort", "--yes"];

/// Both clouds with a project `platform`, into which the settings lead, with these lines more in their table `[target]`.
async fn rig(lines: &str) -> Rig {
    let rig = Rig::small(|options| options.existing_projects = vec!["platform".into()]).await;
    let file = rig.settings().join("azure2neon.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("project = \"shop\"\n", &format!("existing_project = \"platform\"\n{lines}\n"))).unwrap();
    rig
}

#[tokio::test(flavor = "multi_thread")]
async fn is_used_and_comes_back_as_it_was() {
    let rig = rig("migration_compute = \"1-2\"").await;
    let (source, target) = (rig.source_state().await, rig.neon_state("platform").await);

    let plan = rig.run(&["plan"]).await.expect_success();
    for words in ["existing Neon project platform / shop", "use Neon project platform (", "undo: delete database shop and role shop_owner"]
    {
        assert!(plan.stdout.contains(words), "no {words:?} in:\n{}", plan.stdout);
    }
    rig.run(&INTO).await.expect_success();
    let during = rig.neon_state("platform").await;
    assert_eq!(during["compute"], json!([1.0, 2.0, -1]));
    assert_eq!(during["databases"], json!(["neondb", "shop"]));
    rig.run(&["status"]).await.expect_success();
    let other = rig.run(&["migrate", "--yes", "--existing-project", "other"]).await;
    other.expect_failure(15, &["to project platform", "the existing project other"]);

    rig.run(&ABORT).await.expect_success();
    assert_eq!(rig.neon_state("platform").await, target);
    rig.expect_source_unchanged(&source, "after the abort").await;

    let outcome = rig.run(&["migrate", "--cut-over", "--yes", "--output", "json"]).await.expect_success();
    outcome.expect_equal(1);
    let after = rig.neon_state("platform").await;
    for same in ["project", "history", "compute"] {
        assert_eq!(after[same], target[same], "{same}");
    }
    assert_eq!((&after["databases"], &after["roles"]), (&json!(["neondb", "shop"]), &json!(["neondb_owner", "shop_owner"])));
    assert_eq!(rig.projects(), ["platform"]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn comes_back_wherever_the_run_was_killed() {
    let rig = rig("").await;
    let (source, target) = (rig.source_state().await, rig.neon_state("platform").await);
    for step in ["raise-target-settings", "create-database", "import-schema", "subscribe"] {
        let started = format!("\"step\":\"{step}\",\"what\":\"started\"");
        assert!(rig.run_and_kill(&INTO, move |journal| journal.contains(&started)).await, "{step}");
        rig.run(&ABORT).await.expect_success();
        assert_eq!(rig.neon_state("platform").await, target, "killed in {step}");
    }
    rig.expect_source_unchanged(&source, "after the last abort").await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_there_must_be_empty_and_is_emptied_by_an_abort() {
    let rig = rig("database = \"neondb\"").await;
    let (source, target) = (rig.source_state().await, rig.neon_state("platform").await);
    let inside = rig.cloud.compute_superuser("platform", "neondb").await.unwrap();
    inside.batch_execute("create table kept (id integer); create view seen as select id from kept").await.unwrap();
    rig.run(&INTO).await.expect_failure(6, &["not empty: it holds table public.kept, view public.seen", "`database = "]);
    inside.batch_execute("drop table kept cascade").await.unwrap();
    drop(inside);
    assert_eq!((rig.source_state().await, rig.neon_state("platform").await), (source.clone(), target.clone()), "refused before any change");

    rig.run(&INTO).await.expect_success();
    rig.run(&ABORT).await.expect_success();
    assert_eq!(rig.neon_state("platform").await, target);
    let inside = rig.cloud.compute_superuser("platform", "neondb").await.unwrap();
    let left: i64 = inside
        .query_one("select count(*) from pg_namespace where nspname !~ '^pg_' and nspname not in ('information_schema', 'public')", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 0);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_does_not_fit_is_refused_before_anything_is_changed() {
    let rig = rig("").await;
    let target = rig.neon_state("platform").await;
    let refused = async |arguments: &[&str], code: i32, words: &[&str]| {
        let arguments = [&["migrate", "--yes"], arguments].concat();
        rig.run(&arguments).await.expect_failure(code, words);
    };
    refused(&["--existing-project", "absent"], 5, &["no Neon project absent", "--existing-project"]).await;
    refused(&["--branch", "dev"], 5, &["a branch dev"]).await;
    refused(&["--pg-version", "18"], 2, &["PostgreSQL 17, not 18"]).await;
    refused(&["--region", "aws-eu-west-2"], 2, &["has its region"]).await;
    assert_eq!(rig.neon_state("platform").await, target);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_gets_the_database_and_the_others_do_not() {
    let rig = rig("").await;
    let before = rig.neon_state("platform").await;
    let project = format!("projects/{}", before["project"].as_str().unwrap());
    let branch = json!({ "branch": { "name": "dev" }, "endpoints": [{ "type": "read_write" }] });
    let made = rig.neon(reqwest::Method::POST, &format!("{project}/branches"), Some(branch)).await;
    let dev = made["branch"]["id"].as_str().unwrap();

    rig.run(&["migrate", "--yes", "--branch", "dev"]).await.expect_success();
    rig.run(&["migrate", "--cut-over", "--yes"]).await.expect_failure(15, &["project platform, branch dev, not "]);
    rig.run(&["migrate", "--cut-over", "--yes", "--branch", "dev"]).await.expect_success();
    let after = rig.neon(reqwest::Method::GET, &format!("{project}/branches/{dev}/databases"), None).await;
    assert!(after["databases"].as_array().unwrap().iter().any(|database| database["name"] == "shop"), "{after}");
    assert_eq!(rig.neon_state("platform").await, before, "the default branch is as it was");
    let host = std::fs::read_to_string(rig.env_file()).unwrap();
    assert!(host.contains(made["endpoints"][0]["host"].as_str().unwrap()), "another host");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn comes_back_though_every_call_to_neon_fails_once() {
    for fault in [Fault::LoseAnswer, Fault::Status(500)] {
        let rig = rig("migration_compute = \"1-2\"").await;
        rig.configure("cloud", "answer_timeout = \"2s\"");
        let before = rig.neon_state("platform").await;
        rig.cloud.inject_each("neon", fault.clone());
        rig.run(&INTO).await.expect_success();
        rig.run(&ABORT).await.expect_success();
        rig.cloud.clear_faults();
        assert_eq!(rig.neon_state("platform").await, before, "{fault:?}");
        let failed: Vec<String> = rig.cloud.calls().into_iter().filter(|call| call.failed).map(|call| call.method).collect();
        for method in ["GET", "POST", "PATCH", "DELETE"] {
            assert!(failed.iter().any(|failed| failed == method), "no {method} failed: {failed:?}");
        }
        rig.stop().await;
    }
}
