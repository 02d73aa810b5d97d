//! Settings and the reading of servers.

use super::*;
use crate::locate::ResourceId;
use crate::model::Server;

#[tokio::test]
async fn bad_settings_are_refused_at_once() {
    let (_, client) = tls();
    let with = |endpoint: &str, subscription: &str, server: &str| {
        let mut settings = super::settings(endpoint, client.clone());
        settings.subscription = Some(subscription.to_owned());
        settings.server = server.to_owned();
        AzureCloud::new(settings).map(|_| ()).map_err(|error| error.kind())
    };
    let arm = "https://management.azure.com";
    assert_eq!(with(arm, SUBSCRIPTION, "shop-prod"), Ok(()));
    assert_eq!(with(arm, SUBSCRIPTION, "shop-prod.postgres.database.azure.com"), Ok(()));
    let id = format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/rg/providers/Microsoft.DBForPostgreSql/flexibleservers/shop");
    assert_eq!(with(arm, SUBSCRIPTION, &id), Ok(()));
    for (endpoint, subscription, server) in [
        ("https://proxy.test/arm", SUBSCRIPTION, "shop"),
        (arm, "my subscription", "shop"),
        (arm, SUBSCRIPTION, "../../x?y=1#z"),
        (arm, SUBSCRIPTION, "shop-prod.postgres.database.azure.com:6432"),
        (arm, SUBSCRIPTION, "shop.postgres.database.chinacloudapi.cn"),
    ] {
        assert_eq!(with(endpoint, subscription, server), Err(ErrorKind::Configuration), "{server}");
    }
}

#[test]
fn ids_have_no_certain_case() {
    let id = ResourceId::parse("/subscriptions/s/resourcegroups/RG/providers/microsoft.dbforpostgresql/flexibleservers/shop").unwrap();
    assert_eq!((id.subscription.as_str(), id.group.as_str(), id.name.as_str()), ("s", "RG", "shop"));
    assert_eq!(ResourceId::parse("/subscriptions/s/resourceGroups/RG/providers/Microsoft.Sql/servers/shop"), None);
}

#[test]
fn replicas_and_clusters_are_no_sources() {
    let read = |properties: &str| {
        let server: Server = serde_json::from_str(&format!(r#"{{"name":"shop","properties":{{{properties}}}}}"#)).unwrap();
        let id = ResourceId { subscription: "s".to_owned(), group: "rg".to_owned(), name: "shop".to_owned() };
        server.describe(&id).unsupported_because
    };
    assert!(read(r#""cluster":{"clusterSize":2}"#).unwrap().contains("cluster"));
    assert!(read(r#""replicationRole":"GeoAsyncReplica","sourceServerResourceId":"/x/flexibleServers/main""#).unwrap().contains("main"));
    assert!(read(r#""replica":{"role":"AsyncReplica"}"#).is_some());
    assert_eq!(read(r#""replicationRole":"None","cluster":null"#), None);
}
