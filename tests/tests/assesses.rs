//! `plan` changes nothing, says what would go wrong, and is done exactly or not at all.

use azure2neon_local_cloud::Plan;
use azure2neon_tests::Rig;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_changes_nothing_and_is_done_exactly_or_refused() {
    let rig = Rig::small(|_| {}).await;
    let (before, rules) = (rig.source_state().await, rig.cloud.firewall_rules());
    let file = rig.settings().join("migration.plan");
    let kept = file.to_str().unwrap();
    let plan = rig.run(&["plan", "--out", kept, "--detailed-exitcode"]).await;
    assert_eq!(plan.code, 2, "{}", plan.stderr);
    assert!(plan.stdout.contains("migrate --plan"), "{}", plan.stdout);
    rig.expect_source_unchanged(&before, "after a plan").await;
    assert!(rig.projects().is_empty() && rig.cloud.firewall_rules() == rules);
    let text = std::fs::read_to_string(&file).unwrap();
    let is_secret = |name: &str| ["PASSWORD", "SECRET", "KEY"].iter().any(|word| name.contains(word));
    let secrets: Vec<String> = rig.secrets().into_iter().filter(|(name, _)| is_secret(name)).map(|(_, value)| value).collect();
    assert!(secrets.len() >= 3 && secrets.iter().all(|secret| !text.contains(secret.as_str())), "a plan holds no secret");

    let source = rig.cloud.source_superuser(&rig.database).await.unwrap();
    source.batch_execute("alter table sales.customer add column nickname text").await.unwrap();
    let refused = rig.run(&["migrate", "--yes", "--plan", kept]).await;
    refused.expect_failure(2, &["no longer holds", "sales.customer is defined otherwise"]);
    assert!(rig.projects().is_empty());
    source.batch_execute("alter table sales.customer drop column nickname").await.unwrap();

    let other = rig.settings().join("other.plan");
    rig.run(&["plan", "--out", other.to_str().unwrap()]).await.expect_success();
    rig.run(&["migrate", "--yes", "--plan", other.to_str().unwrap()]).await.expect_success();
    let planned: serde_json::Value = serde_json::from_slice(&std::fs::read(&other).unwrap()).unwrap();
    let done: serde_json::Value = serde_json::from_slice(&std::fs::read(rig.run_folder().join("plan.json")).unwrap()).unwrap();
    assert_eq!(planned, done);
    rig.run(&["migrate", "--yes", "--plan", kept]).await.expect_failure(15, &["begun with another plan"]);
    rig.run(&["migrate", "--yes", "--plan", "nowhere"]).await.expect_failure(2, &["holds no plan", "plan --out"]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_blocks_is_said_at_once() {
    let rig = Rig::with_sql("create table t (id int primary key); select lo_create(0)", |_| {}).await;
    let plan = rig.run(&["plan"]).await.expect_failure(11, &["1 large object,", "bytea"]);
    assert!(plan.stdout.contains("blocks:") && plan.stdout.contains("[large-objects]"), "{}", plan.stdout);
    rig.run(&["plan", "--detailed-exitcode"]).await.expect_failure(1, &["1 large object,"]);
    assert_eq!(rig.run(&["plan", "--detailed-exitcode", "--output", "json"]).await.code, 1);
    rig.run(&["migrate", "--yes"]).await.expect_failure(11, &["large object"]);
    assert!(rig.projects().is_empty());
    rig.run(&["plan", "--accept", "large-object=why"]).await.expect_failure(2, &["azure2neon checks"]);
    let accepted = rig.run(&["plan", "--accept", "large-objects=nobody reads it"]).await.expect_success();
    assert!(accepted.stdout.contains("accepted: nobody reads it"), "{}", accepted.stdout);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_clouds_is_said_at_once() {
    let rig = Rig::small(|options| {
        options.existing_projects = vec!["taken".into()];
        options.projects_limit = 1;
        options.plan = Plan::Free;
        options.password_login = false;
        options.not_actions =
            ["restart/action", "firewallRules/write"].map(|what| format!("Microsoft.DBforPostgreSQL/flexibleServers/{what}")).into();
        options.server_patch = json!({
            "sku": { "tier": "Burstable" },
            "properties": { "highAvailability": { "mode": "ZoneRedundant" }, "storage": { "storageSizeGB": 32, "autoGrow": "Disabled" } },
        });
    })
    .await;
    let before = rig.source_state().await;
    let troubled = ["--project", "taken"];
    let plan = rig.run(&[&["plan"], &troubled[..]].concat()).await;
    let named = [
        "password-login: ",
        "project-name-taken: ",
        "rights-in-azure: ",
        "restart/action, ",
        "firewallRules/write",
        "--password-auth Enabled",
    ];
    let plan = plan.expect_failure(11, &named);
    for id in ["burstable", "high-availability", "projects-limit", "restart-needed", "target-plan-limits"] {
        assert!(plan.stdout.contains(&format!("[{id}]")), "no {id} in {}", plan.stdout);
    }
    rig.run(&[&["migrate", "--yes"], &troubled[..]].concat()).await.expect_failure(11, &named);
    // Without replication most of it does not matter.
    let offline = rig.run(&["plan", "--mode", "offline"]).await.expect_success();
    assert!(!offline.stdout.contains("[rights-in-azure]") && offline.stdout.contains("[projects-limit]"), "{}", offline.stdout);
    rig.expect_source_unchanged(&before, "after the refusals").await;
    assert_eq!(rig.projects(), ["taken"]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_comes_over_stays_behind_or_blocks_with_what_hangs_on_it() {
    let rig = Rig::with_sql("create extension citext; create table t (id int primary key, name citext unique)", |_| {}).await;
    let source = rig.cloud.source_superuser(&rig.database).await.unwrap();
    source
        .batch_execute("create extension pageinspect; create extension file_fdw; create server files foreign data wrapper file_fdw")
        .await
        .unwrap();
    rig.run(&["plan"]).await.expect_failure(11, &["file_fdw 1.0 (1 object hangs on it: server files)", "drop extension"]);
    source.batch_execute("drop server files; drop extension file_fdw").await.unwrap();
    let plan = rig.run(&["plan"]).await.expect_success();
    for said in ["1 extension that comes over: citext 1.6", "1 extension that stays behind: pageinspect"] {
        assert!(plan.stdout.contains(said), "{}", plan.stdout);
    }
    rig.run(&["migrate", "--yes"]).await.expect_success();
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_for_tickets_and_programs_too() {
    let rig = Rig::small(|_| {}).await;
    let page = rig.run(&["plan", "--output", "markdown", "--explain"]).await.expect_success().stdout;
    for part in [
        "# Migration of `shop` to Neon",
        "## Findings",
        "## Estimates",
        "| pause of writes |",
        "- `!` **fence-writes**",
        "azure2neon rollback",
    ] {
        assert!(page.contains(part), "{part} is missing in\n{page}");
    }
    assert!(page.contains("\n  source:\n  ```\n"), "{page}");
    rig.run(&["status", "--output", "markdown"]).await.expect_failure(2, &["--output json"]);
    let plan = rig.run(&["plan", "--output", "json"]).await.expect_success();
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!((&plan["format"], &plan["blocked"]), (&1.into(), &false.into()));
    let undone_by = |id: &str| plan["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap()["undone_by"].clone();
    let undone: Vec<_> = ["create-publication", "fence-writes", "hand-over", "drop-subscription"].into_iter().map(undone_by).collect();
    assert_eq!(undone, ["abort", "reopening", "rollback", "nothing"]);
    rig.stop().await;
}
