//! What goes wrong, and what becomes of it.

use super::*;

#[tokio::test]
async fn a_failed_operation_keeps_its_code_and_message() {
    let (replay, cloud) = named(&["set-parameter-failed"]).await;
    let error = cloud.set_parameter("wal_level", "logical").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cloud);
    for part in ["wal_level", "OperationFailed", "not accepted right now", "disk too small"] {
        assert!(error.message().contains(part), "{error}");
    }
    replay.finish();
}

#[tokio::test]
async fn a_busy_server_is_waited_for() {
    let (replay, cloud) = named(&["busy"]).await;
    cloud.set_parameter("wal_level", "logical").await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn a_parameter_that_azure_would_refuse_late_is_refused_early() {
    let (replay, cloud) = named(&["refused-parameters"]).await;
    for (name, value, kind) in [
        ("wal_level", "minimal", ErrorKind::Configuration),
        ("max_wal_senders", "1000", ErrorKind::Configuration),
        ("max_slot_wal_keep_size", "100", ErrorKind::Configuration),
        ("no_such_thing", "1", ErrorKind::NotFound),
        ("../x", "1", ErrorKind::Configuration),
    ] {
        assert_eq!(cloud.set_parameter(name, value).await.unwrap_err().kind(), kind, "{name}");
    }
    replay.finish();
}

#[tokio::test]
async fn a_change_waits_until_the_one_before_is_complete() {
    let (replay, cloud) = named(&[]).await;
    let _under_way = cloud.turn.lock().await;
    let rule = InboundRule { name: "r".into(), start: "203.0.113.7".into(), end: "203.0.113.7".into() };
    let changes = async {
        tokio::join!(cloud.set_parameter("wal_level", "logical"), cloud.restart(), cloud.allow_inbound(&rule), cloud.revoke_inbound("r"))
    };
    assert!(tokio::time::timeout(Duration::from_millis(100), changes).await.is_err());
    // Nothing was sent, which the replay would not know.
    replay.finish();
}

#[tokio::test]
async fn a_stopped_server_is_not_waited_for() {
    let (replay, cloud) = named(&["stopped"]).await;
    let error = cloud.set_parameter("wal_level", "logical").await.unwrap_err();
    assert!(error.message().contains("Stopped") && error.remedy().unwrap().contains("start"), "{error:?}");
    replay.finish();
}

#[tokio::test]
async fn a_restart_whose_answer_is_lost_is_not_sent_again() {
    for scenario in ["restart-lost", "restart-lost-applied", "restart-lost-not-due", "restart-lost-again"] {
        let (replay, cloud) = named(&[scenario]).await;
        cloud.restart().await.unwrap();
        replay.finish();
    }
}

#[tokio::test]
async fn a_restart_that_left_no_trace_is_an_error() {
    let (replay, cloud) = named(&["restart-lost-in-vain"]).await;
    let error = cloud.restart().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.message().contains("no sign of a restart"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn a_server_in_a_virtual_network_gets_no_rule() {
    let (replay, cloud) = named(&["inbound-vnet"]).await;
    let rule = InboundRule { name: "r".into(), start: "203.0.113.7".into(), end: "203.0.113.7".into() };
    assert_eq!(cloud.allow_inbound(&rule).await.unwrap_err().kind(), ErrorKind::Blocked);
    assert!(cloud.describe().await.unwrap().unreachable_because.is_some());
    replay.finish();
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_for_all() {
    let (replay, cloud) = replay(&["expired-token"], |settings| settings.credential = principal()).await;
    cloud.describe().await.unwrap();
    cloud.describe().await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn a_token_that_ends_soon_is_renewed_before() {
    let (replay, cloud) = replay(&["short-token"], |settings| settings.credential = principal()).await;
    for _ in 0..3 {
        cloud.describe().await.unwrap();
    }
    replay.finish();
}

#[tokio::test]
async fn a_token_that_stays_refused_is_a_matter_of_credentials() {
    let (replay, cloud) = named(&["refused-token"]).await;
    let error = cloud.describe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(error.remedy().unwrap().contains("AZURE_ACCESS_TOKEN"));
    replay.finish();
}

#[tokio::test]
async fn a_missing_right_is_named() {
    let (replay, cloud) = named(&["forbidden"]).await;
    let error = cloud.set_parameter("wal_level", "logical").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(error.remedy().unwrap().contains("flexibleServers/configurations/write"));
    replay.finish();
}

#[tokio::test]
async fn passing_errors_are_passed_over() {
    let (replay, cloud) = named(&["flaky"]).await;
    cloud.describe().await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn a_wait_that_azure_asks_for_has_a_limit() {
    let (replay, cloud) = named(&["throttled"]).await;
    cloud.describe().await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn what_is_accepted_without_an_operation_is_seen_in_the_state() {
    let (replay, cloud) = named(&["set-parameter-unwatched"]).await;
    cloud.set_parameter("wal_level", "logical").await.unwrap();
    replay.finish();
    let (replay, cloud) = named(&["inbound-unwatched"]).await;
    let rule = InboundRule { name: "azure2neon_r1-1".into(), start: "203.0.113.7".into(), end: "203.0.113.7".into() };
    cloud.allow_inbound(&rule).await.unwrap();
    cloud.revoke_inbound(&rule.name).await.unwrap();
    replay.finish();
    let (replay, cloud) = named(&["restart-unwatched"]).await;
    cloud.restart().await.unwrap();
    replay.finish();
}

#[tokio::test]
async fn links_to_other_hosts_are_refused() {
    let (replay, cloud) = super::replay(&["find-foreign-link"], |settings| settings.resource_group = None).await;
    let error = cloud.describe().await.unwrap_err();
    assert!(error.message().contains("attacker.example"), "{error}");
    replay.finish();
    let (replay, cloud) = named(&["parameters-foreign-link"]).await;
    assert!(cloud.parameters(&["wal_level"]).await.unwrap_err().message().contains("attacker.example"));
    replay.finish();
    let (replay, cloud) = named(&["operation-foreign"]).await;
    let error = cloud.set_parameter("wal_level", "logical").await.unwrap_err();
    assert!(error.message().contains("attacker.example") && !error.message().contains("SIGNATURE"), "{error}");
    replay.finish();
}

#[tokio::test]
async fn no_connection_names_the_host() {
    let (_replay, cloud) = super::replay(&[], |settings| settings.endpoint = Some("http://127.0.0.1:9".parse().unwrap())).await;
    let error = cloud.describe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.message().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn no_way_to_entra_is_not_a_wrong_secret() {
    let (_replay, cloud) = super::replay(&[], |settings| {
        settings.credential = principal();
        settings.authority = Some("127.0.0.1:9".to_owned());
    })
    .await;
    assert_eq!(cloud.describe().await.unwrap_err().kind(), ErrorKind::Unreachable);
}
