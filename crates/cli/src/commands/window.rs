//! How the way back is, for whoever asks.

use std::collections::HashMap;

use azure2neon_core::access::Access;
use azure2neon_core::cloud::{LostPassword, TargetProject};
use azure2neon_core::context::{Clouds, target_endpoint};
use azure2neon_core::journal::State;
use azure2neon_core::plan::Plan;
use azure2neon_core::way_back::{self, WindowState};
use azure2neon_core::{Error, ErrorKind, Result, clock};
use azure2neon_postgres::Session;

use crate::args::Global;
use crate::config::Config;
use crate::terminal::{bold, good, out};

/// The way back, and what of it could not be seen.
pub struct Window {
    state: WindowState,
    unseen: Vec<String>,
}

impl Window {
    /// Asks both servers, if that takes no question to the operator. Nothing is changed, and the run's folder is not locked.
    pub async fn look(global: &Global, config: &Config, plan: &Plan, states: &HashMap<String, State>) -> Self {
        let unknown = |why: String| Self { state: WindowState::default(), unseen: vec![why] };
        if let Some(variable) = config.missing_secret(&super::environment) {
            return unknown(format!("the way back can't be looked at without {variable}"));
        }
        let (clouds, access) = match config.connect(&super::environment, &crate::render::events(global.output)) {
            Ok(connected) => connected,
            Err(error) => return unknown(format!("the way back can't be looked at: {error}")),
        };
        let (source, target) = tokio::join!(source(config, plan, &access), target(config, plan, (&clouds, &access), states));
        let mut unseen = Vec::new();
        let mut side = |name: &str, session: Result<Session>| {
            session.map_err(|error| unseen.push(format!("the {name} can't be looked at: {error}"))).ok()
        };
        let (source, target) = (side("source", source), side("target", target));
        match way_back::look(&plan.names().mark, source.as_ref(), target.as_ref()).await {
            Ok(state) => Self { state, unseen },
            Err(error) => unknown(format!("the way back can't be looked at: {error}")),
        }
    }

    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({ "state": self.state, "unseen": self.unseen })
    }

    /// For people.
    pub fn print(&self) {
        out(&bold("Way back"));
        let is_well = self.state.is_well() && self.unseen.is_empty();
        let sign = if is_well { good("✓") } else { bold("!") };
        for line in self.state.lines(clock::now()) {
            out(&format!("  {sign} {line}"));
        }
        for trouble in self.state.troubles.iter().chain(&self.unseen) {
            out(&format!("  {} {trouble}", bold("!")));
        }
    }
}

/// The source, in another database where its own lets nobody in.
async fn source(config: &Config, plan: &Plan, access: &Access) -> Result<Session> {
    let source = &plan.source;
    let endpoint = access.source_endpoint(&config.settings, &source.server.host, &source.user, &plan.names().mark).await?;
    match endpoint.connect().await {
        Ok(session) => Ok(session),
        Err(error) => endpoint.with_database("postgres").connect().await.map_err(|_| error.into()),
    }
}

async fn target(config: &Config, plan: &Plan, (clouds, access): (&Clouds, &Access), states: &HashMap<String, State>) -> Result<Session> {
    let made = ["create-project", "use-project"].iter().find_map(|step| match states.get(*step) {
        Some(State::Done { output, .. }) => serde_json::from_value::<TargetProject>(output.clone()).ok(),
        _ => None,
    });
    let project = made.ok_or_else(|| Error::new(ErrorKind::RunFolder, "the journal names no project"))?;
    let connection = clouds.target.connection(&project, &plan.target.database(), LostPassword::Fail).await?;
    Ok(target_endpoint(&config.settings, access, connection, &plan.names().mark).connect().await?)
}
