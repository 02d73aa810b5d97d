//! What a finished run did, from its journal, and what is left of it, from a look at both sides.

use std::process::ExitCode;

use azure2neon_core::comparison::{Comparison, Verdict};
use azure2neon_core::context::Context;
use azure2neon_core::engine::Engine;
use azure2neon_core::journal::{State, What, read_entries};
use azure2neon_core::plan::Finding;
use azure2neon_core::residue::{self, Look};
use azure2neon_core::{Error, ErrorKind, Result, units};
use serde::Serialize;

use crate::args::Global;
use crate::terminal::{bad, bold, faint, good, out};

/// A finished run.
#[derive(Serialize)]
pub struct Summary {
    /// The run's id.
    pub run: String,
    /// PostgreSQL major version of the source, as it says.
    pub source_major: u32,
    /// And of the target.
    pub target_major: u32,
    /// Steps with their time.
    pub steps: Vec<StepTime>,
    /// Bytes that the tables took on the source.
    pub bytes: i64,
    /// The final compare, if there was one.
    pub comparison: Option<Comparison>,
    /// Findings of the plan that were accepted, with the reason.
    pub accepted: Vec<Finding>,
    /// From the fence to the end of the hand-over, in milliseconds.
    pub pause_milliseconds: Option<u64>,
    /// Where it was looked for what the run made.
    pub looks: Vec<Look>,
}

/// A step's time.
#[derive(Serialize)]
pub struct StepTime {
    /// The step.
    pub step: &'static str,
    /// How long it took.
    pub milliseconds: u64,
    /// It was so already.
    pub already: bool,
    /// The result in a few words.
    pub note: String,
}

impl Summary {
    /// Gathers it.
    pub async fn of(cx: &Context) -> Result<Self> {
        let steps = cx
            .plan
            .steps
            .iter()
            .filter_map(|step| match cx.folder.state(step.id()) {
                State::Done { milliseconds, already, output } => {
                    Some(StepTime { step: step.id(), milliseconds, already, note: step.action.operation().note(&output) })
                }
                _ => None,
            })
            .collect();
        let (source, target) = tokio::try_join!(cx.source(), cx.target())?;
        Ok(Self {
            run: cx.plan.run.clone(),
            source_major: source.major(),
            target_major: target.major(),
            steps,
            bytes: cx.plan.source.bytes,
            comparison: match cx.done("compare-rest")? {
                Some(whole) => Some(whole),
                None => cx.done("final-compare")?,
            },
            accepted: cx.plan.findings.iter().filter(|finding| finding.accepted.is_some()).cloned().collect(),
            pause_milliseconds: pause(cx)?,
            looks: residue::look_and_leave(cx).await?,
        })
    }

    /// Every table was found equal.
    pub fn is_equal(&self) -> bool {
        let is_equal = |comparison: &Comparison| comparison.count(Verdict::Equal) == comparison.tables.len() && comparison.left.is_empty();
        self.comparison.as_ref().is_some_and(is_equal)
    }

    /// Nothing is left that is not kept on purpose.
    pub fn is_clean(&self) -> bool {
        self.looks.iter().all(Look::is_clean)
    }

    /// Prints it.
    pub fn print(&self) {
        out(&format!("Run {}: PostgreSQL {} to {}", bold(&self.run), self.source_major, self.target_major));
        out(&bold("Steps"));
        for step in &self.steps {
            let time = if step.already { "already so".to_owned() } else { units::milliseconds(step.milliseconds) };
            out(&format!("  {:<28} {time:>11}  {}", step.step, step.note));
        }
        out(&bold("Tables"));
        // The name comes last: it may be longer than the terminal is wide.
        out(&faint("          rows  count and digest"));
        let tables = self.comparison.as_ref().map(|comparison| comparison.tables.as_slice()).unwrap_or_default();
        for verdict in tables {
            let word = match verdict.verdict {
                Verdict::Equal => "equal",
                Verdict::Changing => "changing",
                Verdict::Different => "DIFFERENT",
                Verdict::Missing => "MISSING",
            };
            out(&format!("  {:>12}  {word:<9}  {}", verdict.source_rows, verdict.table));
        }
        out(&format!(
            "  {} tables moved, {} rows, {}; {} equal by count and digest",
            tables.len(),
            self.comparison.as_ref().map_or(0, Comparison::rows),
            units::bytes(self.bytes),
            self.comparison.as_ref().map_or(0, |comparison| comparison.count(Verdict::Equal))
        ));
        if let Some(pause) = self.pause_milliseconds {
            out(&format!("  writes were refused for {pause} ms, from the fence to the end of the hand-over"));
        }
        for finding in &self.accepted {
            out(&format!("  accepted: {} ({}): {}", finding.what, finding.id, finding.accepted.as_deref().unwrap_or_default()));
        }
        out(&bold("Left behind"));
        for look in &self.looks {
            let found = look.found.join(", ");
            out(&match &look.kept_because {
                _ if look.found.is_empty() => format!("  {} {}: nothing", good("✓"), look.place),
                Some(why) => format!("  {} {}: {found}\n      {}", good("✓"), look.place, faint(&format!("kept on purpose: {why}"))),
                None => format!("  {} {}: {found}", bad("✗"), look.place),
            });
        }
    }
}

/// From the last fence's start to the hand-over's end.
fn pause(cx: &Context) -> Result<Option<u64>> {
    let mut fenced = None;
    let mut handed_over = None;
    for entry in read_entries(cx.folder.path())? {
        match (entry.step.as_str(), &entry.what) {
            ("fence-writes", What::Started) => fenced = Some(entry.at),
            ("hand-over", What::Done { .. }) => handed_over = Some(entry.at),
            _ => {}
        }
    }
    Ok(fenced.zip(handed_over).and_then(|(from, to)| u64::try_from(to.duration_since(from).as_millis()).ok()))
}

/// Prints the summary of a finished run; fails if equality was not proven, or something is left that should not be.
pub async fn show(global: &Global, engine: &Engine) -> Result<ExitCode> {
    let summary = Summary::of(engine.context()).await?;
    if global.is_json() {
        out(&serde_json::json!({ "event": "summary", "summary": summary }).to_string());
    } else {
        summary.print();
    }
    if !summary.is_equal() {
        return Err(Error::new(ErrorKind::NotEqual, "not every table was found equal by the last compare, see above"));
    }
    if summary.is_clean() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Error::new(ErrorKind::Cloud, "something of the run is left, see above").hint("run `azure2neon finish` again"))
}
