//! The operator's own way through the source's firewall.
//!
//! It is no step: without it there is no survey and so no plan, and it is needed for longer than any step, since the look
//! at the end needs the source too. Like a step it is journalled before it is made, and when it is seen to be gone.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use azure2neon_postgres::Endpoint;

use crate::cloud::{InboundRule, SourceCloud, SourceServer};
use crate::context::Wait;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Events;
use crate::journal::{RunFolder, State, What, read_step_states};
use crate::plan::RULE_PREFIX;

/// Azure's firewall rules may take up to five minutes to take effect.
pub(crate) const PROPAGATION: Duration = Duration::from_secs(300);

/// The journal's key.
const DOOR: &str = "operator-inbound";

/// The firewall rule that lets the operator's own machine in, for as long as a run lasts.
pub struct Door<'a> {
    /// Where the firewall is.
    pub cloud: &'a dyn SourceCloud,
    /// The run's journal.
    pub folder: &'a RunFolder,
    /// Where to say what happens.
    pub events: &'a Events,
    /// The run's id.
    pub run: &'a str,
}

impl Door<'_> {
    /// Lets this machine in if the firewall turns its connection away, and waits until that takes effect. Any other trouble
    /// is left to whoever needs the connection.
    pub async fn enter(&self, server: &SourceServer, endpoint: &Endpoint) -> Result<()> {
        let Some(address) = refused(endpoint).await else { return Ok(()) };
        self.open(address).await?;
        let mut wait = Wait::new(self.events, DOOR, format!("the source's firewall to let {address} in"), Some(PROPAGATION));
        while let Some(seen) = refused(endpoint).await {
            if seen != address {
                return Err(Error::new(ErrorKind::Unreachable, format!("the source sees this machine as {address} and as {seen}"))
                    .hint(format!("let its whole range in: `{} --end-ip-address …`", server.az_allow(address))));
            }
            wait.pause(Duration::from_millis(500)).await?;
        }
        Ok(())
    }

    async fn open(&self, address: Ipv4Addr) -> Result<()> {
        let rule = InboundRule { name: self.rule_name(), start: address.to_string(), end: address.to_string() };
        self.folder.record(DOOR, What::Started)?;
        self.cloud.allow_inbound(&rule).await?;
        self.events.notice(format!("{address} is let through the source's firewall by the rule {}, until `finish` or `abort`.", rule.name));
        Ok(())
    }

    /// Removes the rule if the journal says that this run may have made it.
    pub async fn close(&self) -> Result<()> {
        if !self.folder.touched(DOOR) {
            return Ok(());
        }
        let name = self.rule_name();
        self.cloud.revoke_inbound(&name).await?;
        if self.cloud.inbound_rules().await?.iter().any(|rule| rule.name == name) {
            return Err(Error::new(ErrorKind::Cloud, format!("the firewall rule {name} is still there after it was removed")));
        }
        self.folder.record(DOOR, What::Undone)?;
        self.events.notice(format!("The firewall rule {name} is removed."));
        Ok(())
    }

    fn rule_name(&self) -> String {
        format!("{RULE_PREFIX}{}-operator", self.run)
    }
}

/// Whether the rule of the run in this folder may be there; without taking its lock.
pub fn is_open(folder: &Path) -> Result<bool> {
    Ok(read_step_states(folder)?.get(DOOR) == Some(&State::Started))
}

/// The address that this connection is turned away for.
async fn refused(endpoint: &Endpoint) -> Option<Ipv4Addr> {
    endpoint.connect().await.err()?.refused_address()
}
