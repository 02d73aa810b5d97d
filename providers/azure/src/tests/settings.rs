//! Settings, credentials and the reading of servers.

use std::collections::HashMap;

use super::*;
use crate::locate::ResourceId;
use crate::model::Server;

fn of(vars: &[(&str, &str)]) -> azure2neon_core::Result<Credential> {
    let vars: HashMap<String, String> = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Credential::from_environment(&|name| vars.get(name).cloned())
}

#[test]
fn the_environment_chooses_the_credential() {
    let principal =
        [("AZURE_CLIENT_ID", "app-1"), ("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_SECRET", "s"), ("AZURE_AUTHORITY_HOST", "login.test")];
    match of(&principal).unwrap() {
        Credential::ServicePrincipal { authority, .. } => assert_eq!(authority.as_deref(), Some("https://login.test")),
        other => panic!("{}", other.describe()),
    }
    let federated = [("AZURE_CLIENT_ID", "app-2"), ("AZURE_TENANT_ID", "t"), ("AZURE_FEDERATED_TOKEN_FILE", "/run/token")];
    assert_eq!(of(&federated).unwrap().describe(), "workload identity app-2");
    assert_eq!(of(&[("AZURE_CLIENT_ID", "app-1")]).unwrap().describe(), "the login of the Azure CLI");
    assert_eq!(of(&[("AZURE_CLIENT_SECRET", " ")]).unwrap().describe(), "the login of the Azure CLI");
    let error = of(&[("AZURE_CLIENT_SECRET", "s"), ("AZURE_CLIENT_ID", "a")]).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("AZURE_TENANT_ID"));
}

#[tokio::test]
async fn bad_settings_are_refused_at_once() {
    let (_, client) = tls();
    let with = |endpoint: &str, subscription: &str, server: &str| {
        AzureCloud::new(Settings {
            endpoint: endpoint.parse().unwrap(),
            scope: None,
            subscription: Some(subscription.to_owned()),
            resource_group: None,
            server: server.to_owned(),
            credential: Credential::Token(SecretString::from("t")),
            tls: client.clone(),
            answer_timeout: std::time::Duration::from_secs(20),
            waits: Default::default(),
        })
        .map(|_| ())
        .map_err(|error| error.kind())
    };
    let arm = "https://management.azure.com";
    assert_eq!(with(arm, SUBSCRIPTION, "shop-prod"), Ok(()));
    assert_eq!(with(arm, SUBSCRIPTION, "shop-prod.postgres.database.azure.com"), Ok(()));
    let id = format!("/subscriptions/{SUBSCRIPTION}/resourcegroups/rg/providers/Microsoft.DBForPostgreSql/flexibleservers/shop");
    assert_eq!(with(arm, SUBSCRIPTION, &id), Ok(()));
    for (endpoint, subscription, server) in
        [("https://proxy.test/arm", SUBSCRIPTION, "shop"), (arm, "my subscription", "shop"), (arm, SUBSCRIPTION, "../../x?y=1#z")]
    {
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
        server.describe("id".to_owned(), "shop").unsupported_because
    };
    assert!(read(r#""cluster":{"clusterSize":2}"#).unwrap().contains("cluster"));
    assert!(read(r#""replicationRole":"GeoAsyncReplica","sourceServerResourceId":"/x/flexibleServers/main""#).unwrap().contains("main"));
    assert!(read(r#""replica":{"role":"AsyncReplica"}"#).is_some());
    assert_eq!(read(r#""replicationRole":"None","cluster":null"#), None);
}
