//! The ways in which a database gets from one server to another.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A way, with as many jobs at once as its name says; none is the program's own default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Ours: through this machine.
    Stream(usize),
    /// Ours: the target pulls by itself, indexes afterwards.
    Direct(usize),
    Pgcopydb {
        jobs: Option<usize>,
        binary: bool,
    },
    /// pg_dump and pg_restore by way of a folder, then vacuumdb.
    Dump(usize),
    /// The whole schema, then a subscription, as Neon's guide has it.
    Guide(usize),
    /// No way at all: what the servers must do in any.
    Floor(usize),
}

impl Way {
    pub fn usual(pgcopydb: bool) -> Vec<Way> {
        let mut names = vec!["stream2", "stream4", "stream8", "direct2", "dump2", "dump4", "guide2", "floor2"];
        if pgcopydb {
            names.extend(["pgcopydb", "pgcopydb-binary", "pgcopydb2", "pgcopydb2-binary", "pgcopydb8-binary"]);
        }
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    /// The floor has no line in it.
    pub fn usable(&self, rtt: Duration) -> bool {
        rtt.is_zero() || !matches!(self, Way::Floor(_))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Stream(jobs) => write!(f, "stream{jobs}"),
            Way::Direct(jobs) => write!(f, "direct{jobs}"),
            Way::Dump(jobs) => write!(f, "dump{jobs}"),
            Way::Guide(jobs) => write!(f, "guide{jobs}"),
            Way::Floor(jobs) => write!(f, "floor{jobs}"),
            Way::Pgcopydb { jobs, binary } => {
                let jobs = jobs.map(|jobs| jobs.to_string()).unwrap_or_default();
                write!(f, "pgcopydb{jobs}{}", if *binary { "-binary" } else { "" })
            }
        }
    }
}

impl FromStr for Way {
    type Err = ();

    fn from_str(text: &str) -> Result<Way, ()> {
        let (rest, binary) = text.strip_suffix("-binary").map_or((text, false), |rest| (rest, true));
        let name = rest.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let jobs = match &rest[name.len()..] {
            "" => None,
            digits => Some(digits.parse().map_err(|_| ())?),
        };
        match (name, jobs) {
            ("pgcopydb", jobs) => Ok(Way::Pgcopydb { jobs, binary }),
            _ if binary => Err(()),
            ("stream", Some(jobs)) => Ok(Way::Stream(jobs)),
            ("direct", Some(jobs)) => Ok(Way::Direct(jobs)),
            ("dump", Some(jobs)) => Ok(Way::Dump(jobs)),
            ("guide", Some(jobs)) => Ok(Way::Guide(jobs)),
            ("floor", Some(jobs)) => Ok(Way::Floor(jobs)),
            _ => Err(()),
        }
    }
}
