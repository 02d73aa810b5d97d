//! The hand-over: an env file whose other lines stay, a command that learns the connection string from its environment alone.

use azure2neon_tests::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_is_run_again_and_the_source_stays_closed_meanwhile() {
    let rig = Rig::small(|_| {}).await;
    let proof = rig.env_file().with_file_name("proof");
    let mended = rig.env_file().with_file_name("mended");
    let script = format!("test -e {} || exit 3; printf '%s %s' \"$SHOP_URL\" \"$#\" > {}", mended.display(), proof.display());
    let file = rig.settings().join("azure2neon.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let command = serde_json::json!(["sh", "-c", script]);
    std::fs::write(&file, format!("{text}\n[hand_over]\nvariable = \"SHOP_URL\"\ncommand = {command}\n")).unwrap();
    std::fs::write(rig.env_file(), "PORT=80\nSHOP_URL=old\n").unwrap();

    let outcome = rig.run(&["migrate", "--cut-over", "--yes"]).await;
    outcome.expect_failure(16, &["hand-over command sh ended with exit status: 3", "the source stays closed", "azure2neon cut-over"]);
    assert!(!rig.source_is_open().await);
    rig.run(&["abort", "--yes"]).await.expect_failure(2, &["hand-over was begun"]);
    rig.run(&["finish", "--yes"]).await.expect_failure(2, &["azure2neon cut-over"]);

    std::fs::write(mended, "").unwrap();
    rig.run(&["cut-over", "--yes"]).await.expect_success();
    rig.run(&["finish", "--yes"]).await.expect_success();
    let env_file = std::fs::read_to_string(rig.env_file()).unwrap();
    let url = env_file.strip_prefix("PORT=80\nSHOP_URL='").unwrap().strip_suffix("'\n").unwrap();
    assert!(url.starts_with("postgresql://shop_owner:") && url.contains(".aws.neon.tech/shop"), "another connection string");
    assert_eq!(std::fs::read_to_string(proof).unwrap(), format!("{url} 0"));

    // What is complete stays complete: the same command again only says so.
    let journal = std::fs::read_to_string(rig.run_folder().join("journal.jsonl")).unwrap();
    rig.run(&["migrate", "--cut-over", "--yes"]).await.expect_success();
    assert_eq!(std::fs::read_to_string(rig.run_folder().join("journal.jsonl")).unwrap(), journal);
    rig.stop().await;
}
