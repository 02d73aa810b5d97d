//! docs/benchmarks.md: what was measured now, and what was there of other shapes and distances.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::report::cores;

/// What a shape's table begins with.
const SECTION: &str = "### ";
/// What the list of failures begins with.
const FAILED: &str = "hence not in the tables: ";

/// The tables of a page: a shape's description, then the rows of each distance.
#[derive(Default)]
struct Tables {
    /// The lines above the rows, alike in all of them.
    heading: Vec<String>,
    sections: Vec<(String, BTreeMap<u64, Vec<String>>)>,
}

impl Tables {
    fn read(text: &str) -> Self {
        let mut tables = Self::default();
        for line in text.lines() {
            if let Some(description) = line.strip_prefix(SECTION) {
                tables.sections.push((description.to_owned(), BTreeMap::new()));
            } else if let Some((_, rows)) = tables.sections.last_mut() {
                match line.strip_prefix("| ").and_then(|rest| rest.split_once(" ms |")?.0.parse().ok()) {
                    Some(millis) => rows.entry(millis).or_default().push(line.to_owned()),
                    None if line.starts_with('|') && tables.heading.len() < 2 => tables.heading.push(line.to_owned()),
                    None => {}
                }
            }
        }
        tables
    }

    /// Takes over what the newer ones have; the rest stays.
    fn renew(&mut self, newer: Self) {
        self.heading = newer.heading;
        for (description, rows) in newer.sections {
            match self.sections.iter_mut().find(|(known, _)| *known == description) {
                Some((_, known)) => known.extend(rows),
                None => self.sections.push((description, rows)),
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (description, rows) in &self.sections {
            let _ = writeln!(text, "{SECTION}{description}\n");
            for line in self.heading.iter().chain(rows.values().flatten()) {
                let _ = writeln!(text, "{line}");
            }
            text.push('\n');
        }
        text
    }
}

/// The page, from these tables and what was on it before. What others write begins with a heading of its own, and stays.
pub fn page(before: &str, tables: &str, failed: &[String], versions: &[String]) -> String {
    let (before, others) = before.split_at(before.find("\n## ").unwrap_or(before.len()));
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: u64 = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or_default();
    let machine = format!("{} cores and {} GB of memory for both servers and the program", cores(), (kib >> 20) + 1);
    let mut all = Tables::read(before);
    all.renew(Tables::read(tables));
    let mut failures: Vec<&str> = failed.iter().map(String::as_str).collect();
    let earlier = before.lines().find_map(|line| line.split_once(FAILED)).map(|(_, list)| list.trim_end_matches('.'));
    failures.extend(earlier.filter(|list| *list != "none"));
    let failures = if failures.is_empty() { "none".to_owned() } else { failures.join("; ") };
    include_str!("page.md")
        .replace("{failed}", &failures)
        .replace("{versions}", &versions.iter().map(|one| format!("- {one}")).collect::<Vec<_>>().join("\n"))
        .replace("{machine}", &machine)
        .replace("{tables}", all.text().trim_end())
        + others
}
