//! Troubles of the source server, of the target, and of their clouds.

use super::*;
use crate::cloud::TargetProject;
use crate::survey::ExistingTarget;

/// A project that is there.
fn project() -> TargetProject {
    TargetProject {
        id: "calm-lake-1".into(),
        name: "shop".into(),
        region: "aws-eu-west-2".into(),
        major: 17,
        branch: "br-1".into(),
        endpoint: "ep-1".into(),
        created: None,
        publishes: Some(true),
    }
}

fn there() -> ExistingTarget {
    ExistingTarget {
        project: project(),
        databases: Vec::new(),
        roles: Vec::new(),
        settings: crate::cloud::TargetSettings::default(),
        objects: Vec::new(),
    }
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
        survey.parameters[1].read_only = true;
    }),
    ("project-name-taken", |survey| survey.taken = Some(project())),
    ("region-closed", |survey| survey.region_closed = Some("it is closing".into())),
    ("key-of-one-project", |survey| survey.no_new_project = Some("it is for another".into())),
    ("target-not-empty", |survey| survey.existing = Some(ExistingTarget { objects: vec!["table public.a".into()], ..there() })),
    ("hidden-rows", |survey| survey.hidden = vec!["public.a".into()]),
];
