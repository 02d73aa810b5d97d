use std::process::ExitCode;

use azure2neon_core::Result;
use azure2neon_core::comparison::{self, Comparison, Repaired, TableVerdict, Verdict, Verified};
use azure2neon_core::engine::unless_stopped;
use azure2neon_core::units;

use super::{environment, stop_signal};
use crate::args::{Global, VerifyArguments};
use crate::config::Config;
use crate::run::Opening;
use crate::terminal::{bad, faint, good, out};
use crate::{render, terminal};

/// `verify`: compares every row while writes go on.
pub async fn run(global: &Global, mut config: Config, arguments: VerifyArguments) -> Result<ExitCode> {
    // Here the tables say what to compare, not what to move.
    let selection = std::mem::take(&mut config.settings.selection);
    let stop = stop_signal()?;
    let opening =
        Opening { config: &config, environment: &environment, events: render::events(global.output), stop: stop.clone(), plan: None };
    let engine = opening.resume().await?;
    let cx = engine.context();
    let selection = if selection == cx.plan.selection { Default::default() } else { selection };
    let verified = unless_stopped(stop, comparison::verify(cx, selection, arguments.repair)).await?;
    if global.is_json() {
        out(&serde_json::json!({ "event": "verify", "verify": verified }).to_string());
    } else {
        print(&verified);
    }
    verified.demand_equal()?;
    if !global.is_json() {
        terminal::out(&format!("{} no row differs, nor any object of the catalogs, nor a sequence.", good("✓")));
    }
    Ok(ExitCode::SUCCESS)
}

fn print(verified: &Verified) {
    let comparison = &verified.comparison;
    // The name comes last: it may be longer than the terminal is wide.
    out(&faint("          rows       size  asked again  result"));
    comparison.tables.iter().for_each(|table| out(&line(table)));
    if let Some(repaired) = &verified.repaired {
        print_repaired(repaired);
    }
    out(&format!("  {}", total(comparison)));
    // The kinds of expected differences stand in brackets, and would not fit on the same line.
    let note = verified.catalogs.note();
    let (note, kinds) = note.split_once(" (").unwrap_or((&note, ""));
    out(&format!("  catalogs: {note}"));
    if !kinds.is_empty() {
        out(&faint(&format!("    {}", kinds.trim_end_matches(')'))));
    }
    if !verified.recorded {
        out(&faint("  not kept as the run's own result: only some tables were compared, or the target is not in step yet"));
    }
}

fn line(table: &TableVerdict) -> String {
    let word = match table.verdict {
        Verdict::Equal => good("equal    "),
        Verdict::Changing => "changing ".to_owned(),
        Verdict::Different => bad("DIFFERENT"),
        Verdict::Missing => bad("MISSING  "),
    };
    let changing = table.changing.first().map(|row| format!(" ({row})")).unwrap_or_default();
    format!("  {:>12} {:>10}  {:>11}  {word}  {}{changing}", table.source_rows, units::bytes(table.bytes), table.asked_again, table.table)
}

fn print_repaired(repaired: &Repaired) {
    for table in &repaired.tables {
        let what = match &table.failed {
            Some(why) => format!("not repaired: {why}"),
            None => format!(
                "repaired: {} updated, {} inserted, {} deleted{}",
                table.updated,
                table.inserted,
                table.deleted,
                if table.changed == 0 { String::new() } else { format!(", {} changed meanwhile and were left", table.changed) }
            ),
        };
        out(&format!("  {}: {what}", table.table));
    }
}

fn total(comparison: &Comparison) -> String {
    let rate = (comparison.bytes() as f64 * 1000.0 / comparison.milliseconds.max(1) as f64) as i64;
    format!(
        "{}; {} in {}, {}/s; {} asked again",
        comparison.note(),
        units::bytes(comparison.bytes()),
        units::milliseconds(comparison.milliseconds),
        units::bytes(rate),
        units::count(usize::try_from(comparison.asked_again()).unwrap_or(usize::MAX), "chunk")
    )
}
