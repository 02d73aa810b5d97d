//! Splits pg_restore's script into its table-of-contents entries.
//!
//! The headers are comments, so a function's body may hold a look-alike. Hence the script is read as the server reads it: a
//! header counts only outside of every literal, and only if pg_restore's own list names its ids.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{Entry, Section};
use crate::error::{Error, ErrorKind, Result};

/// Kinds that the list names and the script leaves out or that mean nothing on the target.
const SILENT: &[&str] = &["ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES", "SCHEMA"];
/// Kinds that begin the part after the data.
const POST_DATA: &[&str] = &[
    "INDEX",
    "INDEX ATTACH",
    "CONSTRAINT",
    "FK CONSTRAINT",
    "CHECK CONSTRAINT",
    "TRIGGER",
    "RULE",
    "EVENT TRIGGER",
    "STATISTICS",
    "POLICY",
    "ROW SECURITY",
];

/// The catalog of what an archive says about another entry, such as a comment.
const NO_CATALOG: u32 = 0;

struct Header {
    toc_id: u32,
    catalog_id: (u32, u32),
    /// Entries that this one depends on.
    dependencies: Vec<u32>,
    kind: String,
    schema: String,
    name: String,
}

/// The entries of `script` (pg_restore -v -f -), cross-checked against `list` (pg_restore -l), without those of these catalogs and
/// oids and what is said about them.
pub(super) fn entries(script: &str, list: &str, left_out: &BTreeSet<(u32, u32)>) -> Result<Vec<Entry>> {
    let mut listed = listed(list);
    let lines = top_level_lines(script);
    let mut chunks: Vec<(Header, String)> = Vec::new();
    let mut index = 0;
    while let Some((line, top)) = lines.get(index).copied() {
        let text = line.trim_end_matches(['\n', '\r']);
        if top && text.starts_with("-- TOC entry ") {
            let (header, next) = header(&lines, index)?;
            match listed.remove(&header.toc_id) {
                Some((expected, _)) if expected == header.catalog_id => chunks.push((header, String::new())),
                _ => return Err(refuse(format!("its script has an entry {} that its list has not", header.toc_id))),
            }
            index = next;
            continue;
        }
        if let Some((_, sql)) = chunks.last_mut()
            && !(top && is_noise(text))
        {
            sql.push_str(line);
        }
        index += 1;
    }
    if let Some((id, (_, kind))) = listed.iter().find(|(_, (_, kind))| !SILENT.iter().any(|silent| kind.starts_with(silent))) {
        return Err(refuse(format!("its list has an entry {id} ({kind}) that its script has not")));
    }
    Ok(classify(chunks, left_out))
}

fn refuse(why: String) -> Error {
    Error::new(ErrorKind::Tool, "read pg_restore's output", why)
}

/// Each id with its class and object id, and what follows them on the line.
fn listed(list: &str) -> BTreeMap<u32, ((u32, u32), String)> {
    let entry = |line: &str| {
        let (id, rest) = line.split_once("; ")?;
        let mut words = rest.splitn(3, ' ');
        let ids = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some((id.parse().ok()?, (ids, words.next()?.to_owned())))
    };
    list.lines().filter(|line| !line.starts_with(';')).filter_map(entry).collect()
}

/// Reads the header whose first line is at `index`; returns it and the line after it.
fn header(lines: &[(&str, bool)], index: usize) -> Result<(Header, usize)> {
    let bad = || refuse(format!("an entry's header is not understood: {:?}", lines.get(index).map_or("", |line| line.0)));
    let numbers = |text: &str| -> Vec<u32> { text.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect() };
    let [toc_id, class, object] = numbers(lines[index].0)[..] else { return Err(bad()) };
    let mut at = index + 1;
    let mut dependencies = Vec::new();
    while let Some(list) = lines.get(at).and_then(|(line, _)| line.strip_prefix("-- Dependencies:")) {
        dependencies.extend(numbers(list));
        at += 1;
    }
    let text = lines.get(at).and_then(|(line, _)| line.trim_end().strip_prefix("-- Name: ")).ok_or_else(bad)?;
    // From the right, since a name may hold anything, a keyword of pg_dump's may not.
    let (text, _) = text.rsplit_once("; Owner: ").ok_or_else(bad)?;
    let (text, schema) = text.rsplit_once("; Schema: ").ok_or_else(bad)?;
    let (name, kind) = text.rsplit_once("; Type: ").ok_or_else(bad)?;
    let catalog_id = (class, object);
    let header = Header { toc_id, catalog_id, dependencies, kind: kind.to_owned(), schema: schema.to_owned(), name: name.to_owned() };
    Ok((header, at + 1))
}

/// Top-level lines that are no part of an entry: comments, psql commands, and settings that our sessions have or don't want.
fn is_noise(line: &str) -> bool {
    line.starts_with("--")
        || line.starts_with("\\restrict ")
        || line.starts_with("\\unrestrict ")
        || line.starts_with("SET default_tablespace = ")
        || line.starts_with("SET default_table_access_method = ")
}

fn classify(chunks: Vec<(Header, String)>, left_out: &BTreeSet<(u32, u32)>) -> Vec<Entry> {
    let mut after_data = false;
    let mut gone = BTreeSet::new();
    let mut key_indexes = BTreeSet::new();
    let mut ids: BTreeMap<u32, String> = BTreeMap::new();
    let mut entries = Vec::with_capacity(chunks.len());
    for (header, sql) in chunks {
        let sql = logged(sql.trim());
        after_data |= POST_DATA.contains(&header.kind.as_str());
        let of_gone = header.catalog_id.0 == NO_CATALOG && header.dependencies.iter().any(|id| gone.contains(id));
        if of_gone || left_out.contains(&header.catalog_id) {
            gone.insert(header.toc_id);
            continue;
        }
        // A user mapping holds a password; an extension's comment belongs to who made the extension.
        let unwanted = header.kind == "USER MAPPING"
            || header.kind.starts_with("BLOB")
            || (header.kind == "COMMENT" && header.name.starts_with("EXTENSION "));
        if unwanted || sql.is_empty() {
            continue;
        }
        let section = match after_data {
            false => Section::PreData,
            true if is_key(&header.kind, &sql, &mut key_indexes) => Section::Keys,
            true => Section::PostData,
        };
        let name = if header.schema == "-" { header.name } else { format!("{}.{}", header.schema, header.name) };
        let id = id_of(&sql);
        let needs = header.dependencies.iter().filter_map(|of| ids.get(of).cloned()).collect();
        ids.insert(header.toc_id, id.clone());
        entries.push(Entry { id, kind: header.kind, name, section, sql, needs });
    }
    entries
}

/// The statement without UNLOGGED: the target may lose such a table whenever its compute is suspended.
fn logged(sql: &str) -> String {
    for kind in ["TABLE", "SEQUENCE"] {
        if let Some(rest) = sql.strip_prefix(&format!("CREATE UNLOGGED {kind} ")) {
            return format!("CREATE {kind} {rest}");
        }
    }
    // An identity column's sequence comes with its table's statement or by itself.
    match sql.split_once("\nALTER SEQUENCE ") {
        Some((before, tail)) if sql.contains("AS IDENTITY") && tail.trim_end().ends_with(" SET UNLOGGED;") => before.to_owned(),
        _ => sql.to_owned(),
    }
}

/// Whether the entry makes an index that may be a replica identity, or attaches one. `seen` collects those made.
fn is_key(kind: &str, sql: &str, seen: &mut BTreeSet<String>) -> bool {
    match kind {
        "CONSTRAINT" => {
            let Some((table, rest)) = sql
                .strip_prefix("ALTER TABLE ")
                .map(|rest| rest.strip_prefix("ONLY ").unwrap_or(rest))
                .and_then(|rest| rest.split_once("ADD CONSTRAINT "))
            else {
                return false;
            };
            let (name, definition) = identifier(rest);
            let definition = definition.trim_start();
            let key = definition.starts_with("PRIMARY KEY") || definition.starts_with("UNIQUE");
            if key {
                seen.insert(format!("{}.{name}", identifier(table).0));
            }
            key
        }
        "INDEX" => {
            let Some(rest) = sql.strip_prefix("CREATE UNIQUE INDEX ") else { return false };
            let (name, rest) = identifier(rest);
            let rest = rest.trim_start().strip_prefix("ON ").unwrap_or(rest);
            let table = rest.strip_prefix("ONLY ").unwrap_or(rest);
            // A partial index is never an identity; on doubt it is built early, which is only slower.
            let key = !rest.contains(" WHERE ");
            if key {
                seen.insert(format!("{}.{name}", identifier(table).0));
            }
            key
        }
        "INDEX ATTACH" => sql
            .strip_prefix("ALTER INDEX ")
            .and_then(|rest| rest.split_once(" ATTACH PARTITION "))
            .is_some_and(|(parent, _)| seen.contains(parent)),
        _ => false,
    }
}

/// The identifier that `text` begins with, as written, and what follows it.
pub(super) fn identifier(text: &str) -> (&str, &str) {
    let end = if let Some(inner) = text.strip_prefix('"') {
        let bytes = inner.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] == b'"' {
                if bytes.get(at + 1) != Some(&b'"') {
                    break;
                }
                at += 1;
            }
            at += 1;
        }
        (at + 2).min(text.len())
    } else {
        text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(text.len())
    };
    text.split_at(end)
}

/// The first 16 bytes of the statement's SHA-256, in hex.
fn id_of(sql: &str) -> String {
    Sha256::digest(sql.as_bytes()).iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

enum State<'a> {
    Top,
    Comment,
    Block(usize),
    Quoted { end: u8, escapes: bool },
    Dollar(&'a [u8]),
}

/// Each line with its newline, and whether it begins outside of every literal and block comment.
fn top_level_lines(script: &str) -> Vec<(&str, bool)> {
    let bytes = script.as_bytes();
    let mut lines = Vec::new();
    let (mut state, mut begin, mut begins_at_top, mut at) = (State::Top, 0, true, 0);
    while at < bytes.len() {
        let here = &bytes[at..];
        let mut step = 1;
        match &mut state {
            State::Top => match here[0] {
                b'-' if here.starts_with(b"--") => state = State::Comment,
                b'/' if here.starts_with(b"/*") => (state, step) = (State::Block(1), 2),
                b'\'' => state = State::Quoted { end: b'\'', escapes: is_escape_prefix(&bytes[..at]) },
                b'"' => state = State::Quoted { end: b'"', escapes: false },
                b'$' if !at.checked_sub(1).is_some_and(|before| is_word(bytes[before])) => {
                    if let Some(tag) = dollar_tag(here) {
                        (state, step) = (State::Dollar(tag), tag.len());
                    }
                }
                _ => {}
            },
            State::Comment => {
                if here[0] == b'\n' {
                    state = State::Top;
                }
            }
            State::Block(depth) => {
                if here.starts_with(b"/*") {
                    (*depth, step) = (*depth + 1, 2);
                } else if here.starts_with(b"*/") {
                    step = 2;
                    if *depth == 1 {
                        state = State::Top;
                    } else {
                        *depth -= 1;
                    }
                }
            }
            State::Quoted { end, escapes } => {
                // A doubled quote closes and opens again, which comes to the same.
                if *escapes && (here[0] == b'\\' || here.starts_with(b"''")) {
                    step = 2;
                } else if here[0] == *end {
                    state = State::Top;
                }
            }
            State::Dollar(tag) => {
                if here.starts_with(tag) {
                    step = tag.len();
                    state = State::Top;
                }
            }
        }
        let next = (at + step).min(bytes.len());
        for position in at..next {
            if bytes[position] == b'\n' {
                lines.push((&script[begin..=position], begins_at_top));
                begin = position + 1;
                begins_at_top = matches!(state, State::Top);
            }
        }
        at = next;
    }
    if begin < bytes.len() {
        lines.push((&script[begin..], begins_at_top));
    }
    lines
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// Whether the text before a quote ends with the E of an escape string.
fn is_escape_prefix(before: &[u8]) -> bool {
    match before {
        [.., word, b'e' | b'E'] => !is_word(*word),
        [b'e' | b'E'] => true,
        _ => false,
    }
}

/// `$tag$` at the beginning of `here`.
fn dollar_tag(here: &[u8]) -> Option<&[u8]> {
    let length = here.iter().skip(1).position(|byte| !is_word(*byte) || *byte == b'$')?;
    let tag = &here[1..=length];
    (here.get(length + 1) == Some(&b'$') && !tag.first().is_some_and(u8::is_ascii_digit)).then(|| &here[..length + 2])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LIST: &str = ";\n; Archive\n5; 2615 2200 SCHEMA - public -\n200; 1255 16400 FUNCTION public f() -\n\
        201; 1259 16401 TABLE public t -\n202; 2606 16402 CONSTRAINT public t t_pkey -\n203; 0 0 USER MAPPING - x -\n";

    fn script(body: &str) -> String {
        format!(
            "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET statement_timeout = 0;\n\n\
             --\n-- TOC entry 200 (class 1255 OID 16400)\n-- Name: f(); Type: FUNCTION; Schema: public; Owner: -\n--\n\n\
             CREATE FUNCTION public.f() RETURNS void LANGUAGE plpgsql\n    AS {body};\n\n\n\
             SET default_tablespace = '';\n\nSET default_table_access_method = heap;\n\n\
             --\n-- TOC entry 201 (class 1259 OID 16401)\n-- Name: t; Type: TABLE; Schema: public; Owner: -\n--\n\n\
             CREATE UNLOGGED TABLE public.t (\n    id integer\n);\n\n\n\
             --\n-- TOC entry 203 (class 0 OID 0)\n-- Name: x; Type: USER MAPPING; Schema: -; Owner: -\n--\n\n\
             CREATE USER MAPPING FOR x OPTIONS (password 'hidden');\n\n\n\
             --\n-- TOC entry 202 (class 2606 OID 16402)\n-- Dependencies: 201\n-- Name: t t_pkey; Type: CONSTRAINT; Schema: public; Owner: -\n--\n\n\
             ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (id);\n\n\n\
             -- Completed on\n\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n"
        )
    }

    #[test]
    fn a_look_alike_in_a_body_does_not_split() {
        let fake = "--\n-- TOC entry 201 (class 1259 OID 16401)\n-- Name: t; Type: TABLE; Schema: public; Owner: -\n--\n\\restrict x\nSET default_tablespace = '';\n";
        for body in [
            format!("$_$ it's {fake} $$ $_$"),
            format!("' it''s \" {fake} '"),
            format!("E' it\\'s '' {fake} '"),
            format!("/* a /* b */ {fake} */ $$x$$"),
        ] {
            let entries = entries(&script(&body), LIST, &BTreeSet::new()).unwrap();
            let kinds: Vec<_> = entries.iter().map(|entry| (entry.kind.as_str(), entry.section)).collect();
            assert_eq!(kinds, [("FUNCTION", Section::PreData), ("TABLE", Section::PreData), ("CONSTRAINT", Section::Keys)]);
            assert!(entries[0].sql.contains(fake), "{}", entries[0].sql);
            assert!(entries[0].sql.ends_with(&format!("{body};")));
            assert_eq!(entries[1].sql, "CREATE TABLE public.t (\n    id integer\n);");
            assert_eq!(entries[1].name, "public.t");
            assert_eq!((&entries[2].needs, entries[1].needs.len()), (&vec![entries[1].id.clone()], 0));
        }
    }

    #[test]
    fn an_entry_that_only_one_of_the_two_has_is_refused() {
        let list = LIST.replace("16401", "16499");
        assert!(entries(&script("$$$$"), &list, &BTreeSet::new()).is_err());
        let list = format!("{LIST}204; 1259 16500 TABLE public u -\n");
        assert!(entries(&script("$$$$"), &list, &BTreeSet::new()).is_err());
    }

    #[test]
    fn attached_indexes_follow_their_parent() {
        let mut seen = BTreeSet::new();
        assert!(is_key("INDEX", "CREATE UNIQUE INDEX \"a\"\"b\" ON ONLY \"S s\".t USING btree (x);", &mut seen));
        assert!(!is_key("INDEX", "CREATE UNIQUE INDEX p ON public.t USING btree (x) WHERE (x > 1);", &mut seen));
        assert!(!is_key("INDEX", "CREATE INDEX i ON public.t USING btree (x);", &mut seen));
        assert!(!is_key("CONSTRAINT", "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT e EXCLUDE USING gist (r WITH &&);", &mut seen));
        assert!(is_key("INDEX ATTACH", "ALTER INDEX \"S s\".\"a\"\"b\" ATTACH PARTITION public.c;", &mut seen));
        assert!(!is_key("INDEX ATTACH", "ALTER INDEX public.i ATTACH PARTITION public.j;", &mut seen));
    }
}
