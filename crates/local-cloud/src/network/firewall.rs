//! The Azure server's firewall rules.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

/// One rule: the addresses from start to end, both included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The name as it was first written; it is looked up without regard to case.
    pub(crate) name: String,
    pub(crate) start: Ipv4Addr,
    pub(crate) end: Ipv4Addr,
}

/// The rules, and since when each is there.
#[derive(Debug, Default)]
pub(crate) struct Firewall {
    rules: RwLock<BTreeMap<String, (Rule, Instant)>>,
    /// How long a rule takes until it is in force.
    propagation: Duration,
}

impl Firewall {
    pub(crate) fn new(propagation: Duration) -> Self {
        Self { rules: RwLock::default(), propagation }
    }

    pub(crate) fn put(&self, rule: Rule) {
        self.rules.write().unwrap_or_else(PoisonError::into_inner).insert(rule.name.to_lowercase(), (rule, Instant::now()));
    }

    pub(crate) fn remove(&self, name: &str) {
        self.rules.write().unwrap_or_else(PoisonError::into_inner).remove(&name.to_lowercase());
    }

    pub(crate) fn get(&self, name: &str) -> Option<Rule> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).get(&name.to_lowercase()).map(|(rule, _)| rule.clone())
    }

    pub(crate) fn list(&self) -> Vec<Rule> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).values().map(|(rule, _)| rule.clone()).collect()
    }

    /// Whether a rule in force covers the address. The rule 0.0.0.0–0.0.0.0 means Azure's own services, so it covers nobody here.
    pub(crate) fn allows(&self, address: Ipv4Addr) -> bool {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.values().any(|(rule, since)| rule.start <= address && address <= rule.end && since.elapsed() >= self.propagation)
    }
}

#[cfg(test)]
mod tests {
    use super::{Firewall, Rule};

    fn rule(name: &str, start: [u8; 4], end: [u8; 4]) -> Rule {
        Rule { name: name.to_owned(), start: start.into(), end: end.into() }
    }

    #[test]
    fn a_rule_covers_both_its_ends_and_nothing_more() {
        let firewall = Firewall::default();
        firewall.put(rule("office", [10, 0, 0, 5], [10, 0, 1, 1]));
        for (address, allowed) in
            [([10, 0, 0, 4], false), ([10, 0, 0, 5], true), ([10, 0, 0, 250], true), ([10, 0, 1, 1], true), ([10, 0, 1, 2], false)]
        {
            assert_eq!(firewall.allows(address.into()), allowed, "{address:?}");
        }
    }

    #[test]
    fn a_rule_that_is_on_its_way_covers_nobody_yet() {
        let firewall = Firewall::new(std::time::Duration::from_secs(3600));
        firewall.put(rule("office", [10, 0, 0, 5], [10, 0, 0, 5]));
        assert!(firewall.get("office").is_some() && !firewall.allows([10, 0, 0, 5].into()));
    }

    #[test]
    fn names_are_one_whatever_their_case_and_azure_services_are_not_neon() {
        let firewall = Firewall::default();
        firewall.put(rule("Azure", [0; 4], [0; 4]));
        firewall.put(rule("AZURE", [0; 4], [0; 4]));
        assert_eq!(firewall.list().len(), 1);
        assert!(!firewall.allows([3, 10, 42, 8].into()));
        firewall.remove("azure");
        assert!(firewall.list().is_empty());
    }
}
