use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cloud::{TargetProject, TargetSettings};
use crate::context::Context;
use crate::error::Result;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Sets the target's project and compute to what the migration, or then the application, needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeTargetSettings {
    /// What shall hold.
    pub to: TargetSettings,
    /// What held before, which an abort puts back; nothing where an abort deletes the project.
    pub from: TargetSettings,
}

#[async_trait]
impl Operation for ChangeTargetSettings {
    fn effect(&self) -> Effect {
        if self.to.compute.is_some() { Effect::Interrupts } else { Effect::Changes }
    }

    fn describe(&self) -> String {
        let restart = if self.to.compute.is_some() { "; another size restarts the compute" } else { "" };
        format!("set Neon: {}{restart}", self.to)
    }

    fn inverse(&self) -> Option<String> {
        (!self.from.is_empty()).then(|| format!("set as before: {}", self.from))
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        // What the account's plan doesn't allow never comes to hold.
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let project = cx.project()?;
        cx.clouds.target.change_settings(&project, &self.to).await?;
        tell_what_is_not_allowed(cx, &project, &self.to).await?;
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        match cx.project_unless_gone().await? {
            Some(project) if !self.from.is_empty() => cx.clouds.target.change_settings(&project, &self.from).await,
            _ => Ok(()),
        }
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let Some(project) = cx.project_unless_gone().await? else { return Ok(None) };
        let missing = cx.clouds.target.settings(&project).await?.lacks(&self.from);
        Ok((!missing.is_empty()).then(|| format!("a setting of the Neon project {} other than {missing}", project.name)))
    }
}

/// Tells the operator what the account's plan doesn't allow, and what follows from that.
pub(super) async fn tell_what_is_not_allowed(cx: &Context, project: &TargetProject, wanted: &TargetSettings) -> Result<()> {
    let missing = cx.clouds.target.settings(project).await?.lacks(wanted);
    if missing.suspend_seconds == Some(-1) {
        cx.events.notice(
            "The account's plan at Neon doesn't let its compute stay awake: it may suspend after 5 minutes in which the source can't be \
             reached, and the source then keeps its WAL. Cut over soon, or raise the plan in the Neon console under Billing.",
        );
    }
    if let Some(seconds) = missing.history_seconds {
        cx.events.notice(format!(
            "The account's plan at Neon keeps less than {seconds} s of history; the most that it allows is set. Raise the plan in the Neon console \
             under Billing, then the history under the project's settings."
        ));
    }
    Ok(())
}
