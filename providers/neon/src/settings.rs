//! Settings of a project and its compute.

use azure2neon_core::cloud::{ComputeRange, TargetProject, TargetSettings};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::api::Request;
use crate::cloud::NeonCloud;
use crate::fault::Fault;
use crate::model::{OneEndpoint, OneProject};

/// Seconds of history that the lesser plans keep at most, Launch and Free: Neon's documentation, 2026-01.
const HISTORY_OF_LESSER_PLANS: [i64; 2] = [604_800, 21_600];

/// An endpoint's settings in the API's words.
pub(crate) fn of_endpoint(compute: Option<ComputeRange>, suspend_seconds: Option<i64>) -> Map<String, Value> {
    let mut settings = Map::new();
    if let Some(range) = compute {
        settings.insert("autoscaling_limit_min_cu".to_owned(), json!(range.least()));
        settings.insert("autoscaling_limit_max_cu".to_owned(), json!(range.most()));
    }
    if let Some(seconds) = suspend_seconds {
        settings.insert("suspend_timeout_seconds".to_owned(), json!(seconds));
    }
    settings
}

fn endpoint_request(project: &TargetProject, settings: Map<String, Value>) -> Request {
    let request = Request::new(Method::PATCH, &["projects", &project.id, "endpoints", &project.endpoint]);
    request.body(json!({ "endpoint": settings }))
}

fn history_request(project: &TargetProject, seconds: i64) -> Request {
    let body = json!({ "project": { "history_retention_seconds": seconds } });
    Request::new(Method::PATCH, &["projects", &project.id]).body(body)
}

/// What sets these settings.
pub(crate) fn requests(project: &TargetProject, wanted: &TargetSettings) -> Vec<Request> {
    let TargetSettings { compute, suspend_seconds, history_seconds } = *wanted;
    let endpoint = of_endpoint(compute, suspend_seconds);
    let endpoint = (!endpoint.is_empty()).then(|| endpoint_request(project, endpoint));
    endpoint.into_iter().chain(history_seconds.map(|seconds| history_request(project, seconds))).collect()
}

impl NeonCloud {
    pub(crate) async fn read_settings(&self, project: &TargetProject) -> Result<TargetSettings, Fault> {
        let OneEndpoint { endpoint } = self.api.send(Request::get(&["projects", &project.id, "endpoints", &project.endpoint])).await?;
        let found: OneProject = self.api.send(Request::get(&["projects", &project.id])).await?;
        let limits = endpoint.autoscaling_limit_min_cu.zip(endpoint.autoscaling_limit_max_cu);
        Ok(TargetSettings {
            compute: limits.map(|(least, most)| ComputeRange::observed(least, most)),
            suspend_seconds: Some(endpoint.suspend_timeout_seconds.unwrap_or(0)),
            history_seconds: found.project.history_retention_seconds,
        })
    }

    pub(crate) async fn write_settings(&self, project: &TargetProject, wanted: &TargetSettings) -> Result<(), Fault> {
        let now = self.read_settings(project).await?;
        let TargetSettings { compute, suspend_seconds, history_seconds } = now.lacks(wanted);
        match self.set_endpoint(project, of_endpoint(compute, suspend_seconds)).await {
            Err(fault) if fault.is_suspend_refused() => self.set_endpoint(project, of_endpoint(compute, None)).await?,
            result => result?,
        }
        let Some(seconds) = history_seconds else { return Ok(()) };
        // Never less than it is: what is as near as may be lies between.
        let lesser = HISTORY_OF_LESSER_PLANS.into_iter().filter(|lesser| (now.history_seconds.unwrap_or(0)..seconds).contains(lesser));
        for seconds in std::iter::once(seconds).chain(lesser) {
            match self.set_history(project, seconds).await {
                Err(fault) if fault.is_history_refused() => tracing::info!(%fault, seconds, "the plan keeps less history"),
                result => return result,
            }
        }
        Ok(())
    }

    async fn set_endpoint(&self, project: &TargetProject, settings: Map<String, Value>) -> Result<(), Fault> {
        if settings.is_empty() {
            return Ok(());
        }
        self.api.write_again(&project.id, endpoint_request(project, settings)).await
    }

    async fn set_history(&self, project: &TargetProject, seconds: i64) -> Result<(), Fault> {
        self.api.write_again(&project.id, history_request(project, seconds)).await
    }
}
