//! One entry of the section `[databases]` in PgBouncer's file; all else stays as it is, byte for byte.

use std::ops::Range;

use secrecy::{ExposeSecret, SecretString};

/// An entry's connection string, as `key=value` pairs in their order. Holds a password.
#[derive(Clone, PartialEq)]
pub(super) struct Entry(Vec<(String, String)>);

/// Why an entry can't be used.
#[derive(Debug, PartialEq)]
pub(super) enum Unusable {
    /// The file has no such entry.
    Missing,
    /// It has several.
    Several,
    /// It is not what PgBouncer reads.
    Malformed,
}

impl Entry {
    /// The entry of this name, and where its connection string stands in the file's text.
    pub(super) fn find(text: &str, name: &str) -> Result<(Self, Range<usize>), Unusable> {
        let mut found = None;
        // A file that another one includes may have no section of its own.
        let mut within = !text.lines().any(|line| line.trim().starts_with('['));
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let start = at;
            at += line.len();
            let trimmed = line.trim();
            if let Some(section) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                within = section.trim().eq_ignore_ascii_case("databases");
            } else if within && !trimmed.starts_with([';', '#', '%']) && key(trimmed).is_some_and(|(key, _)| key == name) {
                let Some((_, value)) = key(trimmed) else { continue };
                let offset = start + line.len() - line.trim_start().len() + trimmed.len() - value.len();
                if found.replace(offset..offset + value.len()).is_some() {
                    return Err(Unusable::Several);
                }
            }
        }
        let place = found.ok_or(Unusable::Missing)?;
        Ok((Self::parse(&text[place.clone()]).ok_or(Unusable::Malformed)?, place))
    }

    /// From a connection string: values may stand in single quotes, in which two stand for one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut pairs = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (key, after) = rest.split_once('=')?;
            let (value, after) = value(after.trim_start())?;
            pairs.push((key.trim().to_owned(), value));
            rest = after.trim_start();
        }
        Some(Self(pairs))
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// Sets a key; a new one goes to the end.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((key.to_owned(), value.to_owned())),
        }
    }

    /// As a connection string.
    pub(super) fn text(&self) -> SecretString {
        let plain = |value: &str| !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '\'');
        let word = |value: &str| if plain(value) { value.to_owned() } else { format!("'{}'", value.replace('\'', "''")) };
        SecretString::from(self.0.iter().map(|(key, value)| format!("{key}={}", word(value))).collect::<Vec<_>>().join(" "))
    }
}

/// The file's text with that entry's connection string in its place.
pub(super) fn with(text: &str, name: &str, value: &SecretString) -> Result<String, Unusable> {
    let (_, place) = Entry::find(text, name)?;
    let mut new = text.to_owned();
    new.replace_range(place, value.expose_secret());
    Ok(new)
}

/// A line's key, and its value.
fn key(line: &str) -> Option<(String, &str)> {
    if let Some(quoted) = line.strip_prefix('"') {
        let end = quoted.replace("\"\"", "__").find('"')?;
        let value = quoted[end + 1..].trim_start().strip_prefix('=')?;
        return Some((quoted[..end].replace("\"\"", "\""), value.trim_start()));
    }
    let (key, value) = line.split_once('=')?;
    Some((key.trim().to_owned(), value.trim_start()))
}

/// The value that the text begins with, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let end = quoted.replace("''", "__").find('\'')?;
    Some((quoted[..end].replace("''", "'"), &quoted[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "; main\n[databases]\n; shop = host=old\n\"my \"\"db\" = host=h\r\nshop = host=10.0.0.1 port=5432 dbname=shop user=app \
                        password='it''s = x' pool_size=5\nshop_ro=host=r\n\n[pgbouncer]\nshop = 1\n";

    #[test]
    fn an_entry_is_found_in_its_section_by_its_whole_name() {
        let (entry, _) = Entry::find(FILE, "shop").unwrap();
        assert_eq!((entry.get("host"), entry.get("password"), entry.get("pool_mode")), (Some("10.0.0.1"), Some("it's = x"), None));
        assert_eq!(Entry::find(FILE, "my \"db").unwrap().0.get("host"), Some("h"));
        assert_eq!(Entry::find("shop = host=h\n", "shop").unwrap().0.get("host"), Some("h"));
        let none = |text: &str| Entry::find(text, "shop").err();
        assert_eq!(none("[databases]\n* = host=h\n[pgbouncer]\nshop=1"), Some(Unusable::Missing));
        assert_eq!(none("[databases]\nshop = host=a\nshop = host=b"), Some(Unusable::Several));
        assert_eq!(none("[databases]\nshop = host='a"), Some(Unusable::Malformed));
    }

    #[test]
    fn all_but_the_entry_stays() {
        let (mut entry, _) = Entry::find(FILE, "shop").unwrap();
        for (key, value) in [("host", "ep-x.neon.tech"), ("user", "owner"), ("password", "o'ne two"), ("max_db_connections", "9")] {
            entry.set(key, value);
        }
        let new = with(FILE, "shop", &entry.text()).unwrap();
        let line = "shop = host=ep-x.neon.tech port=5432 dbname=shop user=owner password='o''ne two' pool_size=5 max_db_connections=9";
        let mut lines: Vec<&str> = FILE.split('\n').collect();
        lines[4] = line;
        assert_eq!(new, lines.join("\n"));
        assert!(Entry::find(&new, "shop").unwrap().0 == entry);
        // And back again, to the byte.
        let (_, place) = Entry::find(FILE, "shop").unwrap();
        assert_eq!(with(&new, "shop", &SecretString::from(FILE[place].to_owned())).unwrap(), FILE);
        let quoted = with(FILE, "my \"db", &SecretString::from("host=new".to_owned())).unwrap();
        assert!(quoted.contains("\"my \"\"db\" = host=new\r\nshop"));
    }
}
