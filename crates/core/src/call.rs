//! What a step sends, before it is sent: as it will be, but for what is only known then, which stands in ‹angle quotes›.

use crate::cloud::{InboundRule, ProjectSpec, TargetDatabase, TargetProject, TargetSettings};

/// A call of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// SQL for the source.
    Source(String),
    /// SQL for the target.
    Target(String),
    /// A change by way of the source's cloud.
    SourceCloud(SourceCall),
    /// A change by way of the target's cloud.
    TargetCloud(TargetCall),
    /// What is done on this machine.
    Here(String),
}

/// A change that [`crate::cloud::SourceCloud`] makes.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceCall {
    /// Sets a parameter.
    SetParameter {
        /// Its name.
        name: String,
        /// Its new value.
        value: String,
    },
    /// Restarts the server.
    Restart,
    /// Creates a firewall rule.
    AllowInbound(InboundRule),
    /// Removes the firewall rule of this name.
    RevokeInbound(String),
}

/// A change that [`crate::cloud::TargetCloud`] makes.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetCall {
    /// Creates a project.
    CreateProject(ProjectSpec),
    /// Deletes a project.
    DeleteProject(TargetProject),
    /// Sets what project and compute are set to.
    ChangeSettings(TargetProject, TargetSettings),
    /// Creates a role.
    CreateRole(TargetProject, String),
    /// Deletes a role.
    DeleteRole(TargetProject, String),
    /// Creates a database.
    CreateDatabase(TargetProject, TargetDatabase),
    /// Deletes a database.
    DeleteDatabase(TargetProject, String),
}
