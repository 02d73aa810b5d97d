use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change_target_settings::tell_what_is_not_allowed;
use crate::cloud::{ProjectSpec, TargetProject};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation, output};
use crate::plan::Effect;

/// Creates the target's project with its first database and role, its compute kept awake for the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateProject {
    /// What it shall be like.
    pub spec: ProjectSpec,
}

#[async_trait]
impl Operation for CreateProject {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        let ProjectSpec { name, region, major, settings, publishes, .. } = &self.spec;
        let way_back = if *publishes { ", logical replication enabled for the way back" } else { "" };
        format!("create Neon project {name} in {region}, PostgreSQL {major}, {settings}{way_back}")
    }

    fn inverse(&self) -> Option<String> {
        Some(format!("delete Neon project {}", self.spec.name))
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        match cx.clouds.target.find(&self.spec.name).await? {
            None => Ok(Observed::Absent),
            Some(project) if is_ours(cx, &project)? => Ok(Observed::Present(output(&project)?)),
            Some(project) => Err(name_is_taken(&project)),
        }
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let project = cx.clouds.target.create(&self.spec).await?;
        tell_what_is_not_allowed(cx, &project, &self.spec.settings).await?;
        output(&project)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        if let Some(project) = self.ours(cx).await? {
            cx.clouds.target.delete(&project).await?;
        }
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        Ok(self.ours(cx).await?.map(|project| format!("Neon project {} ({})", project.name, project.id)))
    }

    fn note(&self, output: &Value) -> String {
        output.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

impl CreateProject {
    async fn ours(&self, cx: &Context) -> Result<Option<TargetProject>> {
        match cx.clouds.target.find(&self.spec.name).await? {
            Some(project) if is_ours(cx, &project)? => Ok(Some(project)),
            _ => Ok(None),
        }
    }
}

/// How far Neon's clock and ours may be apart.
const CLOCK_SKEW: std::time::Duration = std::time::Duration::from_secs(60);

/// Whether this run made the project: it is the one in the journal, or, where an answer was lost, one of the planned name that
/// came into being after this run set out to create it. Names are not unique, and another's project must not be deleted.
fn is_ours(cx: &Context, project: &TargetProject) -> Result<bool> {
    if let Some(made) = cx.done::<TargetProject>("create-project")? {
        return Ok(made.id == project.id);
    }
    Ok(match (cx.folder.touched_since("create-project"), project.created) {
        (Some(since), Some(created)) => created >= since - CLOCK_SKEW,
        (since, _) => since.is_some(),
    })
}

/// The error for a name that somebody else's project has.
pub(crate) fn name_is_taken(project: &TargetProject) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        format!("a Neon project named {} exists already ({}), and this run did not make it", project.name, project.id),
    )
    .hint(format!(
        "choose another name with --project (or `project` under [target]), or migrate into that one with --existing-project {}; \
         nothing was changed",
        project.id
    ))
}
