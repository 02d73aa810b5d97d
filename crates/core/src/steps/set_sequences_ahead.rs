use async_trait::async_trait;
use azure2neon_postgres::sequences::{self, SequenceValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::set_sequences::set_and_prove;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::What;
use crate::operation::{Observed, Operation, output};
use crate::plan::Effect;

/// Its id.
pub(crate) const STEP: &str = "set-sequences-ahead";

/// Sets every sequence to the source's value of now. The cut-over sets them again; until then nobody but us moves them, so that one that
/// was moved is noticed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetSequencesAhead {}

/// The sequences of the target that are not where this run set them.
pub(crate) async fn moved_sequences(cx: &Context) -> Result<Vec<String>> {
    let Some(set) = cx.done::<Vec<SequenceValue>>(STEP)? else { return Ok(Vec::new()) };
    let names: Vec<_> = set.iter().map(|value| value.name.clone()).collect();
    let is = sequences::read_sequences(&cx.target().await?, &names).await?;
    let moved = set.iter().zip(&is).filter(|(set, is)| set != is);
    Ok(moved.map(|(set, is)| format!("sequence {}: {} on the target, where it was set to {}", set.name, shown(is), shown(set))).collect())
}

/// Fails if there are any.
pub(crate) fn demand_unmoved(moved: &[String]) -> Result<()> {
    if moved.is_empty() {
        return Ok(());
    }
    let why = format!("somebody moved {} of the target's sequences:\n  {}", moved.len(), moved.join("\n  "));
    Err(Error::new(ErrorKind::NotEqual, why).hint("see that nobody uses the target yet; then `azure2neon verify --repair` sets them again"))
}

/// Sets them again, whoever moved them.
pub(crate) async fn set_sequences_again(cx: &Context) -> Result<()> {
    let output = output(&set(cx).await?)?;
    cx.folder.record(STEP, What::Reset)?;
    cx.folder.record(STEP, What::Started)?;
    cx.folder.record(STEP, What::Done { milliseconds: 0, already: false, output })
}

async fn set(cx: &Context) -> Result<Vec<SequenceValue>> {
    let (source, target) = tokio::try_join!(cx.source(), cx.target())?;
    let names = cx.source_inventory(&source).await?.sequences;
    let wanted = sequences::read_sequences(&source, &names).await?;
    set_and_prove(&target, &wanted).await?;
    Ok(wanted)
}

fn shown(value: &SequenceValue) -> String {
    format!("{}{}", value.last_value, if value.is_called { "" } else { " (not used yet)" })
}

#[async_trait]
impl Operation for SetSequencesAhead {
    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn describe(&self) -> String {
        "set every sequence to the source's value of now; the cut-over sets them again".into()
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        demand_unmoved(&moved_sequences(cx).await?)?;
        output(&set(cx).await?)
    }

    fn note(&self, output: &Value) -> String {
        format!("{} sequences", output.as_array().map_or(0, Vec::len))
    }
}
