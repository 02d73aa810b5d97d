//! Requests to ARM with their tries, waits and errors; which server they are about comes from the caller.

use std::sync::Arc;

use azure_core_legacy as legacy;
use azure_mgmt_postgresql::Client;
use azure2neon_core::{Error, ErrorKind, Result};
use futures::StreamExt;
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use crate::credential::Credential;
use crate::fault::{Call, Fault};
use crate::locate::ResourceId;
use crate::model::{Page, Readiness, Server};
use crate::operation;
use crate::pace::{Pace, Tries};
use crate::transport::{Answer, Transport};
use azure2neon_core::patience::Awaited;

/// The API version of what is asked for without the crate; the crate's own is the same.
pub(crate) const API_VERSION: &str = "2024-08-01";

/// ARM, with one identity.
pub(crate) struct Arm {
    pub(crate) client: Client,
    pub(crate) transport: Arc<Transport>,
    pub(crate) endpoint: Url,
    pub(crate) credential: Credential,
    pub(crate) pace: Pace,
}

/// One try of a request, made anew for each.
pub(crate) type Attempt<T> = BoxFuture<'static, std::result::Result<T, Fault>>;

impl Arm {
    /// Reads, again and again while nothing or a passing error comes back.
    pub(crate) async fn read<T>(&self, attempt: impl Fn() -> Attempt<T> + Send + Sync) -> std::result::Result<T, Fault> {
        let mut tries = Tries::read(&self.pace);
        loop {
            match attempt().await {
                Err(fault) if tries.again(&fault).await => {}
                result => return result,
            }
        }
    }

    /// The error for the operator.
    pub(crate) fn error(&self, call: &Call, fault: Fault) -> Error {
        call.error(fault, &self.credential)
    }

    /// All pages of a list at `path`, read leniently.
    pub(crate) async fn list<T: DeserializeOwned>(&self, path: &str, version: Option<&str>) -> std::result::Result<Vec<T>, Fault> {
        let mut url = self.endpoint.clone();
        url.set_path(path);
        url.query_pairs_mut().append_pair("api-version", version.unwrap_or(API_VERSION));
        let mut all = Vec::new();
        let mut next = Some(url);
        while let Some(url) = next {
            let answer = self
                .read(|| {
                    let (transport, url) = (self.transport.clone(), url.clone());
                    Box::pin(async move { transport.get(url).await })
                })
                .await?;
            let page: Page<T> = serde_json::from_slice(&answer.body).map_err(|error| Fault::Malformed(format!("a list: {error}")))?;
            all.extend(page.value);
            next = match page.next_link.filter(|link| !link.is_empty()) {
                Some(link) => Some(Url::parse(&link).map_err(|_| Fault::Malformed("the link to a list's next page".to_owned()))?),
                None => None,
            };
        }
        Ok(all)
    }

    /// The server as it is now.
    pub(crate) async fn server(&self, id: &ResourceId) -> std::result::Result<Server, Fault> {
        let answer = self
            .read(|| {
                let request = self.client.servers_client().get(&id.subscription, &id.group, &id.name).send();
                Box::pin(async move { Answer::from_crate(request.await?.into_raw_response()).await })
            })
            .await?;
        serde_json::from_slice(&answer.body).map_err(|error| Fault::Malformed(format!("a server: {error}")))
    }

    /// Waits until the server takes changes.
    pub(crate) async fn ready(&self, id: &ResourceId, call: &Call) -> Result<Server> {
        let since = Instant::now();
        let mut delays = self.pace.poll.delays();
        loop {
            let server = self.server(id).await.map_err(|fault| self.error(call, fault))?;
            match server.readiness() {
                Readiness::Ready => return Ok(server),
                Readiness::Down => {
                    let text = format!("could not {}: the server is {}", call.what, server.state());
                    let start = format!("az postgres flexible-server start --resource-group {} --name {}", id.group, id.name);
                    return Err(Error::new(ErrorKind::Cloud, text).hint(format!("bring it up first: `{start}`")));
                }
                Readiness::Busy => {}
            }
            let delay = delays.next().unwrap_or(self.pace.poll.most);
            if since.elapsed() + delay > self.pace.busy {
                let (state, most) = (server.state(), self.pace.busy.as_secs());
                let text = format!("could not {}: the server was still {state} after {most} s", call.what);
                return Err(Error::new(ErrorKind::Timeout, text));
            }
            let reason = format!("the Azure server, which is {}, to be ready", server.state());
            self.pace.waits.pause(delay, Awaited { reason: &reason, age: since.elapsed(), deadline: self.pace.busy }).await;
        }
    }

    /// Writes something that may be sent twice, when the server is ready, and waits until it is done; where ARM doesn't
    /// say when that is, until `is_so`.
    pub(crate) async fn write<'a>(
        &self,
        id: &ResourceId,
        call: &Call,
        attempt: impl Fn() -> Attempt<Answer> + Send + Sync,
        is_so: impl Fn() -> BoxFuture<'a, Result<bool>> + Send + Sync,
    ) -> Result<()> {
        let mut tries = Tries::write(&self.pace);
        loop {
            self.ready(id, call).await?;
            let result = match attempt().await {
                Ok(accepted) => operation::finish(&self.transport, accepted, &self.pace).await,
                Err(fault) => Err(fault),
            };
            match result {
                Ok(()) => return Ok(()),
                Err(Fault::Unwatched) => return self.see(call, is_so).await,
                Err(fault) if tries.again(&fault).await => {}
                Err(fault) => return Err(self.error(call, fault)),
            }
        }
    }

    async fn see<'a>(&self, call: &Call, is_so: impl Fn() -> BoxFuture<'a, Result<bool>> + Send + Sync) -> Result<()> {
        let since = Instant::now();
        let mut delays = self.pace.poll.delays();
        while !is_so().await? {
            let deadline = self.pace.operation;
            if since.elapsed() > deadline {
                let text = format!("could not {}: Azure accepted it, and after {} s it is not so", call.what, deadline.as_secs());
                return Err(Error::new(ErrorKind::Timeout, text));
            }
            let awaited = Awaited { reason: "what Azure accepted to be so", age: since.elapsed(), deadline };
            self.pace.waits.pause(delays.next().unwrap_or(self.pace.poll.most), awaited).await;
        }
        Ok(())
    }
}

/// All entries of one of the crate's lists; `value` takes them out of a page.
pub(crate) async fn collect<P, T>(
    mut pages: legacy::Pageable<P, legacy::Error>,
    value: fn(P) -> Vec<T>,
) -> std::result::Result<Vec<T>, Fault>
where
    P: legacy::Continuable + Send + Sync,
{
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        all.extend(value(page?));
    }
    Ok(all)
}
