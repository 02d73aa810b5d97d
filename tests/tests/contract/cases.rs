//! Which situation brings the simulator to the answer of which fixture.

use azure2neon_exchange::Exchange;
use azure2neon_exchange::replay::wild;

/// What the simulator is brought into before a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation {
    /// As it comes: the server is ready, no operation is under way; for Neon with an organisation's key.
    Ready,
    // Azure
    /// With the application's secret.
    LoggingIn,
    /// With another secret.
    WrongSecret,
    /// With a token that is not good any more.
    ExpiredToken,
    /// With a server's name that nobody has.
    Absent,
    /// After the firewall rule was removed.
    RuleGone,
    /// After the firewall rule was made.
    RuleThere,
    /// While another operation is under way; for Neon in the project.
    Busy,
    /// While the server restarts.
    Restarting,
    /// While the server is stopped.
    Stopped,
    /// Of an operation that is under way.
    OperationRunning,
    /// Of an operation that has succeeded.
    OperationDone,
    /// Of a change to a read-only parameter.
    OperationFailed,
    // Neon
    /// With a person's key.
    Personal,
    /// With a key that nobody has.
    WrongKey,
    /// Without what the request names.
    Without,
    /// With what the request names.
    With,
    /// Of an id that nothing has.
    Unknown,
    /// In a project that stores no passwords.
    WithoutPasswords,
    /// With an account that has all the projects that it may have.
    Full,
}

/// What is done with a fixture.
#[derive(Clone, Copy, Debug)]
pub enum Case {
    /// It is played in this situation.
    Played(Situation),
    /// It is not, for this reason.
    MadeUp(#[allow(dead_code, reason = "it is there to be read")] &'static str),
}

use Case::{MadeUp, Played};
use Situation::*;

const WIRE: Case = MadeUp("the network's and the proxies' doing: the simulator would only repeat what it was told");
const THROTTLED: Case = MadeUp("the simulator has no limits of its own");
const ROLES: Case = MadeUp("what the only identity may not do is chosen when the simulated Azure begins; tests/assesses.rs sees it");
const PLANS: Case = MadeUp("of several things that a plan forbids, which one is refused first, and how, is not known");
const INTERNALS: Case = MadeUp("Neon's own retries and shortcuts, which the simulator has no cause for");
const OTHER_SERVERS: Case = MadeUp("a server of another kind; the one that is played on is public, alone and has a password login");
const FUTURE: Case = MadeUp("fields and values that the service may have one day");
const HOSTILE: Case = MadeUp("an answer that the real service never gives");

/// Files that are like others by request and outcome, and yet no part of the contract.
const FILES: &[(&str, Case)] = &[
    ("azure/find-foreign-link/*", HOSTILE),
    ("azure/operation-foreign/03-*", HOSTILE),
    ("azure/parameters-foreign-link/*", HOSTILE),
    ("azure/parameters/0*", MadeUp("Azure lists all parameters on one page; that there are pages at all is ARM's rule for lists")),
    ("azure/describe-*", OTHER_SERVERS),
    ("azure/inbound-vnet/*", OTHER_SERVERS),
    ("azure/set-parameter-failed/04-*", MadeUp("ARM's rule for errors has details; which ones Azure gives here is not known")),
    ("neon/connection-odd/*", HOSTILE),
    ("neon/flaky/04-*", HOSTILE),
    ("neon/delete-branch/01-*", MadeUp("a second branch, which the project that is played on has not")),
    ("neon/open-branch/03-*", MadeUp("a second branch, which the project that is played on has not")),
    ("neon/create-branch-lost/*", MadeUp("a second branch, which the project that is played on has not; others tell of each call")),
    ("neon/unknown-values/*", FUTURE),
    ("neon/suspend/04-*", MadeUp("that a new timeout starts an operation is not known; the simulator starts none")),
];

/// Method and path, the outcome, the case. The first that fits counts.
const CASES: &[(&str, &str, Case)] = &[
    ("*", "lost", WIRE),
    ("*", "* text", WIRE),
    ("*", "429*", THROTTLED),
    // Azure
    ("POST */oauth2/v2.0/token", "200", Played(LoggingIn)),
    ("POST */oauth2/v2.0/token", "401 invalid_client", Played(WrongSecret)),
    ("GET http://169.254.169.254/*", "*", MadeUp("the simulated Azure has no machines with an identity")),
    ("*", "403 AuthorizationFailed", ROLES),
    ("*", "401 InvalidAuthenticationToken", Played(ExpiredToken)),
    ("GET /subscriptions?*", "200", Played(Ready)),
    ("GET */providers/Microsoft.DBforPostgreSQL/flexibleServers?*", "200", Played(Ready)),
    ("GET */flexibleServers/*", "200 Ready", Played(Ready)),
    ("GET */flexibleServers/*", "200 Updating", Played(Busy)),
    ("GET */flexibleServers/*", "200 Restarting", Played(Restarting)),
    ("GET */flexibleServers/*", "200 Stopped", Played(Stopped)),
    ("GET */flexibleServers/*", "200 Rebalancing", FUTURE),
    ("GET */configurations/no_such_thing?*", "404 ResourceNotFound", Played(Ready)),
    ("* */flexibleServers/*", "404 ResourceNotFound", Played(Absent)),
    ("GET */flexibleServers/*/*", "200", Played(Ready)),
    ("PATCH */configurations/*", "202", Played(Ready)),
    ("* */flexibleServers/*", "409 ServerIsBusy", Played(Busy)),
    ("POST */restart?*", "202", Played(Ready)),
    ("PUT */firewallRules/*", "202", Played(RuleGone)),
    ("DELETE */firewallRules/*", "202", Played(RuleThere)),
    ("DELETE */firewallRules/*", "204", Played(RuleGone)),
    ("GET */azureAsyncOperation/*", "200 InProgress", Played(OperationRunning)),
    ("GET */azureAsyncOperation/*", "200 Succeeded", Played(OperationDone)),
    ("GET */azureAsyncOperation/*", "200 OperationFailed", Played(OperationFailed)),
    ("GET */azureAsyncOperation/*", "200 ServerBusy", MadeUp("a race within Azure, which the simulator refuses before it begins")),
    ("GET */operationResults/*", "202", Played(OperationRunning)),
    ("GET */operationResults/*", "204", Played(OperationDone)),
    ("GET */secrets/*/*", "200", MadeUp("a version's id, which only the vault knows; a set secret's own is looked at")),
    ("GET */secrets/*", "200", Played(Ready)),
    ("PUT */secrets/*", "200", Played(Ready)),
    ("GET */secrets/*", "404 SecretNotFound", Played(Ready)),
    ("POST */config/appsettings/list?*", "200", Played(Ready)),
    ("PUT */config/appsettings?*", "200", Played(Ready)),
    ("POST */listSecrets?*", "200", Played(Ready)),
    ("PATCH */containerApps/*", "202", Played(Ready)),
    ("GET */containerappOperationStatuses/*", "200 Succeeded", MadeUp("an operation's id, which only who began it knows")),
    ("GET */revisions?*", "200", Played(Ready)),
    ("POST */revisions/*/restart?*", "200", Played(Ready)),
    // Neon
    ("GET */auth", "200 api_key_user", Played(Personal)),
    ("GET */auth", "200 api_key_org", Played(Ready)),
    ("GET */auth", "302", HOSTILE),
    ("*", "401 supplied credentials do not pass authentication", Played(WrongKey)),
    ("GET */users/me/organizations", "200", Played(Personal)),
    ("GET */users/me", "200", Played(Personal)),
    ("GET */organizations/*", "200", Played(Ready)),
    ("GET */projects?*", "400 org_id is required*", Played(Personal)),
    ("GET */projects?*", "200", Played(Ready)),
    (
        "*",
        "404 not allowed to perform actions outside the project this key is scoped to",
        MadeUp("no key that is played with is one of a single project; local-cloud's own tests see one"),
    ),
    ("POST */projects", "201", Played(Without)),
    ("POST */projects", "422 user projects limit*", Played(Full)),
    ("*", "422 * limit *", PLANS),
    ("*", "4* suspend interval changing is not allowed for your account", PLANS),
    ("GET */connection_uri?*", "200", Played(Ready)),
    ("GET */connection_uri?*", "404 role not found", Played(Unknown)),
    ("GET */connection_uri?*", "412 storing passwords is not enabled*", Played(WithoutPasswords)),
    ("POST */reset_password", "200", Played(Ready)),
    ("GET */operations/*", "200 running", Played(OperationRunning)),
    ("GET */operations/*", "200 finished", Played(OperationDone)),
    ("GET */operations/*", "200 *", INTERNALS),
    ("GET */operations/*", "404 operation not found", Played(Unknown)),
    ("*", "422 branch not ready yet", INTERNALS),
    ("*", "423 endpoint is in some transitive state*", INTERNALS),
    ("* */projects/*", "423 project already has running conflicting operations*", Played(Busy)),
    ("POST */roles", "201", Played(Without)),
    ("POST */databases", "201", Played(Without)),
    ("POST */databases", "409 database * already exists", Played(With)),
    ("DELETE */databases/*", "404 database not found", Played(Without)),
    ("DELETE */roles/*", "200", Played(With)),
    ("POST */branches", "201", Played(Without)),
    ("DELETE */branches/br-new-leaf-0a1b2c3d", "200", Played(With)),
    ("DELETE */branches/*", "204", MadeUp("allowed by the API's description; the simulator tells of operations instead")),
    ("PATCH */projects/*", "200", Played(Ready)),
    ("DELETE */projects/*", "200", Played(With)),
    ("DELETE */projects/*", "404 project not found", Played(Unknown)),
    ("GET */projects/*", "404 project not found", Played(Ready)),
    ("GET */projects/*", "200", Played(Ready)),
];

/// What is done with this exchange of this file, and the outcome that it stands for; none if nobody thought of it.
pub fn of(file: &str, exchange: &Exchange) -> Option<(Case, &'static str)> {
    let call = format!("{} {}", exchange.request.method, exchange.request.path);
    let outcome = super::outcome(&exchange.response);
    let single = FILES.iter().find(|(pattern, _)| wild(pattern, file)).map(|(_, case)| (*case, "*"));
    let common = || CASES.iter().find(|(pattern, known, _)| wild(pattern, &call) && wild(known, &outcome));
    single.or_else(|| common().map(|(_, known, case)| (*case, *known)))
}
