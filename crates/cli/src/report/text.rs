//! The report on a terminal.

use azure2neon_core::plan::{Effect, Severity};
use azure2neon_core::units;

use super::{Report, ReportedCall, ReportedStep, line_between};
use crate::terminal::{bad, bold, faint, good, out};

/// So many characters of a call are shown.
const SHOWN: usize = 2_000;

/// Prints the report.
pub fn print(report: &Report) {
    let (source, target) = (&report.source, &report.target);
    out(&format!(
        "{}  {} / {}  PostgreSQL {}, {}\n         {} tables, {}, {} sequences; as {}\n         on Azure as {}",
        bold("Source:"),
        source.host,
        source.database,
        source.major,
        source.region,
        source.tables,
        units::bytes(source.bytes),
        source.sequences,
        source.user,
        source.identity,
    ));
    out(&format!(
        "{}  {} Neon project {} / {}  PostgreSQL {}, {} ({})\n         owned by {}",
        bold("Target:"),
        if target.project_id.is_some() { "existing" } else { "new" },
        target.project,
        target.database,
        target.major,
        target.region,
        target.region_reason,
        target.role,
    ));
    out(&format!("{}    {} ({})", bold("Copy:"), report.copy.path.title(), report.copy.reason));
    findings(report);
    estimates(report);
    let mut before = None;
    for step in &report.steps {
        print_step(before, step);
        before = Some(step);
    }
    out(&faint("  + creates  ~ changes  ! interrupts service  - removes what the run made"));
}

fn estimates(report: &Report) {
    if report.estimates.is_empty() {
        return;
    }
    out(&bold("Estimates"));
    let figures: Vec<String> = report.estimates.iter().map(azure2neon_core::estimate::Estimate::figure).collect();
    let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or_default();
    let of = widest(&mut report.estimates.iter().map(|estimate| estimate.of.title().chars().count()));
    let width = widest(&mut figures.iter().map(|figure| figure.chars().count()));
    for (estimate, figure) in report.estimates.iter().zip(figures) {
        out(&format!("  {:<of$}  {figure:<width$}  {}", estimate.of.title(), faint(&estimate.basis)));
    }
}

fn findings(report: &Report) {
    if report.findings.is_empty() {
        return;
    }
    let counted: Vec<String> = [(Severity::Blocks, "blocking"), (Severity::Warns, "warning"), (Severity::Note, "to note")]
        .into_iter()
        .filter_map(|(severity, word)| Some(report.count(severity)).filter(|n| *n > 0).map(|n| format!("{n} {word}")))
        .collect();
    out(&format!("{} {}", bold("Findings:"), counted.join(", ")));
    for finding in &report.findings {
        let word = match finding.severity {
            Severity::Note => faint("note:"),
            Severity::Warns => bold("warning:"),
            Severity::Blocks => bad("blocks:"),
        };
        out(&format!("{word} {} {}", finding.what, faint(&format!("[{}]", finding.id))));
        for line in [&finding.why, &finding.advice] {
            out(&format!("  {}", faint(line)));
        }
        if let Some(reason) = &finding.accepted {
            out(&format!("  {} {reason}", good("accepted:")));
        }
    }
}

fn print_step(before: Option<&ReportedStep>, step: &ReportedStep) {
    if let Some(line) = line_between(before, step) {
        out(&faint(&format!("  ── {line} ──")));
    }
    if before.is_none_or(|before| before.stage != step.stage) {
        out(&bold(step.stage.title()));
    }
    let state = step.state.as_ref().map(|state| format!(" [{}]", good(state))).unwrap_or_default();
    let sign = step.effect.sign();
    let sign = if step.effect == Effect::Interrupts { bad(&sign.to_string()) } else { sign.to_string() };
    out(&format!("  {sign} {}{state}: {}", step.id, step.what));
    calls(&step.calls);
    if let Some(undo) = &step.undo {
        out(&faint(&format!("      undo: {undo}")));
        calls(&step.undo_calls);
    }
}

fn calls(calls: &[ReportedCall]) {
    for call in calls {
        let whole = call.text.chars().count();
        // Comments and how far in a line begins are for who maintains it.
        let lines: Vec<&str> = call.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--")).collect();
        let text = lines.join("\n              ");
        let more = if text.chars().count() > SHOWN { format!(" … ({whole} characters; --output json has all)") } else { String::new() };
        let text: String = text.chars().take(SHOWN).collect();
        out(&format!("      {:<7} {text}{more}", format!("{}>", call.to.title())));
    }
}
