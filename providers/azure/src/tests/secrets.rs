//! No secret shows, however much is logged.

use super::logged::Logged;
use super::*;

#[tokio::test]
async fn nothing_secret_is_logged_even_at_trace() {
    for scenarios in [&["token", "set-parameter"][..], &["expired-token"], &["wrong-secret"], &["token", "restart-lost"]] {
        let (replay, cloud) = replay(scenarios, |settings| settings.credential = principal()).await;
        let _ = match scenarios.last() {
            Some(&"set-parameter") => cloud.set_parameter("wal_level", "logical").await,
            Some(&"restart-lost") => cloud.restart().await,
            _ => cloud.describe().await.map(|_| ()),
        };
        replay.finish();
    }
    let (replay, cloud) = replay(&["database-token"], |settings| settings.credential = principal()).await;
    cloud.database_token().await.unwrap();
    cloud.database_token().await.unwrap();
    replay.finish();
    super::credentials::as_workload_identity().await;
    let log = Logged::start().text();
    assert!(log.contains("passed to the transport policy"), "the crate's own log is not in it");
    assert!(log.contains("Azure answered") && log.lines().count() > 50, "the log is too thin to prove anything");
    for secret in
        ["fixture-token", "fixture-database-token", "fixture-client-secret", "fixture-assertion", "FIXTURESIGNATURE", "FIXTURECERTIFICATE"]
    {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
