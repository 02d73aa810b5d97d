use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cloud::TargetProject;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation, output};
use crate::plan::Effect;

/// Looks whether the project that was named is still there. It is never deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UseProject {
    /// The project, as it was found when the plan was made.
    pub project: TargetProject,
}

#[async_trait]
impl Operation for UseProject {
    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn describe(&self) -> String {
        let TargetProject { id, name, region, major, branch, .. } = &self.project;
        format!("use Neon project {name} ({id}) in {region}, PostgreSQL {major}, branch {branch}; it stays")
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let TargetProject { id, name, branch, .. } = &self.project;
        match cx.clouds.target.open(id, Some(branch)).await? {
            Some(project) => Ok(Observed::Present(output(&project)?)),
            None => Err(Error::new(ErrorKind::NotFound, format!("the Neon project {name} ({id}) or its branch {branch} is gone"))
                .hint("`azure2neon abort` undoes the run; then name another project")),
        }
    }

    async fn apply(&self, _cx: &Context) -> Result<Value> {
        Ok(Value::Null)
    }
}
