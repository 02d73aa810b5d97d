//! What a client asks of a cloud that it doesn't know: where to log in, for whom a token is, how hosts end.

use serde_json::json;

use crate::http::{Answer, Call};

/// Since this version the answer is one cloud, before it a list of clouds.
const ONE_CLOUD: &str = "2022-09-01";

/// `metadata/endpoints`, which needs no login. Everything that could be called leads back here, so that nothing leaves the machine.
pub(super) fn endpoints(call: &Call) -> Answer {
    let origin = &call.origin;
    let cloud = json!({
        "name": "LocalCloud",
        "portal": origin,
        "authentication": {
            "loginEndpoint": origin,
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": format!("{origin}/"),
        "graph": origin,
        "graphAudience": origin,
        "microsoftGraphResourceId": origin,
        "media": origin,
        "batch": origin,
        "ossrdbmsResourceId": "https://ossrdbms-aad.database.windows.net",
        "suffixes": {
            "acrLoginServer": "azurecr.io",
            "keyVaultDns": "vault.azure.net",
            "mariadbServerEndpoint": "mariadb.database.azure.com",
            "mysqlServerEndpoint": "mysql.database.azure.com",
            "postgresqlServerEndpoint": "postgres.database.azure.com",
            "sqlServerHostname": "database.windows.net",
            "storage": "core.windows.net",
        },
    });
    if call.query("api-version").is_some_and(|version| version < ONE_CLOUD) { Answer::ok(json!([cloud])) } else { Answer::ok(cloud) }
}
