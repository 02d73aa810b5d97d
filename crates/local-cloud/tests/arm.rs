//! Azure Resource Manager and the flexible server behind it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::Duration;

use common::{one, rig};
use serde_json::json;

#[tokio::test]
async fn a_static_parameter_is_in_force_only_after_the_restart() {
    let rig = rig(|options| options.source_major = 15).await;
    let logical = json!({ "properties": { "value": "logical", "source": "user-override" } });
    let accepted = rig.arm("PATCH", "/configurations/wal_level", Some(logical.clone())).await;
    assert_eq!(accepted.body["operation"], "UpdateOrcasServerParameterManagementOperation");
    assert!(accepted.headers.get("retry-after").is_none());
    assert!(accepted.headers["azure-asyncoperation"].len() > 3000);

    // One write at a time.
    let busy = rig.arm("PUT", "/configurations/max_wal_senders", Some(json!({ "properties": { "value": "20" } }))).await;
    assert_eq!((busy.status, &busy.body["error"]["code"]), (409, &json!("ServerIsBusy")));
    assert_eq!(rig.arm_wait(&accepted).await["status"], "Succeeded");

    let shown = rig.arm("GET", "/configurations/wal_level", None).await.body["properties"].clone();
    assert_eq!((&shown["value"], &shown["isConfigPendingRestart"]), (&json!("logical"), &json!(true)));
    assert_eq!((&shown["defaultValue"], &shown["allowedValues"]), (&json!("replica"), &json!("replica,logical")));
    let client = rig.source().await.unwrap();
    assert_eq!(one(&client, "show wal_level").await, "replica");

    let restart = rig.arm("POST", "/restart", None).await;
    assert_eq!(rig.arm("GET", "", None).await.body["properties"]["state"], "Restarting");
    let location = restart.headers["location"].to_str().unwrap().to_owned();
    rig.arm_wait(&restart).await;
    assert_eq!(rig.call("GET", &location, Some(rig.endpoint("/arm/token")), None).await.status, 204);
    assert!(client.simple_query("select 1").await.is_err(), "the restart ends sessions");

    let shown = rig.arm("GET", "/configurations/wal_level", None).await.body["properties"].clone();
    assert_eq!((&shown["value"], &shown["isConfigPendingRestart"]), (&json!("logical"), &json!(false)));
    assert_eq!(one(&rig.source().await.unwrap(), "show wal_level").await, "logical");
    rig.stop().await;
}

#[tokio::test]
async fn parameters_are_judged_as_azure_does() {
    let rig = rig(|_| ()).await;
    let set = async |name: &str, value: &str| {
        rig.arm("PATCH", &format!("/configurations/{name}"), Some(json!({ "properties": { "value": value, "source": "user-override" } })))
            .await
    };

    let dynamic = set("default_transaction_read_only", "on").await;
    assert_eq!(rig.arm_wait(&dynamic).await["status"], "Succeeded");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(one(&rig.source().await.unwrap(), "show default_transaction_read_only").await, "on");

    let read_only = set("max_slot_wal_keep_size", "100").await;
    let ended = rig.arm_wait(&read_only).await;
    assert_eq!((&ended["status"], &ended["error"]), (&json!("Failed"), &json!({ "code": "OperationFailed", "message": "{0}" })));

    for (name, value) in
        [("wal_level", "minimal"), ("max_wal_senders", "3"), ("max_wal_senders", "many"), ("require_secure_transport", "perhaps")]
    {
        assert_eq!(set(name, value).await.status, 400, "{name}={value}");
    }
    assert_eq!(set("no_such_thing", "1").await.status, 404);
    let list = rig.arm("GET", "/configurations", None).await;
    assert!(list.body["value"].as_array().unwrap().len() > 300);
    rig.stop().await;
}

#[tokio::test]
async fn who_may_ask_and_how() {
    let rig = rig(|options| {
        options.other_servers = vec!["another".to_owned()];
        options.page_size = Some(1);
    })
    .await;
    let url = rig.server_url("");
    for (token, code) in [(None, "AuthenticationFailed"), (Some("nonsense"), "InvalidAuthenticationToken")] {
        let refused = rig.call("GET", &url, token, None).await;
        assert_eq!((refused.status, &refused.body["error"]["code"]), (401, &json!(code)));
        assert!(refused.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer authorization_uri="));
    }
    let token = rig.endpoint("/arm/token");
    let without_version = url.split('?').next().unwrap();
    assert_eq!(rig.call("GET", without_version, Some(token), None).await.body["error"]["code"], "MissingApiVersionParameter");
    let shouted = url.replace("resourceGroups", "RESOURCEGROUPS").replace("bikeparts-prod", "BikeParts-Prod");
    let server = rig.call("GET", &shouted, Some(token), None).await;
    assert_eq!(server.body["properties"]["fullyQualifiedDomainName"], "bikeparts-prod.postgres.database.azure.com");
    assert!(server.headers.contains_key("x-ms-request-id"));
    let missing = rig.call("GET", &url.replace("bikeparts-prod", "nobody"), Some(token), None).await;
    assert_eq!((missing.status, &missing.body["error"]["code"]), (404, &json!("ResourceNotFound")));

    // Pages, by links that are followed as they are.
    let base = format!(
        "{}/subscriptions/{}/providers/Microsoft.DBForPostgreSql/flexibleServers?api-version=2024-08-01",
        rig.endpoint("/arm/https"),
        rig.endpoint("/subscription")
    );
    let first = rig.call("GET", &base, Some(token), None).await.body;
    let second = rig.call("GET", first["nextLink"].as_str().unwrap(), Some(token), None).await.body;
    assert_eq!((&first["value"][0]["name"], &second["value"][0]["name"]), (&json!("bikeparts-prod"), &json!("another")));
    assert!(second.get("nextLink").is_none());
    let id = second["value"][0]["id"].as_str().unwrap();
    let another = rig.call("GET", &format!("{}{id}?api-version=2024-08-01", rig.endpoint("/arm/https")), Some(token), None).await;
    assert_eq!((another.status, &another.body), (200, &second["value"][0]), "what is listed can be read");
    rig.stop().await;
}

#[tokio::test]
async fn a_server_is_changed_as_far_as_it_can_be() {
    let rig = rig(|_| ()).await;
    let before = rig.arm("GET", "", None).await.body;
    for change in [json!({ "sku": { "name": "Standard_D4ds_v5" } }), json!({ "properties": { "administratorLoginPassword": "secret" } })] {
        let refused = rig.arm("PATCH", "", Some(change)).await;
        assert_eq!((refused.status, &refused.body["error"]["code"]), (400, &json!("FeatureNotSupported")));
    }
    assert_eq!(rig.arm("GET", "", None).await.body, before);

    // What is sent as it is already is no change: the CLI sends all of it.
    let storage = json!({ "storageSizeGB": 256, "autoGrow": null });
    let accepted = rig.arm("PATCH", "", Some(json!({ "sku": before["sku"], "properties": { "storage": storage } }))).await;
    assert_eq!(rig.arm_wait(&accepted).await["status"], "Succeeded");
    let mut after = before;
    after["properties"]["storage"]["storageSizeGB"] = json!(256);
    assert_eq!(rig.arm("GET", "", None).await.body, after);
    rig.stop().await;
}

#[tokio::test]
async fn a_stopped_server_can_only_be_started() {
    let rig = rig(|_| ()).await;
    let stopped = rig.arm("POST", "/stop", None).await;
    assert_eq!(rig.arm_wait_until(&stopped, "Stopped").await["status"], "Succeeded");
    assert!(rig.source().await.is_err());
    for action in ["/restart", "/stop"] {
        let accepted = rig.arm("POST", action, None).await;
        assert_eq!(rig.arm_wait_until(&accepted, "Stopped").await["error"]["code"], "ServerIsNotReady");
    }
    let started = rig.arm("POST", "/start", None).await;
    assert_eq!(rig.arm_wait(&started).await["status"], "Succeeded");
    assert_eq!(one(&rig.source().await.unwrap(), "select 'up'").await, "up");
    rig.stop().await;
}

#[tokio::test]
async fn databases_are_made_and_dropped() {
    let rig = rig(|_| ()).await;
    let body = json!({ "properties": { "charset": "UTF8", "collation": "C" } });
    for again in [false, true] {
        let accepted = rig.arm("PUT", "/databases/spare", Some(body.clone())).await;
        assert_eq!(rig.arm_wait(&accepted).await["status"], "Succeeded", "{again}");
        assert_eq!(rig.arm("GET", "/databases/spare", None).await.body["properties"], body["properties"]);
    }
    let strange = rig.arm("PUT", "/databases/strange", Some(json!({ "properties": { "charset": "klingon" } }))).await;
    assert_eq!(rig.arm_wait(&strange).await["error"]["code"], "OperationFailed");
    assert_eq!(rig.arm("PUT", "/databases/1st", None).await.status, 400);
    assert_eq!(rig.arm("DELETE", "/databases/azure_sys", None).await.status, 400);

    let dropped = rig.arm("DELETE", "/databases/spare", None).await;
    assert_eq!(rig.arm_wait(&dropped).await["status"], "Succeeded");
    assert_eq!(rig.arm("GET", "/databases/spare", None).await.status, 404);
    assert_eq!(rig.arm("DELETE", "/databases/spare", None).await.status, 204);
    rig.stop().await;
}

#[tokio::test]
async fn a_client_learns_where_to_log_in() {
    let rig = rig(|_| ()).await;
    let ask = async |version: &str| {
        let url = format!("{}/metadata/endpoints?api-version={version}", rig.endpoint("/arm/https"));
        rig.call("GET", &url, None, None).await.body
    };
    let cloud = ask("2022-09-01").await;
    assert_eq!(cloud["authentication"]["loginEndpoint"], rig.endpoint("/login/https"));
    assert_eq!(ask("2019-05-01").await, json!([cloud]), "a list of clouds, as it was once");
    rig.stop().await;
}

#[tokio::test]
async fn client_credentials_give_a_token() {
    let rig = rig(|_| ()).await;
    let url = format!("{}/{}/oauth2/v2.0/token", rig.endpoint("/login/https"), rig.endpoint("/login/tenant"));
    let log_in = async |secret: &str| {
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fmanagement.azure.com%2F.default",
            rig.endpoint("/login/client_id"),
            secret.replace('~', "%7E")
        );
        let response = rig.http.post(&url).header("content-type", "application/x-www-form-urlencoded").body(form).send().await.unwrap();
        (response.status().as_u16(), response.json::<serde_json::Value>().await.unwrap())
    };
    let (status, refused) = log_in("wrong").await;
    assert_eq!((status, &refused["error"]), (401, &json!("invalid_client")));
    assert!(refused["error_description"].as_str().unwrap().starts_with("AADSTS7000215: Invalid client secret provided"));
    let (status, granted) = log_in(rig.endpoint("/login/client_secret")).await;
    assert_eq!(status, 200);
    let token = granted["access_token"].as_str().unwrap();
    assert_eq!(rig.call("GET", &rig.server_url(""), Some(token), None).await.status, 200);
    rig.cloud.expire_arm_tokens();
    assert_eq!(rig.call("GET", &rig.server_url(""), Some(token), None).await.status, 401);
    rig.stop().await;
}

#[tokio::test]
async fn clients_are_told_when_to_come_back_if_so_asked() {
    let rig = rig(|options| options.retry_after = Some(1)).await;
    let accepted = rig.arm("POST", "/restart", None).await;
    assert_eq!((accepted.status, accepted.headers["retry-after"].to_str().unwrap()), (202, "1"));
    assert_eq!(rig.arm_wait(&accepted).await["status"], "Succeeded");
    rig.stop().await;
}
