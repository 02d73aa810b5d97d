use serde_json::json;

use super::*;

const SERVER: &str = "https://management.azure.com/subscriptions/5f0c7c1e-8f3a-4f65-9f0e-1a2b3c4d5e6f/resourceGroups/rg%20shop/providers/Microsoft.DBforPostgreSQL/flexibleServers/shop-prod";
const SANITIZED: &str =
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/name-1/providers/Microsoft.DBforPostgreSQL/flexibleServers/name-2";

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

fn path(sanitizer: &mut Sanitizer, text: &str) -> String {
    sanitizer.request_path(&url(text)).0
}

#[test]
fn a_server_is_known_by_pseudonyms_only() {
    let mut sanitizer = Sanitizer::default();
    assert_eq!(path(&mut sanitizer, &format!("{SERVER}?api-version=2024-08-01")), format!("{SANITIZED}?api-version=2024-08-01"));
    let body = json!({
        "id": "/subscriptions/5f0c7c1e-8f3a-4f65-9f0e-1a2b3c4d5e6f/resourceGroups/rg shop/providers/Microsoft.DBforPostgreSQL/flexibleServers/shop-prod",
        "name": "shop-prod",
        "location": "UK South",
        "sku": { "name": "Standard_D2ds_v5", "tier": "GeneralPurpose" },
        "tags": { "Owner": "jane@contoso.com" },
        "systemData": { "createdBy": "jane@contoso.com", "createdAt": "2025-03-03T08:12:45.1038473Z" },
        "properties": {
            "fullyQualifiedDomainName": "shop-prod.postgres.database.azure.com",
            "administratorLogin": "janeadmin",
            "version": "16",
            "state": "Ready",
            "storage": { "storageSizeGB": 128, "unheardOf": 77 },
            "newSecretThing": "s3cret",
        },
    });
    let sanitized = sanitizer.json(&Scene::of(&url(SERVER)), body);
    assert_eq!(
        sanitized,
        json!({
            "id": SANITIZED,
            "name": "name-2",
            "location": "UK South",
            "sku": { "name": "Standard_D2ds_v5", "tier": "GeneralPurpose" },
            "tags": { "field-3": "name-4" },
            "systemData": { "createdBy": "name-4", "createdAt": "2025-03-03T08:12:45.1038473Z" },
            "properties": {
                "fullyQualifiedDomainName": "host-1.example",
                "administratorLogin": "name-3",
                "version": "16",
                "state": "Ready",
                "storage": { "storageSizeGB": 128, "field-2": 0 },
                "field-1": "replaced-1",
            },
        })
    );
}

#[test]
fn an_operation_is_found_again_without_its_signature() {
    let mut sanitizer = Sanitizer::default();
    let operation = "https://management.azure.com/subscriptions/5f0c7c1e-8f3a-4f65-9f0e-1a2b3c4d5e6f/providers/Microsoft.DBforPostgreSQL/locations/Canada%20Central/azureAsyncOperation/11111111-8f3a-4f65-9f0e-1a2b3c4d5e6f?api-version=2024-08-01&t=639&c=MIIH&s=SIGN&h=HASH";
    let asked = path(&mut sanitizer, operation);
    assert_eq!(
        asked,
        "/subscriptions/00000000-0000-4000-8000-000000000001/providers/Microsoft.DBforPostgreSQL/locations/Canada%20Central/azureAsyncOperation/00000000-0000-4000-8000-000000000002?api-version=2024-08-01&t=*&c=*&s=*&h=*"
    );
    let headers = [("Azure-AsyncOperation", operation), ("Authorization", "Bearer x"), ("Set-Cookie", "y"), ("Retry-After", "5")];
    let kept = sanitizer.headers(&Scene::of(&url(SERVER)), &headers);
    let expected = [("azure-asyncoperation".to_owned(), format!("{{origin}}{asked}")), ("retry-after".to_owned(), "5".to_owned())];
    assert_eq!(kept, BTreeMap::from(expected));
    // To another origin, the host is told apart but not named.
    let foreign = sanitizer.headers(&Scene::of(&url("https://elsewhere.example/x")), &headers);
    assert!(foreign["azure-asyncoperation"].starts_with("https://host-1.example/subscriptions/"), "{foreign:?}");
}

#[test]
fn parameters_keep_what_the_catalog_offers() {
    let mut sanitizer = Sanitizer::default();
    let scene = Scene::of(&url(&format!("{SERVER}/configurations")));
    let parameter = |name: &str, kind: &str, allowed: &str, value: &str| json!({ "name": name, "properties": { "value": value, "dataType": kind, "allowedValues": allowed, "description": "Says what it is." } });
    let list = json!({ "value": [
        parameter("wal_level", "Enumeration", "replica,logical", "logical"),
        parameter("max_wal_senders", "Integer", "5-100", "10"),
        parameter("shared_preload_libraries", "Set", "pgaudit,pg_cron", "pg_cron,pgaudit"),
        parameter("primary_conninfo", "String", ".*", "host=10.0.0.4 password=s3cret"),
        parameter("log_line_prefix", "String", ".*", "%t-shop"),
    ] });
    let sanitized = sanitizer.json(&scene, list);
    let values: Vec<&str> = sanitized["value"].as_array().unwrap().iter().map(|one| one["properties"]["value"].as_str().unwrap()).collect();
    assert_eq!(values, ["logical", "10", "pg_cron,pgaudit", "replaced-1", "replaced-2"]);
    assert_eq!(sanitized["value"][0]["name"], "wal_level");
    assert_eq!(sanitized["value"][0]["properties"]["description"], "Says what it is.");
    let change = json!({ "properties": { "value": "logical", "source": "user-override" } });
    assert_eq!(sanitizer.json(&scene, change.clone()), change);
}

#[test]
fn a_connection_string_keeps_its_form() {
    let mut sanitizer = Sanitizer::default();
    let scene = Scene::of(&url("https://console.neon.tech/api/v2/projects/quiet-river-1/connection_uri"));
    let uri =
        "postgresql://shop_owner:npg_s3cret%2F1@ep-still-moon-1.c-2.eu-west-2.aws.neon.tech/shop?sslmode=require&channel_binding=require";
    let body = json!({ "uri": uri, "connection_parameters": {
        "password": "npg_s3cret/1", "role": "shop_owner", "database": "shop",
        "host": "ep-still-moon-1.c-2.eu-west-2.aws.neon.tech", "pooler_host": "ep-still-moon-1-pooler.c-2.eu-west-2.aws.neon.tech",
    } });
    assert_eq!(
        sanitizer.json(&scene, body),
        json!({ "uri": "postgresql://name-2:replaced-1@host-1.example/name-1?sslmode=require&channel_binding=require", "connection_parameters": {
            "password": "replaced-1", "role": "name-2", "database": "name-1", "host": "host-1.example", "pooler_host": "host-1-pooler.example",
        } })
    );
}

#[test]
fn words_stay_if_they_are_the_services_own() {
    let mut sanitizer = Sanitizer::default();
    let said =
        |sanitizer: &mut Sanitizer, text: &str| sanitizer.json(&Scene::of(&url(SERVER)), json!({ "message": text }))["message"].clone();
    assert_eq!(said(&mut sanitizer, "project not found"), "project not found");
    assert_eq!(said(&mut sanitizer, "connection from 20.50.1.2 by jane@contoso.com refused"), "replaced text");
    assert_eq!(
        said(
            &mut sanitizer,
            "Restart or Stop Server can only be performed on Started servers. Sever Name = shop-prod, Current Server State = Updating"
        ),
        "Restart or Stop Server can only be performed on Started servers. Sever Name = name-1, Current Server State = Updating"
    );
    assert_eq!(said(&mut sanitizer, "AADSTS50034: The user account jane@contoso.com does not exist."), "AADSTS50034: replaced text");
    assert_eq!(
        said(
            &mut sanitizer,
            "The client 'x-1' with object id '5f0c7c1e-8f3a-4f65-9f0e-1a2b3c4d5e6f' does not have authorization to perform action 'Microsoft.DBforPostgreSQL/flexibleServers/configurations/write' over scope '/subscriptions/5f0c7c1e-8f3a-4f65-9f0e-1a2b3c4d5e6f/resourceGroups/rg'."
        ),
        "The client 'name-2' with object id '00000000-0000-4000-8000-000000000001' does not have authorization to perform action 'Microsoft.DBforPostgreSQL/flexibleServers/configurations/write' over scope '/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/name-3'."
    );
    assert_eq!(Sanitizer::other("<html><body>shop-prod is down</body></html>"), "<html>replaced</html>");
    assert_eq!(Sanitizer::other("shop-prod is down"), "replaced text");
}

#[test]
fn queries_keep_only_what_is_listed() {
    let mut sanitizer = Sanitizer::default();
    let asked = "https://console.neon.tech/api/v2/projects?limit=400&search=the+shop&org_id=org-quiet-1&%24skiptoken=secret&bare";
    assert_eq!(path(&mut sanitizer, asked), "/api/v2/projects?limit=400&search=name-1&org_id=id-1&%24skiptoken=*&*");
    let name = sanitizer.json(&Scene::of(&url(asked)), json!({ "name": "the shop", "org_id": "org-quiet-1" }));
    assert_eq!(name, json!({ "name": "name-1", "org_id": "id-1" }));
}

#[test]
fn no_value_of_an_application_stays() {
    let mut sanitizer = Sanitizer::default();
    let arm = SERVER.split("/Microsoft.DB").next().unwrap();
    for (address, body) in [
        (
            "https://kv-shop.vault.azure.net/secrets/shop-db?api-version=7.4",
            json!({ "value": "hunter2", "contentType": "hunter2", "tags": { "a": "hunter2" } }),
        ),
        (
            &format!("{arm}/Microsoft.Web/sites/shop-web/config/appsettings/list"),
            json!({ "properties": { "version": "hunter2", "code": "hunter2", "A": "hunter2" } }),
        ),
        (&format!("{arm}/Microsoft.App/containerApps/shop/listSecrets"), json!({ "value": [{ "name": "state", "value": "hunter2" }] })),
        (
            &format!("{arm}/Microsoft.App/containerApps/shop"),
            json!({ "properties": { "configuration": { "secrets": [{ "name": "a", "value": "postgresql://u:hunter2@h/d" }] } } }),
        ),
    ] {
        let (path, _) = sanitizer.request_path(&url(address));
        let sanitized = sanitizer.json(&Scene::of(&url(address)), body).to_string();
        assert!(!sanitized.contains("hunter2") && !path.contains("shop"), "{path}: {sanitized}");
    }
}
