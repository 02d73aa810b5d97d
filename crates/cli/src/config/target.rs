//! The table `[target]` with its flags.

use std::path::{Path, PathBuf};

use azure2neon_core::cloud::{ComputeRange, EgressAddresses};
use azure2neon_core::settings::Home;
use azure2neon_core::{Error, ErrorKind, Result, clock};
use serde::Deserialize;

use crate::args::{self, Overrides};

/// The longest history that any of Neon's plans keeps, in seconds: 30 days (Neon's OpenAPI, 2026-07).
const LONGEST_HISTORY: u64 = 2_592_000;

/// The table, as it is written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Target {
    project: Option<String>,
    existing_project: Option<String>,
    branch: Option<String>,
    region: Option<String>,
    org_id: Option<String>,
    pg_version: Option<u32>,
    pub(super) database: Option<String>,
    pub(super) role: Option<String>,
    compute: Option<String>,
    migration_compute: Option<String>,
    history_retention: Option<String>,
    egress: Option<Vec<String>>,
    egress_file: Option<PathBuf>,
    pub(super) api_key_file: Option<PathBuf>,
}

/// How the target's compute and project shall be set.
pub(super) struct Sizes {
    pub(super) compute: Option<ComputeRange>,
    pub(super) migration_compute: Option<ComputeRange>,
    pub(super) history_seconds: Option<i64>,
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, what)
}

impl Target {
    /// Where the target's database shall be; by default in a new project that is named after the source's database.
    pub(super) fn home(&self, over: &Overrides, database: &str) -> Result<Home> {
        let branch = over.branch.clone().or_else(|| self.branch.clone());
        let existing = |project: &String| Ok(Home::Existing { project: project.clone(), branch: branch.clone() });
        let new = |name: &str| match &branch {
            None => Ok(Home::New(name.to_owned())),
            Some(branch) => Err(wrong(format!("a new Neon project has no branch {branch} to migrate into"))
                .hint("name its project with --existing-project, or leave --branch and `branch` under [target] out")),
        };
        match (&over.existing_project, &over.project, &self.existing_project, &self.project) {
            (Some(project), ..) => existing(project),
            (None, Some(name), ..) => new(name),
            (None, None, Some(_), Some(_)) => {
                Err(wrong("[target] names a new `project` and an `existing_project`").hint("keep one of them"))
            }
            (None, None, Some(project), None) => existing(project),
            (None, None, None, Some(name)) => new(name),
            (None, None, None, None) => new(&database.to_lowercase()),
        }
    }

    /// The region of a new project.
    pub(super) fn region(&self, over: &Overrides, home: &Home) -> Result<Option<String>> {
        let region = over.region.clone().or_else(|| self.region.clone());
        match home {
            Home::Existing { project, .. } if region.is_some() => {
                Err(wrong(format!("the Neon project {project} has its region already"))
                    .hint("leave --region and `region` under [target] out"))
            }
            _ => Ok(region),
        }
    }

    pub(super) fn org_id(&self, over: &Overrides) -> Option<String> {
        over.org_id.clone().or_else(|| self.org_id.clone())
    }

    pub(super) fn pg_version(&self, over: &Overrides) -> Option<u32> {
        over.pg_version.or(self.pg_version)
    }

    /// Sizes and history, each held against Neon's rules.
    pub(super) fn sizes(&self, home: &Home) -> Result<Sizes> {
        let compute = range("compute", self.compute.as_deref())?;
        let migration_compute = range("migration_compute", self.migration_compute.as_deref())?;
        if matches!(home, Home::New(_)) && migration_compute.is_some() && compute.is_none() {
            return Err(wrong("`migration_compute` under [target] is set, and what the application gets afterwards is not")
                .hint("add it: `compute = \"0.25-2\"` under [target]"));
        }
        let history_seconds = self.history_retention.as_deref().map(history).transpose()?;
        Ok(Sizes { compute, migration_compute, history_seconds })
    }

    /// The addresses that Neon connects from, if the operator knows better than the built-in list.
    pub(super) fn egress(&self, over: &Overrides, base: &Path) -> Result<Option<EgressAddresses>> {
        let given = |addresses: &[String], provenance: &str| {
            Ok(Some(EgressAddresses { addresses: addresses.to_vec(), provenance: provenance.to_owned() }))
        };
        match (&over.egress_address[..], &self.egress, &self.egress_file) {
            (addresses @ [_, ..], ..) => given(addresses, "given with --egress-address"),
            ([], Some(_), Some(_)) => Err(wrong("[target] has `egress` and an `egress_file`").hint("keep one of them")),
            ([], Some(addresses), None) => given(addresses, "given as `egress` under [target]"),
            ([], None, Some(file)) => read_egress(&base.join(file)).map(Some),
            ([], None, None) => Ok(None),
        }
    }
}

fn range(key: &str, text: Option<&str>) -> Result<Option<ComputeRange>> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|why: String| {
        wrong(format!("`{key}` under [target]: {why}")).hint(format!("such as `{key} = \"0.25-2\"`, in compute units"))
    })
}

fn history(text: &str) -> Result<i64> {
    let wrong = |why: String| wrong(format!("`history_retention` under [target]: {why}")).hint("such as \"6h\" or \"7d\", \"30d\" at most");
    let seconds = args::duration(text).map_err(wrong)?.as_secs();
    match i64::try_from(seconds) {
        Ok(whole) if seconds <= LONGEST_HISTORY => Ok(whole),
        _ => Err(wrong(format!("{text} is more than any plan of Neon keeps"))),
    }
}

/// One address a line; what follows a `#` is for people.
fn read_egress(file: &Path) -> Result<EgressAddresses> {
    let read = || Ok((std::fs::read_to_string(file)?, std::fs::metadata(file)?.modified()?));
    let (text, changed) =
        read().map_err(|error: std::io::Error| wrong(format!("could not read the `egress_file` {}", file.display())).because(error))?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let addresses: Vec<String> = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if addresses.is_empty() {
        return Err(wrong(format!("the `egress_file` {} holds no address", file.display())).hint("one IPv4 address a line"));
    }
    let day = clock::day(changed).map(|day| format!(" of {day}")).unwrap_or_default();
    Ok(EgressAddresses { addresses, provenance: format!("{}{day}", file.display()) })
}
