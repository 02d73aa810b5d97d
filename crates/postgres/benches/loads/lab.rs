//! Two servers, the database to be moved, and the lines between.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use azure2neon_postgres::Endpoint;

use crate::arguments::Arguments;
use crate::check::expect_equal;
use crate::line::{Line, Traffic};
use crate::support::{PASSWORD, Server, client_bin};
use crate::ways::Way;
use crate::{floor, ours, profile, rivals};

pub const MAJOR: u32 = 17;
/// The database on the source, and the one on the target.
pub const SOURCE: &str = "app";
pub const TARGET: &str = "bench";

/// As servers of that size have it; durable, and with room for as many workers as any way wants.
const SETTINGS: &[(&str, &str)] = &[
    ("fsync", "on"),
    ("shared_buffers", "768MB"),
    ("max_wal_size", "8GB"),
    ("max_worker_processes", "24"),
    ("max_logical_replication_workers", "16"),
    ("max_replication_slots", "32"),
    ("max_wal_senders", "32"),
];

/// A database to be moved: a script for psql, which gets `scale`.
#[derive(Clone)]
pub struct Shape {
    name: String,
    file: PathBuf,
}

impl Shape {
    const NAMES: [&str; 6] = ["mixed", "wide", "narrow", "toast", "small", "huge"];

    pub fn named(name: &str) -> Option<Shape> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/loads/shapes");
        Self::NAMES.contains(&name).then(|| Shape { name: name.to_owned(), file: folder.join(format!("{name}.sql")) })
    }

    pub fn from_file(file: &Path) -> Shape {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
        Shape { name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), file }
    }

    pub fn all() -> Vec<Shape> {
        Self::NAMES.iter().filter_map(|name| Self::named(name)).collect()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

/// What stands between: from the program to each server, and from the target to the source.
struct Lines {
    to_source: Option<Line>,
    to_target: Option<Line>,
    across: Line,
}

pub struct Lab {
    pub shape: Shape,
    /// What is in the database, in words.
    pub description: String,
    pub old: Server,
    pub new: Server,
    owner: Endpoint,
    source_is_far: bool,
    lines: Option<Lines>,
    profile: bool,
}

/// One load.
pub struct Took {
    pub wall: f64,
    /// Processor seconds: source, target, client, and what the lines themselves took.
    pub cpu: [f64; 4],
    /// What everything else on the machine took of it meanwhile, in processor seconds: with much of it the walls are not to be trusted.
    pub others: f64,
    pub traffic: Traffic,
    pub phases: Vec<Phase>,
    /// What the target said of its statements, if it was asked to.
    pub profile: Option<String>,
}

/// A stretch of a load.
pub struct Phase {
    pub name: &'static str,
    pub wall: f64,
    pub traffic: Traffic,
}

/// Where everything is for one load, as the program sees it.
pub struct Sites<'a> {
    lab: &'a Lab,
    /// The source, as a superuser.
    pub source: Endpoint,
    /// The target's empty database, as its owner, who is no superuser.
    pub target: Endpoint,
    /// The same as a superuser.
    pub target_as_admin: Endpoint,
    /// The source's port as the target sees it.
    pub publisher_port: u16,
    phases: Vec<Phase>,
    since: (Instant, Traffic),
}

impl<'a> Sites<'a> {
    /// The stretch since the last call has that name.
    pub fn lap(&mut self, name: &'static str) {
        let now = (Instant::now(), self.lab.traffic());
        let (began, before) = std::mem::replace(&mut self.since, now);
        self.phases.push(Phase { name, wall: (now.0 - began).as_secs_f64(), traffic: now.1 - before });
    }

    /// The target without the line, for looks that must not disturb.
    pub fn target_nearby(&self) -> Endpoint {
        self.lab.new.endpoint(TARGET)
    }

    pub fn source_nearby(&self) -> Endpoint {
        self.lab.old.endpoint(SOURCE)
    }

    pub fn ca_files(&self) -> [&'a Path; 2] {
        [&self.lab.old.ca_file, &self.lab.new.ca_file]
    }
}

impl Lab {
    /// Starts both servers and fills the source.
    pub async fn open(shape: &Shape, arguments: &Arguments) -> Lab {
        let statistics = [("log_statement_stats", "on"), ("log_line_prefix", "%m [%p] %b ")];
        let mut settings = SETTINGS.to_vec();
        let old = Server::start_with(MAJOR, &settings).await;
        if arguments.profile {
            settings.extend(statistics);
        }
        let new = Server::start_with(MAJOR, &settings).await;
        let owner = new.make_user("owner").await;
        let scale = format!("scale={}", arguments.scale);
        let file = shape.file.display().to_string();
        let mut psql = Command::new(client_bin().join("psql"));
        psql.args(["-qX", "-v", "ON_ERROR_STOP=1", "-v", &scale, "-o", "/dev/null", "-f", &file]);
        psql.env("PGOPTIONS", "-c synchronous_commit=off").envs(old.endpoint(SOURCE).environment(Some(&old.ca_file)));
        assert!(psql.status().unwrap().success(), "{file}");
        let session = old.session().await;
        session.batch_execute("vacuum (analyze, freeze)").await.unwrap();
        let row = session.query_one(include_str!("description.sql"), &[]).await.unwrap();
        let description = format!("{shape}: {}", row.get::<_, &str>(0));
        Lab {
            shape: shape.clone(),
            description,
            old,
            new,
            owner,
            source_is_far: arguments.source_is_far,
            lines: None,
            profile: arguments.profile,
        }
    }

    /// From now on the far server is so far away.
    pub async fn move_apart(&mut self, rtt: Duration) {
        self.lines = None;
        if rtt.is_zero() {
            return;
        }
        let [old, new] = [self.old.port, self.new.port];
        self.lines = Some(Lines {
            to_source: self.source_is_far.then(|| Line::lay(old, rtt)),
            to_target: (!self.source_is_far).then(|| Line::lay(new, rtt)),
            across: Line::lay(old, rtt),
        });
    }

    fn each_line(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().flat_map(|lines| lines.to_source.iter().chain(&lines.to_target).chain([&lines.across]))
    }

    fn traffic(&self) -> Traffic {
        self.each_line().map(Line::traffic).fold(Traffic::default(), |sum, one| sum + one)
    }

    fn cpu_seconds(&self) -> [f64; 4] {
        let client = cpu_seconds_of(std::process::id());
        [self.old.cpu_seconds(), self.new.cpu_seconds(), client, self.each_line().map(Line::cpu_seconds).sum()]
    }

    async fn sites(&self) -> Sites<'_> {
        let admin = self.new.endpoint("postgres").connect().await.unwrap();
        admin.batch_execute(&format!("drop database if exists {TARGET} (force)")).await.unwrap();
        admin.batch_execute(&format!("create database {TARGET} owner owner")).await.unwrap();
        admin.batch_execute("checkpoint").await.unwrap();
        self.old.session().await.batch_execute("checkpoint").await.unwrap();
        let mut sites = Sites {
            lab: self,
            source: self.old.endpoint(SOURCE),
            target: self.owner.with_database(TARGET),
            target_as_admin: self.new.endpoint(TARGET),
            publisher_port: self.old.port,
            phases: Vec::new(),
            since: (Instant::now(), self.traffic()),
        };
        if let Some(lines) = &self.lines {
            sites.publisher_port = lines.across.port;
            if let Some(line) = &lines.to_source {
                sites.source.port = line.port;
            }
            if let Some(line) = &lines.to_target {
                (sites.target.port, sites.target_as_admin.port) = (line.port, line.port);
            }
        }
        sites
    }

    async fn set_sync_workers(&self, workers: usize) {
        let admin = self.new.endpoint("postgres").connect().await.unwrap();
        admin.batch_execute(&format!("alter system set max_sync_workers_per_subscription = {workers}")).await.unwrap();
        admin.batch_execute("select pg_catalog.pg_reload_conf()").await.unwrap();
    }

    /// One load from an empty target to an equal result.
    ///
    /// # Errors
    /// What a program printed that failed, or how the result differs.
    pub async fn measure(&self, way: &Way) -> Result<Took, String> {
        let mut sites = self.sites().await;
        let prepared = match way {
            Way::Floor(_) => Some(floor::prepare(&sites).await),
            _ => None,
        };
        if let Way::Direct(workers) | Way::Guide(workers) = way {
            self.set_sync_workers(*workers).await;
        }
        let log = self.new.log().len();
        let (before, all, traffic) = (self.cpu_seconds(), busy_seconds(), self.traffic());
        let began = Instant::now();
        sites.since = (began, traffic);
        let done = match way {
            Way::Stream(workers) => ours::stream(&mut sites, *workers).await,
            Way::Direct(jobs) => ours::direct(&mut sites, *jobs).await,
            Way::Pgcopydb { jobs, binary } => rivals::clone(&mut sites, *jobs, *binary).await,
            Way::Dump(jobs) => rivals::dump_and_restore(&mut sites, *jobs).await,
            Way::Guide(workers) => rivals::guide(&mut sites, *workers).await,
            Way::Floor(jobs) => floor::run(&mut sites, *jobs, &prepared.unwrap()).await,
        };
        let wall = began.elapsed().as_secs_f64();
        let (after, all, traffic) = (self.cpu_seconds(), busy_seconds() - all, self.traffic() - traffic);
        let cpu: [f64; 4] = std::array::from_fn(|n| after[n] - before[n]);
        let others = all - cpu.iter().sum::<f64>();
        let profile = self.profile.then(|| profile::of(&self.new.log()[log..]));
        let done = match done {
            Ok(()) => expect_equal(&sites.source_nearby(), &sites.target_nearby()).await,
            Err(why) => Err(why),
        };
        let phases = std::mem::take(&mut sites.phases);
        rivals::clean_up(&sites).await;
        done.map(|()| Took { wall, cpu, others, traffic, phases, profile })
    }
}

/// A process's own processor time and that of the children that it has waited for, in seconds.
pub fn cpu_seconds_of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11..15].iter().map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

/// What the whole machine has worked since it was started, all cores together, in seconds.
fn busy_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    // user, nice, system, idle, iowait, irq, softirq, steal
    let ticks: Vec<f64> = stat.lines().next().unwrap().split_whitespace().skip(1).map(|word| word.parse().unwrap()).collect();
    [0, 1, 2, 5, 6, 7].map(|n| ticks[n] / 100.0).iter().sum()
}

/// What took part, in which versions.
pub async fn versions() -> Vec<String> {
    let print = |program: &Path| {
        let output = Command::new(program).arg("--version").output().ok()?;
        String::from_utf8(output.stdout).ok()?.lines().next().map(str::to_owned)
    };
    let postgres = client_bin().join(format!("../../{MAJOR}/bin/postgres"));
    let programs = [postgres, client_bin().join("pg_dump"), client_bin().join("vacuumdb")];
    programs.into_iter().chain(rivals::pgcopydb()).filter_map(|program| print(&program)).collect()
}

/// For programs that take the password from their environment only.
pub fn password() -> (&'static str, &'static str) {
    ("PGPASSWORD", PASSWORD)
}
