//! What to measure.

use std::path::PathBuf;
use std::time::Duration;

use crate::lab::Shape;
use crate::rivals::pgcopydb;
use crate::ways::Way;

const USAGE: &str = "\
usage: scripts/bench [--shape NAME,…] [--way NAME,…] [--rtt MILLIS,…] [--far target|source] [--rounds N] [--scale X] [--sql FILE]
                     [--profile] [--write FILE]
  shapes  mixed wide narrow toast small huge, or a file of SQL by --sql
  ways    streamN  directN  pgcopydb pgcopydbN pgcopydb-binary pgcopydbN-binary  dumpN  guideN  floorN   (N jobs at once)
  far     what is at the other end of the line: the target (the program runs near the source) or the source
Without a selection everything is measured, and docs/benchmarks.md written.";

pub struct Arguments {
    pub shapes: Vec<Shape>,
    pub ways: Vec<Way>,
    pub rtts: Vec<Duration>,
    pub source_is_far: bool,
    pub rounds: usize,
    pub scale: f64,
    /// Let the target tell what each statement took.
    pub profile: bool,
    pub write: Option<PathBuf>,
}

impl Arguments {
    pub fn parse(words: &[String]) -> Result<Arguments, String> {
        let mut this = Arguments {
            shapes: Vec::new(),
            ways: Vec::new(),
            rtts: [0, 20, 40, 80].map(Duration::from_millis).to_vec(),
            source_is_far: false,
            rounds: 3,
            scale: 1.0,
            profile: false,
            write: words.is_empty().then(|| PathBuf::from("docs/benchmarks.md")),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--profile" {
                this.profile = true;
                continue;
            }
            let value = words.next().ok_or(USAGE)?;
            let bad = || format!("{word} {value}: not understood\n{USAGE}");
            match word.as_str() {
                "--shape" => {
                    for name in value.split(',') {
                        this.shapes.push(Shape::named(name).ok_or_else(bad)?);
                    }
                }
                "--sql" => this.shapes.push(Shape::from_file(&PathBuf::from(value))),
                "--way" => {
                    for name in value.split(',') {
                        this.ways.push(name.parse().map_err(|()| bad())?);
                    }
                }
                "--rtt" => {
                    let millis: Result<Vec<u64>, _> = value.split(',').map(str::parse).collect();
                    this.rtts = millis.map_err(|_| bad())?.into_iter().map(Duration::from_millis).collect();
                }
                "--far" if matches!(value.as_str(), "source" | "target") => this.source_is_far = value == "source",
                "--rounds" => this.rounds = value.parse().map_err(|_| bad())?,
                "--scale" => this.scale = value.parse().map_err(|_| bad())?,
                "--write" => this.write = Some(PathBuf::from(value)),
                _ => return Err(bad()),
            }
        }
        if this.shapes.is_empty() {
            this.shapes = Shape::all();
        }
        if this.ways.is_empty() {
            this.ways = Way::usual(pgcopydb().is_some());
        }
        Ok(this)
    }
}
