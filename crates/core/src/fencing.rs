//! The fence around the database that is left, whichever it is.

use azure2neon_postgres::barrier::barrier_id;
use azure2neon_postgres::fence::{self, Fence, FenceBefore, FenceProof};
use azure2neon_postgres::sequences::read_sequences;
use azure2neon_postgres::{Lsn, QualifiedName, Session};
use serde_json::Value;

use crate::context::Context;
use crate::direction::Direction;
use crate::error::{Error, Result};
use crate::held::Held;
use crate::operation::output;
use crate::plan::Mode;

/// Lets the application wait where it can, and closes the database that the changes come from.
pub(crate) async fn raise(cx: &Context, direction: Direction) -> Result<Value> {
    let held = cx.held().await?;
    let own = held.pids().await;
    // Who can make the application wait does so first: then it sees no error.
    cx.clouds.places.hold_all(cx.max_pause()).await?;
    let (barrier, marker) = (direction.feed(cx).barrier, barrier_id());
    output(&fence::raise(&held.from, fence_of(cx, &held, &own, (&barrier, &marker))).await?)
}

/// Does what the pause does, as far as it changes nothing, so that the pause finds everything at hand.
pub(crate) async fn rehearse(cx: &Context, held: &Held) -> Result<()> {
    let (barrier, marker) = (held.direction.feed(cx).barrier, barrier_id());
    let sequences = async { Ok::<_, Error>(read_sequences(&held.to, &held.sequences).await?) };
    let witness = async {
        if let Some((session, witness)) = &held.witness {
            witness.ask(session, Lsn::default()).await?;
        }
        Ok(())
    };
    let fence = async { Ok(fence::rehearse(&held.from, fence_of(cx, held, &[], (&barrier, &marker))).await?) };
    tokio::try_join!(fence, sequences, witness)?;
    Ok(())
}

fn fence_of<'a>(cx: &'a Context, held: &'a Held, own: &'a [i32], marker: (&'a QualifiedName, &'a str)) -> Fence<'a> {
    // Offline, the copy opens its connections behind the fence.
    let is_online = cx.plan.mode == Mode::Online;
    let database = held.direction.database(cx);
    Fence { database, own, closed: is_online, sequences: &held.sequences, marker: is_online.then_some(marker) }
}

/// Opens it again, from the sessions at hand or from a new one.
pub(crate) async fn lower(cx: &Context, direction: Direction, before: &FenceBefore) -> Result<()> {
    let database = direction.database(cx);
    let held = cx.held().await.ok();
    let raising = held.as_ref().filter(|held| held.direction == direction).map(|held| held.from.pid());
    let lower_from = async |session: &Session| {
        // What raises the fence may still be under way, if somebody asked to stop just now: it must not close what this opens.
        let ended = match raising {
            Some(pid) => fence::end_own(session, pid).await,
            None => Ok(()),
        };
        fence::lower(session, database, before).await.and(ended)
    };
    let at_hand = held.as_ref().and_then(|held| if raising.is_some() { Some(&held.reopener) } else { held.opener.as_ref() });
    if let Some(session) = at_hand
        && lower_from(session).await.is_ok()
    {
        return Ok(());
    }
    let lowered = async { Ok::<_, Error>(lower_from(&beside(cx, direction).await?).await?) };
    lowered.await.map_err(|error| {
        let which = direction.from();
        Error::new(error.kind(), format!("THE {} IS STILL CLOSED: it could not be reopened", which.to_uppercase())).because(error).hint(
            format!(
                "run the same command again, or on the {which}, in another database such as postgres: {}",
                fence::lowering(database, before)
            ),
        )
    })
}

/// Opens it again, and lets the application go on as before.
pub(crate) async fn take_back(cx: &Context, direction: Direction, before: &FenceBefore) -> Result<()> {
    let lowered = lower(cx, direction, before).await;
    let released = cx.clouds.places.release_all().await;
    lowered.and(released)
}

/// What of the fence is left, if anything.
pub(crate) async fn left_over(cx: &Context, direction: Direction, before: &FenceBefore) -> Result<Option<String>> {
    let now = fence::fence_state(&beside(cx, direction).await?, direction.database(cx)).await?;
    Ok((now != *before).then(|| {
        let value = now.default_transaction_read_only.unwrap_or_else(|| "unset".into());
        let limit = now.connection_limit;
        format!("default_transaction_read_only of the {}'s database is {value}, its connection limit {limit}", direction.from())
    }))
}

/// The fence in a few words.
pub(crate) fn note(output: &Value) -> String {
    serde_json::from_value::<FenceProof>(output.clone())
        .map(|proof| format!("{} sessions ended, the last write is at {}", proof.ended, proof.position))
        .unwrap_or_default()
}

/// A session on the server that the fence does not keep out.
async fn beside(cx: &Context, direction: Direction) -> Result<Session> {
    Ok(fence::beside(&direction.from_endpoint(cx).await?).connect().await?)
}
