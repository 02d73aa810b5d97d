use std::net::Ipv4Addr;

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
        for rule in cx.clouds.source.inbound_rules().await?.iter().filter(|rule| self.is_ours(cx, rule)) {
            cx.clouds.source.revoke_inbound(&rule.name).await?;
        }
        Ok(())
    }

    async fn left_over(&self, cx: &Context) -> Result<Option<String>> {
        let rules = cx.clouds.source.inbound_rules().await?;
        let left: Vec<&str> = rules.iter().filter(|rule| self.is_ours(cx, rule)).map(|rule| rule.name.as_str()).collect();
        Ok((!left.is_empty()).then(|| format!("firewall rules {}", left.join(", "))))
    }
}

impl AllowTargetInbound {
    fn is_ours(&self, cx: &Context, rule: &InboundRule) -> bool {
        self.rules.iter().any(|ours| ours.name == rule.name) || added_since(cx, &rule.start).name == rule.name
    }
}

/// The rule for an address that is not in the plan; named after it, so that several runs of the program don't take each
/// other's names.
fn added_since(cx: &Context, address: &str) -> InboundRule {
    let name = format!("{}-{}", cx.names().rule_prefix, address.replace('.', "-"));
    InboundRule { name, start: address.to_owned(), end: address.to_owned() }
}

/// Opens the firewall for addresses that the operator has learned of since the plan was made; `allow-target-inbound` takes
/// these rules back with its own.
pub(super) async fn allow_since(cx: &Context) -> Result<()> {
    let present = cx.clouds.source.inbound_rules().await?;
    for address in cx.clouds.target.egress_addresses(&cx.plan.target.region)?.addresses {
        if !covers(&present, &address) {
            cx.clouds.source.allow_inbound(&added_since(cx, &address)).await?;
        }
    }
    Ok(())
}

/// Whether one of the rules lets this IPv4 address in.
pub(super) fn covers(rules: &[InboundRule], address: &str) -> bool {
    let parse = |text: &str| text.parse::<Ipv4Addr>().ok();
    let within = |rule: &InboundRule| Some(parse(&rule.start)? <= parse(address)? && parse(address)? <= parse(&rule.end)?);
    rules.iter().any(|rule| within(rule) == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_covers_both_its_ends() {
        let rule = |start: &str, end: &str| InboundRule { name: "r".into(), start: start.into(), end: end.into() };
        let rules = [rule("3.1.1.9", "3.1.1.10"), rule("odd", "3.9.9.9")];
        for (address, covered) in [("3.1.1.8", false), ("3.1.1.9", true), ("3.1.1.10", true), ("3.1.1.11", false), ("fe80::1", false)] {
            assert_eq!(covers(&rules, address), covered, "{address}");
        }
    }
}
