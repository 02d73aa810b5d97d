//! What can't work ends with its own exit code, says what, why and what to do, and leaves the source as it was.

use azure2neon_tests::Rig;

const MIGRATE: [&str; 3] = ["migrate", "--cut-over", "--yes"];

#[tokio::test(flavor = "multi_thread")]
async fn before_anything_is_changed() {
    let rig = Rig::small(|options| options.existing_projects = vec!["taken".into()]).await;
    let before = rig.source_state().await;
    let projects = rig.projects();

    let mut command = rig.program(&MIGRATE);
    command.env("NEON_API_KEY", "napi_wrong");
    rig.finish(command).await.expect_failure(3, &["Neon", "NEON_API_KEY"]);

    let mut command = rig.program(&MIGRATE);
    command.env("AZURE_CLIENT_SECRET", "wrong");
    rig.finish(command).await.expect_failure(3, &["AADSTS7000215"]);

    let mut command = rig.program(&MIGRATE);
    command.env("AZURE2NEON_SOURCE_PASSWORD", "wrong");
    rig.finish(command).await.expect_failure(3, &["password", "AZURE2NEON_SOURCE_PASSWORD"]);

    let outcome = rig.run(&["migrate", "--yes", "--database", "absent"]).await;
    outcome.expect_failure(5, &["absent", "shop", "--database"]);

    let outcome = rig.run(&["migrate", "--yes", "--server", "absent-server"]).await;
    outcome.expect_failure(5, &["absent-server"]);

    let outcome = rig.run(&["migrate", "--yes", "--project", "taken"]).await;
    outcome.expect_failure(6, &["taken", "--project"]);

    let outcome = rig.run(&["migrate", "--yes", "--region", "azure-eastus2"]).await;
    outcome.expect_failure(2, &["azure-eastus2", "--region"]);

    rig.run(&["migrate"]).await.expect_failure(2, &["--yes"]);
    rig.run(&["status"]).await.expect_failure(15, &["migrate"]);

    assert!(!rig.run_folder().exists(), "no run came to be");
    rig.expect_source_unchanged(&before, "afterwards").await;
    assert_eq!(rig.projects(), projects);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer() {
    let rig = Rig::small(|_| {}).await;
    let before = rig.source_state().await;
    rig.cloud.operator_link().refuse();
    rig.run(&MIGRATE).await.expect_failure(7, &["postgres.database.azure.com"]);
    rig.expect_source_unchanged(&before, "afterwards").await;
    assert!(rig.projects().is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_in_a_virtual_network() {
    let rig = Rig::small(|options| (options.private_network, options.password_login) = (true, false)).await;
    let known = ["Neon can't reach", "takes no passwords", "--mode offline"];
    rig.run(&MIGRATE).await.expect_failure(11, &known);
    // What is known without a connection is said where there can be none.
    let mut command = rig.program(&MIGRATE);
    command.env("AZURE2NEON_SOURCE_PASSWORD", "wrong");
    let outcome = rig.finish(command).await.expect_failure(11, &known);
    assert!(outcome.stderr.contains("; and ") && outcome.stderr.contains("AZURE2NEON_SOURCE_PASSWORD"), "{}", outcome.stderr);
    assert!(rig.projects().is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_without_passwords() {
    let rig = Rig::small(|options| options.password_login = false).await;
    let before = rig.source_state().await;
    rig.run(&MIGRATE).await.expect_failure(11, &["takes no passwords", "az postgres flexible-server update", "--password-auth Enabled"]);
    rig.expect_source_unchanged(&before, "afterwards").await;
    assert!(rig.projects().is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_statement_that_fails_on_the_target() {
    let rig = Rig::small(|_| {}).await;
    // Azure lets its administrator create it, Neon doesn't have it.
    let superuser = rig.cloud.source_superuser(&rig.database).await.unwrap();
    superuser.batch_execute("create extension file_fdw; create server files foreign data wrapper file_fdw").await.unwrap();
    drop(superuser);
    let before = rig.source_state().await;

    rig.run(&MIGRATE).await.expect_failure(11, &["file_fdw 1.0 (1 object hangs on it: server files)"]);
    assert!(rig.projects().is_empty(), "it is known before anything is made");
    let accepted = [&MIGRATE[..], &["--accept", "extensions-missing=a try"]].concat();
    let outcome = rig.run(&accepted).await;
    let outcome = outcome.expect_failure(8, &["EXTENSION file_fdw", "SERVER files", "expected_failures", "create-project"]);
    assert!(outcome.stderr.contains("2 schema statements failed"), "{}", outcome.stderr);
    rig.expect_source_unchanged(&before, "the source is touched only when the schema is on the target").await;

    // Listed as expected, the same command goes on to the end.
    let file = rig.settings().join("azure2neon.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n[schema]\nexpected_failures = [\"EXTENSION file_fdw\", \"SERVER *\"]\n")).unwrap();
    let outcome = rig.run(&MIGRATE).await.expect_success();
    assert!(outcome.stderr.contains("not created, as expected: EXTENSION file_fdw, SERVER files"), "{}", outcome.stderr);
    rig.stop().await;
}
