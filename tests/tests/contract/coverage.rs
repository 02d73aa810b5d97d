//! What there must be fixtures for, whatever else there is: every call's success, and each way in which a call goes wrong.

use azure2neon_exchange::Exchange;
use azure2neon_exchange::replay::wild;

/// Method and path, the outcome, and what that is.
type Wanted = (&'static str, &'static str, &'static str);

const AZURE: &[Wanted] = &[
    ("POST */oauth2/v2.0/token", "200", "log in"),
    ("GET /subscriptions?*", "200", "list the subscriptions"),
    ("GET */providers/Microsoft.DBforPostgreSQL/flexibleServers?*", "200", "list the servers"),
    ("GET */flexibleServers/*", "200 Ready", "read the server"),
    ("GET */databases?*", "200", "list the databases"),
    ("GET */permissions?*", "200", "list the permissions"),
    ("GET */configurations?*", "200", "list the parameters"),
    ("GET */configurations/*", "200", "read a parameter"),
    ("PATCH */configurations/*", "202", "set a parameter"),
    ("POST */restart?*", "202", "restart"),
    ("GET */firewallRules?*", "200", "list the rules"),
    ("PUT */firewallRules/*", "202", "make a rule"),
    ("DELETE */firewallRules/*", "202", "remove a rule"),
    ("GET */azureAsyncOperation/*", "200 InProgress", "an operation under way"),
    ("GET */azureAsyncOperation/*", "200 Succeeded", "an operation that succeeded"),
    ("GET */operationResults/*", "202", "a result that is not there yet"),
    ("GET */operationResults/*", "204", "a result"),
    ("GET */secrets/*", "200", "read a secret"),
    ("PUT */secrets/*", "200", "set a secret"),
    ("GET */secrets/*", "404 SecretNotFound", "no such secret"),
    ("POST */config/appsettings/list?*", "200", "list an app's settings"),
    ("PUT */config/appsettings?*", "200", "set an app's settings"),
    ("POST */listSecrets?*", "200", "list a container app's secrets"),
    ("PATCH */containerApps/*", "202", "set a container app's secrets"),
    ("GET */containerappOperationStatuses/*", "200 Succeeded", "a container app's operation"),
    ("GET */revisions?*", "200", "list a container app's revisions"),
    ("POST */revisions/*/restart?*", "200", "restart a revision"),
    ("POST */oauth2/v2.0/token", "401 invalid_client", "a wrong secret"),
    ("*", "401 InvalidAuthenticationToken", "an expired token"),
    ("*", "403 AuthorizationFailed", "a missing right"),
    ("*", "404 ResourceNotFound", "nothing there"),
    ("*", "409 ServerIsBusy", "a conflict"),
    ("*", "429*", "throttling"),
    ("GET */azureAsyncOperation/*", "200 OperationFailed", "an operation that fails"),
    ("*skiptoken=*", "200", "a further page"),
    ("*", "lost", "a lost answer"),
    ("*", "50* text", "HTML instead of JSON"),
    ("GET */flexibleServers/*", "200 Rebalancing", "unknown fields and values"),
];

const NEON: &[Wanted] = &[
    ("GET */auth", "200 api_key_user", "whose key it is: a person's"),
    ("GET */auth", "200 api_key_org", "whose key it is: an organisation's"),
    ("GET */users/me/organizations", "200", "list the organisations"),
    ("GET */users/me", "200", "read the key's user"),
    ("GET */organizations/*", "200", "read an organisation"),
    ("GET */projects?*", "200", "list the projects"),
    ("POST */projects", "201", "create a project"),
    ("DELETE */projects/*", "200", "delete a project"),
    ("GET */branches?*", "200", "list the branches"),
    ("POST */branches", "201", "create a branch"),
    ("DELETE */branches/*", "200", "delete a branch"),
    ("GET */endpoints", "200", "list the endpoints"),
    ("GET */endpoints/*", "200", "read an endpoint"),
    ("PATCH */endpoints/*", "200", "change an endpoint"),
    ("GET */roles", "200", "list the roles"),
    ("POST */roles", "201", "create a role"),
    ("POST */reset_password", "200", "reset a password"),
    ("GET */databases", "200", "list the databases"),
    ("POST */databases", "201", "create a database"),
    ("GET */connection_uri?*", "200", "read a connection string"),
    ("GET */operations?*", "200", "list the operations"),
    ("GET */operations/*", "200 running", "an operation under way"),
    ("GET */operations/*", "200 finished", "an operation that succeeded"),
    ("*", "400 org_id is required*", "a bad request"),
    ("*", "401*", "a wrong or revoked key"),
    ("*", "403*", "a missing right"),
    ("*", "404*", "nothing there"),
    ("*", "409*already exists", "a conflict"),
    ("*", "412*", "a condition that is not met"),
    ("*", "422*", "a limit"),
    ("*", "423*", "a locked project"),
    ("*", "429*", "throttling"),
    ("GET */operations/*", "200 failed", "an operation that fails and may be tried again"),
    ("GET */operations/*", "200 error", "an operation that failed"),
    ("*cursor=*", "200", "a further page"),
    ("*", "lost", "a lost answer"),
    ("*", "503 text", "HTML instead of JSON"),
    ("GET */operations/*", "200 preparing", "unknown fields and values"),
];

/// What of it none of the fixtures tells of.
pub fn missing(cloud: &str, fixtures: &[(String, Exchange)]) -> Vec<String> {
    let tells = |exchange: &Exchange, (call, outcome, _): &Wanted| {
        wild(call, &format!("{} {}", exchange.request.method, exchange.request.path)) && wild(outcome, &super::outcome(&exchange.response))
    };
    let wanted = if cloud == "azure" { AZURE } else { NEON };
    let missing = wanted.iter().filter(|wanted| !fixtures.iter().any(|(_, exchange)| tells(exchange, wanted)));
    missing.map(|(call, outcome, what)| format!("{cloud}: {what} ({call} with the outcome {outcome})")).collect()
}
