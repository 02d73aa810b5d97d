//! Entra ID's tokens as passwords of the Azure server.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Rig, one, rig};

const ROLE: &str = "ops@contoso.example";

/// A token for this scope, as a client that logs in with its secret gets it.
async fn token(rig: &Rig, scope: &str) -> String {
    let url = format!("{}/{}/oauth2/v2.0/token", rig.endpoint("/login/https"), rig.endpoint("/login/tenant"));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", rig.endpoint("/login/client_id")),
        ("client_secret", rig.endpoint("/login/client_secret")),
        ("scope", scope),
    ];
    let body = form.map(|(name, value)| format!("{name}={}", value.replace(':', "%3A").replace('/', "%2F"))).join("&");
    let answer = rig.http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

async fn login(rig: &Rig, password: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    rig.connect(rig.endpoint("/source/host"), rig.endpoint("/source/address"), ROLE, password, rig.endpoint("/database")).await
}

#[tokio::test]
async fn a_token_for_the_database_is_a_password_until_it_expires_and_no_use_for_arm() {
    let rig = rig(|options| options.entra_administrator = Some(ROLE.to_owned())).await;
    let database = token(&rig, "https://ossrdbms-aad.database.windows.net/.default").await;
    assert_eq!(one(&login(&rig, &database).await.unwrap(), "select current_user::text").await, ROLE);
    assert_eq!(rig.call("GET", &rig.server_url(""), Some(&database), None).await.status, 401);
    let arm = token(&rig, "https://management.azure.com/.default").await;
    assert!(login(&rig, &arm).await.is_err());
    let server = rig.call("GET", &rig.server_url(""), Some(&arm), None).await.body;
    assert_eq!(server["properties"]["authConfig"]["activeDirectoryAuth"], "Enabled");

    rig.cloud.expire_database_tokens().await.unwrap();
    assert!(login(&rig, &database).await.is_err());
    let renewed = token(&rig, "https://ossrdbms-aad.database.windows.net/.default").await;
    login(&rig, &renewed).await.unwrap();
    rig.stop().await;
}
