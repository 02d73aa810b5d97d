//! Rights that the credential lacks in Azure.

use super::{Area, Check, Facts, Found, Look, OR_OFFLINE};
use crate::cloud::CloudAct;
use crate::plan::Severity;
use crate::planner::parameter_changes;

pub(crate) const CHECK: Check = Check {
    id: "rights-in-azure",
    severity: Severity::Blocks,
    area: Area::Server,
    of_replication: true,
    looks_for: "rights that the credential lacks in Azure",
    why: "Azure refuses the change, in the middle of the migration or of taking it back.",
    look: Look::Survey(look),
};

fn look(facts: &Facts<'_>) -> Option<Found> {
    let survey = facts.survey;
    let changes = parameter_changes(survey);
    let is_needed = |act: CloudAct| match act {
        CloudAct::SetParameter => !changes.is_empty(),
        CloudAct::Restart => changes.iter().any(|change| !change.dynamic),
        CloudAct::AllowInbound | CloudAct::RevokeInbound => true,
    };
    let lacks: Vec<&str> = survey.forbidden.iter().filter(|(act, _)| is_needed(*act)).map(|(_, right)| right.as_str()).collect();
    (!lacks.is_empty()).then(|| Found {
        what: format!("{} lacks {} on server {}", survey.identity, lacks.join(", "), survey.server.name),
        remedy: format!(
            "give it a role that has them: `az role assignment create --assignee PRINCIPAL --role ROLE --scope {}`; {OR_OFFLINE}",
            survey.server.id
        ),
    })
}
