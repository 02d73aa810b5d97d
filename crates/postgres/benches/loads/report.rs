//! Medians, and ratios with their spread.

use std::fmt::Write;
use std::time::Duration;

use crate::lab::{Lab, Took};
use crate::ways::Way;

pub struct Measurement {
    shape: String,
    description: String,
    rtt: Duration,
    way: Way,
    round: usize,
    took: Took,
}

impl Measurement {
    pub fn new(lab: &Lab, rtt: Duration, way: &Way, round: usize, took: Took) -> Self {
        Self { shape: lab.shape.to_string(), description: lab.description.clone(), rtt, way: way.clone(), round, took }
    }

    /// All that was measured, on one line, and its phases on a second.
    pub fn line(&self) -> String {
        let [source, target, client, line] = self.took.cpu;
        let traffic = self.took.traffic;
        let mut text = format!(
            "{:<8} {:>3} ms  {:<18} round {}  wall {:>7.2} s  cpu {:>7.2} s: source {source:.2}, target {target:.2}, client {client:.2}, line {line:.2}, others {:.2}",
            self.shape,
            self.rtt.as_millis(),
            self.way.to_string(),
            self.round,
            self.took.wall,
            self.cpu(),
            self.took.others,
        );
        if traffic.connections > 0 {
            let _ = write!(text, "; {} connections, {} turns, {} MB", traffic.connections, traffic.turns, traffic.bytes >> 20);
        }
        if self.took.phases.len() > 1 {
            let phase = |phase: &crate::lab::Phase| match phase.traffic.turns {
                0 => format!("{} {:.2} s", phase.name, phase.wall),
                turns => format!("{} {:.2} s ({turns} turns)", phase.name, phase.wall),
            };
            let phases: Vec<String> = self.took.phases.iter().map(phase).collect();
            let _ = write!(text, "\n                  {}", phases.join(", "));
        }
        if let Some(profile) = &self.took.profile {
            let _ = write!(text, "\n{profile}");
        }
        text
    }

    /// Both servers and the client; the line's is not theirs.
    fn cpu(&self) -> f64 {
        self.took.cpu[..3].iter().sum()
    }
}

/// One way's loads of one shape over one distance.
struct Group<'a> {
    way: &'a Way,
    runs: Vec<&'a Measurement>,
}

impl Group<'_> {
    fn median(&self, of: impl Fn(&Measurement) -> f64) -> f64 {
        median(self.runs.iter().map(|run| of(run)).collect())
    }

    /// The ratio of each round to `base`'s of the same round: median, least and greatest.
    fn ratio(&self, base: &Group<'_>) -> Option<(f64, f64, f64)> {
        let pair = |run: &&Measurement| {
            let other = base.runs.iter().find(|other| other.round == run.round)?;
            Some(run.took.wall / other.took.wall)
        };
        let mut ratios: Vec<f64> = self.runs.iter().filter_map(pair).collect();
        ratios.sort_by(f64::total_cmp);
        Some((median(ratios.clone()), *ratios.first()?, *ratios.last()?))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

fn groups<'a>(all: &[&'a Measurement]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    for one in all {
        match groups.iter_mut().find(|group| *group.way == one.way) {
            Some(group) => group.runs.push(one),
            None => groups.push(Group { way: &one.way, runs: vec![one] }),
        }
    }
    groups.sort_by(|a, b| a.median(|run| run.took.wall).total_cmp(&b.median(|run| run.took.wall)));
    groups
}

/// Tables in Markdown: one for each shape, in it each distance and way, and the ratios to each family's best.
pub fn tables(all: &[Measurement]) -> String {
    let mut text = String::new();
    let mut shapes: Vec<&Measurement> = Vec::new();
    for one in all {
        if !shapes.iter().any(|other| other.shape == one.shape) {
            shapes.push(one);
        }
    }
    for first in shapes {
        let _ = write!(text, "### {}\n\n", first.description);
        let mut rtts: Vec<Duration> = all.iter().filter(|one| one.shape == first.shape).map(|one| one.rtt).collect();
        rtts.sort();
        rtts.dedup();
        let _ = writeln!(
            text,
            "| round trip | way | wall, s | least – greatest | CPU, s (source + target + client) | others' CPU | turns | best of ours is of it |"
        );
        let _ = writeln!(text, "|---|---|---|---|---|---|---|---|");
        for rtt in rtts {
            let here: Vec<&Measurement> = all.iter().filter(|one| one.shape == first.shape && one.rtt == rtt).collect();
            table(&mut text, rtt, &groups(&here));
        }
        text.push('\n');
    }
    text
}

fn table(text: &mut String, rtt: Duration, groups: &[Group<'_>]) {
    let best = groups.iter().find(|group| matches!(group.way, Way::Stream(_)));
    let direct = groups.iter().find(|group| matches!(group.way, Way::Direct(_)));
    for group in groups {
        let of = |n: usize| group.median(|run| run.took.cpu[n]);
        let walls: Vec<f64> = group.runs.iter().map(|run| run.took.wall).collect();
        let (least, greatest) = (walls.iter().copied().fold(f64::INFINITY, f64::min), walls.iter().copied().fold(0.0, f64::max));
        // A subscription is what the direct way replaces.
        let ours = if matches!(group.way, Way::Guide(_)) { direct.or(best) } else { best };
        let ratio = ours
            .and_then(|ours| ours.ratio(group))
            .map_or_else(String::new, |(middle, least, greatest)| format!("{middle:.2} ({least:.2} – {greatest:.2})"));
        let floor = match group.way {
            Way::Floor(_) => format!("; over the cores {:.2}", group.median(Measurement::cpu) / cores()),
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "| {} ms | {} | {:.2} | {least:.2} – {greatest:.2} | {:.1} ({:.1} + {:.1} + {:.1}){floor} | {:.0} | {:.0} | {ratio} |",
            rtt.as_millis(),
            group.way,
            group.median(|run| run.took.wall),
            group.median(Measurement::cpu),
            of(0),
            of(1),
            of(2),
            group.median(|run| run.took.others),
            group.median(|run| run.took.traffic.turns as f64),
        );
    }
}

pub fn cores() -> f64 {
    std::thread::available_parallelism().map_or(1, usize::from) as f64
}
