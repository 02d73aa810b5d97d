//! What a step can do. The engine alone calls it.

use async_trait::async_trait;
use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::plan::Effect;

/// What was observed of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// Nothing of it is there.
    Absent,
    /// It is wholly so; with the step's output.
    Present(Value),
    /// Part of it is there; apply goes on from here. Says what is missing.
    Partial(String),
    /// It can't be told by looking: to apply it is to prove it. Applying it again does no harm.
    OnlyByDoing,
}

impl Observed {
    /// Present without an output.
    pub fn present() -> Self {
        Self::Present(Value::Null)
    }
}

/// Neighbouring steps of a pause that don't depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// What makes the other side complete: what was written before the fence arrives there, and what replication leaves out.
    Complete,
    /// What needs it to be complete, and proves that it is.
    Prove,
}

/// A step's behaviour. The engine observes, journals the intent, applies, observes again; it undoes only what this run's
/// journal says it did.
///
/// `apply` and `undo` may be killed at any instruction and are then called again: both go on from whatever is there.
#[async_trait]
pub trait Operation: Send + Sync {
    /// What it touches.
    fn effect(&self) -> Effect;

    /// What it does, in one line.
    fn describe(&self) -> String;

    /// How it is taken back, in a few words; `None` if it leaves nothing to take back.
    fn inverse(&self) -> Option<String> {
        None
    }

    /// Looks whether it is so.
    async fn observe(&self, cx: &Context) -> Result<Observed>;

    /// Makes it so; the result is the step's output where it can only be told by doing.
    async fn apply(&self, cx: &Context) -> Result<Value>;

    /// With which neighbours it may run at the same time: those that name the same group; in a cut-over every round trip counts.
    fn together(&self, _cx: &Context) -> Option<Together> {
        None
    }

    /// Takes it back; no error if there is nothing to take back.
    async fn undo(&self, _cx: &Context) -> Result<()> {
        Ok(())
    }

    /// Looks whether nothing of it is left; `Some` says what is.
    async fn left_over(&self, _cx: &Context) -> Result<Option<String>> {
        Ok(None)
    }

    /// The output in a few words, for the operator.
    fn note(&self, _output: &Value) -> String {
        String::new()
    }
}

/// A step's output as the journal keeps it.
pub fn output<T: serde::Serialize>(value: &T) -> Result<Value> {
    serde_json::to_value(value)
        .map_err(|error| Error::new(crate::ErrorKind::Internal, "a step's output can't be written down").because(error))
}
