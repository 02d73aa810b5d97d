//! A copy through this machine as events, and its eye on the source.

use std::convert::Infallible;

use azure2neon_postgres::copy::manners::{Bounds, Change, Manners, Sample, Watch, baseline};
use azure2neon_postgres::copy::progress::{Progress, TableProgress, TableState};

use crate::context::Context;
use crate::error::Error;
use crate::event::{CopyProgress, Event, TableUnderWay};

/// How far the copy of this step is.
pub fn event(step: &str, progress: Progress) -> Event {
    let table = |table: TableProgress| TableUnderWay {
        table: format!("{}.{}", table.table.schema, table.table.name),
        indexing: table.state == TableState::Indexing,
        percent: table.percent,
        parts: table.parts,
        of_parts: table.of_parts,
        bytes: table.bytes,
        rows: table.rows,
    };
    Event::Copy(CopyProgress {
        step: step.to_owned(),
        tables: progress.tables,
        of_tables: progress.of_tables,
        bytes: progress.bytes,
        of_bytes: progress.of_bytes,
        rows: progress.rows,
        bytes_per_second: progress.rate,
        seconds_left: progress.left.map(|(least, most)| (least.as_secs(), most.as_secs())),
        under_way: progress.under_way.into_iter().map(table).collect(),
    })
}

/// What the source bears, by its load before the copy; none if that can't be seen. Says so then: no copy fails because of it.
pub async fn bounds(cx: &Context, manners: &Manners) -> Option<Bounds> {
    let look = async {
        let source = cx.source().await?;
        Ok::<_, Error>(baseline(&source, &cx.names().mark).await?)
    };
    let before = match look.await {
        Ok(before) => before,
        Err(error) => {
            cx.events.notice(format!("The source's load is not known, so all {} workers copy: {error}", manners.most()));
            return None;
        }
    };
    say_hidden(cx, &before);
    let settings = &cx.settings.manners;
    Some(Bounds::new(&before, settings.busy_sessions, settings.replica_lag, manners.most()))
}

/// Lets as many workers copy as the source bears, until it is dropped.
pub async fn watch_source(cx: &Context, step: &str, manners: &Manners, bounds: Option<Bounds>) -> Infallible {
    let Some(bounds) = bounds else { return std::future::pending().await };
    let ours = cx.names().mark;
    let say = |Change { workers, of, why }| cx.events.say(Event::Workers { step: step.to_owned(), workers, of, reason: why });
    Watch { manners, bounds, ours: &ours, say: &say }.run(|| cx.source()).await
}

/// Says what may not be seen and so counts for nothing.
fn say_hidden(cx: &Context, sample: &Sample) {
    let hidden = match (&sample.sessions, &sample.lag) {
        (None, None) => "the application's sessions and the source's replicas",
        (None, _) => "the application's sessions",
        (_, None) => "the source's replicas",
        _ => return,
    };
    let user = &cx.plan.source.user;
    cx.events.notice(format!("{user} may not see {hidden}, so the copy does not mind them: pg_monitor would show them."));
}
