//! Requests to one of Azure's services, by path and in JSON.

use std::sync::Arc;

use azure2neon_core::settings::AzureApp;
use azure2neon_core::{Error, Result};
use reqwest::Method;
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

use crate::cloud::AzureCloud;
use crate::credential::Credential;
use crate::fault::{Call, Fault};
use crate::names;
use crate::operation;
use crate::pace::{Pace, Tries};
use crate::transport::Transport;

/// A service at one address, in one version of its API.
pub(super) struct Service {
    pub(super) transport: Arc<Transport>,
    pub(super) endpoint: Url,
    pub(super) version: &'static str,
    pub(super) credential: Credential,
    pub(super) pace: Pace,
}

impl Service {
    /// ARM, in that version of a resource provider.
    pub(super) fn arm(cloud: &AzureCloud, version: &'static str) -> Self {
        let arm = &cloud.arm;
        Self {
            transport: Arc::clone(&arm.transport),
            endpoint: arm.endpoint.clone(),
            version,
            credential: arm.credential.clone(),
            pace: arm.pace.clone(),
        }
    }

    /// Asks; tries again while nothing or a passing error comes back.
    pub(super) async fn ask(&self, call: &Call, method: Method, path: &str) -> Result<Value> {
        let mut tries = Tries::read(&self.pace);
        let answer = loop {
            match self.transport.send(method.clone(), self.url(path), None).await {
                Err(fault) if tries.again(&fault).await => {}
                result => break result.map_err(|fault| self.error(call, fault))?,
            }
        };
        serde_json::from_slice(&answer.body).map_err(|_| self.error(call, Fault::Malformed("its body is no JSON".to_owned())))
    }

    /// Sends once, and waits for what was accepted.
    pub(super) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> std::result::Result<(), Fault> {
        let accepted = self.transport.send(method, self.url(path), body).await?;
        operation::finish(&self.transport, accepted, &self.pace).await
    }

    /// The error for the operator.
    pub(super) fn error(&self, call: &Call, fault: Fault) -> Error {
        call.error(fault, &self.credential)
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.endpoint.clone();
        url.set_path(path);
        url.query_pairs_mut().append_pair("api-version", self.version);
        url
    }
}

/// An app, whose group and subscription are the source server's if it doesn't say.
pub(super) struct App {
    cloud: Arc<AzureCloud>,
    wanted: AzureApp,
    /// Resource provider and type.
    kind: &'static str,
    path: OnceCell<String>,
}

impl App {
    pub(super) fn new(cloud: &Arc<AzureCloud>, wanted: &AzureApp, kind: &'static str) -> Result<Self> {
        super::check_name("an app", &wanted.name)?;
        wanted.resource_group.as_deref().map(names::resource_group).transpose()?;
        wanted.subscription.as_deref().map(names::subscription).transpose()?;
        Ok(Self { cloud: Arc::clone(cloud), wanted: wanted.clone(), kind, path: OnceCell::new() })
    }

    pub(super) fn name(&self) -> &str {
        &self.wanted.name
    }

    /// For the Azure CLI: the group, if it isn't the server's.
    pub(super) fn group(&self) -> String {
        self.wanted.resource_group.clone().unwrap_or_else(|| "GROUP".to_owned())
    }

    /// ARM's path of it.
    pub(super) async fn path(&self) -> Result<&str> {
        let path = self.path.get_or_try_init(|| async {
            let (group, subscription) = match (&self.wanted.resource_group, &self.wanted.subscription) {
                (Some(group), Some(subscription)) => (group.clone(), subscription.clone()),
                (group, subscription) => {
                    let server = self.cloud.id().await?;
                    let or = |named: &Option<String>, servers: &str| named.clone().unwrap_or_else(|| servers.to_owned());
                    (or(group, &server.group), or(subscription, &server.subscription))
                }
            };
            let Self { kind, wanted: AzureApp { name, .. }, .. } = self;
            Ok::<_, Error>(format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/{name}"))
        });
        path.await.map(String::as_str)
    }
}
