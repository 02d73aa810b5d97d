//! Troubles of the source server, of the target, and of their clouds.

use azure2neon_postgres::server::Rights;

use super::*;
use crate::cloud::{CloudAct, TargetProject};
use crate::survey::{ExistingTarget, Workers};

/// A project that is there.
fn project() -> TargetProject {
    TargetProject { name: "shop".into(), ..existing(&[], &[]).project }
}

fn there() -> ExistingTarget {
    ExistingTarget { project: project(), settings: crate::cloud::TargetSettings::default(), ..existing(&[], &[]) }
}

/// What each check of them finds, and nothing else does.
pub(super) const TROUBLES: &[Trouble] = &[
    ("high-availability", |survey| survey.server.high_availability = true),
    ("storage-does-not-grow", |survey| {
        survey.inventory.tables[0].bytes = 60 << 30;
        survey.server.storage = disk(64, false);
    }),
    ("burstable", |survey| survey.server.burstable = true),
    ("clock-skew", |survey| survey.clock_skew_milliseconds = -61_000),
    ("server-state", |survey| survey.server.ready = false),
    ("unsupported-server", |survey| survey.server.unsupported_because = Some("it is an elastic cluster".into())),
    ("private-network", |survey| survey.server.unreachable_because = Some("it is inside a virtual network".into())),
    ("source-version", |survey| survey.server.major = 13),
    ("password-login", |survey| survey.server.password_login = false),
    ("token-login", |survey| survey.by_token = true),
    ("fixed-parameters", |survey| {
        survey.parameters[1].value = "1".into();
        (survey.parameters[1].read_only, survey.parameters[1].dynamic) = (true, true);
    }),
    ("project-name-taken", |survey| survey.taken = Some(project())),
    ("region-closed", |survey| survey.region_closed = Some("it is closing".into())),
    ("key-of-one-project", |survey| survey.no_new_project = Some("it is for another".into())),
    ("target-not-empty", |survey| survey.existing = Some(ExistingTarget { objects: vec!["table public.a".into()], ..there() })),
    ("rights-in-azure", |survey| {
        survey.forbidden = vec![(CloudAct::Restart, "…/restart/action".into()), (CloudAct::AllowInbound, "…/firewallRules/write".into())];
    }),
    ("projects-limit", |survey| survey.limits.projects = Some((3, 3))),
    ("target-too-small", |survey| survey.limits.branch_bytes = Some(4095)),
    ("target-nearly-too-small", |survey| survey.limits.branch_bytes = Some(4096)),
    ("target-plan-limits", |survey| survey.limits.suspends = true),
    ("restart-needed", |survey| survey.parameters[0].value = "replica".into()),
    ("slot-limits", |survey| _ = survey.on_server.settings.insert("idle_replication_slot_timeout".into(), "2d".into())),
    ("storage-headroom", |survey| {
        survey.server.storage = disk(64, true);
        survey.on_server.databases_bytes = 40 << 30;
        survey.log_rate.mean = Some(8 << 20);
    }),
    ("pooled-endpoint", |survey| survey.on_server.pooled = true),
    ("endpoint-in-recovery", |survey| survey.on_server.in_recovery = true),
    ("workers-of-way-back", |survey| {
        survey.on_server.settings.insert("max_logical_replication_workers".into(), "4".into());
        survey.on_server.workers = 4;
    }),
    ("rights-on-source", |survey| {
        survey.rights = Rights { administrator: false, owns_database: false, ..Rights::default() };
    }),
    ("doubtful-rights", |survey| survey.rights.of_others = vec!["public.a".into()]),
    ("source-end-of-life", |survey| {
        survey.server.major = 14;
        survey.at = "2026-11-12T00:00:00Z".parse().unwrap();
    }),
    ("target-workers", |survey| survey.existing = Some(ExistingTarget { workers: Some(Workers { most: 4, used: 2 }), ..there() })),
    ("hidden-rows", |survey| survey.hidden = vec!["public.a".into()]),
];
