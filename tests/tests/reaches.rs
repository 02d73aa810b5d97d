//! The list of Neon's addresses changes without notice: one that is stale is told with the address that was really seen, at
//! once, and the run goes on with it.

use azure2neon_tests::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_list_of_addresses_names_the_real_one_and_the_run_goes_on() {
    let rig = Rig::small(|_| {}).await;
    let before = rig.source_state().await;
    let list = rig.settings().join("neon-addresses.txt");
    std::fs::write(&list, "# copied from the documentation\n203.0.113.9 # the only one\n").unwrap();
    rig.configure("target", "egress_file = \"neon-addresses.txt\"");
    let plan = rig.run(&["plan"]).await.expect_success();
    assert!(plan.stdout.contains("neon-addresses.txt of 20") && plan.stdout.contains("203.0.113.9"), "{}", plan.stdout);

    // Each of the region's gateways is turned away in its turn, until all are known.
    let mut given: Vec<String> = Vec::new();
    let outcome = loop {
        let arguments: Vec<&str> = ["migrate", "--yes"].into_iter().chain(given.iter().map(String::as_str)).collect();
        let outcome = rig.run(&arguments).await;
        if outcome.code == 0 {
            break outcome;
        }
        let outcome = outcome.expect_failure(7, &["Neon came from ", "azure2neon migrate --egress-address "]);
        assert!(!outcome.stderr.contains("for the source's firewall"), "waited though no rule could help: {}", outcome.stderr);
        let address = outcome.stderr.split("--egress-address ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        assert!(!given.contains(&address), "{address} was given: {}", outcome.stderr);
        given.extend(["--egress-address".to_owned(), address]);
        assert!(given.len() <= 6, "aws-eu-west-2 has three: {given:?}");
    };
    assert!(!given.is_empty() && outcome.stdout.contains("ready to cut over"), "{given:?}");
    rig.run(&["abort", "--yes"]).await.expect_success();
    rig.expect_source_unchanged(&before, "afterwards").await;
    rig.stop().await;
}
