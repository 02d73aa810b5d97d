//! No secret shows, however much is logged.

use super::logged::Logged;
use super::*;

#[tokio::test]
async fn nothing_secret_is_logged_even_at_trace() {
    for scenario in ["create", "create-database", "connection", "connection-reset", "connection-odd", "wrong-key"] {
        let (replay, cloud) = replay(&[scenario]).await;
        let error = match scenario {
            "create" => cloud.create(&spec()).await.err(),
            "create-database" => cloud.create_database(&shop(), &billing()).await.err(),
            "wrong-key" => cloud.identity().await.err(),
            _ => cloud.connection(&shop(), "shop", "shop_owner").await.err(),
        };
        // What the operator reads counts as well.
        tracing::info!("{error:?}");
        replay.finish();
    }
    let log = Logged::start().text();
    assert!(log.contains("Neon answered") && log.lines().count() > 20, "the log is too thin to prove anything");
    for secret in ["napi_fixture_key", "npg_fixture"] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
