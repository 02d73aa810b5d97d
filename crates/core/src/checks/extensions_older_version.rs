//! Extensions of which the target has an older version.

use super::{Area, Check, Facts, Found, Look};
use crate::extensions::{Fate, fates};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "extensions-older-version",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "extensions of which the target has an older version",
    why: "What the newer version added is not there: objects that use it fail when the schema is imported, and the application's queries later.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let fates = fates(facts.survey, facts.settings);
    let older = |(name, version, fate): &(&str, &str, Fate<'_>)| match fate {
        Fate::ComesOlder(there) => Some((format!("{name} {version} ({there} there)"), 0)),
        _ => None,
    };
    facts.listed(
        "extension of which the target has an older version",
        "extensions of which the target has an older version",
        fates.iter().filter_map(older),
        "read in the extension's release notes what it added since, or take a newer PostgreSQL for the target: `--pg-version`",
    )
}
