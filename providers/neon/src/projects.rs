//! Projects: finding one by its name, making one exactly once.

use azure2neon_core::cloud::{ProjectSpec, TargetProject};
use azure2neon_core::{Error, ErrorKind, Result};
use reqwest::Method;
use serde_json::json;

use crate::api::Request;
use crate::cloud::NeonCloud;
use crate::fault::Fault;
use crate::model::{Branch, Branches, Created, Endpoint, Endpoints, Project, Projects};
use crate::{organisation, regions};

/// Projects a page; the most that Neon allows.
const PAGE: &str = "400";

/// How often a project is asked for anew, each time after it was looked for by name.
const CREATE_TRIES: u32 = 3;

impl NeonCloud {
    /// The organisation, as far as it is known.
    fn organisation(&self) -> Option<&str> {
        self.org_id.as_deref().or(self.only_org.get().map(String::as_str))
    }

    /// Learns the organisation if that is what the API asks for; else, the error.
    async fn learn_organisation(&self, fault: Fault, what: &str) -> Result<()> {
        if self.organisation().is_some() || !organisation::is_wanted(&fault) {
            return Err(fault.error(what));
        }
        self.only_org.get_or_try_init(|| organisation::only(&self.api)).await.map(|_| ())
    }

    /// All projects of exactly this name.
    async fn named(&self, name: &str) -> Result<Vec<Project>> {
        let what = format!("look for the Neon project {name}");
        loop {
            match self.search(name).await {
                Ok(found) => return Ok(found),
                Err(fault) => self.learn_organisation(fault, &what).await?,
            }
        }
    }

    async fn search(&self, name: &str) -> std::result::Result<Vec<Project>, Fault> {
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut request = Request::get(&["projects"]).query("limit", PAGE).query("search", name);
            if let Some(org) = self.organisation() {
                request = request.query("org_id", org);
            }
            if let Some(cursor) = &cursor {
                request = request.query("cursor", cursor.as_str());
            }
            let page: Projects = self.api.send(request).await?;
            let empty = page.projects.is_empty();
            found.extend(page.projects.into_iter().filter(|project| project.name == name));
            // The last page has a cursor as well: only an empty one is the end.
            let next = page.pagination.and_then(|pagination| pagination.cursor).filter(|next| !next.is_empty());
            if empty || next.is_none() || next == cursor {
                return Ok(found);
            }
            cursor = next;
        }
    }

    pub(crate) async fn find_project(&self, name: &str) -> Result<Option<TargetProject>> {
        let mut found = self.named(name).await?;
        match found.len() {
            0 => Ok(None),
            1 => Ok(Some(self.complete(found.remove(0), None, Vec::new()).await?)),
            count => {
                let ids: Vec<&str> = found.iter().map(|project| project.id.as_str()).collect();
                let text = format!("there are {count} Neon projects named {name}: {}", ids.join(", "));
                Err(Error::new(ErrorKind::Configuration, text)
                    .hint("rename or delete all but one in the Neon console, or choose another name"))
            }
        }
    }

    pub(crate) async fn create_project(&self, spec: &ProjectSpec) -> Result<TargetProject> {
        if let Some(why) = regions::closed(&spec.region) {
            return Err(Error::new(ErrorKind::Configuration, format!("could not create a Neon project in {}: {why}", spec.region)));
        }
        let taken = || {
            let text = format!("there is a Neon project named {} already", spec.name);
            Error::new(ErrorKind::AlreadyExists, text)
                .hint("choose another name, or delete that project in the Neon console if it is not needed")
        };
        if !self.named(&spec.name).await?.is_empty() {
            return Err(taken());
        }
        let what = format!("create the Neon project {}", spec.name);
        let mut never_suspend = true;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.post_project(spec, never_suspend).await {
                Ok(created) => {
                    let id = created.project.id.clone();
                    self.api.finish(&id, created.operations).await.map_err(|fault| fault.error(&what))?;
                    return self.complete(created.project, created.branch, created.endpoints).await;
                }
                Err(fault) if never_suspend && fault.is_suspend_refused() => {
                    tracing::info!("the plan has no say over when a compute suspends");
                    never_suspend = false;
                }
                Err(fault) if fault.is_ambiguous() => {
                    // It may be there all the same. The name was free before, so one of that name is ours.
                    tracing::warn!(fault = %fault, "the answer to the project's creation was lost; looking for it");
                    tokio::time::sleep(self.api.pace.retry.first).await;
                    if let Some(project) = self.find_project(&spec.name).await? {
                        self.api.settle(&project.id).await.map_err(|fault| fault.error(&what))?;
                        return Ok(project);
                    }
                    if tries >= CREATE_TRIES {
                        return Err(fault.error(&what));
                    }
                }
                Err(fault) if fault.says_exists() => return Err(taken()),
                Err(fault) => self.learn_organisation(fault, &what).await?,
            }
        }
    }

    async fn post_project(&self, spec: &ProjectSpec, never_suspend: bool) -> std::result::Result<Created, Fault> {
        let mut project = json!({
            "name": spec.name,
            "region_id": spec.region,
            "pg_version": spec.major,
            "store_passwords": true,
            "branch": { "name": "main", "role_name": spec.role, "database_name": spec.database },
        });
        if let Some(org) = self.organisation() {
            project["org_id"] = json!(org);
        }
        if never_suspend {
            // A compute that suspends stops the subscription's workers, silently.
            project["default_endpoint_settings"] = json!({ "suspend_timeout_seconds": -1 });
        }
        self.api.send(Request::post(&["projects"], json!({ "project": project }))).await
    }

    /// The project with its default branch and its endpoint, which are asked for if they are not at hand.
    async fn complete(&self, project: Project, branch: Option<Branch>, endpoints: Vec<Endpoint>) -> Result<TargetProject> {
        let what = format!("read the Neon project {}", project.name);
        let branch = match branch {
            Some(branch) => branch.id,
            None => self.default_branch(&project.id).await.map_err(|fault| fault.error(&what))?,
        };
        let mine = |endpoint: &Endpoint| endpoint.writes() && endpoint.branch_id.as_ref().is_none_or(|id| *id == branch);
        let endpoint = match endpoints.into_iter().find(mine) {
            Some(endpoint) => endpoint.id,
            None => {
                let request = Request::get(&["projects", &project.id, "endpoints"]);
                let listed: Endpoints = self.api.send(request).await.map_err(|fault| fault.error(&what))?;
                let found = listed.endpoints.into_iter().find(mine).map(|endpoint| endpoint.id);
                found.ok_or_else(|| {
                    let text = format!("could not {what}: its default branch has no compute that takes writes");
                    Error::new(ErrorKind::Cloud, text).hint("add a primary compute to the branch in the Neon console")
                })?
            }
        };
        let Project { id, name, region_id: region, pg_version: major, created_at } = project;
        let created = created_at.and_then(|text| text.parse().ok());
        Ok(TargetProject { id, name, region, major, branch, endpoint, created })
    }

    async fn default_branch(&self, project: &str) -> std::result::Result<String, Fault> {
        let mut cursor: Option<String> = None;
        loop {
            let mut request = Request::get(&["projects", project, "branches"]).query("limit", "100");
            if let Some(cursor) = &cursor {
                request = request.query("cursor", cursor.as_str());
            }
            let page: Branches = self.api.send(request).await?;
            let empty = page.branches.is_empty();
            let default = |branch: &Branch| branch.default.or(branch.primary) == Some(true);
            if let Some(branch) = page.branches.into_iter().find(default) {
                return Ok(branch.id);
            }
            let next = page.pagination.and_then(|pagination| pagination.next).filter(|next| !next.is_empty());
            if empty || next.is_none() || next == cursor {
                return Err(Fault::Malformed("the project has no default branch".to_owned()));
            }
            cursor = next;
        }
    }

    pub(crate) async fn delete_project(&self, project: &TargetProject) -> Result<()> {
        let request = || Request::new(Method::DELETE, &["projects", &project.id]);
        let what = format!("delete the Neon project {}", project.name);
        let mut tries = 0;
        loop {
            tries += 1;
            match self.api.write(&project.id, request()).await {
                Ok(()) => return Ok(()),
                Err(fault) if fault.is_not_found() => return Ok(()),
                // Deleting twice does no harm.
                Err(fault) if fault.is_ambiguous() && tries < CREATE_TRIES => tokio::time::sleep(self.api.pace.retry.first).await,
                Err(fault) => return Err(fault.error(&what)),
            }
        }
    }
}
