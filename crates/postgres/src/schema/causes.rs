//! Which refused entries are refused only because another one was.

use std::collections::HashMap;

use super::{Entry, Failure};

/// An entry that is refused for a reason of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// That entry.
    pub failure: Failure,
    /// The entries that are refused because of it, in their order.
    pub followers: Vec<Failure>,
}

/// Groups `failures`, which are in the order of `entries`, by their causes; the cause with most followers comes first.
pub fn causes(entries: &[Entry], failures: Vec<Failure>) -> Vec<Cause> {
    let needs: HashMap<&str, &[String]> = entries.iter().map(|entry| (entry.id.as_str(), &*entry.needs)).collect();
    let mut causes: Vec<Cause> = Vec::new();
    // The places of the causes of all failures so far, by id and by name. A dump lists what is needed first.
    let (mut by_id, mut by_name) = (HashMap::new(), HashMap::new());
    for failure in failures {
        let at = if is_own(&failure) {
            causes.len()
        } else {
            // The body of a function names what no dependency knows of.
            let named = missing(&failure.message).and_then(|name| by_name.get(name));
            let mut needed = needs.get(failure.id.as_str()).copied().unwrap_or_default().iter().filter_map(|id| by_id.get(id));
            named.or_else(|| needed.next()).copied().unwrap_or(causes.len())
        };
        by_id.insert(failure.id.clone(), at);
        by_name.insert(failure.name.clone(), at);
        match causes.get_mut(at) {
            Some(cause) => cause.followers.push(failure),
            None => causes.push(Cause { failure, followers: Vec::new() }),
        }
    }
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.followers.len()));
    causes
}

/// Whether an entry is refused for what it is, not for what it finds: classes 42 (less privileges and syntax) and 3F say that something is
/// missing, or is not as it should be.
fn is_own(failure: &Failure) -> bool {
    match failure.sqlstate.as_deref() {
        Some("42501" | "42601") | None => true,
        Some(state) => !(state.starts_with("42") || state.starts_with("3F")),
    }
}

/// The name of what the server's message says is not there: `relation "public.t"`, `function public.f(integer)`.
fn missing(message: &str) -> Option<&str> {
    let (named, _) = message.split_once(" does not exist")?;
    match named.strip_suffix('"') {
        Some(named) => named.rsplit_once('"').map(|(_, name)| name),
        None => named.split_once(' ').map(|(_, name)| name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Section;

    fn entry(id: &str, needs: &[&str]) -> Entry {
        let needs = needs.iter().map(|id| (*id).to_owned()).collect();
        Entry { id: id.into(), kind: "TABLE".into(), name: format!("public.{id}"), section: Section::PreData, sql: String::new(), needs }
    }

    fn failure(id: &str, sqlstate: &str, message: &str) -> Failure {
        Failure {
            id: id.into(),
            kind: "TABLE".into(),
            name: format!("public.{id}"),
            sql: String::new(),
            message: message.into(),
            sqlstate: Some(sqlstate.into()),
        }
    }

    fn grouped(entries: &[Entry], failures: Vec<Failure>) -> Vec<(String, Vec<String>)> {
        let ids = |cause: Cause| (cause.failure.id, cause.followers.into_iter().map(|one| one.id).collect());
        causes(entries, failures).into_iter().map(ids).collect()
    }

    fn group(root: &str, followers: &[&str]) -> (String, Vec<String>) {
        (root.to_owned(), followers.iter().map(|id| (*id).to_owned()).collect())
    }

    #[test]
    fn followers_of_followers_belong_to_the_first_cause_and_the_largest_group_comes_first() {
        let entries = [
            entry("alone", &[]),
            entry("extension", &[]),
            entry("view", &["extension"]),
            entry("index", &["view", "fine"]),
            entry("fine", &[]),
        ];
        let failures = vec![
            failure("alone", "0A000", "not supported"),
            failure("extension", "0A000", "extension \"x\" is not available"),
            failure("view", "42883", "function public.f(integer) does not exist"),
            failure("index", "42P01", "relation \"public.view\" does not exist"),
        ];
        assert_eq!(grouped(&entries, failures), [group("extension", &["view", "index"]), group("alone", &[])]);
    }

    #[test]
    fn what_fails_for_its_own_reason_follows_nothing() {
        let entries = [entry("a", &[]), entry("b", &["a"]), entry("c", &["b"]), entry("d", &["a"])];
        let failures = vec![
            failure("a", "42501", "permission denied"),
            failure("b", "42501", "must be superuser"),
            failure("c", "42704", "type \"public.b\" does not exist"),
            failure("d", "42601", "syntax error"),
        ];
        assert_eq!(grouped(&entries, failures), [group("b", &["c"]), group("a", &[]), group("d", &[])]);
    }

    #[test]
    fn of_several_missing_things_the_one_that_is_named_counts() {
        let entries = [entry("a", &[]), entry("b", &[]), entry("c", &["a", "b"]), entry("d", &[])];
        let f = Failure { name: "public.f(integer, text)".into(), ..failure("f", "0A000", "no") };
        let failures = vec![
            f,
            failure("a", "0A000", "no"),
            failure("b", "0A000", "no"),
            failure("c", "42P01", "relation \"public.b\" does not exist"),
            failure("d", "42P01", "relation \"public.c\" does not exist"),
            failure("e", "42P01", "relation \"public.cc\" does not exist"),
            failure("g", "42883", "function public.f(integer, text) does not exist"),
        ];
        let groups = [group("b", &["c", "d"]), group("f", &["g"]), group("a", &[]), group("e", &[])];
        assert_eq!(grouped(&entries, failures), groups);
    }
}
