//! What a step works with: the plan, the settings, both clouds, connections, the journal, the events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use azure2neon_postgres::copy::{Lane, lane};
use azure2neon_postgres::walsender::ExportedSlot;
use azure2neon_postgres::{Endpoint, Inventory, Session, fence};
use secrecy::SecretString;
use tokio::sync::{Mutex, OnceCell};

use crate::access::Access;
use crate::clock;
use crate::cloud::{SourceCloud, TargetCloud, TargetConnection, TargetProject};
use crate::direction::Direction;
use crate::door::Door;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Events};
use crate::handover::Places;
use crate::held::Held;
use crate::journal::{RunFolder, State};
use crate::plan::{Names, Plan};
use crate::selection;
use crate::settings::Settings;

/// The step that closes the source.
pub const FENCE: &str = "fence-writes";
/// The step that closes the target.
pub const FENCE_TARGET: &str = "fence-target";

/// Both clouds, and where the application is.
#[derive(Clone)]
pub struct Clouds {
    /// The source's.
    pub source: Arc<dyn SourceCloud>,
    /// The target's.
    pub target: Arc<dyn TargetCloud>,
    /// The places from which the application takes its connection string.
    pub places: Places,
}

/// What a step works with.
pub struct Context {
    /// The plan.
    pub plan: Plan,
    /// The operator's settings.
    pub settings: Settings,
    /// Both clouds.
    pub clouds: Clouds,
    /// The journal.
    pub folder: RunFolder,
    /// Where to say what happens.
    pub events: Events,
    access: Access,
    target_endpoint: OnceCell<Endpoint>,
    replication_password: Mutex<Option<SecretString>>,
    password_renewed: AtomicBool,
    slot: Mutex<Option<ExportedSlot>>,
    held: Mutex<Option<Arc<Held>>>,
    passing: Mutex<()>,
}

impl Context {
    /// A context for the run in `folder`.
    pub fn new(plan: Plan, settings: Settings, clouds: Clouds, access: Access, folder: RunFolder, events: Events) -> Self {
        let (target_endpoint, replication_password, password_renewed, slot, held, passing) = Default::default();
        Self {
            plan,
            settings,
            clouds,
            folder,
            events,
            access,
            target_endpoint,
            replication_password,
            password_renewed,
            slot,
            held,
            passing,
        }
    }

    /// Ends the run's use of its folder and gives it back.
    pub fn into_folder(self) -> RunFolder {
        self.folder
    }

    /// Names of what this run makes.
    pub fn names(&self) -> Names {
        self.plan.names()
    }

    /// The source's database, as the operator reaches it.
    pub async fn source_endpoint(&self) -> Result<Endpoint> {
        let source = &self.plan.source;
        self.access.source_endpoint(&self.settings, &source.server.host, &source.user, &self.names().mark).await
    }

    /// A session in the source's database, also when that is closed by the fence.
    pub async fn source(&self) -> Result<Session> {
        let entered = self.enter(&self.source_endpoint().await?, FENCE).await;
        entered.map_err(|refused| self.access.explain(&self.plan.source.server, refused))
    }

    /// A session in a database that this step may have closed.
    async fn enter(&self, endpoint: &Endpoint, fence: &str) -> azure2neon_postgres::Result<Session> {
        let connect = || async {
            let session = endpoint.connect().await?;
            let pid = session.pid();
            Ok((session, pid))
        };
        Ok(self.pass(endpoint, fence, connect).await?.0)
    }

    /// A connection that `connect` makes to a database that this step may have closed.
    async fn pass<T, F: Future<Output = azure2neon_postgres::Result<(T, i32)>> + Send>(
        &self,
        endpoint: &Endpoint,
        fence: &str,
        connect: impl Fn() -> F + Send + Sync,
    ) -> azure2neon_postgres::Result<(T, i32)> {
        if !self.folder.touched(fence) {
            return connect().await;
        }
        // One at a time, also if no fence stands in the way: while one is let in, whoever else comes in is ended.
        let _alone = self.passing.lock().await;
        match connect().await {
            Err(refused) if fence::is_closed(&refused) => {
                let passed = fence::pass(&fence::beside(endpoint), &endpoint.database, connect).await?;
                if !passed.intruders.is_empty() {
                    self.events.notice(format!(
                        "While a session of ours was let into the closed database {}, others came in and were ended: {}. What they \
                         committed is there alone: stop whoever still writes there.",
                        endpoint.database,
                        passed.intruders.join(", ")
                    ));
                }
                Ok((passed.connection, passed.pid))
            }
            opened => opened,
        }
    }

    /// A connection for rows to the target, also when that is closed by a fence.
    pub async fn target_lane(&self) -> Result<Lane> {
        let endpoint = self.target_endpoint().await?;
        Ok(self.pass(&endpoint, FENCE_TARGET, || lane(&endpoint)).await?)
    }

    /// A connection for rows to the source, also when that is closed by the fence.
    pub async fn source_lane(&self) -> Result<Lane> {
        let endpoint = self.source_endpoint().await?;
        Ok(self.pass(&endpoint, FENCE, || lane(&endpoint)).await?)
    }

    /// A session in the source's database that acts as the replication role, for what takes REPLICATION: Azure's administrator may have
    /// none of its own. Its password, which the subscription holds, stays as it is.
    pub async fn source_as_replication(&self) -> Result<Session> {
        Direction::Forward.slots_session(self).await
    }

    /// Whether the target's changes can flow back after the hand-over: planned so, and not left out since.
    pub fn has_way_back(&self) -> bool {
        let is_prepared = matches!(self.folder.state("prepare-way-back"), State::Done { already: false, .. });
        let was_handed_over = self.folder.touched("hand-over");
        self.plan.has_way_back() && if was_handed_over { is_prepared } else { self.settings.way_back != Some(false) }
    }

    /// Keeps what the cut-over works with.
    pub async fn hold(&self, held: Held) {
        *self.held.lock().await = Some(Arc::new(held));
    }

    /// What the cut-over works with.
    pub async fn held(&self) -> Result<Arc<Held>> {
        self.held.lock().await.clone().ok_or_else(|| Error::new(ErrorKind::Internal, "the cut-over's sessions are not open"))
    }

    /// Lets go of it.
    pub async fn let_go(&self) {
        self.held.lock().await.take();
    }

    /// What the source holds of what is moved.
    pub async fn source_inventory(&self, source: &Session) -> Result<Inventory> {
        selection::read(source, &self.plan.selection).await
    }

    /// How long the source may refuse writes.
    pub fn max_pause(&self) -> Duration {
        self.settings.max_pause_in(self.plan.mode)
    }

    /// The operator's own way through the source's firewall.
    pub fn door(&self) -> Door<'_> {
        Door { cloud: &*self.clouds.source, folder: &self.folder, events: &self.events, run: &self.plan.run }
    }

    /// The project that this run made or uses.
    pub fn project(&self) -> Result<TargetProject> {
        self.folder.output(if self.plan.target.project_id.is_some() { "use-project" } else { "create-project" })
    }

    /// The target's database.
    pub async fn target_endpoint(&self) -> Result<Endpoint> {
        self.target_endpoint
            .get_or_try_init(|| async {
                let target = &self.plan.target;
                let connection = self.clouds.target.connection(&self.project()?, &target.database(), target.lost_password()).await?;
                Ok::<_, Error>(target_endpoint(&self.settings, &self.access, connection, &self.names().mark))
            })
            .await
            .cloned()
    }

    /// A session in the target's database, as its owner, also when that is closed by a fence.
    pub async fn target(&self) -> Result<Session> {
        Ok(self.enter(&self.target_endpoint().await?, FENCE_TARGET).await?)
    }

    /// The project, or none if it is gone: somebody who deleted it by hand must still be able to clean up the source.
    pub async fn project_unless_gone(&self) -> Result<Option<TargetProject>> {
        let project = self.project()?;
        self.clouds.target.open(&project.id, Some(&project.branch)).await
    }

    /// A session in the target's database, or none if the project is gone.
    pub async fn target_unless_gone(&self) -> Result<Option<Session>> {
        match self.project_unless_gone().await? {
            Some(_) => self.target().await.map(Some),
            None => Ok(None),
        }
    }

    /// The source's database as the replication role. Its password lives in this process only: when an earlier process
    /// took it to its grave, a new one is set. So this is not for when the subscription, which holds the old one, is there.
    pub async fn replication_endpoint(&self) -> Result<Endpoint> {
        let mut known = self.replication_password.lock().await;
        let password = match &*known {
            Some(password) => password.clone(),
            None => {
                let password = azure2neon_postgres::roles::generate_password()?;
                let source = self.source().await?;
                azure2neon_postgres::roles::set_role_password(&source, &self.names().mark, &password).await?;
                self.password_renewed.store(true, Ordering::Relaxed);
                known.insert(password).clone()
            }
        };
        Ok(self.source_endpoint().await?.as_user(&self.names().mark, password))
    }

    /// Whether this process gave the replication role a new password that the subscriptions don't know yet; says so once.
    pub fn take_password_renewed(&self) -> bool {
        self.password_renewed.swap(false, Ordering::Relaxed)
    }

    /// Remembers, for the life of this process, the password that a step gave the replication role.
    pub async fn remember_replication_password(&self, password: SecretString) {
        *self.replication_password.lock().await = Some(password);
    }

    /// Keeps a new slot's snapshot, for the life of this process, until the copy takes it.
    pub async fn hold_slot(&self, slot: ExportedSlot) {
        *self.slot.lock().await = Some(slot);
    }

    /// The snapshot that this process holds; none if the slot was made by an earlier one, which took it to its grave.
    pub async fn take_slot(&self) -> Option<ExportedSlot> {
        self.slot.lock().await.take()
    }

    /// The folder's output of a step, or `None` if it is not done.
    pub fn done<T: serde::de::DeserializeOwned>(&self, step: &str) -> Result<Option<T>> {
        match self.folder.state(step) {
            State::Done { .. } => self.folder.output(step).map(Some),
            _ => Ok(None),
        }
    }

    /// A wait of a step that says what it waits for, since when, and until when.
    pub fn wait(&self, step: &'static str, reason: impl Into<String>, deadline: Option<Duration>) -> Wait<'_> {
        Wait::new(&self.events, step, reason, deadline)
    }
}

/// The target's database for these settings.
pub fn target_endpoint(settings: &Settings, access: &Access, connection: TargetConnection, application_name: &str) -> Endpoint {
    Endpoint {
        address: settings.network.address_of(&connection.host),
        host: connection.host,
        port: connection.port,
        database: connection.database,
        user: connection.user,
        password: connection.password,
        tls: Arc::clone(&access.tls),
        application_name: application_name.to_owned(),
    }
}

/// A wait that the operator can see.
pub struct Wait<'a> {
    events: &'a Events,
    step: &'static str,
    reason: String,
    deadline: Option<Duration>,
    since: Instant,
    said: Option<Instant>,
}

impl<'a> Wait<'a> {
    /// A wait of this step, or of what else the journal knows by this name.
    pub fn new(events: &'a Events, step: &'static str, reason: impl Into<String>, deadline: Option<Duration>) -> Self {
        Self { events, step, reason: reason.into(), deadline, since: clock::stopwatch(), said: None }
    }

    /// Pauses for `interval`, or fails when the deadline has passed. Says once a second what is waited for.
    pub async fn pause(&mut self, interval: Duration) -> Result<()> {
        let age = self.since.elapsed();
        if self.deadline.is_some_and(|deadline| age >= deadline) {
            return Err(Error::new(ErrorKind::Timeout, format!("waited {} s for {}", age.as_secs(), self.reason)));
        }
        if age >= Duration::from_secs(1) && self.said.is_none_or(|said| said.elapsed() >= Duration::from_secs(1)) {
            self.said = Some(clock::stopwatch());
            self.events.say(Event::Waiting {
                step: self.step.to_owned(),
                reason: self.reason.clone(),
                seconds: age.as_secs(),
                deadline_seconds: self.deadline.map(|deadline| deadline.as_secs()),
            });
        }
        tokio::time::sleep(interval).await;
        Ok(())
    }

    /// What is waited for now.
    pub fn reason(&mut self, reason: impl Into<String>) {
        self.reason = reason.into();
    }
}
