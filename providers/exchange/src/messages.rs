//! The services' sentences, of which only the words between the names are recorded.

use std::sync::LazyLock;

use regex::Regex;

/// Sentences as the services say them; a `*` stands for a name, a number or the like. The first that fits counts.
const KNOWN: &[&str] = &[
    "{0}",
    "Authentication failed. The 'Authorization' header is missing.",
    "Cannot complete operation while server '*' is busy processing another operation. Try again later.",
    "Invalid value given for parameter *.",
    "Resource group '*' could not be found.",
    "Restart or Stop Server can only be performed on Started servers. Sever Name = *, Current Server State = *",
    "The Resource '*' under resource group '*' was not found.",
    "The Resource '*' under resource group '*' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    "The access token is invalid.",
    "The api-version query parameter (?api-version=) is required for all requests.",
    "The client '*' with object id '*' does not have authorization to perform action '*' over scope '*'.",
    "The client '*' with object id '*' does not have authorization to perform action '*' over scope '*' or the scope is invalid. If access \
     was recently granted, please refresh your credentials.",
    "The operation '*' could not be found.",
    "The server is busy.",
    "The subscription '*' could not be found.",
    // Entra ID
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "unauthorized_client",
    "unsupported_grant_type",
    "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client \
     secret ID, for a secret added to app '*'. Trace ID: * Correlation ID: * Timestamp: *",
    "AADSTS*: *",
    // Neon
    "branch not ready yet*",
    "creating projects in region * is no longer supported",
    "database * already exists",
    "not allowed for organization API keys",
    "not allowed to perform actions outside the project this key is scoped to",
    "org_id is required, you can find it on your organization settings page",
    "project already has running conflicting operations, scheduling of new ones is prohibited",
    "role * already exists",
    "storing passwords is not enabled for the project",
    "supplied credentials do not pass authentication",
    "suspend interval changing is not allowed for your account",
    "user projects limit of * exceeded, got *",
    "* not found",
];

static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let pattern = |sentence: &&str| Regex::new(&format!("^{}$", regex::escape(sentence).replace(r"\*", "(.*?)")));
    // Whoever writes a sentence here can't write one that is no pattern: it is escaped.
    KNOWN.iter().filter_map(|sentence| pattern(sentence).ok()).collect()
});

/// The sentence with `hole` applied to everything in it that is not the service's own wording; none if it is not known.
pub(crate) fn known(message: &str, mut hole: impl FnMut(&str) -> String) -> Option<String> {
    let found = PATTERNS.iter().find_map(|pattern| pattern.captures(message))?;
    let mut text = String::new();
    let mut end = 0;
    for part in found.iter().skip(1).flatten() {
        text.push_str(&message[end..part.start()]);
        text.push_str(&hole(part.as_str()));
        end = part.end();
    }
    text.push_str(&message[end..]);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_is_a_pattern() {
        assert_eq!(PATTERNS.len(), KNOWN.len());
    }

    #[test]
    fn only_the_wording_of_a_known_sentence_stays() {
        let hide = |part: &str| format!("<{}>", part.len());
        assert_eq!(known("The access token is invalid.", hide).as_deref(), Some("The access token is invalid."));
        assert_eq!(known("database shop already exists", hide).as_deref(), Some("database <4> already exists"));
        assert_eq!(
            known("user projects limit of 1 exceeded, got 10", hide).as_deref(),
            Some("user projects limit of <1> exceeded, got <2>")
        );
        assert_eq!(known("the password is hunter2", hide), None);
    }
}
