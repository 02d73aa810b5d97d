//! The simulated Resource Manager against what is known of the real one: its specification and recordings, in `../shared/api` beside the
//! repository. Where that isn't, these tests say so and do nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod common;

use std::path::Path;

use common::{Rig, rig};
use serde_json::{Value, json};

/// A file of the oracle; none where there is no oracle.
fn oracle(name: &str) -> Option<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/api").join(name);
    let Ok(text) = std::fs::read(&file) else {
        eprintln!("skipped: there is no {}", file.display());
        return None;
    };
    Some(serde_json::from_slice(&text).unwrap())
}

/// What is another in shape: a member that is missing or too many, or of another type.
fn misshapen(path: &str, real: &Value, ours: &Value) -> Vec<String> {
    match (real, ours) {
        (Value::Object(real), Value::Object(ours)) => {
            let missing = real.keys().filter(|name| !ours.contains_key(*name)).map(|name| format!("{path}/{name} is missing"));
            let inside = ours.iter().flat_map(|(name, ours)| match real.get(name) {
                Some(real) => misshapen(&format!("{path}/{name}"), real, ours),
                None => vec![format!("{path}/{name} is too many")],
            });
            missing.chain(inside).collect()
        }
        _ if std::mem::discriminant(real) == std::mem::discriminant(ours) => Vec::new(),
        _ => vec![format!("{path} is {ours} instead of the like of {real}")],
    }
}

/// The operations that are simulated, in an order in which they can be done.
fn operations() -> Vec<(&'static str, Value)> {
    let nothing = Value::Null;
    let value = |value: &str| json!({ "properties": { "value": value, "source": "user-override" } });
    vec![
        ("servers_get", nothing.clone()),
        ("servers_list_by_resource_group", nothing.clone()),
        ("servers_list_by_subscription", nothing.clone()),
        ("servers_update", json!({ "tags": { "owner": "bikes" } })),
        ("configurations_list_by_server", nothing.clone()),
        ("configurations_get", nothing.clone()),
        ("configurations_update", value("8192")),
        ("configurations_put", value("4096")),
        ("firewall_rules_create_or_update", json!({ "properties": { "startIpAddress": "203.0.113.1", "endIpAddress": "203.0.113.2" } })),
        ("firewall_rules_get", nothing.clone()),
        ("firewall_rules_list_by_server", nothing.clone()),
        ("firewall_rules_delete", nothing.clone()),
        ("databases_create", json!({ "properties": { "charset": "UTF8", "collation": "C" } })),
        ("databases_get", nothing.clone()),
        ("databases_list_by_server", nothing.clone()),
        ("databases_delete", nothing.clone()),
        ("replicas_list_by_server", nothing.clone()),
        ("virtual_endpoints_list_by_server", nothing.clone()),
        ("private_endpoint_connections_list_by_server", nothing.clone()),
        ("administrators_microsoft_entra_list_by_server", nothing.clone()),
        ("capabilities_by_server_list", nothing.clone()),
        ("capabilities_by_location_list", nothing.clone()),
        ("servers_restart", json!({ "restartWithFailover": false })),
        ("servers_stop", nothing.clone()),
        ("servers_start", nothing),
    ]
}

#[tokio::test]
async fn operations_are_answered_with_a_status_of_the_specification() {
    let Some(specification) = oracle("azure-operations-2026-10-01.json") else { return };
    let rig = rig(|_| ()).await;
    for (name, body) in operations() {
        let operation = specification.as_array().unwrap().iter().find(|operation| operation["op"] == name).unwrap();
        let path = operation["url"]
            .as_str()
            .unwrap()
            .replace("{subscriptionId}", rig.endpoint("/subscription"))
            .replace("{resourceGroupName}", rig.endpoint("/resource_group"))
            .replace("{serverName}", rig.endpoint("/server"))
            .replace("{configurationName}", "work_mem")
            .replace("{firewallRuleName}", "a-rule")
            .replace("{databaseName}", "a_database")
            .replace("{locationName}", "uksouth");
        let url = format!("{}{path}?api-version=2026-10-01", rig.endpoint("/arm/http"));
        let body = (body != Value::Null).then_some(body);
        let reply = rig.call(operation["method"].as_str().unwrap(), &url, Some(rig.endpoint("/arm/token")), body).await;
        assert!(operation["success"].as_array().unwrap().contains(&json!(reply.status)), "{name}: {} {}", reply.status, reply.body);
        if reply.status == 202 {
            let end = if name == "servers_stop" { "Stopped" } else { "Ready" };
            assert_eq!(rig.arm_wait_until(&reply, end).await["status"], "Succeeded", "{name}");
        }
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_server_has_the_shape_of_the_specification_s_examples() {
    let Some(public) = oracle("azure-spec-2024-08-01/examples/ServerGet.json") else { return };
    let Some(private) = oracle("azure-spec-2024-08-01/examples/ServerGetWithVnet.json") else { return };
    let Some(values) = oracle("azure-enums-2026-10-01.json") else { return };
    let example = |file: &Value| file["responses"]["200"]["body"].clone();
    for (private_network, file) in [(false, public), (true, private)] {
        let rig = rig(|options| options.private_network = private_network).await;
        let ours = rig.arm("GET", "", None).await.body;
        let mut real = example(&file);
        // These depend on the server, not on the API.
        real["tags"] = json!({});
        real["properties"]["highAvailability"].as_object_mut().unwrap().remove("standbyAvailabilityZone");
        let mut compared = ours.clone();
        compared["tags"] = json!({});
        assert_eq!(misshapen("", &real, &compared), Vec::<String>::new());
        for (name, path) in [
            ("ServerState", "/properties/state"),
            ("ReplicationRole", "/properties/replicationRole"),
            ("ServerPublicNetworkAccessState", "/properties/network/publicNetworkAccess"),
            ("HighAvailabilityState", "/properties/highAvailability/state"),
            ("PasswordBasedAuth", "/properties/authConfig/passwordAuth"),
            ("StorageAutoGrow", "/properties/storage/autoGrow"),
            ("SkuTier", "/sku/tier"),
        ] {
            let value = ours.pointer(path).unwrap();
            assert!(values[name].as_array().unwrap().contains(value), "{path} is {value}");
        }
        rig.stop().await;
    }
}

/// What is the same of a parameter on every server.
fn character(parameter: &Value) -> Value {
    let mut names = vec!["dataType", "allowedValues", "defaultValue", "isDynamicConfig", "isReadOnly"];
    match parameter["name"].as_str().unwrap() {
        // Its limits grow with the machine.
        "max_wal_size" => names.retain(|name| !matches!(*name, "allowedValues" | "defaultValue")),
        // The extensions that are there; the oracle has them only in words.
        "azure.extensions" => names.retain(|name| *name != "allowedValues"),
        _ => {}
    }
    names.iter().map(|name| ((*name).to_owned(), parameter["properties"][name].clone())).collect::<serde_json::Map<_, _>>().into()
}

#[tokio::test]
async fn parameters_are_those_of_a_recorded_server() {
    let Some(recorded) = oracle("azure-recorded/configurations-pg17-2026-04.json") else { return };
    let Some(call) = oracle("azure-recorded/azure-cli-recordings.json") else { return };
    let rig = rig(|options| options.source_major = 17).await;
    let lock_timeout = rig.arm("GET", "/configurations/lock_timeout", None).await.body;
    assert_eq!(misshapen("", &call["get_configuration"]["body"], &lock_timeout), Vec::<String>::new());

    let list = rig.arm("GET", "/configurations", None).await.body;
    assert!(list.get("nextLink").is_none());
    let mut different = Vec::new();
    for real in recorded["value"].as_array().unwrap() {
        let ours = list["value"].as_array().unwrap().iter().find(|ours| ours["name"] == real["name"]);
        let (real_character, ours) = (character(real), ours.map_or(Value::Null, character));
        if real_character != ours {
            different.push(format!("{}: {ours} instead of {real_character}", real["name"]));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    rig.stop().await;
}

/// The names of a URL's query, and the shape of its path.
fn anatomy(url: &str) -> (Vec<String>, Vec<String>) {
    let url = reqwest::Url::parse(url).unwrap();
    let segments = url.path_segments().unwrap().map(str::to_owned).collect();
    (url.query_pairs().map(|(name, _)| name.into_owned()).collect(), segments)
}

#[tokio::test]
async fn an_operation_is_that_of_a_recording() {
    let Some(recorded) = oracle("azure-recorded/azure-cli-recordings.json") else { return };
    let rig = rig(|_| ()).await;
    let body = json!({ "properties": { "source": "user-override", "value": "2000" } });
    let accepted = rig.arm("PATCH", "/configurations/lock_timeout", Some(body)).await;
    let real = &recorded["patch_configuration"]["response"];
    assert_eq!((json!(accepted.status), &accepted.body["operation"]), (real["status"].clone(), &real["body"]["operation"]));
    assert_eq!(misshapen("", &real["body"], &accepted.body), Vec::<String>::new());
    for (name, value) in real["headers"].as_object().unwrap() {
        assert_eq!(accepted.headers.contains_key(name), !value.is_null(), "{name}");
        if name.contains("ratelimit") || name == "content-type" || name == "cache-control" {
            assert_eq!(accepted.headers[name], value.as_str().unwrap(), "{name}");
        }
    }
    for (header, kind) in [("azure-asyncoperation", "azureAsyncOperation"), ("location", "operationResults")] {
        let (query, path) = anatomy(accepted.headers[header].to_str().unwrap());
        assert_eq!(query, ["api-version", "t", "c", "s", "h"]);
        let (_, real_path) = anatomy(real["headers"][header].as_str().unwrap());
        assert_eq!((path.len(), &path[2..5], &path[6]), (real_path.len(), &real_path[2..5], &real_path[6]));
        assert_eq!(path[6], kind);
    }
    polls_like_the_recording(&rig, &recorded, &accepted).await;
    rig.stop().await;
}

async fn polls_like_the_recording(rig: &Rig, recorded: &Value, accepted: &common::Reply) {
    let url = accepted.headers["azure-asyncoperation"].to_str().unwrap();
    let first = rig.call("GET", url, Some(rig.endpoint("/arm/token")), None).await;
    assert_eq!((first.status, &first.body["status"]), (200, &recorded["poll_in_progress"]["body"]["status"]));
    assert_eq!(misshapen("", &recorded["poll_in_progress"]["body"], &first.body), Vec::<String>::new());
    assert!(!first.headers.contains_key("retry-after"));
    let last = rig.arm_wait(accepted).await;
    assert_eq!(misshapen("", &recorded["poll_done"]["body"], &last), Vec::<String>::new());
    assert_eq!(last["status"], recorded["poll_done"]["body"]["status"]);
}
