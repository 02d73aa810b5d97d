//! Branches of a project: finding one, making one exactly once.

use std::collections::HashSet;

use azure2neon_core::cloud::TargetProject;
use azure2neon_core::{Error, ErrorKind, Result};
use reqwest::Method;
use serde_json::json;

use crate::api::Request;
use crate::cloud::NeonCloud;
use crate::fault::Fault;
use crate::model::{Branch, Branches, Endpoint, Endpoints, NewBranch};
use crate::operations::TRIES;

impl NeonCloud {
    /// The branch of this id or name, else the default one.
    pub(crate) async fn branch(&self, project: &str, wanted: Option<&str>) -> std::result::Result<Option<String>, Fault> {
        let is_it = |branch: &Branch| match wanted {
            Some(wanted) => branch.id == wanted || branch.name.as_deref() == Some(wanted),
            None => branch.default.or(branch.primary) == Some(true),
        };
        let mut seen = HashSet::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut request = Request::get(&["projects", project, "branches"]).query("limit", "100");
            if let Some(cursor) = &cursor {
                request = request.query("cursor", cursor.as_str());
            }
            let page: Branches = self.api.send(request).await?;
            let news = page.branches.iter().filter(|branch| seen.insert(branch.id.clone())).count();
            if let Some(branch) = page.branches.into_iter().find(is_it) {
                return Ok(Some(branch.id));
            }
            cursor = page.pagination.and_then(|pagination| pagination.next).filter(|next| !next.is_empty());
            if news == 0 || cursor.is_none() {
                return Ok(None);
            }
        }
    }

    /// The branch's endpoint that takes writes, which is asked for if it is not among those at hand. The project is named by id and name.
    pub(crate) async fn writing_endpoint(&self, project: (&str, &str), branch: &str, at_hand: Vec<Endpoint>) -> Result<String> {
        let (id, name) = project;
        let what = format!("read the Neon project {name}");
        let mine = |endpoint: &Endpoint| endpoint.writes() && endpoint.branch_id.as_ref().is_none_or(|id| id == branch);
        if let Some(endpoint) = at_hand.into_iter().find(mine) {
            return Ok(endpoint.id);
        }
        let listed: Endpoints = self.api.send(Request::get(&["projects", id, "endpoints"])).await.map_err(|fault| fault.error(&what))?;
        let found = listed.endpoints.into_iter().find(mine).map(|endpoint| endpoint.id);
        found.ok_or_else(|| {
            let text = format!("could not {what}: its branch {branch} has no compute that takes writes");
            Error::new(ErrorKind::Cloud, text).hint("add a primary compute to the branch in the Neon console")
        })
    }

    pub(crate) async fn branch_off(&self, project: &TargetProject, name: &str) -> Result<TargetProject> {
        let what = format!("create the branch {name} of the Neon project {}", project.name);
        let failed = |fault: Fault| fault.error(&what);
        let taken = || Error::new(ErrorKind::AlreadyExists, format!("the Neon project {} has a branch named {name} already", project.name));
        let find = async || self.branch(&project.id, Some(name)).await.map_err(failed);
        if find().await?.is_some() {
            return Err(taken());
        }
        let body = json!({
            "branch": { "name": name, "parent_id": project.branch },
            "endpoints": [{ "type": "read_write" }],
        });
        let request = Request::post(&["projects", &project.id, "branches"], body);
        let mut tries = 0;
        loop {
            tries += 1;
            match self.api.send::<NewBranch>(request.clone()).await {
                Ok(NewBranch { branch, endpoints, operations }) => {
                    self.api.finish(&project.id, operations).await.map_err(failed)?;
                    return self.on_branch(project, branch.id, endpoints).await;
                }
                Err(fault) if fault.is_ambiguous() => {
                    // It may be there all the same. The name was free before, so one of that name is ours.
                    tracing::warn!(fault = %fault, "the answer to the branch's creation was lost; looking for it");
                    tokio::time::sleep(self.api.pace.retry.first).await;
                    if let Some(branch) = find().await? {
                        self.api.settle(&project.id).await.map_err(failed)?;
                        return self.on_branch(project, branch, Vec::new()).await;
                    }
                    if tries >= TRIES {
                        return Err(failed(fault));
                    }
                }
                Err(fault) if fault.says_exists() => return Err(taken()),
                Err(fault) => return Err(failed(fault)),
            }
        }
    }

    async fn on_branch(&self, project: &TargetProject, branch: String, endpoints: Vec<Endpoint>) -> Result<TargetProject> {
        let endpoint = self.writing_endpoint((&project.id, &project.name), &branch, endpoints).await?;
        Ok(TargetProject { branch, endpoint, ..project.clone() })
    }

    pub(crate) async fn drop_branch(&self, project: &TargetProject, name: &str) -> std::result::Result<(), Fault> {
        let Some(branch) = self.branch(&project.id, Some(name)).await? else { return Ok(()) };
        let request = Request::new(Method::DELETE, &["projects", &project.id, "branches", &branch]);
        match self.api.write_again(&project.id, request).await {
            Err(fault) if !fault.is_not_found() => Err(fault),
            _ => Ok(()),
        }
    }
}
