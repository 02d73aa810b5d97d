//! Extensions that the target does not offer.

use azure2neon_postgres::extensions::Hanging;

use super::{Area, Check, Facts, Found, Look};
use crate::extensions::{Fate, fates};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "extensions-missing",
    severity: Severity::Blocks,
    area: Area::Database,
    of_replication: false,
    looks_for: "extensions that the target does not offer",
    why: "They can't be created there, and all that hangs on them fails when the schema is imported.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let fates = fates(facts.survey, facts.settings);
    let missing = fates.iter().filter_map(|(name, version, fate)| match fate {
        Fate::Missing(hanging) => Some((*name, format!("{name} {version} ({})", hangs(hanging)))),
        _ => None,
    });
    let (names, named): (Vec<&str>, Vec<String>) = missing.unzip();
    let first = names.first()?;
    let by = facts.survey.extensions.as_ref().map_or("", |offered| &offered.provenance);
    let plural = if named.len() == 1 { "" } else { "s" };
    Some(Found {
        what: format!("{} extension{plural} not offered by the target, according to {by}: {}", named.len(), named.join("; ")),
        remedy: format!(
            "if nothing needs it, drop it on the source: `drop extension \"{first}\"`; or replace what hangs on it; or go without: list \
             \"EXTENSION {first}\" and what hangs on it under [schema] expected_failures. If Neon offers it by now: \
             `--accept extensions-missing=REASON`"
        ),
    })
}

/// What hangs on it, in words.
fn hangs(hanging: &Hanging) -> String {
    let rest = usize::try_from(hanging.objects).unwrap_or_default() - hanging.names.len();
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    match hanging.objects {
        0 => "no object hangs on it".to_owned(),
        1 => format!("1 object hangs on it: {}", hanging.names.join(", ")),
        many => format!("{many} objects hang on it: {}{more}", hanging.names.join(", ")),
    }
}
