use async_trait::async_trait;
use azure2neon_postgres::fence::FenceProof;
use azure2neon_postgres::sequences::{self, SequenceValue};
use azure2neon_postgres::{QualifiedName, Session};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Context;
use crate::direction::Direction;
use crate::error::{Error, ErrorKind, Result};
use crate::operation::{Observed, Operation, Together};
use crate::plan::Effect;

/// Sets every sequence to the source's value, called or not: replication doesn't carry them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetSequences {
    /// How many there were when the plan was made.
    pub planned: usize,
    /// Which way the changes flow.
    #[serde(default)]
    pub direction: Direction,
}

#[async_trait]
impl Operation for SetSequences {
    fn effect(&self) -> Effect {
        Effect::Changes
    }

    fn describe(&self) -> String {
        format!("set {} sequences (identity, serial, standalone) to the {}'s values", self.planned, self.direction.from())
    }

    async fn observe(&self, _cx: &Context) -> Result<Observed> {
        Ok(Observed::OnlyByDoing)
    }

    async fn apply(&self, cx: &Context) -> Result<Value> {
        let held = cx.held().await?;
        let FenceProof { sequences: wanted, .. } = cx.folder.output(self.direction.fence())?;
        set_and_prove(&held.to, &wanted).await?;
        Ok(json!({ "sequences": wanted.len() }))
    }

    fn together(&self, _cx: &Context) -> Option<Together> {
        Some(Together::Complete)
    }

    fn note(&self, output: &Value) -> String {
        format!("{} sequences", output.get("sequences").and_then(Value::as_u64).unwrap_or_default())
    }
}

/// Sets the sequences and reads them back.
pub(super) async fn set_and_prove(target: &Session, wanted: &[SequenceValue]) -> Result<()> {
    let names: Vec<QualifiedName> = wanted.iter().map(|value| value.name.clone()).collect();
    // Both are under way at once, in this order.
    let (set, is) = tokio::join!(sequences::set_sequences(target, wanted), sequences::read_sequences(target, &names));
    set?;
    let mut is = is?;
    is.retain(|value| !wanted.contains(value));
    let Some(first) = is.first() else { return Ok(()) };
    Err(Error::new(ErrorKind::NotEqual, format!("{} sequences differ after they were set, the first is {}", is.len(), first.name)))
}
