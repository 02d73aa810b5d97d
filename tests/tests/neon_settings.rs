//! Size, suspend timeout and history of the target, during the migration and then; and what a plan doesn't allow of them.

use azure2neon_local_cloud::Plan;
use azure2neon_tests::Rig;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_project_is_large_meanwhile_and_as_configured_then() {
    let rig = Rig::small(|options| options.plan = Plan::Launch).await;
    for line in ["compute = \"0.25-1\"", "migration_compute = \"1-2\"", "history_retention = \"7d\""] {
        rig.configure("target", line);
    }
    let killed =
        rig.run_and_kill(&["migrate", "--yes"], |journal| journal.contains("\"step\":\"import-schema\",\"what\":\"started\"")).await;
    assert!(killed);
    let state = rig.neon_state("shop").await;
    assert_eq!((&state["compute"], &state["history"]), (&json!([1.0, 2.0, -1]), &json!(0)));
    rig.run(&["migrate", "--yes"]).await.expect_success();
    assert_eq!(rig.neon_state("shop").await["history"], json!(604_800), "history is kept before the application comes");
    rig.run(&["migrate", "--cut-over", "--yes"]).await.expect_success();
    assert_eq!(rig.neon_state("shop").await["compute"], json!([0.25, 1.0, 0]));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_free_plan_does_not_allow_is_told() {
    let rig = Rig::small(|options| options.plan = Plan::Free).await;
    let outcome = rig.run(&["migrate", "--yes"]).await.expect_success();
    for words in ["doesn't let its compute stay awake", "keeps less than 86400 s of history"] {
        assert!(outcome.stderr.contains(words), "no {words:?} in:\n{}", outcome.stderr);
    }
    let state = rig.neon_state("shop").await;
    assert_eq!((&state["compute"][2], &state["history"]), (&json!(0), &json!(21_600)));
    rig.run(&["abort", "--yes"]).await.expect_success();

    rig.configure("target", "compute = \"2-4\"");
    rig.run(&["migrate", "--yes"]).await.expect_failure(12, &["2..4", "the Free plan allows 2 CU"]);
    rig.run(&["abort", "--yes"]).await.expect_success();
    rig.stop().await;
}
