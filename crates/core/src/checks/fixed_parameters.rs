//! Parameters that must change and that Azure does not let be changed.

use super::{Area, Check, Facts, Found, Look, OR_OFFLINE};
use crate::plan::Severity;
use crate::planner::parameter_changes;
use crate::steps::ParameterChange;

pub(crate) const CHECK: Check = Check {
    id: "fixed-parameters",
    severity: Severity::Blocks,
    area: Area::Server,
    of_replication: true,
    looks_for: "parameters that must change and that Azure does not let be changed",
    why: "Without them the server keeps nothing for a subscriber, or takes no further one.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let survey = facts.survey;
    let fixed = |change: &ParameterChange| survey.parameters.iter().any(|parameter| parameter.name == change.name && parameter.read_only);
    let fixed: Vec<String> = parameter_changes(survey)
        .into_iter()
        .filter(fixed)
        .map(|change| format!("{} = {}, and Azure does not let this server's {} be changed", change.name, change.to, change.from))
        .collect();
    (!fixed.is_empty()).then(|| Found {
        what: format!("logical replication needs {}", fixed.join("; ")),
        remedy: format!("see the server's parameters in the Azure portal; {OR_OFFLINE}"),
    })
}
