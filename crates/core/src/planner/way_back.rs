//! Whether the application can return to the source after the hand-over.

use crate::checks;
use crate::plan::{Finding, Mode};
use crate::settings::Settings;
use crate::steps::PrepareWayBack;
use crate::survey::Survey;

/// What is planned of the way back.
pub(super) struct WayBack {
    /// The step, if there will be one.
    pub(super) step: Option<PrepareWayBack>,
    /// What the operator should know of it.
    pub(super) findings: Vec<Finding>,
}

/// Decides on the way back.
pub(super) fn decide(survey: &Survey, settings: &Settings, mark: &str) -> WayBack {
    if settings.way_back == Some(false) {
        return WayBack { step: None, findings: Vec::new() };
    }
    let Some((why, how)) = obstacle(survey, settings) else {
        let step = PrepareWayBack { name: format!("{mark}_back"), as_subscriber: !survey.subscriber.not_as_owner.is_empty() };
        let finding = checks::way_back::CHECK.finding(
            "after the hand-over the application can return to the source".into(),
            "for that the source must be let out to Neon on port 5432, which the cut-over proves before it stops writes; --no-way-back does without",
        );
        return WayBack { step: Some(step), findings: vec![finding] };
    };
    if settings.way_back == Some(true) {
        let what = format!("there can be no way back after the hand-over: {why}");
        let finding = checks::demanded_way_back::CHECK.finding(what, format!("{how}; or leave `way_back` under [cut_over] out"));
        return WayBack { step: None, findings: vec![finding] };
    }
    let what = format!("there will be no way back after the hand-over: {why}");
    WayBack { step: None, findings: vec![checks::no_way_back::CHECK.finding(what, how)] }
}

/// Why there can be none, and what could be done about it.
fn obstacle(survey: &Survey, settings: &Settings) -> Option<(String, String)> {
    if settings.mode == Mode::Offline {
        return Some(("offline mode replicates nothing".into(), "keep the source until the target has proven itself".into()));
    }
    if let Some(there) = survey.existing.as_ref().filter(|there| there.project.publishes != Some(true)) {
        return Some((
            format!("the Neon project {} has no logical replication", there.project.name),
            "it can be enabled in the project's settings in the Neon console, for good, which restarts every compute of the project; then plan anew".into(),
        ));
    }
    let user = &survey.user;
    if !survey.subscriber.may_subscribe {
        return Some((
            format!("{user} can't create a subscription on the source"),
            format!(
                "on the source: grant pg_create_subscription to \"{user}\" (PostgreSQL 16 and later); grant create on database \"{}\" to \"{user}\"",
                settings.source_database
            ),
        ));
    }
    if !survey.subscriber.not_as_owner.is_empty() && !survey.subscriber.not_as_itself.is_empty() {
        let tables = survey.subscriber.not_as_owner.join(", ");
        return Some((
            format!(
                "a subscription of {user} can't write to tables that belong to others, or whose row-level security is forced: {tables}"
            ),
            format!("on the source, for each of their owners: grant \"owner\" to \"{user}\""),
        ));
    }
    None
}
