//! How long a whole load takes, from the schema to the last index and its statistics, each way on the same two servers in turn.
//! Run by scripts/bench; nothing here fails because something is slow.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use azure2neon_postgres::copy::Load;
use azure2neon_postgres::inventory::inventory;
use azure2neon_postgres::schema::{self, Entry, Section, Tools, dump_schema};
use azure2neon_postgres::subscription::Publisher;
use azure2neon_postgres::walsender::create_exported_slot;
use azure2neon_postgres::{Endpoint, digest, replication as r, statistics};
use support::{Server, client_bin};

const MARK: &str = "azure2neon_bench";
const ROUNDS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Stream2,
    Stream4,
    Direct,
    DumpAndRestore,
}

struct Bench {
    old: Server,
    new: Server,
}

/// Wall and processor seconds of one load: source, target, and this process with its children.
struct Took {
    wall: f64,
    cpu: [f64; 3],
}

impl Bench {
    /// An empty database on the target, whose owner is no superuser.
    async fn empty_target(&self, owner: &Endpoint) -> Endpoint {
        let admin = self.new.endpoint("postgres").connect().await.unwrap();
        admin.batch_execute("drop database if exists bench (force)").await.unwrap();
        admin.batch_execute("create database bench owner owner; ").await.unwrap();
        admin.batch_execute("checkpoint").await.unwrap();
        self.old.session().await.batch_execute("checkpoint").await.unwrap();
        owner.with_database("bench")
    }

    async fn entries(&self) -> Vec<Entry> {
        let tools = Tools::find(Some(&client_bin()), 17).await.unwrap();
        let scratch = tempfile::tempdir().unwrap();
        dump_schema(&tools, &self.old.endpoint("app"), Some(&self.old.ca_file), scratch.path()).await.unwrap()
    }

    async fn apply(&self, target: &Endpoint, entries: &[Entry], wanted: impl Fn(Section) -> bool) {
        let entries: Vec<Entry> = entries.iter().filter(|entry| wanted(entry.section)).cloned().collect();
        let failures = schema::apply(&mut target.connect().await.unwrap(), MARK, &entries, &mut |_, _| {}).await.unwrap();
        assert!(failures.is_empty(), "{failures:?}");
    }

    async fn stream(&self, target: &Endpoint, workers: usize) {
        let source = self.old.endpoint("app");
        let entries = self.entries().await;
        self.apply(target, &entries, |section| section == Section::PreData).await;
        let slot = create_exported_slot(&source, MARK, Duration::from_secs(60)).await.unwrap();
        let load = Load {
            source: &source,
            target,
            snapshot: &slot.snapshot,
            position: slot.consistent_point,
            marker_schema: MARK,
            entries: &entries,
            workers,
        };
        load.run(&|_| {}).await.unwrap();
        self.apply(target, &entries, |section| section != Section::PreData).await;
        statistics::gather_missing(&target.connect().await.unwrap()).await.unwrap();
    }

    async fn direct(&self, target: &Endpoint) {
        let entries = self.entries().await;
        self.apply(target, &entries, |section| section != Section::PostData).await;
        let source = self.old.session().await;
        let tables = inventory(&source).await.unwrap().publishable();
        r::create_publication(&source, MARK, &tables).await.unwrap();
        r::create_slot(&source, MARK, Duration::from_secs(60)).await.unwrap();
        let mut publisher = self.old.endpoint("app");
        publisher.host = "127.0.0.1".into();
        let conninfo = r::conninfo(&Publisher::from(&publisher), "require", MARK);
        let session = target.connect().await.unwrap();
        r::create_subscription(&session, MARK, &conninfo, MARK, MARK, true).await.unwrap();
        while !r::subscription(&session, MARK).await.unwrap().unwrap().tables.iter().all(|(_, state)| *state == 'r') {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        r::disable_subscription(&session, MARK).await.unwrap();
        self.apply(target, &entries, |section| section == Section::PostData).await;
        statistics::gather_missing(&session).await.unwrap();
    }

    fn dump_and_restore(&self, target: &Endpoint) {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("archive").display().to_string();
        let source = self.old.endpoint("app");
        run("pg_dump", &source, &self.old.ca_file, &["-Fd", "-Z0", "-j2", "-f", &archive]);
        let restore = ["-j2", "--no-owner", "--no-privileges", "-d", "bench", &archive];
        run("pg_restore", target, &self.new.ca_file, &restore);
        run("vacuumdb", target, &self.new.ca_file, &["--analyze-only", "-j2", "bench"]);
    }

    async fn measure(&self, way: Way, owner: &Endpoint) -> Took {
        let target = self.empty_target(owner).await;
        let before = [self.old.cpu_seconds(), self.new.cpu_seconds(), own_cpu_seconds()];
        let began = Instant::now();
        match way {
            Way::Stream2 => self.stream(&target, 2).await,
            Way::Stream4 => self.stream(&target, 4).await,
            Way::Direct => self.direct(&target).await,
            Way::DumpAndRestore => self.dump_and_restore(&target),
        }
        let wall = began.elapsed().as_secs_f64();
        let after = [self.old.cpu_seconds(), self.new.cpu_seconds(), own_cpu_seconds()];
        self.expect_equal(&target).await;
        let (source, target) = (self.old.session().await, target.connect().await.unwrap());
        r::drop_subscription(&target, MARK).await.unwrap();
        r::drop_slot(&source, MARK).await.unwrap();
        r::drop_publication(&source, MARK).await.unwrap();
        Took { wall, cpu: std::array::from_fn(|n| after[n] - before[n]) }
    }

    async fn expect_equal(&self, target: &Endpoint) {
        let (source, target) = (self.old.session().await, target.connect().await.unwrap());
        for table in inventory(&source).await.unwrap().tables {
            if table.persistence == azure2neon_postgres::inventory::Persistence::Permanent {
                let (there, here) = (digest::digest(&source, &table).await.unwrap(), digest::digest(&target, &table).await.unwrap());
                assert_eq!(there, here, "{}", table.name);
            }
        }
    }
}

fn run(program: &str, at: &Endpoint, ca_file: &Path, arguments: &[&str]) {
    let status = Command::new(client_bin().join(program)).args(arguments).envs(at.environment(Some(ca_file))).status().unwrap();
    assert!(status.success(), "{program}");
}

fn own_cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11..15].iter().map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/databases/bikeparts/bikeparts.sql")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; scripts/bench"]
async fn whole_loads() {
    let bench = Bench { old: Server::start(17).await, new: Server::start(17).await };
    let owner = bench.new.make_user("owner").await;
    let file = std::env::var_os("AZURE2NEON_BENCH_SQL").map_or_else(sample, PathBuf::from);
    let file = file.display().to_string();
    run("psql", &bench.old.endpoint("app"), &bench.old.ca_file, &["-qX", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", &file]);
    bench.old.session().await.batch_execute("vacuum analyze").await.unwrap();
    let ways = [Way::Stream2, Way::Stream4, Way::Direct, Way::DumpAndRestore];
    let mut walls: Vec<Vec<f64>> = vec![Vec::new(); ways.len()];
    println!("way             round   wall s   cpu s: source  target  client");
    for round in 0..ROUNDS {
        // Each is first, second … in turn, since the machine's speed drifts.
        for n in 0..ways.len() {
            let at = (n + round) % ways.len();
            let took = bench.measure(ways[at], &owner).await;
            let [source, target, client] = took.cpu;
            println!("{:<15} {:>5} {:>8.2} {source:>14.2} {target:>7.2} {client:>7.2}", format!("{:?}", ways[at]), round + 1, took.wall);
            walls[at].push(took.wall);
        }
    }
    let median = |walls: &mut Vec<f64>| {
        walls.sort_by(f64::total_cmp);
        walls[walls.len() / 2]
    };
    let medians: Vec<f64> = walls.iter_mut().map(median).collect();
    for (way, wall) in ways.iter().zip(&medians) {
        println!("{:<15} median {wall:>7.2} s, {:.2} of pg_dump and pg_restore", format!("{way:?}"), wall / medians[3]);
    }
}
