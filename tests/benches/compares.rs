//! How fast the compare is, beside counting the same rows and beside pgcopydb's. Run by scripts/bench; nothing here fails because
//! something is slow.
#![allow(missing_docs)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use azure2neon_tests::{Rig, root};
use futures::future::try_join_all;
use tokio_postgres::Client;

const USAGE: &str = "usage: scripts/bench --compares [--shape NAME,…] [--rtt MILLIS,…] [--rounds N] [--scale X] [--write FILE]";
/// The beginning of the section that this writes.
const SECTION: &str = "## Compares";
/// Sessions on each side, as many as the compare has.
const SESSIONS: usize = 4;
const TABLES: &str =
    "select format('%I.%I', n.nspname, c.relname), pg_table_size(c.oid) from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and n.nspname !~ '^(pg_|information_schema|azure2neon)' order by 2 desc";

const OWN: &str = "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname like 'azure2neon%'";

struct Arguments {
    shapes: Vec<String>,
    rtts: Vec<u64>,
    rounds: usize,
    scale: f64,
    write: Option<PathBuf>,
}

fn arguments() -> Option<Arguments> {
    let mut this = Arguments { shapes: vec!["mixed".into(), "small".into()], rtts: vec![0, 40], rounds: 3, scale: 1.0, write: None };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let value = words.next()?;
        let list = || value.split(',').map(str::to_owned).collect::<Vec<_>>();
        match word.as_str() {
            "--shape" => this.shapes = list(),
            "--rtt" => this.rtts = list().iter().map(|word| word.parse().ok()).collect::<Option<_>>()?,
            "--rounds" => this.rounds = value.parse().ok()?,
            "--scale" => this.scale = value.parse().ok()?,
            "--write" => this.write = Some(value.into()),
            _ => return None,
        }
    }
    Some(this)
}

#[tokio::main]
async fn main() {
    let Some(arguments) = arguments() else {
        eprintln!("{USAGE}");
        std::process::exit(2);
    };
    let mut rows = String::new();
    for shape in &arguments.shapes {
        rows.push_str(&measure(shape, &arguments).await);
    }
    let section = format!(
        "{SECTION}

Written by `scripts/bench --compares`; do not edit. `verify` compares every row of both servers while both could be written to, from the
start of the program to its end. `count` is `select count(*)` of each table, by {SESSIONS} sessions on both servers at once.
`pgcopydb` is its `compare data`, as a superuser over local sockets without TLS: it knows nothing of writes meanwhile, and names no row.
Walls are medians, ratios are of the walls of the same round: median (least – greatest).

| shape | round trip | way | wall, s | MB/s | `verify` is of it |
|---|---|---|---|---|---|
{rows}"
    );
    println!("{section}");
    if let Some(file) = arguments.write {
        azure2neon_tests::page::write_section(&root().join(file), &section);
    }
}

async fn measure(shape: &str, arguments: &Arguments) -> String {
    let script = std::fs::read_to_string(root().join(format!("crates/postgres/benches/loads/shapes/{shape}.sql"))).unwrap();
    let script = format!("set synchronous_commit = off;\n\\set scale {}\n{script}\n", arguments.scale);
    let rig = Rig::with_sql(&script, |options| (options.source_major, options.target_major_default) = (17, 17)).await;
    rig.stream();
    rig.run(&["migrate", "--yes"]).await.expect_success();
    let (source, target) = (rig.cloud.source_superuser("shop").await.unwrap(), rig.cloud.compute_superuser("shop", "shop").await.unwrap());
    for client in [&source, &target] {
        client.batch_execute("vacuum (analyze)").await.unwrap();
    }
    // pgcopydb compares the run's own tables too, of which the target needs not all.
    for row in source.query(OWN, &[]).await.unwrap() {
        let sql =
            format!("create table if not exists {} (id text primary key, written_at timestamptz, sequences jsonb)", row.get::<_, &str>(0));
        target.batch_execute(&sql).await.unwrap();
    }
    let tables: Vec<(String, i64)> = source.query(TABLES, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    let megabytes = tables.iter().map(|(_, bytes)| bytes).sum::<i64>() as f64 / 1e6;
    let mut text = String::new();
    for rtt in &arguments.rtts {
        for link in [rig.cloud.operator_link(), rig.cloud.nat_link(), rig.cloud.neon_link()] {
            link.set_delay(Duration::from_micros(rtt * 500));
        }
        let mut walls: Vec<(&str, Vec<f64>)> = Vec::new();
        let mut took = |way: &'static str, began: Instant| {
            let seconds = began.elapsed().as_secs_f64();
            eprintln!("{shape} {rtt} ms {way} {seconds:.2} s");
            match walls.iter_mut().find(|(known, _)| *known == way) {
                Some((_, walls)) => walls.push(seconds),
                None => walls.push((way, vec![seconds])),
            }
        };
        for _ in 0..arguments.rounds {
            let began = Instant::now();
            rig.run(&["verify"]).await.expect_success();
            took("verify", began);
            // What they do is not measured through a line, so it is the same at any distance.
            if *rtt == 0 {
                let began = Instant::now();
                count(&rig, &tables).await;
                took("count", began);
                if let Some(program) = pgcopydb() {
                    let began = Instant::now();
                    compare_by_pgcopydb(&program, &source, &target).await;
                    took("pgcopydb", began);
                }
            }
        }
        for (way, mine) in &walls {
            let mut ratios: Vec<f64> = walls[0].1.iter().zip(mine).map(|(verify, other)| verify / other).collect();
            ratios.sort_by(f64::total_cmp);
            let wall = median(mine);
            let _ = writeln!(
                text,
                "| {shape}, {} tables, {megabytes:.0} MB | {rtt} ms | {way} | {wall:.2} | {:.0} | {:.2} ({:.2} – {:.2}) |",
                tables.len(),
                megabytes / wall,
                median(&ratios),
                ratios[0],
                ratios[ratios.len() - 1]
            );
        }
    }
    rig.stop().await;
    text
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

async fn count(rig: &Rig, tables: &[(String, i64)]) {
    let side = async |clients: Vec<Client>| {
        let left = Mutex::new(tables.iter());
        let next = || left.lock().unwrap().next();
        let each = clients.iter().map(async |client| {
            while let Some((table, _)) = next() {
                client.query_one(&format!("select count(*) from {table}"), &[]).await?;
            }
            Ok::<(), tokio_postgres::Error>(())
        });
        try_join_all(each).await.unwrap();
    };
    let (mut sources, mut targets) = (Vec::new(), Vec::new());
    for _ in 0..SESSIONS {
        sources.push(rig.cloud.source_superuser("shop").await.unwrap());
        targets.push(rig.cloud.compute_superuser("shop", "shop").await.unwrap());
    }
    tokio::join!(side(sources), side(targets));
}

/// As AZURE2NEON_BENCH_PGCOPYDB names it, else from PATH.
fn pgcopydb() -> Option<PathBuf> {
    let named = std::env::var_os("AZURE2NEON_BENCH_PGCOPYDB").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    named.into_iter().chain(std::env::split_paths(&path).map(|folder| folder.join("pgcopydb"))).find(|file| file.is_file())
}

async fn compare_by_pgcopydb(program: &Path, source: &Client, target: &Client) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command.args(["compare", "data", "--dir"]).arg(folder.path().join("work"));
    for (side, client) in [("--source", source), ("--target", target)] {
        let sql =
            "select current_setting('unix_socket_directories'), current_setting('port'), current_user::text, current_database()::text";
        let row = client.query_one(sql, &[]).await.unwrap();
        let [folder, port, user, database] = [0, 1, 2, 3].map(|n| row.get::<_, String>(n));
        command.args([side, &format!("host={folder} port={port} user={user} dbname={database}")]);
    }
    let mut path = vec![root().join(".tools/postgresql/client/bin")];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    command.env("PATH", std::env::join_paths(path).unwrap()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
