//! Waiting for ARM's long-running operations.

use azure2neon_core::patience::Awaited;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use crate::fault::{ErrorBody, Fault};
use crate::pace::Pace;
use crate::transport::{Answer, Transport};

/// The body behind `Azure-AsyncOperation`. Bodies behind `Location` have no status.
#[derive(Deserialize)]
struct Status {
    status: Option<String>,
    error: Option<ErrorBody>,
}

/// Where to look, and how to read what is there. The addresses are signed: they are never shown or stored.
enum Look {
    AtStatus(Url),
    AtResult(Url),
}

impl Look {
    fn of(answer: &Answer) -> Result<Option<Self>, Fault> {
        let parse = |text: &str| Url::parse(text).map_err(|_| Fault::Malformed("the address of an operation".to_owned()));
        if let Some(url) = answer.header("azure-asyncoperation") {
            return Ok(Some(Self::AtStatus(parse(url)?)));
        }
        // A 201 has a Location too, but that is the new resource's.
        match answer.header("location") {
            Some(url) if answer.status == 202 => Ok(Some(Self::AtResult(parse(url)?))),
            _ => Ok(None),
        }
    }
}

/// Waits until what ARM accepted is done. [`Fault::Unwatched`] if ARM doesn't say where to look.
pub(crate) async fn finish(transport: &Transport, accepted: Answer, pace: &Pace) -> Result<(), Fault> {
    if !matches!(accepted.status, 201 | 202) {
        return Ok(());
    }
    let look = match Look::of(&accepted)? {
        Some(look) => look,
        None if accepted.status == 202 => return Err(Fault::Unwatched),
        None => return Ok(()),
    };
    let since = Instant::now();
    let mut delays = pace.poll.delays();
    let mut asked = accepted.retry_after();
    loop {
        let own = delays.next().unwrap_or(pace.poll.most);
        let delay = asked.map_or(own, |asked| asked.min(pace.retry_after_most));
        if since.elapsed() + delay > pace.operation {
            return Err(Fault::Deadline(pace.operation));
        }
        let awaited = Awaited { reason: "Azure to complete an operation", age: since.elapsed(), deadline: pace.operation };
        pace.waits.pause(delay, awaited).await;
        let (Look::AtStatus(url) | Look::AtResult(url)) = &look;
        let answer = match transport.get(url.clone()).await {
            Ok(answer) => answer,
            // The operation goes on whether or not it can be seen.
            Err(fault) if fault.is_passing() => {
                asked = fault.retry_after();
                continue;
            }
            Err(fault) => return Err(fault),
        };
        asked = answer.retry_after();
        let done = match &look {
            Look::AtStatus(_) => ended(&answer)?,
            Look::AtResult(_) => answer.status != 202,
        };
        if done {
            return Ok(());
        }
    }
}

fn ended(answer: &Answer) -> Result<bool, Fault> {
    if answer.status == 204 {
        return Ok(true);
    }
    let status: Status =
        serde_json::from_slice(&answer.body).map_err(|error| Fault::Malformed(format!("an operation's status: {error}")))?;
    match status.status.as_deref().unwrap_or_default().to_ascii_lowercase().as_str() {
        "succeeded" => Ok(true),
        "failed" => Err(Fault::Operation(status.error.unwrap_or_default())),
        "canceled" | "cancelled" => Err(Fault::Canceled),
        _ => Ok(false),
    }
}
