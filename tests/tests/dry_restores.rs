//! `plan --dry-restore` finds every statement that the target refuses, by its cause, and leaves nothing behind.

use std::time::{Duration, Instant};

use azure2neon_tests::Rig;
use serde_json::Value;

/// Two causes with followers and two without. An ordinary role may create neither the extensions, which Neon doesn't have, nor an
/// operator class and its family, nor a cast between types that are not its own.
const TROUBLES: &str = "
    create extension pageinspect;
    create view pages as select lp, t_data from heap_page_items(get_raw_page('public.fine', 0));
    create materialized view many as select count(*) as n from pages with no data;
    create index many_n on many (n);
    comment on view pages is 'the rows of a page';
    create function first_page() returns setof pages language sql begin atomic select * from pages; end;
    create function by_name() returns bigint language sql as 'select count(*) from public.pages';
    create operator class odd_ops for type integer using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >,
        function 1 btint4cmp(integer, integer);
    create index fine_odd on fine (id odd_ops);
    create cast (xml as bytea) without function;
";

/// The findings of a dry restore in the plan's JSON.
fn found(plan: &str) -> Vec<Value> {
    let plan: Value = serde_json::from_str(plan).unwrap_or_else(|error| panic!("{error}: {plan}"));
    let all = plan["findings"].as_array().unwrap().clone();
    all.into_iter().filter(|finding| finding["id"].as_str().unwrap().starts_with("dry-restore")).collect()
}

fn whats(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|finding| finding["what"].as_str().unwrap()).collect()
}

/// Lets the settings lead into the project `platform`.
fn into_platform(rig: &Rig) {
    let file = rig.settings().join("azure2neon.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("project = \"shop\"\n", "existing_project = \"platform\"\n")).unwrap();
}

/// Names of the project's branches.
async fn branches(rig: &Rig) -> Vec<String> {
    let path = format!("projects/{}/branches", rig.cloud.project_id("platform").unwrap());
    let listed = rig.neon(reqwest::Method::GET, &path, None).await;
    listed["branches"].as_array().unwrap().iter().map(|branch| branch["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cause_is_named_with_its_followers_and_nothing_is_left() {
    let rig = Rig::with_sql("create table fine (id integer primary key, name text); create index fine_name on fine (name)", |_| {}).await;
    rig.cloud.source_superuser(&rig.database).await.unwrap().batch_execute(TROUBLES).await.unwrap();
    let before = rig.source_state().await;
    let plan = rig.run(&["plan", "--dry-restore", "--output", "json"]).await;
    assert_eq!(plan.code, 11, "{}\n{}", plan.stdout, plan.stderr);
    let findings = found(&plan.stdout);
    let whats = whats(&findings);
    let [extension, operator, cast, family] = whats[..] else { panic!("{whats:#?}") };
    assert!(extension.starts_with("EXTENSION pageinspect is refused: permission denied"), "{extension}");
    for follower in ["VIEW public.pages", "MATERIALIZED VIEW public.many", "first_page()", "; 5 others"] {
        assert!(extension.contains(follower), "no {follower} in {extension}");
    }
    assert!(operator.contains("public.odd_ops is refused: must be superuser"), "{operator}");
    assert!(operator.contains("1 other fails because of it: INDEX public.fine_odd"), "{operator}");
    assert!(cast.starts_with("CAST ") && family.starts_with("OPERATOR FAMILY "), "{whats:#?}");
    assert!([cast, family].iter().all(|what| !what.contains("because of it")), "{whats:#?}");
    assert!(findings[0]["advice"].as_str().unwrap().contains("expected_failures = [\"EXTENSION pageinspect\", "), "{findings:#?}");
    assert!(whats.iter().all(|what| !what.contains("by_name")), "a body in quotes is not looked at: {whats:#?}");

    rig.expect_source_unchanged(&before, "after a dry restore").await;
    assert!(rig.projects().is_empty() && !rig.run_folder().exists(), "{:?}", rig.projects());
    let said = format!("{}{}", plan.stdout, plan.stderr);
    let is_secret = |name: &str| ["PASSWORD", "SECRET", "KEY"].iter().any(|word| name.contains(word));
    let secrets: Vec<String> = rig.secrets().into_iter().filter(|(name, _)| is_secret(name)).map(|(_, value)| value).collect();
    assert!(secrets.len() >= 3 && secrets.iter().all(|secret| !said.contains(secret.as_str())), "{said}");

    // What is expected to fail is no trouble, here as in the migration.
    let file = rig.settings().join("azure2neon.toml");
    let expected =
        "\n[schema]\nexpected_failures = [\"*pageinspect\", \"*pages*\", \"*many*\", \"*first_page()*\", \"*odd*\", \"CAST *\"]\n";
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + expected).unwrap();
    let plan = rig.run(&["plan", "--dry-restore", "--accept", "superuser-objects=they stay behind"]).await.expect_success();
    assert!(plan.stdout.contains("not, as expected: EXTENSION pageinspect"), "{}", plan.stdout);
    rig.run(&["migrate", "--yes"]).await.expect_success();
    rig.run(&["plan", "--dry-restore"]).await.expect_failure(15, &["is begun"]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_an_existing_project_it_is_a_branch() {
    let rig = Rig::small(|options| options.existing_projects = vec!["platform".into()]).await;
    into_platform(&rig);
    let (source, target) = (rig.source_state().await, rig.neon_state("platform").await);
    let plan = rig.run(&["plan", "--dry-restore", "--output", "json"]).await.expect_success();
    let findings = found(&plan.stdout);
    assert!(matches!(whats(&findings)[..], [what] if what.contains(" schema statements, all restored in ")), "{findings:#?}");
    assert!(plan.stderr.contains("branch azure2neon_") && plan.stderr.contains("of the Neon project platform"), "{}", plan.stderr);
    assert_eq!((branches(&rig).await, rig.neon_state("platform").await), (vec!["main".to_owned()], target));
    rig.expect_source_unchanged(&source, "after a dry restore").await;
    assert!(!rig.run_folder().exists());
    rig.stop().await;
}

/// Starts a dry restore and sends this signal as soon as something is there that it made. The exit code, if it has one.
async fn signalled(rig: &Rig, signal: &str, made: impl AsyncFn() -> bool) -> Option<i32> {
    let mut child = rig.program(&["plan", "--dry-restore"]).spawn().unwrap();
    let since = Instant::now();
    while !made().await {
        assert!(since.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none(), "nothing was made");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let sent = std::process::Command::new("kill").arg(format!("-{signal}")).arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
    tokio::task::spawn_blocking(move || child.wait().unwrap().code()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_it_leaves_nothing_and_killed_what_the_next_one_removes() {
    let rig = Rig::small(|options| options.existing_projects = vec!["platform".into()]).await;
    let is_made = async || rig.projects().len() == 2;
    assert_eq!(signalled(&rig, "INT", is_made).await, Some(130));
    assert_eq!(rig.projects(), ["platform"]);
    assert!(!rig.run_folder().exists());

    assert_eq!(signalled(&rig, "KILL", is_made).await, None);
    assert_eq!(rig.projects().len(), 2, "it was killed");
    let nowhere = ["plan", "--dry-restore", "--region", "azure-eastus2"];
    rig.run(&nowhere).await.expect_failure(2, &["No dry restore, since there is no place for it", "aws-us-east-1"]);
    rig.run(&["plan", "--dry-restore"]).await.expect_success();
    assert_eq!(rig.projects(), ["platform"]);

    assert_eq!(signalled(&rig, "KILL", is_made).await, None);
    let aborted = rig.run(&["abort", "--yes"]).await.expect_success();
    assert!(aborted.stderr.contains("dry restore") && aborted.stderr.contains("is removed"), "{}", aborted.stderr);
    assert!(rig.projects() == ["platform"] && !rig.run_folder().exists());

    into_platform(&rig);
    let target = rig.neon_state("platform").await;
    let is_made = async || branches(&rig).await.len() == 2;
    for signal in ["INT", "KILL"] {
        signalled(&rig, signal, is_made).await;
        assert_eq!(branches(&rig).await.len(), if signal == "INT" { 1 } else { 2 }, "after {signal}");
    }
    rig.run(&["migrate", "--yes"]).await.expect_success();
    assert_eq!(branches(&rig).await, ["main"]);
    rig.run(&["abort", "--yes"]).await.expect_success();
    assert_eq!(rig.neon_state("platform").await, target);
    rig.stop().await;
}
