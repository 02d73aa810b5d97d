//! Rights of the login that depend on the server.

use super::{Area, Check, Facts, Found, Look, LISTED};
use crate::plan::Mode;
use crate::plan::Severity;
use crate::units;

pub(crate) const CHECK: Check = Check {
    id: "doubtful-rights",
    severity: Severity::Warns,
    area: Area::Server,
    of_replication: false,
    looks_for: "rights of the login that depend on the server",
    why: "What Azure lets its administrators do beyond plain PostgreSQL differs from version to version: what is refused stops the step, before the fence or in it.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let (rights, user) = (&facts.survey.rights, &facts.survey.user);
    let online = facts.settings.mode == Mode::Online;
    let mut doubts = Vec::new();
    if !rights.administrator && online && rights.creates_roles && !rights.replication {
        doubts.push("it may not be able to make a role that replicates (REPLICATION)".to_owned());
    }
    if !rights.signals {
        doubts.push("it may not be able to end others' sessions at the fence (pg_signal_backend)".to_owned());
    }
    if rights.administrator && online && !rights.of_others.is_empty() {
        let tables = units::listed(&rights.of_others, LISTED);
        doubts.push(format!("it is no member of the owners of {} tables, which it publishes: {tables}", rights.of_others.len()));
    }
    (!doubts.is_empty()).then(|| Found {
        what: format!("{user}: {}", doubts.join("; ")),
        remedy: format!(
            "as the server's administrator: `grant pg_signal_backend to \"{user}\"`, `alter role \"{user}\" with replication`, and for each owner \
             `grant \"owner\" to \"{user}\"`"
        ),
    })
}
