//! Names and values, checked before they are sent: the crate puts names into paths unescaped, and Azure accepts a bad
//! value first and fails half a minute later, without a reason.

use std::net::Ipv4Addr;

use azure2neon_core::cloud::InboundRule;
use azure2neon_core::{Error, ErrorKind, Result};
use regex::Regex;

fn check(what: &str, pattern: &str, name: &str) -> Result<()> {
    let regex = Regex::new(pattern).map_err(|error| Error::new(ErrorKind::Internal, "a pattern").because(error))?;
    // A last dash or dot is never allowed, and only the firewall rule's pattern would let the dash pass.
    if regex.is_match(name) && !name.ends_with('-') && !name.chars().all(|c| c == '.') {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Configuration, format!("`{name}` is no valid name of {what}")))
}

pub(crate) fn server(name: &str) -> Result<()> {
    if !(3..=63).contains(&name.len()) {
        return check("a flexible server", "^$", if name.is_empty() { "-" } else { name });
    }
    check("a flexible server", "^[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*$", name)
}

pub(crate) fn host(name: &str) -> Result<()> {
    check("a host", r"^[a-zA-Z0-9][-a-zA-Z0-9]*(\.[a-zA-Z0-9][-a-zA-Z0-9]*)+$", name)
}

pub(crate) fn subscription(id: &str) -> Result<()> {
    check("a subscription (its id is needed)", "^[a-fA-F0-9]{8}(-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}$", id)
}

pub(crate) fn resource_group(name: &str) -> Result<()> {
    check("a resource group", r"^[-\w._()]{1,90}$", name)
}

pub(crate) fn firewall_rule(name: &str) -> Result<()> {
    check("a firewall rule", "^[a-zA-Z0-9][-_a-zA-Z0-9]{0,79}$", name)
}

pub(crate) fn parameter(name: &str) -> Result<()> {
    check("a server parameter", r"^[a-zA-Z_][-a-zA-Z0-9_.]{0,255}$", name)
}

/// A rule that lets in a range of addresses, and not everybody: 0.0.0.0 means all of Azure's tenants, or the internet.
pub(crate) fn inbound_rule(rule: &InboundRule) -> Result<()> {
    firewall_rule(&rule.name)?;
    let parse = |text: &str| {
        text.parse::<Ipv4Addr>()
            .map_err(|_| Error::new(ErrorKind::Configuration, format!("`{text}` is no IPv4 address, and Azure's firewall takes no other")))
    };
    let (start, end) = (parse(&rule.start)?, parse(&rule.end)?);
    if start > end || start.is_unspecified() {
        let text = format!("the range {start}–{end} is no range of addresses to let in");
        return Err(Error::new(ErrorKind::Configuration, text));
    }
    Ok(())
}

/// Whether `value` is one of `allowed` as Azure describes it: `2-100`, `on,off`; anything else is left to Azure.
pub(crate) fn allows(data_type: &str, allowed: &str, value: &str) -> bool {
    let among = |value: &str| allowed.split(',').any(|one| one.trim().eq_ignore_ascii_case(value.trim()));
    match data_type.to_ascii_lowercase().as_str() {
        "integer" | "numeric" => match (range(allowed), value.trim().parse::<f64>()) {
            (Some((least, most)), Ok(number)) => (least..=most).contains(&number),
            (Some(_), Err(_)) => false,
            (None, _) => true,
        },
        "boolean" | "enumeration" if !allowed.is_empty() => among(value),
        "set" if !allowed.is_empty() => value.trim().is_empty() || value.split(',').all(among),
        _ => true,
    }
}

/// `2-100`, or `-1-100`, whose first dash is a sign.
fn range(text: &str) -> Option<(f64, f64)> {
    let text = text.trim();
    let dash = text.char_indices().skip(1).find(|(_, c)| *c == '-').map(|(at, _)| at)?;
    Some((text[..dash].trim().parse().ok()?, text[dash + 1..].trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_their_path_are_refused() {
        for bad in ["../../x?y=1#z", "shop/..", "", "ab", "a--b", "-shop", "shop-", "shop.x"] {
            assert!(server(bad).is_err(), "{bad}");
        }
        assert!(server("shop-prod-1").is_ok());
        for bad in ["..", ".", "a/b", "a b", "-x"] {
            assert!(parameter(bad).is_err(), "{bad}");
        }
        assert!(parameter("azure.extensions").is_ok());
        assert!(resource_group("..").is_err());
        assert!(resource_group("rg_shop.(1)").is_ok());
        assert!(firewall_rule("a2n_run-").is_err());
        assert!(firewall_rule("azure2neon_r1-1").is_ok());
        assert!(subscription("main subscription").is_err());
        assert!(host("shop.postgres.database.azure.com").is_ok());
        assert!(host("shop.postgres/..").is_err());
    }

    #[test]
    fn rules_never_open_the_server_to_all() {
        let rule = |start: &str, end: &str| InboundRule { name: "r".into(), start: start.into(), end: end.into() };
        assert!(inbound_rule(&rule("203.0.113.7", "203.0.113.7")).is_ok());
        for (start, end) in [("0.0.0.0", "0.0.0.0"), ("0.0.0.0", "255.255.255.255"), ("2.0.0.1", "1.0.0.1"), ("::1", "::1")] {
            assert!(inbound_rule(&rule(start, end)).is_err(), "{start}");
        }
    }

    #[test]
    fn allowed_values_are_read_as_azure_writes_them() {
        assert!(allows("Integer", "5-100", "20"));
        assert!(!allows("Integer", "5-100", "200"));
        assert!(!allows("Integer", "5-100", "many"));
        assert!(allows("Integer", "-1-2147483647", "-1"));
        assert!(allows("Enumeration", "replica,logical", "logical"));
        assert!(!allows("Enumeration", "replica,logical", "minimal"));
        assert!(allows("Boolean", "on, off", "ON"));
        assert!(allows("Set", "a,b,c", "c,a"));
        assert!(allows("String", "[A-Z]+", "whatever"));
        assert!(allows("Integer", "", "3"));
    }
}
