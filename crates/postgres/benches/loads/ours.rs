//! Our two ways, by the library's calls in the order of the program's steps.

use std::time::Duration;

use azure2neon_postgres::copy::manners::Manners;
use azure2neon_postgres::copy::{Division, Extent, Load, Snapshot, Unit, divide, publish};
use azure2neon_postgres::inventory::inventory;
use azure2neon_postgres::schema::{self, Entry, Section, Tools, dump_schema};
use azure2neon_postgres::subscription::Publisher;
use azure2neon_postgres::walsender::{ExportedSlot, create_exported_slot};
use azure2neon_postgres::{Endpoint, Session, replication as r, statistics};

use crate::lab::{MAJOR, Sites};
use crate::support::client_bin;

/// Of the run, as the program would name everything that it makes.
pub const MARK: &str = "azure2neon_bench";

/// A larger table is copied in parts of that size.
const PART_BYTES: i64 = 256 << 20;

type Result<T> = std::result::Result<T, String>;

pub async fn stream(sites: &mut Sites<'_>, workers: usize) -> Result<()> {
    let (entries, mut target) = tokio::try_join!(dump(sites), connect(&sites.target))?;
    sites.lap("dump the schema");
    apply_to(&mut target, &entries, |section| section == Section::PreData).await?;
    sites.lap("make the tables");
    let units = units(sites, workers).await.map_err(|error| error.to_string())?;
    sites.lap("divide and publish");
    let slot = create_exported_slot(&sites.source, MARK, Duration::from_secs(60)).await.map_err(|error| error.to_string())?;
    sites.lap("make the slot");
    load(sites, &slot, &entries, &units, workers).await.map_err(|error| error.to_string())?;
    sites.lap("copy and indexes");
    let mut target = connect(&sites.target).await?;
    apply_to(&mut target, &entries, |section| section != Section::PreData).await?;
    sites.lap("rest of the schema");
    statistics(&target).await?;
    sites.lap("statistics");
    Ok(())
}

/// Each unit with its publication, since a publication must be older than the slot.
async fn units(sites: &Sites<'_>, workers: usize) -> azure2neon_postgres::Result<Vec<Unit>> {
    let source = sites.source.connect().await?;
    let tables = inventory(&source).await?.replicated();
    let units = divide(&source, &tables, Division { workers, part_bytes: PART_BYTES }).await?;
    publish(&source, MARK, &units).await?;
    Ok(units)
}

async fn load(
    sites: &Sites<'_>,
    slot: &ExportedSlot,
    entries: &[Entry],
    units: &[Unit],
    workers: usize,
) -> azure2neon_postgres::Result<()> {
    let (source, target) = (&sites.source, &sites.target);
    let snapshot = Snapshot::of_slot(source, slot).await?;
    let manners = &Manners::new(workers);
    let load = Load {
        source,
        target,
        snapshot: &snapshot,
        epoch: 1,
        marker_schema: MARK,
        units,
        entries,
        manners,
        rows_are_in: false,
        until: None,
    };
    let loaded = load.run(&|_| {}).await?;
    assert!(loaded.complete, "{loaded:?}");
    Ok(())
}

/// How many tables are synchronized at once is the server's to say, 2 as it is set here.
pub async fn direct(sites: &mut Sites<'_>, _jobs: usize) -> Result<()> {
    let (entries, mut target) = tokio::try_join!(dump(sites), connect(&sites.target))?;
    sites.lap("dump the schema");
    apply_to(&mut target, &entries, |section| section != Section::PostData).await?;
    sites.lap("make the tables");
    synchronize(sites).await.map_err(|error| error.to_string())?;
    sites.lap("synchronization");
    indexes(sites, &entries).await.map_err(|error| error.to_string())?;
    sites.lap("indexes");
    let mut target = connect(&sites.target).await?;
    apply_to(&mut target, &entries, |section| section == Section::PostData).await?;
    sites.lap("rest of the schema");
    statistics(&target).await?;
    sites.lap("statistics");
    Ok(())
}

/// Every table's own, as many tables at once as the program does.
async fn indexes(sites: &Sites<'_>, entries: &[Entry]) -> azure2neon_postgres::Result<()> {
    let (source, target) = (&sites.source, &sites.target);
    let tables = inventory(&source.connect().await?).await?.replicated();
    let units = &[Unit { number: 1, extent: Extent::Tables(tables) }];
    let (snapshot, manners) = (&Snapshot::now(source).await?, &Manners::new(4));
    let load = Load { source, target, snapshot, epoch: 1, marker_schema: MARK, units, entries, manners, rows_are_in: true, until: None };
    load.run(&|_| {}).await?;
    Ok(())
}

async fn synchronize(sites: &Sites<'_>) -> azure2neon_postgres::Result<()> {
    let source = sites.source.connect().await?;
    let tables = inventory(&source).await?.publishable();
    r::create_publication(&source, MARK, &tables).await?;
    r::create_slot(&source, MARK, Duration::from_secs(60)).await?;
    let mut publisher = sites.source.clone();
    publisher.host = "127.0.0.1".into();
    publisher.port = sites.publisher_port;
    let conninfo = r::conninfo(&Publisher::from(&publisher), "require", MARK);
    let session = sites.target.connect().await?;
    r::create_subscription(&session, MARK, &conninfo, &[MARK.to_owned()], true).await?;
    crate::rivals::until_ready(&sites.target_nearby(), MARK).await;
    r::disable_subscription(&session, MARK).await
}

pub async fn dump(sites: &Sites<'_>) -> Result<Vec<Entry>> {
    let tools = Tools::find(Some(&client_bin()), MAJOR).await.map_err(|error| error.to_string())?;
    let scratch = tempfile::tempdir().unwrap();
    dump_schema(&tools, &sites.source, Some(sites.ca_files()[0]), scratch.path()).await.map_err(|error| error.to_string())
}

pub async fn apply(target: &Endpoint, entries: &[Entry], wanted: impl Fn(Section) -> bool) -> Result<()> {
    apply_to(&mut connect(target).await?, entries, wanted).await
}

async fn connect(target: &Endpoint) -> Result<Session> {
    target.connect().await.map_err(|error| error.to_string())
}

async fn apply_to(target: &mut Session, entries: &[Entry], wanted: impl Fn(Section) -> bool) -> Result<()> {
    let entries: Vec<Entry> = entries.iter().filter(|entry| wanted(entry.section)).cloned().collect();
    let failures = schema::apply(target, MARK, &entries, &mut |_, _| {}).await.map_err(|error| error.to_string())?;
    if failures.is_empty() { Ok(()) } else { Err(format!("{failures:?}")) }
}

async fn statistics(target: &Session) -> Result<()> {
    statistics::gather_missing(target).await.map_err(|error| error.to_string())
}
