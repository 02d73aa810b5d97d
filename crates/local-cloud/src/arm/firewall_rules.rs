//! The server's firewall rules as ARM resources.

use std::net::Ipv4Addr;
use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{Azure, State, error, invalid_content};
use crate::http::{Answer, Call};
use crate::network::Rule;

impl Azure {
    fn rule_json(&self, rule: &Rule) -> Value {
        let properties = json!({ "startIpAddress": rule.start.to_string(), "endIpAddress": rule.end.to_string() });
        self.child_json("firewallRules", &rule.name, properties)
    }

    pub(super) fn list_rules(&self) -> Answer {
        Answer::ok(json!({ "value": self.firewall.list().iter().map(|rule| self.rule_json(rule)).collect::<Vec<_>>() }))
    }

    pub(super) fn get_rule(&self, name: &str) -> Answer {
        match self.firewall.get(name) {
            Some(rule) => Answer::ok(self.rule_json(&rule)),
            None => self.child_not_found("firewallRules", name),
        }
    }

    /// A rule is accepted on a server without a public network too, where it has no effect: so does the real one.
    pub(super) fn put_rule(self: &Arc<Self>, call: &Call, name: &str) -> Answer {
        let invalid =
            |what: &str| error(StatusCode::BAD_REQUEST, "InvalidParameterValue", format!("Invalid value given for parameter {what}."));
        let good = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
        if name.len() > 80
            || !name.starts_with(|first: char| first.is_ascii_alphanumeric())
            || name.ends_with('-')
            || !name.chars().all(good)
        {
            return invalid("firewallRuleName");
        }
        let Ok(body) = call.json() else { return invalid_content() };
        let address = |field: &str| body["properties"][field].as_str().and_then(|text| text.parse::<Ipv4Addr>().ok());
        let (start, end) = match (address("startIpAddress"), address("endIpAddress")) {
            (None, _) => return invalid("startIpAddress"),
            (_, None) => return invalid("endIpAddress"),
            (Some(start), Some(end)) if start > end => return invalid("startIpAddress"),
            (Some(start), Some(end)) => (start, end),
        };
        if let Err(answer) = self.claim(State::Ready, State::Updating) {
            return answer;
        }
        let rule = Rule { name: name.to_owned(), start, end };
        let (azure, result) = (Arc::clone(self), self.rule_json(&rule));
        self.begin(call, "UpsertServerFirewallRulesManagementOperation", State::Ready, result, async move {
            azure.firewall.put(rule);
            Ok(())
        })
    }

    pub(super) fn delete_rule(self: &Arc<Self>, call: &Call, name: &str) -> Answer {
        if let Err(answer) = self.claim(State::Ready, State::Updating) {
            return answer;
        }
        if self.firewall.get(name).is_none() {
            self.set_state(State::Ready);
            return Answer::empty(StatusCode::NO_CONTENT);
        }
        let (azure, name) = (Arc::clone(self), name.to_owned());
        self.begin(call, "DropServerFirewallRulesManagementOperation", State::Ready, Value::Null, async move {
            azure.firewall.remove(&name);
            Ok(())
        })
    }
}
