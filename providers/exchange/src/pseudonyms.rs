//! What stands for what in a recording.

use std::collections::HashMap;

/// Kinds of values that are replaced, each by values of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Uuid,
    /// An IPv4 address.
    Address,
    Host,
    Id,
    Name,
    /// The name of an unknown field.
    Field,
    /// Anything else: secrets, and what may be one.
    Secret,
}

/// The pseudonyms of one recording: one original always has the same, whatever kind it was first met as.
#[derive(Default)]
pub(crate) struct Pseudonyms {
    known: HashMap<String, String>,
    counts: HashMap<Kind, u32>,
}

impl Pseudonyms {
    /// The pseudonym of `original`; an empty text stays one.
    pub(crate) fn of(&mut self, kind: Kind, original: &str) -> String {
        if original.is_empty() {
            return String::new();
        }
        let original = key(original);
        if let Some(known) = self.known.get(&original) {
            return known.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let pseudonym = kind.pseudonym(*count);
        self.known.insert(original, pseudonym.clone());
        pseudonym
    }

    /// The pseudonym that `original` has got, if it was met.
    pub(crate) fn get(&self, original: &str) -> Option<&str> {
        self.known.get(&key(original)).map(String::as_str)
    }
}

/// Neither cloud tells names apart by case.
fn key(original: &str) -> String {
    original.to_lowercase()
}

impl Kind {
    /// The `count`th pseudonym, from 1.
    fn pseudonym(self, count: u32) -> String {
        match self {
            Self::Uuid => format!("00000000-0000-4000-8000-{count:012}"),
            Self::Address => address(count),
            Self::Host => format!("host-{count}.example"),
            Self::Id => format!("id-{count}"),
            Self::Name => format!("name-{count}"),
            Self::Field => format!("field-{count}"),
            Self::Secret => format!("replaced-{count}"),
        }
    }
}

/// From the ranges for documentation (RFC 5737), then from the one for benchmarks (RFC 2544), which has 130 000 more.
fn address(count: u32) -> String {
    match count {
        0..=254 => format!("192.0.2.{count}"),
        255..=508 => format!("198.51.100.{}", count - 254),
        _ => format!("198.{}.{}.{}", 18 + (count >> 16) % 2, (count >> 8) % 256, count % 256),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_original_has_one_pseudonym_of_its_kind() {
        let mut pseudonyms = Pseudonyms::default();
        assert_eq!(pseudonyms.of(Kind::Name, "shop-prod"), "name-1");
        assert_eq!(pseudonyms.of(Kind::Name, "other"), "name-2");
        assert_eq!(pseudonyms.of(Kind::Id, "Shop-Prod"), "name-1");
        assert_eq!(pseudonyms.of(Kind::Id, "quiet-river-1"), "id-1");
        assert_eq!(pseudonyms.of(Kind::Secret, ""), "");
        assert_eq!(pseudonyms.of(Kind::Uuid, "5f0c"), "00000000-0000-4000-8000-000000000001");
        assert_eq!(pseudonyms.get("SHOP-PROD"), Some("name-1"));
        assert_eq!(pseudonyms.get("unmet"), None);
    }

    #[test]
    fn addresses_stay_apart_from_real_ones() {
        for (count, address) in
            [(1, "192.0.2.1"), (254, "192.0.2.254"), (255, "198.51.100.1"), (508, "198.51.100.254"), (509, "198.18.1.253")]
        {
            assert_eq!(Kind::Address.pseudonym(count), address);
        }
    }
}
