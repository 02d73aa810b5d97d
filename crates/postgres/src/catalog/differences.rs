//! Two catalogs, object by object and aspect by aspect.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Catalog, Object, ObjectName};

/// The aspect that is compared for the columns alone that both sides have.
const COLUMN_ORDER: &str = "column order";
/// So many characters of a value are shown.
const SHOWN: usize = 80;

/// In what way an object differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The target does not have it.
    Missing,
    /// Only the target has it.
    Extra,
    /// An aspect of it differs.
    Differs,
}

/// A difference between two catalogs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The object.
    pub object: ObjectName,
    /// In what way it differs.
    pub what: What,
    /// The aspect, if only that differs.
    pub aspect: Option<String>,
    /// The aspect on the source; none if there is nothing to say. Of a missing object, its owner.
    pub source: Option<String>,
    /// The same on the target; of an extra object, its owner.
    pub target: Option<String>,
    /// Why it was expected, if it was.
    pub expected_because: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.object)?;
        match self.what {
            What::Missing => f.write_str(" is missing on the target"),
            What::Extra => f.write_str(" is on the target only"),
            What::Differs => {
                let (source, target) = shown(self.source.as_deref(), self.target.as_deref());
                write!(f, ": {} is {source} on the source, {target} on the target", self.aspect.as_deref().unwrap_or_default())
            }
        }
    }
}

/// Both values from shortly before where they begin to differ.
fn shown(source: Option<&str>, target: Option<&str>) -> (String, String) {
    let alike = source.unwrap_or_default().chars().zip(target.unwrap_or_default().chars()).take_while(|(a, b)| a == b).count();
    let skipped = if alike > SHOWN / 2 { alike - SHOWN / 4 } else { 0 };
    let show = |value: Option<&str>| {
        let Some(value) = value else { return "not set".to_owned() };
        let rest: Vec<char> = value.chars().skip(skipped).collect();
        let part: String = rest.iter().take(SHOWN).collect();
        let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{}{part}{}", if skipped > 0 { "…" } else { "" }, if rest.len() > SHOWN { "…" } else { "" })
    };
    (show(source), show(target))
}

/// Every difference, by object. Of an object that one side only has, its parts are not told.
pub fn differences(source: &Catalog, target: &Catalog) -> Vec<Difference> {
    let (missing, extra) = (wholes_of_one(source, target), wholes_of_one(target, source));
    let names: BTreeSet<&ObjectName> = source.objects.keys().chain(target.objects.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let lonely = |object: &Object, what: What, without: &BTreeSet<&str>| {
            let owner = object.aspect("owner").map(str::to_owned);
            let (source, target) = if what == What::Missing { (owner, None) } else { (None, owner) };
            let told = !object.of.as_deref().is_some_and(|of| without.contains(of));
            told.then(|| Difference { object: name.clone(), what, aspect: None, source, target, expected_because: None })
        };
        match (source.objects.get(name), target.objects.get(name)) {
            (Some(source), Some(target)) => found.extend(of_aspects(name, source, target)),
            (Some(source), None) => found.extend(lonely(source, What::Missing, &missing)),
            (None, Some(target)) => found.extend(lonely(target, What::Extra, &extra)),
            (None, None) => {}
        }
    }
    found
}

/// Names of what only the first has and what may have parts.
fn wholes_of_one<'a>(one: &'a Catalog, other: &Catalog) -> BTreeSet<&'a str> {
    let of_one = one.objects.iter().filter(|(name, object)| object.of.is_none() && !other.objects.contains_key(name));
    of_one.map(|(name, _)| name.name.as_str()).collect()
}

fn of_aspects(name: &ObjectName, source: &Object, target: &Object) -> Vec<Difference> {
    let aspects: BTreeSet<&Arc<str>> = source.aspects.iter().chain(&target.aspects).map(|(aspect, _)| aspect).collect();
    let differing = aspects.into_iter().filter(|aspect| {
        let (source, target) = (source.aspect(aspect), target.aspect(aspect));
        source != target && !(&***aspect == COLUMN_ORDER && is_same_order(source, target))
    });
    differing
        .map(|aspect| Difference {
            object: name.clone(),
            what: What::Differs,
            aspect: Some(aspect.to_string()),
            source: source.aspect(aspect).map(str::to_owned),
            target: target.aspect(aspect).map(str::to_owned),
            expected_because: None,
        })
        .collect()
}

/// Whether the columns that both have stand in the same order; a column that one side only has is told by itself.
fn is_same_order(source: Option<&str>, target: Option<&str>) -> bool {
    let names = |list: Option<&str>| serde_json::from_str::<Vec<String>>(list.unwrap_or("[]")).unwrap_or_default();
    let (source, target) = (names(source), names(target));
    let common = |of: &[String], and: &[String]| -> Vec<String> {
        let and: BTreeSet<&String> = and.iter().collect();
        of.iter().filter(|name| and.contains(name)).cloned().collect()
    };
    common(&source, &target) == common(&target, &source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_shown_from_where_they_differ() {
        let (a, b) = (format!("{} = 1", "x".repeat(200)), format!("{} = 2", "x".repeat(200)));
        let (source, target) = shown(Some(&a), Some(&b));
        assert!(source.starts_with("…xx") && source.ends_with("= 1") && source.len() < 40, "{source}");
        assert!(target.ends_with("= 2"));
        assert_eq!(shown(None, Some("a\n  b")), ("not set".into(), "a b".into()));
    }

    #[test]
    fn only_columns_of_both_sides_have_an_order() {
        assert!(is_same_order(Some(r#"["a","b","c"]"#), Some(r#"["a","c","d"]"#)));
        assert!(!is_same_order(Some(r#"["a","b","c"]"#), Some(r#"["c","a"]"#)));
    }
}
