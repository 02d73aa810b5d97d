//! What becomes of the source's extensions on the target.

use std::cmp::Ordering;

use azure2neon_postgres::extensions::{Available, Hanging, is_instrument};

use crate::cloud::OfferedExtensions;
use crate::settings::Settings;
use crate::survey::Survey;

/// Every database has it.
const EVERYWHERE: &str = "plpgsql";

/// What becomes of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate<'a> {
    /// The target offers this version of it.
    Comes(&'a str),
    /// The target's version is older.
    ComesOlder(&'a str),
    /// It stays behind: only the server's administrator needs it.
    StaysBehind,
    /// The target does not offer it; this hangs on it.
    Missing(&'a Hanging),
    /// The target does not offer it, and the operator lets that fail, or nothing is known of what the target offers.
    Unjudged,
}

/// The extensions that the target does not offer, or that may stay behind: what hangs on them decides.
pub(crate) fn doubtful(installed: &[(String, String)], offered: Option<&OfferedExtensions>) -> Vec<String> {
    let missing = |name: &str| offered.is_some_and(|offered| name != EVERYWHERE && !offered.versions.contains_key(name));
    installed.iter().map(|(name, _)| name).filter(|name| is_instrument(name) || missing(name)).cloned().collect()
}

/// What a server offers. What only a superuser may create counts where the cloud says that it is offered.
pub(crate) fn of_server<'a>(
    available: impl IntoIterator<Item = (&'a String, &'a Available)>,
    documented: Option<&OfferedExtensions>,
    provenance: String,
) -> OfferedExtensions {
    let documented = |name: &String| documented.is_some_and(|list| list.versions.contains_key(name));
    let offered = available.into_iter().filter(|(name, available)| available.creatable || documented(name));
    OfferedExtensions { versions: offered.map(|(name, available)| (name.clone(), available.version.clone())).collect(), provenance }
}

/// Each of the source's extensions with its version there, and what becomes of it.
pub(crate) fn fates<'a>(survey: &'a Survey, settings: &Settings) -> Vec<(&'a str, &'a str, Fate<'a>)> {
    let installed = survey.inventory.extensions.iter().filter(|(name, _)| name != EVERYWHERE);
    installed.map(|(name, version)| (name.as_str(), version.as_str(), fate(survey, settings, name, version))).collect()
}

fn fate<'a>(survey: &'a Survey, settings: &Settings, name: &str, version: &str) -> Fate<'a> {
    let hanging = survey.hanging.iter().find(|hanging| hanging.extension == name);
    if hanging.is_some_and(Hanging::is_left_behind) {
        return Fate::StaysBehind;
    }
    let Some(offered) = &survey.extensions else { return Fate::Unjudged };
    match (offered.versions.get(name), hanging) {
        (Some(there), _) if older(there, version) => Fate::ComesOlder(there),
        (Some(there), _) => Fate::Comes(there),
        (None, Some(hanging)) if !settings.lets_fail("EXTENSION", name) => Fate::Missing(hanging),
        (None, _) => Fate::Unjudged,
    }
}

/// Whether `a` is an older version than `b`, going by the numbers in them; what has none can't be told.
fn older(a: &str, b: &str) -> bool {
    let numbers =
        |version: &str| -> Vec<u64> { version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect() };
    let (a, b) = (numbers(a), numbers(b));
    !a.is_empty() && !b.is_empty() && a.cmp(&b) == Ordering::Less
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(older("3.3.3", "3.5") && older("1.9", "1.10") && older("0.8.0", "0.8.1"));
        assert!(!older("1.10", "1.9") && !older("1.0", "1.0") && !older("3.5.0", "3.5") && !older("unpackaged", "1.0"));
    }

    #[test]
    fn what_only_a_superuser_may_create_counts_where_the_cloud_offers_it() {
        let available = |creatable| Available { version: "1.0".into(), creatable };
        let there = [("a", true), ("b", false), ("c", false)].map(|(name, creatable)| (name.to_owned(), available(creatable)));
        let documented = OfferedExtensions { versions: [("c".to_owned(), "2.0".to_owned())].into(), provenance: String::new() };
        let offered = of_server(there.iter().map(|(name, available)| (name, available)), Some(&documented), "asked".into());
        assert_eq!(offered.versions.keys().collect::<Vec<_>>(), ["a", "c"]);
        let installed = ["a", "b", "plpgsql", "pgaudit"].map(|name| (name.to_owned(), "1.0".to_owned()));
        assert_eq!(doubtful(&installed, Some(&offered)), ["b", "pgaudit"]);
        assert_eq!(doubtful(&installed, None), ["pgaudit"]);
    }
}
