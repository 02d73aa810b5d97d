//! The list of checks, for people and for the documentation.

use std::process::ExitCode;

use azure2neon_core::checks::{Area, CHECKS, Check};
use azure2neon_core::plan::Severity;

use crate::args::{Global, Output};
use crate::terminal::{bold, faint, out};

/// Lists every check; needs no cloud and no database.
pub fn run(global: &Global) -> ExitCode {
    match global.output {
        Output::Markdown => out(markdown().trim_end()),
        Output::Json => {
            let list: Vec<_> = CHECKS.iter().map(|check| as_json(check)).collect();
            out(&serde_json::to_string_pretty(&list).unwrap_or_default());
        }
        Output::Text => {
            for area in AREAS {
                out(&bold(area.title()));
                for check in of(area) {
                    out(&format!("  {} ({}): {}", check.id, word(check.severity), check.looks_for));
                    out(&format!("    {}", faint(check.why)));
                }
            }
        }
    }
    ExitCode::SUCCESS
}

const AREAS: [Area; 3] = [Area::Server, Area::Target, Area::Database];

fn of(area: Area) -> impl Iterator<Item = &'static Check> {
    CHECKS.iter().copied().filter(move |check| check.area == area)
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "notes",
        Severity::Warns => "warns",
        Severity::Blocks => "blocks",
    }
}

fn as_json(check: &Check) -> serde_json::Value {
    serde_json::json!({
        "id": check.id,
        "severity": check.severity,
        "looks_for": check.looks_for,
        "why": check.why,
        "of_replication": check.of_replication,
    })
}

/// `docs/checks.md`.
fn markdown() -> String {
    let mut page = String::from(
        "# Checks\n\nWritten by `azure2neon checks --output markdown`; do not edit.\n\n`azure2neon plan` makes all of them and changes nothing. What blocks \
         is mended before `migrate`\nbegins; what warns may hurt; what notes is good to know. Those with a * matter for logical replication \
         only, and are\nleft out with `--mode offline`.\n",
    );
    for area in AREAS {
        page.push_str(&format!("\n## {}\n\n| id | | looks for | why it matters |\n|---|---|---|---|\n", area.title()));
        for check in of(area) {
            let star = if check.of_replication { "\\*" } else { "" };
            page.push_str(&format!("| `{}`{star} | {} | {} | {} |\n", check.id, word(check.severity), check.looks_for, check.why));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_documentation_lists_every_check() {
        let page = include_str!("../../../../docs/checks.md");
        assert!(page == super::markdown(), "docs/checks.md is not what `azure2neon checks --output markdown` prints");
    }
}
