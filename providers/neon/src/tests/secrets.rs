//! No secret shows, however much is logged.

use super::logged::Logged;
use super::*;

#[tokio::test]
async fn nothing_secret_is_logged_even_at_trace() {
    let wanted = TargetSettings { compute: "2-8".parse().ok(), suspend_seconds: Some(-1), history_seconds: Some(604_800) };
    let scenarios = [
        "create",
        "create-database",
        "open-id",
        "settings-change",
        "connection",
        "connection-pooled",
        "connection-reset",
        "connection-odd",
        "wrong-key",
    ];
    for scenario in scenarios {
        let (replay, cloud) = replay(&[scenario]).await;
        let error = match scenario {
            "create" => cloud.create(&spec()).await.err(),
            "create-database" => cloud.create_database(&shop(), &billing()).await.err(),
            "wrong-key" => cloud.identity().await.err(),
            "open-id" => cloud.open("quiet-river-11112222", None).await.err(),
            "settings-change" => cloud.change_settings(&shop(), &wanted).await.err(),
            _ => cloud.connection(&shop(), &shop_database(), LostPassword::Replace).await.err(),
        };
        // What the operator reads counts as well.
        tracing::info!("{error:?}");
        replay.finish();
    }
    let log = Logged::start().text();
    assert!(log.contains("Neon answered") && log.lines().count() > 20, "the log is too thin to prove anything");
    for secret in ["napi_fixture_key", "npg_fixture", "postgresql://"] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
