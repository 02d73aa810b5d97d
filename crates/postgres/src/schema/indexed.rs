//! Which table an index of a dump is on, and what names a table.

use super::Entry;
use super::script::identifier;
use crate::ident::{Ident, QualifiedName};

/// The table that this entry makes an index of, alone or for a constraint; none for any other entry.
pub fn indexed_table(entry: &Entry) -> Option<QualifiedName> {
    let table = match entry.kind.as_str() {
        "CONSTRAINT" => {
            let rest = entry.sql.strip_prefix("ALTER TABLE ")?;
            let (table, rest) = qualified_name(rest.strip_prefix("ONLY ").unwrap_or(rest))?;
            let (_, definition) = identifier(rest.trim_start().strip_prefix("ADD CONSTRAINT ")?);
            let definition = definition.trim_start();
            ["PRIMARY KEY", "UNIQUE", "EXCLUDE"].iter().any(|kind| definition.starts_with(kind)).then_some(table)?
        }
        "INDEX" => {
            let rest = entry.sql.strip_prefix("CREATE ")?;
            let rest = rest.strip_prefix("UNIQUE ").unwrap_or(rest);
            let (_, rest) = identifier(rest.strip_prefix("INDEX ")?);
            let rest = rest.strip_prefix(" ON ")?;
            qualified_name(rest.strip_prefix("ONLY ").unwrap_or(rest))?.0
        }
        _ => return None,
    };
    Some(table)
}

/// Whether the entry's statements name this table, as pg_dump prints names.
pub fn names_table(entry: &Entry, table: &QualifiedName) -> bool {
    let is_plain = |name: &str| {
        let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        starts && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let printed = |name: &str| if is_plain(name) { name.to_owned() } else { Ident::new(name).to_string() };
    let name = format!("{}.{}", printed(&table.schema), printed(&table.name));
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '"');
    entry.sql.match_indices(&name).any(|(at, _)| {
        let (before, after) = (entry.sql[..at].chars().next_back(), entry.sql[at + name.len()..].chars().next());
        !before.is_some_and(|c| goes_on(c) || c == '.') && !after.is_some_and(goes_on)
    })
}

/// The qualified name that `text` begins with, and what follows it.
fn qualified_name(text: &str) -> Option<(QualifiedName, &str)> {
    let (schema, rest) = identifier(text);
    let (name, rest) = identifier(rest.strip_prefix('.')?);
    Some((QualifiedName::new(unquoted(schema), unquoted(name)), rest))
}

fn unquoted(identifier: &str) -> String {
    match identifier.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => identifier.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Section;

    fn entry(kind: &str, section: Section, sql: &str) -> Entry {
        Entry { id: String::new(), kind: kind.into(), name: String::new(), section, sql: sql.into(), needs: Vec::new() }
    }

    #[test]
    fn a_table_is_named_wholly_or_not_at_all() {
        let names =
            |sql: &str, schema: &str, name: &str| names_table(&entry("TRIGGER", Section::PostData, sql), &QualifiedName::new(schema, name));
        assert!(names("ALTER TABLE ONLY public.t\n    ADD CONSTRAINT c PRIMARY KEY (id);", "public", "t"));
        assert!(names("CREATE TRIGGER x ON \"S\".\"a b\" FOR EACH ROW", "S", "a b"));
        assert!(names("REFERENCES public.t(id)", "public", "t"));
        for other in ["public.t2", "public.\"t\"\"\"", "x.public.t", "xpublic.t"] {
            assert!(!names(&format!("CREATE INDEX i ON {other} USING btree (x);"), "public", "t"), "{other}");
        }
    }

    #[test]
    fn an_index_names_its_table() {
        let table = |kind: &str, sql: &str| indexed_table(&entry(kind, Section::Keys, sql));
        let name = |schema: &str, name: &str| Some(QualifiedName::new(schema, name));
        assert_eq!(table("INDEX", "CREATE UNIQUE INDEX i ON public.t USING btree (x);"), name("public", "t"));
        assert_eq!(table("INDEX", "CREATE INDEX \"a ON b\" ON ONLY \"S \"\"s\".\"t.u\" USING btree (x);"), name("S \"s", "t.u"));
        let constraint =
            |what: &str| table("CONSTRAINT", &format!("ALTER TABLE ONLY public.t\n    ADD CONSTRAINT \"PRIMARY KEY\" {what};"));
        assert_eq!(constraint("EXCLUDE USING gist (r WITH &&)"), name("public", "t"));
        assert_eq!(constraint("UNIQUE (a) DEFERRABLE"), name("public", "t"));
        assert_eq!(constraint("CHECK ((a > 0)) NOT VALID"), None);
        assert_eq!(table("FK CONSTRAINT", "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES public.u(a);"), None);
    }
}
