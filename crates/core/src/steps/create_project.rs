use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
        let ProjectSpec { name, region, major, .. } = &self.spec;
        format!("create Neon project {name} in {region}, PostgreSQL {major}, compute kept awake")
    }

    fn inverse(&self) -> Option<String> {
        Some(format!("delete Neon project {}", self.spec.name))
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        match cx.clouds.target.find(&self.spec.name).await? {
            None => Ok(Observed::Absent),
            Some(project) if cx.folder.touched("create-project") => Ok(Observed::Present(output(&project)?)),
            Some(project) => Err(name_is_taken(&project)),
        }
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        output(&cx.clouds.target.create(&self.spec).await?)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        if let Some(project) = cx.clouds.target.find(&self.spec.name).await? {
            cx.clouds.target.delete(&project).await?;
        }
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        Ok(cx.clouds.target.find(&self.spec.name).await?.map(|project| format!("Neon project {} ({})", project.name, project.id)))
    }

    fn note(&self, output: &Value) -> String {
        output.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// The error for a name that somebody else's project has.
pub(crate) fn name_is_taken(project: &TargetProject) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        format!("a Neon project named {} exists already ({}), and this run did not make it", project.name, project.id),
    )
    .hint("choose another name with --project (or `project` under [target]); nothing was changed")
}
