use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use azure2neon_core::event::{Event, Observer, TimelinePart};
use azure2neon_core::plan::Severity;
use azure2neon_core::units;

use super::copy;
use crate::terminal::{bad, bold, faint, good};

/// Plain lines. What may be dropped is shown every few seconds only, so that a log stays readable.
pub struct Lines<W> {
    write: W,
    shown: Mutex<HashMap<String, Instant>>,
}

const EVERY: Duration = Duration::from_secs(5);

impl<W: Fn(&str) + Send + Sync> Lines<W> {
    /// Lines to this sink.
    pub fn new(write: W) -> Self {
        Self { write, shown: Mutex::default() }
    }

    /// Whether it is time again for this step's progress; the first is shown after the interval, not at once.
    fn is_due(&self, key: &str) -> bool {
        let Ok(mut shown) = self.shown.lock() else { return false };
        let now = Instant::now();
        let last = shown.entry(key.to_owned()).or_insert(now);
        let due = now.duration_since(*last) >= EVERY;
        if due {
            *last = now;
        }
        due
    }
}

impl<W: Fn(&str) + Send + Sync> Observer for Lines<W> {
    fn event(&self, event: &Event) {
        match event {
            Event::StepStarted { step, .. } => {
                if let Ok(mut shown) = self.shown.lock() {
                    shown.remove(step);
                }
            }
            Event::Progress { step, .. } | Event::Waiting { step, .. } if !self.is_due(step) => return,
            Event::Copy(copy) if !self.is_due(&copy.step) => return,
            Event::Lag { .. } if !self.is_due("lag") => return,
            _ => {}
        }
        if let Some(line) = line(event) {
            (self.write)(&line);
        }
    }
}

/// The event as a line that fits 80 columns where its texts are short; none for what is not worth one.
pub fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Run { run, folder, resumed, identity } => {
            let word = if *resumed { "goes on" } else { "begins" };
            format!("Run {} {word}; plan and journal are in {folder}\nOn Azure it acts as {identity}", bold(run))
        }
        Event::Finding(finding) => {
            let word = match finding.severity {
                Severity::Note => faint("note"),
                Severity::Warns => bold("warning"),
                Severity::Blocks => bad("blocks"),
            };
            format!("{word} {}: {}\n     {}\n     {}", finding.id, finding.what, faint(&finding.why), faint(&finding.advice))
        }
        Event::Stage { stage } => bold(stage.title()),
        Event::StepStarted { step, what } => format!("  {} {step}: {what}", faint("·")),
        Event::StepDone { step, milliseconds, already, note } => {
            let time = if *already { "already so".to_owned() } else { units::milliseconds(*milliseconds) };
            format!("  {} {step:<28} {time:>11}  {note}", good("✓"))
        }
        Event::StepFailed { step, message } => format!("  {} {step}: {}", bad("✗"), message.lines().next().unwrap_or_default()),
        Event::Undone { step, milliseconds } => format!("  {} undone: {step:<20} {:>11}", good("✓"), units::milliseconds(*milliseconds)),
        Event::Waiting { reason, seconds, deadline_seconds, .. } => {
            let limit = deadline_seconds.map(|limit| format!(" of at most {limit} s")).unwrap_or_default();
            format!("    waiting {seconds} s{limit} for {reason}")
        }
        Event::Progress { done, total, unit, detail, .. } => format!("    {done} of {total} {unit} {detail}").trim_end().to_owned(),
        Event::Copy(progress) => {
            let tables = copy::tables(progress, copy::WIDTH - 6);
            let tables = if tables.is_empty() { tables } else { format!("\n      {tables}") };
            format!("    {}{tables}", copy::whole(progress))
        }
        Event::Workers { workers, of, reason, .. } => format!("  {} {workers} of {of} workers copy: {reason}", bold("!")),
        Event::Lag { bytes } => format!("    lag: {}", units::bytes(i64::try_from(*bytes).unwrap_or(i64::MAX))),
        Event::Notice { text } => format!("  {} {text}", bold("!")),
        Event::Timeline { parts, outage_milliseconds } => timeline(parts, *outage_milliseconds),
        Event::Reopened { which, reason, milliseconds } => {
            format!("  {} the {which} takes writes again after {}: {reason}", bold("!"), units::milliseconds(*milliseconds))
        }
    })
}

/// The parts of a cut-over, one a line.
fn timeline(parts: &[TimelinePart], outage: f64) -> String {
    let heading = format!("  {} after the fence ms   took ms", faint("·"));
    let lines = parts.iter().map(|part| format!("\n    {:>17.1} {:>9.1}  {}", part.at, part.milliseconds, part.part));
    let end = format!("\n  {} a client that connected anew wrote on the target {outage:.0} ms after the fence", good("✓"));
    heading + &lines.collect::<String>() + &end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_throttled_and_edges_are_not() {
        let seen = Mutex::new(Vec::new());
        let lines = Lines::new(|line: &str| seen.lock().unwrap().push(line.to_owned()));
        for done in 0..100 {
            lines.event(&Event::Progress { step: "a".into(), done, total: 100, unit: "tables".into(), detail: String::new() });
        }
        lines.event(&Event::StepDone { step: "a".into(), milliseconds: 5, already: false, note: String::new() });
        drop(lines);
        assert_eq!(seen.into_inner().unwrap().len(), 1);
    }
}
