//! The restart, which must not be sent twice: a second one would interrupt clients again.

use azure2neon_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

use crate::cloud::AzureCloud;
use crate::fault::{Call, Fault};
use crate::model::Readiness;
use crate::operation;
use crate::pace::Tries;
use crate::transport::Answer;
use azure2neon_core::patience::Awaited;

const ACTION: &str = "Microsoft.DBforPostgreSQL/flexibleServers/restart/action";

impl AzureCloud {
    pub(crate) async fn restart_once(&self) -> Result<()> {
        let id = self.id().await?;
        let call = Call::new(format!("restart the server {}", id.name), ACTION);
        let _turn = self.turn.lock().await;
        let mut tries = Tries::write(&self.arm.pace);
        let mut again = false;
        loop {
            self.arm.ready(id, &call).await?;
            let due = self.waits_for_restart().await?;
            let request = self.arm.client.servers_client().restart(&id.subscription, &id.group, &id.name).send();
            let answer = async { Answer::from_crate(request.await?.into_raw_response()).await }.await;
            let fault = match answer {
                Ok(accepted) => match operation::finish(&self.arm.transport, accepted, &self.arm.pace).await {
                    Ok(()) => break,
                    Err(fault) => fault,
                },
                Err(fault) => fault,
            };
            if fault.is_ambiguous() {
                if self.happens(&call, due, &fault).await? {
                    break;
                }
                // Nothing but a parameter that still waits proves that the server was not restarted: then, and once, it is sent again.
                if !due || std::mem::replace(&mut again, true) {
                    let kind = if fault.is_silence() { ErrorKind::Unreachable } else { ErrorKind::Cloud };
                    let text = format!("could not {}: {fault}, and the server shows no sign of a restart", call.what);
                    return Err(Error::new(kind, text).hint("run the same command again: it looks first whether a restart is still due"));
                }
            } else if !tries.again(&fault).await {
                // It was refused, or ended without effect because the server was busy, or was never sent.
                return Err(self.arm.error(&call, fault));
            }
        }
        self.arm.ready(id, &call).await.map(|_| ())
    }

    /// Watches for a while whether the restart whose answer was lost happens: nothing waits for a restart any more when
    /// something did, else the server's state, which another operation could change too.
    async fn happens(&self, call: &Call, due: bool, fault: &Fault) -> Result<bool> {
        tracing::warn!(fault = %fault, "the answer to the restart is unknown; watching the server");
        let id = self.id().await?;
        let pace = &self.arm.pace;
        let since = Instant::now();
        let mut delays = pace.poll.delays();
        loop {
            let server = self.arm.server(id).await.map_err(|fault| self.arm.error(call, fault))?;
            let ready = server.readiness() == Readiness::Ready;
            if (due && ready && !self.waits_for_restart().await?) || (!due && !ready) {
                return Ok(true);
            }
            let deadline = if ready { pace.restart_grace } else { pace.busy };
            if since.elapsed() > deadline {
                return Ok(false);
            }
            let awaited = Awaited { reason: "a sign of the restart, whose answer was lost", age: since.elapsed(), deadline };
            pace.waits.pause(delays.next().unwrap_or(pace.poll.most), awaited).await;
        }
    }

    async fn waits_for_restart(&self) -> Result<bool> {
        Ok(self.all_parameters().await?.iter().any(|parameter| parameter.pending_restart))
    }
}
