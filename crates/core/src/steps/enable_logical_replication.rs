use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Sets the server parameters that logical replication needs, all of them first, then restarts once if one waits for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnableLogicalReplication {
    /// What to change; empty if all is so already.
    pub changes: Vec<ParameterChange>,
}

/// A server parameter's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterChange {
    /// The parameter.
    pub name: String,
    /// Its value before; put back at the end.
    pub from: String,
    /// Its value during the migration.
    pub to: String,
    /// Whether it takes effect without a restart.
    pub dynamic: bool,
}

impl EnableLogicalReplication {
    async fn set(&self, cx: &Context, wanted: impl Fn(&ParameterChange) -> &str) -> Result<()> {
        let current = cx.clouds.source.parameters(&self.names()).await?;
        for change in &self.changes {
            let value = wanted(change);
            if current.iter().all(|parameter| parameter.name != change.name || !parameter.value.eq_ignore_ascii_case(value)) {
                cx.clouds.source.set_parameter(&change.name, value).await?;
            }
        }
        Ok(())
    }

    fn names(&self) -> Vec<&str> {
        self.changes.iter().map(|change| change.name.as_str()).collect()
    }

    async fn restart_pending(&self, cx: &Context) -> Result<bool> {
        Ok(cx.clouds.source.parameters(&self.names()).await?.iter().any(|parameter| parameter.pending_restart))
    }
}

#[async_trait]
impl Operation for EnableLogicalReplication {
    fn effect(&self) -> Effect {
        match &self.changes[..] {
            [] => Effect::Reads,
            changes if changes.iter().all(|change| change.dynamic) => Effect::Changes,
            _ => Effect::Interrupts,
        }
    }

    fn describe(&self) -> String {
        if self.changes.is_empty() {
            return "server parameters allow logical replication already".into();
        }
        let list: Vec<String> = self.changes.iter().map(|c| format!("{} {} → {}", c.name, c.from, c.to)).collect();
        let restart = if self.changes.iter().all(|c| c.dynamic) { "" } else { ", then restart the server once" };
        format!("set {}{restart}", list.join(", "))
    }

    fn inverse(&self) -> Option<String> {
        (!self.changes.is_empty()).then(|| "set the former values; those that need a restart take effect at the next one".into())
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let current = cx.clouds.source.parameters(&self.names()).await?;
        let mut missing = Vec::new();
        for change in &self.changes {
            match current.iter().find(|parameter| parameter.name == change.name) {
                Some(parameter) if parameter.value.eq_ignore_ascii_case(&change.to) && !parameter.pending_restart => {}
                Some(parameter) if parameter.pending_restart => missing.push(format!("{} waits for a restart", change.name)),
                _ => missing.push(change.name.clone()),
            }
        }
        Ok(if missing.is_empty() { Observed::present() } else { Observed::Partial(missing.join(", ")) })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        self.set(cx, |change| &change.to).await?;
        if self.restart_pending(cx).await? {
            cx.clouds.source.restart().await?;
        }
        // The cloud may say that the restart is over before the server takes connections.
        let source = cx.source().await?;
        let level: String = source.query_one("select pg_catalog.current_setting('wal_level')", &[]).await?.get(0);
        if level != "logical" {
            return Err(Error::new(ErrorKind::Cloud, format!("wal_level is {level} on the server after the change and the restart"))
                .hint("look at the server's parameters and restart it in the Azure portal; then run the same command again"));
        }
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        if self.changes.is_empty() {
            return Ok(());
        }
        // A server with a logical slot does not start with a lower wal_level: somebody's slot would take it down.
        let source = cx.source().await?;
        let slots: i64 = source
            .query_one("select pg_catalog.count(*) from pg_catalog.pg_replication_slots where slot_type = 'logical'", &[])
            .await?
            .get(0);
        if slots > 0 {
            return Err(Error::new(
                ErrorKind::Blocked,
                format!("{slots} logical replication slots are in use on the source, so its wal_level can't be put back"),
            )
            .hint("drop them or leave the parameters: `select slot_name, plugin, active from pg_replication_slots`"));
        }
        self.set(cx, |change| &change.from).await?;
        if self.restart_pending(cx).await? {
            if cx.settings.restart_on_restore {
                cx.clouds.source.restart().await?;
            } else {
                cx.events.notice(
                    "The source's former parameters are set; those that need a restart take effect at its next one (--restart does it now).",
                );
            }
        }
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let current = cx.clouds.source.parameters(&self.names()).await?;
        let left: Vec<String> = self
            .changes
            .iter()
            .filter_map(|change| {
                let parameter = current.iter().find(|parameter| parameter.name == change.name)?;
                (!parameter.value.eq_ignore_ascii_case(&change.from)).then(|| format!("{} = {}", parameter.name, parameter.value))
            })
            .collect();
        Ok((!left.is_empty()).then(|| left.join(", ")))
    }
}
