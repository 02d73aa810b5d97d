//! The calls of each step, in order, as the step sends them. Nothing is sent.
//!
//! An end-to-end test holds them against what both servers log and both clouds are asked.

use std::collections::BTreeSet;

use azure2neon_postgres::barrier::{barrier_statements, drain_statements};
use azure2neon_postgres::fence::{self, END_LONG_WRITERS, Fence, FenceBefore};
use azure2neon_postgres::replication::{publication_statements, slot_statements};
use azure2neon_postgres::roles::role_statements;
use azure2neon_postgres::subscription::{self, Applying, Publisher, resting_subscription_statement, subscription_statement};
use azure2neon_postgres::{Ident, QualifiedName, literal, replica_identity};
use secrecy::SecretString;

use crate::call::{Call, SourceCall, TargetCall};
use crate::cloud::{TargetDatabase, TargetProject};
use crate::direction::Direction;
use crate::epochs::{self, SLOT_DEADLINE};
use crate::plan::{Makes, Mode, Plan, Step};
use crate::settings::Settings;
use crate::steps::{Action, CompareWhen, WITNESS_DEADLINE, schema_drop};

/// What a step sends, and what takes it back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calls {
    /// What it sends; empty if it only waits or looks.
    pub does: Vec<Call>,
    /// What its inverse sends.
    pub undoes: Vec<Call>,
}

/// The calls of this step of the plan.
pub fn calls(plan: &Plan, settings: &Settings, step: &Step) -> Calls {
    let of = Explained { plan, settings, mark: plan.names().mark };
    Calls { does: of.does(&step.action), undoes: of.undoes(&step.action) }
}

struct Explained<'a> {
    plan: &'a Plan,
    settings: &'a Settings,
    mark: String,
}

impl Explained<'_> {
    fn does(&self, action: &Action) -> Vec<Call> {
        let role = Ident::new(&*self.mark);
        match action {
            Action::CreateProject(step) => vec![Call::TargetCloud(TargetCall::CreateProject(step.spec.clone()))],
            Action::RaiseTargetSettings(step) | Action::KeepHistory(step) | Action::RestoreTargetSettings(step) => {
                vec![Call::TargetCloud(TargetCall::ChangeSettings(self.project(), step.to.clone()))]
            }
            Action::CreateDatabase(step) => self.make_database(&step.database, step.makes),
            Action::ImportSchema(_) => vec![
                Call::Here(format!(
                    "pg_dump --format=custom --schema-only --no-owner --no-privileges … {}/{}; pg_restore --list",
                    self.plan.source.server.host, self.plan.source.database
                )),
                Call::Target("‹the dump's statements, each once, with its mark in the same transaction›".into()),
            ],
            Action::EnableLogicalReplication(step) => {
                let set = step.changes.iter().map(|change| SourceCall::SetParameter { name: change.name.clone(), value: change.to.clone() });
                let restart = step.changes.iter().any(|change| !change.dynamic).then_some(SourceCall::Restart);
                set.chain(restart).map(Call::SourceCloud).collect()
            }
            Action::CreateReplicationRole(step) => {
                vec![Call::Source(role_statements("create", &step.role, "'‹SCRAM verifier of a new password›'", &self.plan.role_comment()))]
            }
            Action::GrantReplicationRole(_) => [
                format!("grant connect on database {} to {role}", Ident::new(&*self.plan.source.database)),
                format!("grant usage on schema ‹each› to {role}"),
                format!("grant select on table ‹all, 500 at a time› to {role}"),
                format!("grant select on sequence ‹all, 500 at a time› to {role}"),
                format!("alter default privileges for role ‹each owner› in schema ‹each› grant select on tables to {role}; ‹the same for sequences›"),
            ]
            .map(Call::Source)
            .into(),
            Action::SetReplicaIdentity(step) => {
                step.changes.iter().map(|change| Call::Source(replica_identity::statements(&change.table, &change.to))).collect()
            }
            Action::CreatePublication(step) => self.publish(&step.tables, step.division.is_some()),
            Action::AllowTargetInbound(step) => {
                step.rules.iter().map(|rule| Call::SourceCloud(SourceCall::AllowInbound(rule.clone()))).collect()
            }
            Action::ProveReachability(_) => [
                "create extension if not exists dblink with schema public".to_owned(),
                format!("select public.dblink_connect('azure2neon', {})", literal(&self.conninfo(&self.mark))),
                "rollback".to_owned(),
            ]
            .map(Call::Target)
            .into(),
            Action::CreateSlot(step) => {
                vec![Call::Source(format!("CREATE_REPLICATION_SLOT {} LOGICAL pgoutput ‹with its snapshot exported›", Ident::new(&*step.name)))]
            }
            Action::StreamData(_) | Action::CopyOffline(_) => copies(),
            Action::Subscribe(step) => self.subscribe(&step.name, step.copy_data),
            Action::CopyData(_) => vec![Call::Here("wait for the subscription's own copy".into())],
            Action::BuildIndexes(_) => vec![
                Call::Target(format!("alter subscription {role} disable")),
                Call::Target("‹the dump's indexes, foreign keys, triggers and policies, each with its mark in the same transaction›".into()),
                Call::Target(format!("alter subscription {role} enable")),
                Call::Target("analyze ‹each table without statistics›".into()),
            ]
            .into_iter()
            .filter(|call| self.plan.mode == Mode::Online || !matches!(call, Call::Target(sql) if sql.contains("subscription")))
            .collect(),
            Action::CatchUp(_) => vec![self.marker(Direction::Forward)],
            Action::SetSequencesAhead(_) => vec![set_sequences(Direction::Forward)],
            Action::SetSequences(step) | Action::SetSequencesBack(step) => vec![set_sequences(step.direction)],
            Action::CompareCatalogs(_) => vec![Call::Here("read both catalogs and compare them".into())],
            Action::Compare(_) | Action::CompareAgain(_) | Action::CompareRest(_) => digests(),
            Action::FinalCompare(step) | Action::CompareBack(step) if step.when == CompareWhen::After => {
                vec![Call::Here("keep a snapshot of either side".into())]
            }
            Action::FinalCompare(_) | Action::CompareBack(_) => digests(),
            Action::RefreshViews(_) => vec![Call::Target("refresh materialized view ‹each›".into())],
            Action::PrepareWayBack(step) => self.prepare_way_back(step.as_subscriber),
            Action::WarmUp(step) | Action::WarmUpBack(step) => self.warm_up(step.direction),
            Action::FenceWrites(_) => vec![self.fence(Direction::Forward)],
            Action::FenceTarget(_) => vec![self.fence(Direction::Back)],
            Action::Drain(step) | Action::DrainBack(step) => {
                let pause = self.settings.max_pause_in(self.plan.mode);
                let sql = drain_statements(&step.direction.feed_of(&self.mark).barrier, "‹the fence's marker›", pause);
                vec![on(step.direction.other(), sql)]
            }
            Action::CopyUnloggedTables(_) | Action::CopyUnloggedBack(_) => copies(),
            Action::TurnBack(step) | Action::TurnForth(step) => {
                let slot = literal(&step.direction.other().feed_of(&self.mark).name);
                let sql = format!(
                    "‹…›; select end_lsn from pg_catalog.pg_replication_slot_advance({slot}, pg_catalog.pg_current_wal_flush_lsn())"
                );
                vec![on(step.direction.other(), sql)]
            }
            Action::ProveFence(step) | Action::ProveTargetFence(step) => {
                let slot = format!("{}_proof", self.mark);
                vec![on(step.direction, format!("‹what pg_logical_slot_peek_binary_changes of {slot} has behind the fence›"))]
            }
            Action::HandOver(step) => step.to.iter().map(|place| Call::Here(format!("write the new connection string to {place}"))).collect(),
            Action::OpenWayBack(_) => vec![
                Call::Target(format!("alter subscription {role} disable")),
                Call::Source(format!("alter subscription {} enable", self.back())),
                Call::Target(format!("alter subscription {role} set (slot_name = none)")),
                drop_slot(Direction::Forward, &self.mark),
            ],
            Action::HandBack(_) => {
                vec![Call::Source(self.lowering()), Call::Here("put back what the hand-over wrote, wherever it wrote".into())]
            }
            Action::ResumeForward(_) => vec![
                Call::Source(format!("alter subscription {} disable", self.back())),
                Call::Target(format!("alter subscription {role} set (slot_name = {})", literal(&self.mark))),
                Call::Target(format!("alter subscription {role} enable")),
                Call::Source(format!("alter subscription {} set (slot_name = none)", self.back())),
                drop_slot(Direction::Back, &Direction::Back.feed_of(&self.mark).name),
            ],
            Action::DropWayBack(step)
            | Action::DropSubscription(step)
            | Action::DropPublication(step)
            | Action::RestoreReplicaIdentity(step)
            | Action::DropReplicationRole(step)
            | Action::RevokeInbound(step)
            | Action::RestoreSettings(step) => self.plan.step(&step.of).map(|of| self.undoes(&of.action)).unwrap_or_default(),
            Action::DropMarks(step) => vec![Call::Target(schema_drop(&step.schema))],
            Action::UseProject(_) => Vec::new(),
        }
    }

    fn undoes(&self, action: &Action) -> Vec<Call> {
        let role = Ident::new(&*self.mark);
        match action {
            Action::CreateProject(_) => vec![Call::TargetCloud(TargetCall::DeleteProject(self.project()))],
            Action::RaiseTargetSettings(step) | Action::KeepHistory(step) if !step.from.is_empty() => {
                vec![Call::TargetCloud(TargetCall::ChangeSettings(self.project(), step.from.clone()))]
            }
            Action::CreateDatabase(step) => self.remove_database(&step.database, step.makes),
            Action::ImportSchema(step) => step.into.iter().flat_map(|database| self.empty(database)).collect(),
            Action::EnableLogicalReplication(step) => {
                let set = |name: &String, value: &String| SourceCall::SetParameter { name: name.clone(), value: value.clone() };
                step.changes.iter().map(|change| Call::SourceCloud(set(&change.name, &change.from))).collect()
            }
            Action::CreateReplicationRole(_) => {
                vec![Call::Source(format!("alter role {role} nologin")), Call::Source(format!("drop role {role}"))]
            }
            Action::SetReplicaIdentity(step) => {
                step.changes.iter().map(|change| Call::Source(replica_identity::statements(&change.table, &change.from))).collect()
            }
            Action::CreatePublication(step) => {
                let units = if step.division.is_some() { ", ‹those of the units›" } else { "" };
                vec![Call::Source(format!("drop publication if exists {role}{units}")), Call::Source(schema_drop(&self.mark))]
            }
            Action::AllowTargetInbound(step) => {
                step.rules.iter().map(|rule| Call::SourceCloud(SourceCall::RevokeInbound(rule.name.clone()))).collect()
            }
            Action::CreateSlot(_) => vec![drop_slot(Direction::Forward, &self.mark)],
            Action::Subscribe(_) => {
                vec![Call::Target(format!("drop subscription {role}")), Call::Target(schema_drop(&self.mark))]
            }
            Action::PrepareWayBack(_) => {
                let back = Direction::Back.feed_of(&self.mark);
                vec![
                    // And with it its slot.
                    Call::Source(format!("drop subscription {}", self.back())),
                    Call::Source(format!("drop table if exists {}", back.barrier)),
                    Call::Target(format!("drop publication if exists {}", self.back())),
                    Call::Target(format!("drop table if exists {}", back.barrier)),
                    Call::Target(format!("drop role {role}")),
                ]
            }
            Action::WarmUp(step) | Action::WarmUpBack(step) => vec![drop_slot(step.direction, &format!("{}_proof", self.mark))],
            Action::FenceWrites(_) => vec![Call::Source(self.lowering())],
            Action::FenceTarget(_) => vec![Call::Target(fence::lowering(&self.plan.target.database, &FenceBefore::default()))],
            _ => Vec::new(),
        }
    }

    /// The project, as far as it is known.
    fn project(&self) -> TargetProject {
        let used = self.plan.steps.iter().find_map(|step| match &step.action {
            Action::UseProject(step) => Some(step.project.clone()),
            _ => None,
        });
        used.unwrap_or_else(|| TargetProject {
            id: "‹project›".into(),
            name: self.plan.target.project.clone(),
            region: self.plan.target.region.clone(),
            major: self.plan.target.major,
            branch: "‹branch›".into(),
            endpoint: "‹endpoint›".into(),
            created: None,
            publishes: None,
        })
    }

    fn make_database(&self, database: &TargetDatabase, makes: Makes) -> Vec<Call> {
        let role = || Call::TargetCloud(TargetCall::CreateRole(self.project(), database.owner.clone()));
        let created = || Call::TargetCloud(TargetCall::CreateDatabase(self.project(), database.clone()));
        match makes {
            // It came with the project.
            Makes::Project | Makes::Nothing => Vec::new(),
            Makes::DatabaseAndRole => vec![role(), created()],
            Makes::Database => vec![created()],
        }
    }

    fn remove_database(&self, database: &TargetDatabase, makes: Makes) -> Vec<Call> {
        let deleted = || Call::TargetCloud(TargetCall::DeleteDatabase(self.project(), database.name.clone()));
        match makes {
            Makes::Project | Makes::Nothing => Vec::new(),
            Makes::DatabaseAndRole => vec![deleted(), Call::TargetCloud(TargetCall::DeleteRole(self.project(), database.owner.clone()))],
            Makes::Database => vec![deleted()],
        }
    }

    fn empty(&self, database: &TargetDatabase) -> [Call; 2] {
        [
            Call::TargetCloud(TargetCall::DeleteDatabase(self.project(), database.name.clone())),
            Call::TargetCloud(TargetCall::CreateDatabase(self.project(), database.clone())),
        ]
    }

    /// How the target finds the source.
    fn conninfo(&self, application: &str) -> String {
        use secrecy::ExposeSecret;
        let password = SecretString::from("‹password›");
        let server = &self.plan.source.server;
        let publisher =
            Publisher { host: &server.host, port: 5432, database: &self.plan.source.database, user: &self.mark, password: &password };
        subscription::conninfo(&publisher, &self.settings.subscription_sslmode, application).expose_secret().to_owned()
    }

    fn publish(&self, tables: &[QualifiedName], in_units: bool) -> Vec<Call> {
        let role = Ident::new(&*self.mark);
        let epochs: Vec<_> = epochs::feeds(&self.mark).take(if in_units { epochs::MOST } else { 1 }).collect();
        let mut calls: Vec<Call> = epochs.iter().map(|feed| Call::Source(barrier_statements(&feed.barrier))).collect();
        calls.push(Call::Source(format!("grant usage on schema {role} to {role}; grant select on all tables in schema {role} to {role}")));
        for feed in &epochs {
            let published: &[QualifiedName] = if in_units { &[] } else { tables };
            let wanted: BTreeSet<&QualifiedName> = published.iter().chain([&feed.barrier]).collect();
            calls.extend(publication_statements(&feed.name, None, &wanted).map(Call::Source));
        }
        if in_units {
            calls.push(Call::Source("‹create publication for each unit of the copy›".into()));
        }
        calls
    }

    fn subscribe(&self, name: &str, copies: bool) -> Vec<Call> {
        let feed = Direction::Forward.feed_of(&self.mark);
        let conninfo = SecretString::from(self.conninfo(name));
        let publications = if copies { vec![name.to_owned()] } else { vec![name.to_owned(), "‹those of the units›".to_owned()] };
        let subscription = Call::Target(subscription_statement(name, &conninfo, &publications, copies));
        let barrier = Call::Target(barrier_statements(&feed.barrier));
        if copies { vec![Call::Source(slot_statements(name, SLOT_DEADLINE)), barrier, subscription] } else { vec![barrier, subscription] }
    }

    fn prepare_way_back(&self, as_subscriber: bool) -> Vec<Call> {
        let (feed, major) = (Direction::Back.feed_of(&self.mark), self.plan.source.server.major);
        let applying = Applying { as_subscriber, own_changes_only: major >= 16 };
        let conninfo = SecretString::from("‹host=… of Neon, the role's password, verify-full›");
        vec![
            Call::Source(barrier_statements(&feed.barrier)),
            Call::Target(barrier_statements(&feed.barrier)),
            Call::Target(format!("begin; create publication {0}; alter publication {0} add table ‹each›; commit", self.back())),
            Call::Target(slot_statements(&feed.name, SLOT_DEADLINE)),
            Call::Target(role_statements("create", &self.mark, "'‹password›'", &self.plan.role_comment())),
            Call::Source(resting_subscription_statement(major, &feed.name, &conninfo, applying)),
        ]
    }

    fn warm_up(&self, direction: Direction) -> Vec<Call> {
        if self.plan.mode == Mode::Offline {
            return Vec::new();
        }
        vec![
            self.marker(direction),
            on(direction, END_LONG_WRITERS.to_owned()),
            on(direction, slot_statements(&format!("{}_proof", self.mark), WITNESS_DEADLINE)),
        ]
    }

    fn marker(&self, direction: Direction) -> Call {
        on(direction, format!("insert into {} (id) values (‹a new marker›) on conflict do nothing", direction.feed_of(&self.mark).barrier))
    }

    fn fence(&self, direction: Direction) -> Call {
        let barrier = direction.feed_of(&self.mark).barrier;
        let is_online = self.plan.mode == Mode::Online;
        let database = match direction {
            Direction::Forward => &self.plan.source.database,
            Direction::Back => &self.plan.target.database,
        };
        let marker = is_online.then_some((&barrier, "‹a new marker›"));
        let sql = fence::raising(Fence { database, own: &[], closed: is_online, sequences: &[], marker });
        let sql = sql.replacen("azure2neon.own = '{}'", "azure2neon.own = ‹the migration's own sessions›", 1);
        on(direction, sql.replacen("azure2neon.sequences = '{}'", "azure2neon.sequences = ‹each sequence›", 1))
    }

    /// What opens the source again.
    fn lowering(&self) -> String {
        let before = self.plan.steps.iter().find_map(|step| match &step.action {
            Action::FenceWrites(fence) => Some(fence.before.clone()),
            _ => None,
        });
        fence::lowering(&self.plan.source.database, &before.unwrap_or_default())
    }

    /// The way back's publication and subscription.
    fn back(&self) -> Ident {
        Ident::new(Direction::Back.feed_of(&self.mark).name)
    }
}

/// SQL on the side that the changes come from.
fn on(direction: Direction, sql: String) -> Call {
    match direction {
        Direction::Forward => Call::Source(sql),
        Direction::Back => Call::Target(sql),
    }
}

fn copies() -> Vec<Call> {
    vec![Call::Source("copy ‹each table, or a part of it› to stdout".into()), Call::Target("copy ‹the same› from stdin".into())]
}

fn digests() -> Vec<Call> {
    let sql = "‹count and sum of hash_record_extended of each chunk of each table›";
    vec![Call::Source(sql.into()), Call::Target(sql.into())]
}

fn set_sequences(direction: Direction) -> Call {
    let sql = "begin; set local synchronous_commit = on;\nselect pg_catalog.setval(‹each sequence, its last value, whether it was called›);\ncommit";
    on(direction.other(), sql.into())
}

fn drop_slot(direction: Direction, slot: &str) -> Call {
    on(direction, format!("select pg_catalog.pg_drop_replication_slot({})", literal(slot)))
}
