use std::time::Duration;

use async_trait::async_trait;
use azure2neon_postgres::literal;
use azure2neon_postgres::subscription::{self, Publisher};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::allow_target_inbound::{allow_since, covers};
use crate::context::Context;
use crate::door::PROPAGATION;
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation};
use crate::plan::Effect;

/// Connects from the target to the source, as the replication role, before anything depends on it.
///
/// With dblink, in a transaction that is rolled back: the extension is not left behind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProveReachability {}

#[async_trait]
impl Operation for ProveReachability {
    fn effect(&self) -> Effect {
        Effect::Reads
    }

    fn describe(&self) -> String {
        "connect from Neon to the source as the replication role (dblink, rolled back)".into()
    }

    async fn observe(&self, cx: &Context) -> Result<Observed> {
        // A subscription is there only if the way was open, and holds the role's password, which must stay as it is.
        let target = cx.target().await?;
        let subscribed = subscription::subscription(&target, &cx.names().mark).await?.is_some();
        Ok(if subscribed { Observed::present() } else { Observed::OnlyByDoing })
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        allow_since(cx).await?;
        let endpoint = cx.replication_endpoint().await?;
        let conninfo = subscription::conninfo(&Publisher::from(&endpoint), &cx.settings.subscription_sslmode, &cx.names().mark);
        let mut target = cx.target().await?;
        let mut wait = cx.wait("prove-reachability", "the source's firewall to let the target in", Some(PROPAGATION));
        loop {
            let attempt = target.transaction().await?;
            attempt.batch_execute("create extension if not exists dblink with schema public").await?;
            let statement = format!("select public.dblink_connect({}, {})", literal("azure2neon"), literal(conninfo.expose_secret()));
            let refused = match attempt.batch_execute(&statement).await {
                Ok(()) => {
                    attempt.batch_execute(&format!("select public.dblink_disconnect({})", literal("azure2neon"))).await?;
                    attempt.rollback().await?;
                    return Ok(Value::Null);
                }
                Err(error) => azure2neon_postgres::Error::from(error).without(endpoint.password.expose_secret()),
            };
            attempt.rollback().await?;
            // Only what looks like a closed door is worth waiting for.
            if refused.sqlstate() != Some("08001") {
                return Err(Error::from(refused).hint("see whether the source takes connections of the replication role"));
            }
            if let Some(address) = turned_away(refused.message())
                && !covers(&cx.clouds.source.inbound_rules().await?, address)
            {
                return Err(unknown_address(cx, address)?);
            }
            wait.reason(format!("the source's firewall to let the target in; last answer: {}", refused.message()));
            wait.pause(Duration::from_millis(500)).await.map_err(|timeout| {
                Error::new(ErrorKind::Unreachable, format!("Neon can't connect to the source: {}", refused.message()))
                    .because(timeout)
                    .hint("see the server's firewall rules and network settings in the Azure portal; then run the same command again")
            })?;
        }
    }
}

/// The address that the source says it turned away: PostgreSQL's words for who is not let in, and Azure's firewall's.
fn turned_away(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("no pg_hba.conf entry for host \"")?;
    rest.split_once('"').map(|(address, _)| address)
}

/// No rule lets this address in, so that waiting can't help.
fn unknown_address(cx: &Context, address: &str) -> Result<Error> {
    let list = cx.clouds.target.egress_addresses(&cx.plan.target.region)?.provenance;
    Ok(Error::new(
        ErrorKind::Unreachable,
        format!("Neon came from {address}, which no firewall rule of the source lets in: it is not in the list of addresses ({list})"),
    )
    .hint(format!("add it, and go on: azure2neon migrate --egress-address {address}")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_address_is_read_from_the_refusal() {
        let refusal = "could not establish connection; connection to server at \"shop\" (127.1.1.4), port 5432 failed: FATAL:  \
                       no pg_hba.conf entry for host \"3.10.42.8\", user \"u\", database \"d\", SSL encryption";
        assert_eq!(super::turned_away(refusal), Some("3.10.42.8"));
        assert_eq!(super::turned_away("could not establish connection; connection refused"), None);
    }
}
