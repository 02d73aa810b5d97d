//! A login by access token on a server that takes none.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "token-login",
    severity: Severity::Blocks,
    area: Area::Server,
    of_replication: false,
    looks_for: "a login by access token on a server that takes none",
    why: "The login can not be proven to the server.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let server = &facts.survey.server;
    (facts.survey.by_token && !server.token_login).then(|| Found {
        what: format!("server {} takes no access tokens of Entra ID", server.name),
        remedy: format!(
            "enable them, `{}`, and make the login an administrator; or set `login = \"password\"` under [source]",
            server.az_update("--microsoft-entra-auth Enabled")
        ),
    })
}
