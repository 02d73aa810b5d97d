//! Rights that the login lacks on the source.

use super::{Area, Check, Facts, Found, Look, LISTED};
use crate::plan::Mode;
use crate::plan::Severity;
use crate::units;

pub(crate) const CHECK: Check = Check {
    id: "rights-on-source",
    severity: Severity::Blocks,
    area: Area::Server,
    of_replication: false,
    looks_for: "rights that the login lacks on the source",
    why: "The step that needs them fails.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let (rights, user, database) = (&facts.survey.rights, &facts.survey.user, &facts.settings.source_database);
    // Azure's servers let its administrators do more than plain PostgreSQL would.
    if rights.administrator {
        return None;
    }
    let online = facts.settings.mode == Mode::Online;
    let mut lacks = Vec::new();
    let mut lack = |it_does: bool, what: String| {
        if it_does {
            lacks.push(what);
        }
    };
    lack(online && !rights.creates_roles, "it can't create the replication role (CREATEROLE)".to_owned());
    lack(online && !rights.creates_schemas, format!("it can't create a publication (CREATE on database {database})"));
    lack(!rights.owns_database, format!("it can't fence database {database}, which it does not own"));
    lack(
        online && !rights.of_others.is_empty(),
        format!("it can't publish the tables of others: {}", units::listed(&rights.of_others, LISTED)),
    );
    lack(!rights.unreadable.is_empty(), format!("it can't read {}", units::listed(&rights.unreadable, LISTED)));
    (!lacks.is_empty()).then(|| Found {
        what: format!("{user} lacks rights on the source: {}", lacks.join("; ")),
        remedy: format!(
            "as the server's administrator: `grant azure_pg_admin to \"{user}\"`; or migrate as the administrator: `user = \"{}\"` under [source]",
            facts.survey.server.admin_login
        ),
    })
}
