use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cloud::InboundRule;
use crate::context::Context;
use crate::error::Result;
use crate::event::Event;
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Lets the target's addresses in, one firewall rule each.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AllowTargetInbound {
    /// The rules.
    pub rules: Vec<InboundRule>,
    /// Where the list of addresses comes from.
    pub provenance: String,
}

#[async_trait]
impl Operation for AllowTargetInbound {
    fn effect(&self) -> Effect {
        Effect::Creates
    }

    fn describe(&self) -> String {
        let addresses: Vec<&str> = self.rules.iter().map(|rule| rule.start.as_str()).collect();
        format!("allow {} through the source's firewall ({})", addresses.join(", "), self.provenance)
    }

    fn inverse(&self) -> Option<String> {
        Some(format!("remove {} firewall rules", self.rules.len()))
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        let present = cx.clouds.source.inbound_rules().await?;
        let missing = self.rules.iter().filter(|rule| !present.contains(rule)).count();
        Ok(match missing {
            0 => Observed::present(),
            n if n == self.rules.len() => Observed::Absent,
            n => Observed::Partial(format!("{n} rules are missing")),
        })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let present = cx.clouds.source.inbound_rules().await?;
        for (done, rule) in self.rules.iter().enumerate() {
            cx.events.say(Event::Progress {
                step: "allow-target-inbound".into(),
                done: done as u64,
                total: self.rules.len() as u64,
                unit: "rules".into(),
                detail: String::new(),
            });
            if !present.contains(rule) {
                cx.clouds.source.allow_inbound(rule).await?;
            }
        }
        Ok(Value::Null)
    }

    async fn undo(&self, cx: &Context) -> Result<()> {
        for rule in cx.clouds.source.inbound_rules().await?.iter().filter(|rule| self.is_ours(rule)) {
            cx.clouds.source.revoke_inbound(&rule.name).await?;
        }
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let rules = cx.clouds.source.inbound_rules().await?;
        let left: Vec<&str> = rules.iter().filter(|rule| self.is_ours(rule)).map(|rule| rule.name.as_str()).collect();
        Ok((!left.is_empty()).then(|| format!("firewall rules {}", left.join(", "))))
    }
}

impl AllowTargetInbound {
    fn is_ours(&self, rule: &InboundRule) -> bool {
        self.rules.iter().any(|ours| ours.name == rule.name)
    }
}
