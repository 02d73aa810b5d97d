//! What the account's plan allows, as far as Neon tells the key.

use azure2neon_core::cloud::{TargetLimits, TargetProject};
use serde::Deserialize;

use crate::api::Request;
use crate::cloud::NeonCloud;
use crate::fault::Fault;
use crate::model::{Auth, OneProject, Projects};

/// What a plan is limited to, by how its name begins: Neon's documentation, 2026-01. A plan that is not here has limits that
/// nobody told of.
const PLANS: &[(&str, Allows)] = &[
    ("free", Allows { branch_bytes: Some(512 << 20), compute: Some(2.0), history: 21_600, awake: false }),
    ("launch", Allows { branch_bytes: None, compute: Some(16.0), history: 604_800, awake: true }),
    ("scale", Allows { branch_bytes: None, compute: None, history: 2_592_000, awake: true }),
];

struct Allows {
    branch_bytes: Option<i64>,
    compute: Option<f64>,
    history: i64,
    awake: bool,
}

/// The user of a personal key.
#[derive(Deserialize)]
struct User {
    plan: Option<String>,
    projects_limit: Option<i64>,
}

/// An organisation.
#[derive(Deserialize)]
struct Organisation {
    plan: Option<String>,
}

impl NeonCloud {
    /// The limits, for a new project or for this one.
    pub(crate) async fn read_limits(&self, project: Option<&TargetProject>) -> Result<TargetLimits, Fault> {
        let auth: Auth = self.api.send(Request::get(&["auth"])).await?;
        let is_of_organisation = auth.auth_method == "api_key_org";
        let organisation = if is_of_organisation { Some(auth.account_id.as_str()) } else { self.organisation() };
        let mut limits = TargetLimits::default();
        if !is_of_organisation {
            let user: User = self.api.send(Request::get(&["users", "me"])).await?;
            limits.plan = user.plan;
            if let (Some(most), None) = (user.projects_limit.filter(|most| *most > 0), project) {
                limits.projects = Some((self.count_projects(usize::try_from(most).unwrap_or(usize::MAX)).await?, most));
            }
        }
        if let Some(id) = organisation.filter(|id| !id.is_empty()) {
            let found: Organisation = self.api.send(Request::get(&["organizations", id])).await?;
            limits.plan = found.plan;
        }
        if let Some((_, allows)) = limits.plan.as_deref().and_then(|plan| PLANS.iter().find(|(name, _)| plan.starts_with(name))) {
            limits.branch_bytes = allows.branch_bytes;
            limits.compute = allows.compute;
            limits.history_seconds = Some(allows.history);
            limits.suspends = !allows.awake;
        }
        if let Some(project) = project {
            let found: OneProject = self.api.send(Request::get(&["projects", &project.id])).await?;
            limits.branch_bytes = found.project.branch_logical_size_limit_bytes.filter(|bytes| *bytes > 0).or(limits.branch_bytes);
        }
        Ok(limits)
    }

    /// How many projects there are; one page is enough to see that there are too many.
    async fn count_projects(&self, most: usize) -> Result<i64, Fault> {
        let mut request = Request::get(&["projects"]).query("limit", most.clamp(1, 400).to_string());
        if let Some(organisation) = self.organisation() {
            request = request.query("org_id", organisation);
        }
        let page: Projects = self.api.send(request).await?;
        Ok(i64::try_from(page.projects.len()).unwrap_or(i64::MAX))
    }
}
