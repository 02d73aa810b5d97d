//! The source's firewall does not know the operator's machine: refused with the way out, or let in for as long as the run lasts.

use std::time::Duration;

use azure2neon_tests::Rig;

const MIGRATE: [&str; 4] = ["migrate", "--cut-over", "--yes", "--open-firewall"];

/// A source that turns the operator away until a rule lets him in, for which it takes this long.
async fn shut(propagation: Duration) -> Rig {
    Rig::small(|options| {
        options.operator_rule = false;
        options.rule_propagation = propagation;
        options.existing_projects = vec!["taken".into()];
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_when_asked_to() {
    let rig = shut(Duration::ZERO).await;
    for command in [&["plan"][..], &["migrate", "--yes"]] {
        let outcome = rig.run(command).await.expect_failure(7, &["127.0.0.1", "--open-firewall"]);
        let command = "az postgres flexible-server firewall-rule create --resource-group bikeparts-rg --server-name bikeparts-prod \
                       --name operator-127-0-0-1 --start-ip-address 127.0.0.1";
        assert!(outcome.stderr.contains(command), "{}", outcome.stderr);
    }
    assert!(rig.cloud.firewall_rules().is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn until_the_end() {
    let rig = shut(Duration::from_millis(1200)).await;
    let outcome = rig.run(&["migrate", "--yes", "--open-firewall"]).await.expect_success();
    assert!(outcome.stderr.contains("127.0.0.1 is let through"), "{}", outcome.stderr);
    assert!(rig.cloud.firewall_rules().iter().any(|rule| rule.ends_with("-operator")));
    let status = rig.run(&["status"]).await.expect_success();
    assert!(status.stdout.contains("lets this machine in until `finish` or `abort`"), "{}", status.stdout);
    // Whoever goes on needs no flag: what is left to do is in the journal.
    let outcome = rig.run(&["migrate", "--cut-over", "--yes", "--output", "json"]).await.expect_success();
    let looks = outcome.event("summary")["summary"]["looks"].as_array().unwrap().clone();
    let rules = looks.iter().find(|look| look["place"] == "Azure: firewall rules").unwrap();
    assert_eq!(rules["found"], serde_json::json!([]));
    assert!(rig.cloud.firewall_rules().is_empty());
    // The look at the end needs the source again.
    rig.run(&["finish", "--yes"]).await.expect_failure(7, &["--open-firewall"]);
    rig.run(&["finish", "--yes", "--open-firewall"]).await.expect_success();
    assert!(rig.cloud.firewall_rules().is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn until_it_is_aborted_or_refused() {
    let rig = shut(Duration::ZERO).await;
    let before = rig.source_state().await;
    rig.run(&["migrate", "--yes", "--open-firewall", "--project", "taken"]).await.expect_failure(6, &["taken"]);
    rig.expect_source_unchanged(&before, "after a refusal").await;
    rig.run(&["migrate", "--open-firewall"]).await.expect_failure(2, &["--yes"]);
    rig.expect_source_unchanged(&before, "without a confirmation").await;
    rig.run(&["migrate", "--yes", "--open-firewall"]).await.expect_success();
    rig.run(&["abort", "--yes"]).await.expect_success();
    rig.expect_source_unchanged(&before, "after abort").await;
    rig.stop().await;
}

/// Killed when the rule is there and the plan is not: neither the rule is forgotten, nor is there a second one.
#[tokio::test(flavor = "multi_thread")]
async fn though_it_is_killed_before_it_has_a_plan() {
    let rig = shut(Duration::from_secs(5)).await;
    let output = rig.env_file().with_file_name("killed.out");
    let kill_when_let_in = async |times: usize| {
        let output = output.clone();
        let is_let_in = move |_: &str| std::fs::read_to_string(&output).unwrap_or_default().matches("is let through").count() == times;
        assert!(rig.run_and_kill(&MIGRATE, is_let_in).await);
        assert!(!rig.run_folder().join("plan.json").exists());
        assert_eq!(rig.cloud.firewall_rules().len(), 1);
    };
    kill_when_let_in(1).await;
    rig.run(&["status"]).await.expect_failure(15, &["no run", "`azure2neon abort` removes its firewall rule"]);
    rig.run(&["abort", "--yes"]).await.expect_success();
    assert!(rig.cloud.firewall_rules().is_empty());
    rig.run(&["abort", "--yes"]).await.expect_failure(15, &["no run"]);

    kill_when_let_in(2).await;
    let rule = rig.cloud.firewall_rules().remove(0);
    rig.run(&["migrate", "--yes", "--server", "bikeparts-prod.postgres.database.azure.com"])
        .await
        .expect_failure(15, &["abort --server bikeparts-prod"]);
    let outcome = rig.run(&MIGRATE).await.expect_success();
    assert!(outcome.stderr.contains(&rule), "the same run goes on: {}", outcome.stderr);
    assert!(rig.cloud.firewall_rules().is_empty());
    rig.stop().await;
}
