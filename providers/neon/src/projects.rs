//! Projects: finding one by its name, making one exactly once.

use std::collections::HashSet;

use azure2neon_core::cloud::{ProjectSpec, TargetProject, TargetSettings};
use azure2neon_core::{Error, ErrorKind, Result};
use reqwest::Method;
use serde_json::json;

use crate::api::Request;
use crate::cloud::NeonCloud;
use crate::fault::Fault;
use crate::model::{Created, Endpoint, OneProject, Project, Projects};
use crate::operations::TRIES;
use crate::{organisation, regions, settings};

/// Projects a page; the most that Neon allows.
const PAGE: &str = "400";

fn no_branch() -> Error {
    Error::new(ErrorKind::Cloud, "the Neon project that was created has no default branch")
}

impl NeonCloud {
    /// The organisation, as far as it is known.
    pub(crate) fn organisation(&self) -> Option<&str> {
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
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
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
            let news = page.projects.iter().filter(|project| seen.insert(project.id.clone())).count();
            found.extend(page.projects.into_iter().filter(|project| project.name == name));
            // The last page has a cursor as well: one without anything new is the end.
            cursor = page.pagination.and_then(|pagination| pagination.cursor).filter(|next| !next.is_empty());
            if news == 0 || cursor.is_none() {
                return Ok(found);
            }
        }
    }

    /// The only project of this name.
    async fn only_named(&self, name: &str) -> Result<Option<Project>> {
        let mut found = self.named(name).await?;
        if found.len() < 2 {
            return Ok(found.pop());
        }
        let ids: Vec<&str> = found.iter().map(|project| project.id.as_str()).collect();
        let text = format!("there are {} Neon projects named {name}: {}", ids.len(), ids.join(", "));
        Err(Error::new(ErrorKind::Configuration, text)
            .hint("choose another name, or name the one to migrate into by its id with --existing-project"))
    }

    pub(crate) async fn find_project(&self, name: &str) -> Result<Option<TargetProject>> {
        let Some(project) = self.only_named(name).await? else { return Ok(None) };
        // Its creation may have been interrupted here and still go on there: branch and compute come with it.
        let settled = self.api.settle(&project.id).await;
        settled.map_err(|fault| fault.error(&format!("wait for the creation of the Neon project {name}")))?;
        self.with_branch(project, None).await
    }

    pub(crate) async fn open_project(&self, named: &str, branch: Option<&str>) -> Result<Option<TargetProject>> {
        let of_id = self.project_of_id(named).await.map_err(|fault| fault.error(&format!("look for the Neon project {named}")))?;
        let found = match of_id {
            Some(project) => Some(project),
            None => self.only_named(named).await?,
        };
        match found {
            Some(project) => self.with_branch(project, branch).await,
            None => Ok(None),
        }
    }

    /// Asked first, since a key of one project may do nothing else. Whatever can't be an id is not asked for.
    async fn project_of_id(&self, id: &str) -> std::result::Result<Option<Project>, Fault> {
        if !id.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
            return Ok(None);
        }
        match self.api.send::<OneProject>(Request::get(&["projects", id])).await {
            Ok(found) => Ok(Some(found.project)),
            Err(fault) if fault.is_not_found() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The project with the branch of this id or name, else its default branch; none if there is no such branch.
    async fn with_branch(&self, project: Project, branch: Option<&str>) -> Result<Option<TargetProject>> {
        let found = self.branch(&project.id, branch).await;
        match found.map_err(|fault| fault.error(&format!("list the branches of the Neon project {}", project.name)))? {
            Some(branch) => self.complete(project, branch, Vec::new()).await.map(Some),
            None => Ok(None),
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
        let mut with_suspend = spec.settings.suspend_seconds.is_some();
        let mut tries = 0;
        loop {
            tries += 1;
            match self.post_project(spec, with_suspend).await {
                Ok(created) => {
                    let id = created.project.id.clone();
                    self.api.finish(&id, created.operations).await.map_err(|fault| fault.error(&what))?;
                    return match created.branch {
                        Some(branch) => self.complete(created.project, branch.id, created.endpoints).await,
                        None => self.with_branch(created.project, None).await?.ok_or_else(no_branch),
                    };
                }
                Err(fault) if with_suspend && fault.is_suspend_refused() => {
                    tracing::info!("the plan has no say over when a compute suspends");
                    with_suspend = false;
                }
                Err(fault) if fault.is_ambiguous() => {
                    // It may be there all the same. The name was free before, so one of that name is ours.
                    tracing::warn!(fault = %fault, "the answer to the project's creation was lost; looking for it");
                    tokio::time::sleep(self.api.pace.retry.first).await;
                    if let Some(project) = self.find_project(&spec.name).await? {
                        return Ok(project);
                    }
                    if tries >= TRIES {
                        return Err(fault.error(&what));
                    }
                }
                Err(fault) if fault.says_exists() => return Err(taken()),
                Err(fault) => self.learn_organisation(fault, &what).await?,
            }
        }
    }

    async fn post_project(&self, spec: &ProjectSpec, with_suspend: bool) -> std::result::Result<Created, Fault> {
        self.api.send(self.project_request(spec, with_suspend)).await
    }

    pub(crate) fn project_request(&self, spec: &ProjectSpec, with_suspend: bool) -> Request {
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
        let TargetSettings { compute, suspend_seconds, history_seconds } = spec.settings;
        let compute = settings::of_endpoint(compute, suspend_seconds.filter(|_| with_suspend));
        if !compute.is_empty() {
            project["default_endpoint_settings"] = compute.into();
        }
        if let Some(seconds) = history_seconds {
            project["history_retention_seconds"] = json!(seconds);
        }
        if spec.publishes {
            project["settings"] = json!({ "enable_logical_replication": true });
        }
        Request::post(&["projects"], json!({ "project": project }))
    }

    /// The project with its branch and the branch's endpoint, which is asked for if it is not at hand.
    async fn complete(&self, project: Project, branch: String, endpoints: Vec<Endpoint>) -> Result<TargetProject> {
        let endpoint = self.writing_endpoint((&project.id, &project.name), &branch, endpoints).await?;
        let Project { id, name, region_id: region, pg_version: major, created_at, settings, .. } = project;
        let created = created_at.and_then(|text| text.parse().ok());
        let publishes = settings.and_then(|settings| settings.enable_logical_replication);
        Ok(TargetProject { id, name, region, major, branch, endpoint, created, publishes })
    }

    pub(crate) async fn delete_project(&self, project: &TargetProject) -> Result<()> {
        match self.api.write_again(&project.id, Self::project_deletion(project)).await {
            Err(fault) if !fault.is_not_found() => Err(fault.error(&format!("delete the Neon project {}", project.name))),
            _ => Ok(()),
        }
    }

    pub(crate) fn project_deletion(project: &TargetProject) -> Request {
        Request::new(Method::DELETE, &["projects", &project.id])
    }
}
