//! Names and values inside SQL text and connection strings. Nothing else in the crate quotes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An SQL identifier; displays double-quoted, so that case, blanks, commas and quotes survive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ident(String);

impl Ident {
    /// The identifier as the catalog spells it, unquoted.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The unquoted name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// A relation's schema and name, unquoted; displays quoted, ready for SQL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QualifiedName {
    /// The schema as the catalog spells it.
    pub schema: String,
    /// The relation's name as the catalog spells it.
    pub name: String,
}

impl QualifiedName {
    /// The name `schema.name`, both unquoted.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", Ident::new(&*self.schema), Ident::new(&*self.name))
    }
}

/// An SQL string literal; with a backslash inside it is an `E''` one, so that it means the same whatever
/// `standard_conforming_strings` says.
pub fn literal(value: &str) -> String {
    let quoted = value.replace('\'', "''");
    if quoted.contains('\\') { format!(" E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A value for libpq's `keyword=value` connection strings, always quoted.
pub fn conninfo_value(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_always_quoted() {
        assert_eq!(Ident::new("plain").to_string(), "\"plain\"");
        assert_eq!(Ident::new("a\"b, c\n").to_string(), "\"a\"\"b, c\n\"");
        assert_eq!(QualifiedName::new("A.b", "c\"").to_string(), "\"A.b\".\"c\"\"\"");
    }

    #[test]
    fn literals_survive_quotes_and_backslashes() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'b"), r" E'a\\''b'");
        assert_eq!(literal(""), "''");
    }

    #[test]
    fn conninfo_values_are_quoted_as_libpq_reads_them() {
        assert_eq!(conninfo_value(r"p@ss'w\ord /:"), r"'p@ss\'w\\ord /:'");
        assert_eq!(conninfo_value(""), "''");
    }
}
