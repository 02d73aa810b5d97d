//! The report for a ticket.

use std::fmt::Write as _;

use azure2neon_core::plan::Severity;
use azure2neon_core::units;

use super::{Report, ReportedCall, line_between};

/// The report as Markdown.
pub fn markdown(report: &Report) -> String {
    let (source, target) = (&report.source, &report.target);
    let mut page = format!("# Migration of {} to Neon\n\n| | |\n|---|---|\n", code(&source.database));
    let mut row = |what: &str, text: String| _ = writeln!(page, "| {what} | {text} |");
    row(
        "Source",
        format!(
            "{} on {}, PostgreSQL {}, {}; {} tables, {}, {} sequences; as {}",
            code(&source.database),
            code(&source.host),
            source.major,
            source.region,
            source.tables,
            units::bytes(source.bytes),
            source.sequences,
            code(&source.user)
        ),
    );
    row(
        "Target",
        format!(
            "{} project {}, database {}, owner {}, PostgreSQL {}, {} ({})",
            if target.project_id.is_some() { "existing" } else { "new" },
            code(&target.project),
            code(&target.database),
            code(&target.role),
            target.major,
            target.region,
            cell(&target.region_reason)
        ),
    );
    row("Copy", format!("{} ({})", report.copy.path.title(), cell(&report.copy.reason)));
    row("Verdict", verdict(report));
    findings(report, &mut page);
    estimates(report, &mut page);
    steps(report, &mut page);
    page
}

fn verdict(report: &Report) -> String {
    let counted = |severity, what| units::count(report.count(severity), what);
    format!(
        "{}: {}, {}, {}",
        if report.blocked { "**blocked**" } else { "can be carried out" },
        counted(Severity::Blocks, "blocking finding"),
        counted(Severity::Warns, "warning"),
        counted(Severity::Note, "note")
    )
}

fn findings(report: &Report, page: &mut String) {
    if report.findings.is_empty() {
        return;
    }
    page.push_str("\n## Findings\n\n| | what | why it matters | what to do |\n|---|---|---|---|\n");
    for finding in &report.findings {
        let word = match finding.severity {
            Severity::Note => "note",
            Severity::Warns => "warning",
            Severity::Blocks => "**blocks**",
        };
        let accepted = finding.accepted.as_ref().map(|reason| format!("<br>*accepted: {}*", cell(reason))).unwrap_or_default();
        _ = writeln!(
            page,
            "| {word} `{}` | {}{accepted} | {} | {} |",
            finding.id,
            cell(&finding.what),
            cell(&finding.why),
            cell(&finding.advice)
        );
    }
}

fn estimates(report: &Report, page: &mut String) {
    if report.estimates.is_empty() {
        return;
    }
    page.push_str("\n## Estimates\n\n| | | rests on |\n|---|---|---|\n");
    for estimate in &report.estimates {
        _ = writeln!(page, "| {} | {} | {} |", estimate.of.title(), estimate.figure(), cell(&estimate.basis));
    }
}

fn steps(report: &Report, page: &mut String) {
    page.push_str("\n## Steps\n\n`+` creates, `~` changes, `!` interrupts service, `-` removes what the run made.\n");
    let mut before = None;
    for step in &report.steps {
        if let Some(line) = line_between(before, step) {
            _ = write!(page, "\n> {line}\n");
        }
        if before.is_none_or(|before: &super::ReportedStep| before.stage != step.stage) {
            _ = write!(page, "\n### {}\n\n", step.stage.title());
        }
        let sign = step.effect.sign();
        let sign = if sign == ' ' { String::new() } else { format!("`{sign}` ") };
        let state = step.state.as_ref().map(|state| format!(" *({state})*")).unwrap_or_default();
        let undo = step.undo.as_ref().map(|undo| format!(" Undo: {}.", cell(undo))).unwrap_or_default();
        _ = writeln!(page, "- {sign}**{}**{state}: {}.{undo}", step.id, cell(&step.what));
        calls(&step.calls, page);
        before = Some(step);
    }
}

fn calls(calls: &[ReportedCall], page: &mut String) {
    for call in calls {
        // A fence longer than any in the text.
        let longest = call.text.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(longest.max(2) + 1);
        let text: String = call.text.lines().map(|line| format!("  {line}\n")).collect();
        _ = write!(page, "\n  {}:\n  {fence}\n{text}  {fence}\n", call.to.title());
    }
}

/// Text that stays in its cell and is read as it is written.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    let mut in_code = false;
    for letter in text.chars() {
        match letter {
            '`' => in_code = !in_code,
            '|' => cell.push('\\'),
            '*' | '<' | '[' | ']' if !in_code => cell.push('\\'),
            _ => {}
        }
        if letter == '\n' { cell.push_str("<br>") } else { cell.push(letter) }
    }
    cell
}

/// A name, as code.
fn code(name: &str) -> String {
    format!("`{}`", name.replace('`', "'").replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_holds_whatever_is_put_into_it() {
        assert_eq!(cell("a|b\nc*d `e*f|g`"), "a\\|b<br>c\\*d `e*f\\|g`");
        assert_eq!(code("odd`|name"), "`odd'\\|name`");
    }
}
