//! What a plan rests on: when it is carried out later, that must still be so.

use std::collections::{BTreeMap, BTreeSet};

use azure2neon_postgres::catalog::Catalog;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::survey::Survey;
use crate::units;

/// The tables may have grown or shrunk by so much since,
const TOLERANCE: f64 = 0.25;
/// or by so many bytes.
const GRAIN: i64 = 64 << 20;
/// So many objects are named.
const NAMED: usize = 10;

/// What a plan rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The source's tables and what else has a name of its own, each with a digest of its definition and of all that is part of it.
    pub objects: BTreeMap<String, String>,
    /// The source server's parameters.
    pub parameters: BTreeMap<String, String>,
    /// The source's firewall rules, but for those of runs of this program.
    pub firewall: BTreeSet<String>,
    /// What the tables take, in bytes.
    pub bytes: i64,
    /// What is known of the target: its versions, limits, and what it holds.
    pub target: BTreeMap<String, String>,
}

impl Basis {
    /// What this plan rests on.
    pub(crate) fn of(survey: &Survey) -> Self {
        let parameters = survey.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.value.clone()));
        let mut target =
            BTreeMap::from([("region".to_owned(), survey.region.0.clone()), ("addresses".to_owned(), survey.egress.addresses.join(", "))]);
        target.extend(survey.limits.plan.clone().map(|plan| ("plan".to_owned(), plan)));
        if let Some(there) = &survey.existing {
            target.extend([
                ("project".to_owned(), there.project.id.clone()),
                ("version".to_owned(), there.project.major.to_string()),
                ("settings".to_owned(), there.settings.to_string()),
                ("objects in the database".to_owned(), there.objects.len().to_string()),
            ]);
        }
        Self {
            objects: survey.definitions.clone(),
            parameters: parameters.collect(),
            firewall: survey.firewall.clone(),
            bytes: survey.inventory.stored_bytes(),
            target,
        }
    }

    /// What is otherwise now, each in words; nothing if the plan still holds.
    pub fn changes(&self, now: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let objects: Vec<String> = differing(&self.objects, &now.objects, |_, _| "is defined otherwise".to_owned());
        let named = objects.len().min(NAMED);
        changes.extend(objects[..named].iter().cloned());
        if objects.len() > named {
            changes.push(format!("{} more objects of the source's catalog", objects.len() - named));
        }
        changes.extend(
            differing(&self.parameters, &now.parameters, |was, is| format!("was {was} and is {is}"))
                .into_iter()
                .map(|what| format!("server parameter {what}")),
        );
        changes.extend(self.firewall.difference(&now.firewall).map(|rule| format!("firewall rule {rule} is gone")));
        changes.extend(now.firewall.difference(&self.firewall).map(|rule| format!("firewall rule {rule} is new")));
        let moved = (now.bytes - self.bytes).abs();
        if moved > GRAIN && moved as f64 > self.bytes as f64 * TOLERANCE {
            changes.push(format!("the tables took {} and take {}", units::bytes(self.bytes), units::bytes(now.bytes)));
        }
        changes.extend(
            differing(&self.target, &now.target, |was, is| format!("was {was} and is {is}"))
                .into_iter()
                .map(|what| format!("the target's {what}")),
        );
        changes
    }
}

fn differing(was: &BTreeMap<String, String>, is: &BTreeMap<String, String>, how: impl Fn(&str, &str) -> String) -> Vec<String> {
    let keys: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    keys.into_iter()
        .filter_map(|key| match (was.get(key), is.get(key)) {
            (Some(was), Some(is)) if was == is => None,
            (Some(was), Some(is)) => Some(format!("{key} {}", how(was, is))),
            (Some(_), None) => Some(format!("{key} is gone")),
            _ => Some(format!("{key} is new")),
        })
        .collect()
}

/// A digest of each object's definition; what is part of a table, view or domain counts as that.
pub(crate) fn definitions(catalog: &Catalog) -> BTreeMap<String, String> {
    let mut whole: BTreeMap<String, Sha256> = BTreeMap::new();
    for (name, object) in &catalog.objects {
        let digest = whole.entry(object.of.clone().unwrap_or_else(|| name.name.clone())).or_default();
        digest.update(name.to_string());
        for (aspect, value) in object.aspects() {
            digest.update(format!("\0{aspect}\0{value}"));
        }
    }
    whole.into_iter().map(|(name, digest)| (name, digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basis() -> Basis {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Basis {
            objects: map(&[("public.a", "1"), ("public.b", "2")]),
            parameters: map(&[("wal_level", "replica")]),
            firewall: BTreeSet::from(["office 10.0.0.1-10.0.0.9".to_owned()]),
            bytes: 1 << 30,
            target: map(&[("region", "aws-eu-west-2")]),
        }
    }

    #[test]
    fn what_changed_since_is_named() {
        assert!(basis().changes(&basis()).is_empty());
        let mut grown = basis();
        grown.bytes += 100 << 20;
        assert!(basis().changes(&grown).is_empty(), "a tenth more is no other plan");
        let mut now = basis();
        now.objects.insert("public.a".into(), "3".into());
        now.objects.insert("public.c".into(), "4".into());
        now.objects.remove("public.b");
        now.parameters.insert("wal_level".into(), "logical".into());
        now.firewall = BTreeSet::from(["home 10.9.0.1-10.9.0.1".to_owned()]);
        now.bytes = 2 << 30;
        now.target.insert("region".into(), "aws-us-east-1".into());
        assert_eq!(
            basis().changes(&now),
            [
                "public.a is defined otherwise",
                "public.b is gone",
                "public.c is new",
                "server parameter wal_level was replica and is logical",
                "firewall rule office 10.0.0.1-10.0.0.9 is gone",
                "firewall rule home 10.9.0.1-10.9.0.1 is new",
                "the tables took 1.0 GiB and take 2.0 GiB",
                "the target's region was aws-eu-west-2 and is aws-us-east-1",
            ]
        );
        now.objects = (0..30).map(|n| (format!("public.t{n}"), String::new())).collect();
        assert!(basis().changes(&now).contains(&"22 more objects of the source's catalog".to_owned()));
    }
}
