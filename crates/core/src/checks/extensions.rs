//! Extensions that come over.

use super::{Area, Check, Facts, Found, Look};
use crate::extensions::{Fate, fates};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "extensions",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "extensions that come over",
    why: "The target makes each in its own version, which may differ; what an extension keeps in its own tables is not carried over.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let fates = fates(facts.survey, facts.settings);
    let comes = |(name, version, fate): &(&str, &str, Fate<'_>)| match fate {
        Fate::Comes(there) if there == version => Some((format!("{name} {version}"), 0)),
        Fate::Comes(there) => Some((format!("{name} {version} ({there} there)"), 0)),
        _ => None,
    };
    facts.listed("extension that comes over", "extensions that come over", fates.iter().filter_map(comes), "nothing to do")
}
