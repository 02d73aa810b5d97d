//! Settings that the Neon plan does not allow.

use super::{Area, Check, Facts, Found, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "target-plan-limits",
    severity: Severity::Warns,
    area: Area::Target,
    of_replication: false,
    looks_for: "settings that the Neon plan does not allow",
    why: "What is not allowed is refused, or made as near as may be; a compute that suspends applies nothing meanwhile, and the source keeps the changes.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let (limits, settings) = (&facts.survey.limits, facts.settings);
    let plan = limits.plan.as_deref().unwrap_or_default();
    let mut over = Vec::new();
    if let Some(most) = limits.compute {
        let ranges = [("compute", settings.compute), ("migration_compute", settings.migration_compute)];
        let larger = ranges.into_iter().filter_map(|(name, range)| Some((name, range.filter(|range| range.most() > most)?)));
        over.extend(larger.map(|(name, range)| format!("`{name}` is {range} CU, and the most is {most}")));
    }
    if let (Some(most), Some(wanted)) = (limits.history_seconds, settings.history_seconds)
        && wanted > most
    {
        over.push(format!("`history` is {wanted} s, and the most is {most}"));
    }
    if limits.suspends {
        over.push("a compute suspends after five minutes in which the source is silent or out of reach".to_owned());
    }
    (!over.is_empty()).then(|| Found {
        what: format!("Neon's plan {plan} has limits: {}", over.join("; ")),
        remedy: "raise the plan in the Neon console under Billing, or change these settings under [target]".to_owned(),
    })
}
