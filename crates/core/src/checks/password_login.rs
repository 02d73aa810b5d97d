//! A server that takes no passwords.

use super::{Area, Check, Facts, Found, Look, OR_OFFLINE};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "password-login",
    severity: Severity::Blocks,
    area: Area::Server,
    of_replication: true,
    looks_for: "a server that takes no passwords",
    why: "Neon's subscription logs in with a password; a token of Entra ID lives for an hour at most.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let server = &facts.survey.server;
    (!server.password_login).then(|| Found {
        what: format!("server {} takes no passwords, and Neon's subscription can't log in otherwise", server.name),
        remedy: format!("let local roles log in for the migration: `{}`; {OR_OFFLINE}", server.az_update("--password-auth Enabled")),
    })
}
