//! The steps, one a file, named by its id.

mod allow_target_inbound;
mod build_indexes;
mod catch_up;
mod change_target_settings;
mod compare;
mod compare_again;
mod compare_catalogs;
mod compare_rest;
mod copy_data;
mod copy_offline;
mod copy_unlogged_tables;
mod create_database;
mod create_project;
mod create_publication;
mod create_replication_role;
mod create_slot;
mod drain;
mod drop_marks;
mod enable_logical_replication;
mod fence_target;
mod fence_writes;
mod final_compare;
mod grant_replication_role;
mod hand_back;
mod hand_over;
pub(crate) mod import_schema;
mod open_way_back;
mod prepare_way_back;
mod prove_fence;
mod prove_reachability;
mod refresh_views;
mod resume_forward;
mod reverse;
mod set_replica_identity;
mod set_sequences;
mod set_sequences_ahead;
mod stream_data;
mod subscribe;
mod turn;
mod use_project;
mod warm_up;

pub use allow_target_inbound::AllowTargetInbound;
pub use build_indexes::BuildIndexes;
pub use catch_up::CatchUp;
pub use change_target_settings::ChangeTargetSettings;
pub(crate) use compare::CATCH_UP as COMPARE_CATCH_UP;
pub use compare::Compare;
pub use compare_again::CompareAgain;
pub use compare_catalogs::CompareCatalogs;
pub use compare_rest::CompareRest;
pub use copy_data::CopyData;
pub use copy_offline::CopyOffline;
pub use copy_unlogged_tables::CopyUnloggedTables;
pub use create_database::CreateDatabase;
pub use create_project::CreateProject;
pub(crate) use create_project::name_is_taken;
pub use create_publication::CreatePublication;
pub(crate) use create_publication::schema_drop;
pub use create_replication_role::CreateReplicationRole;
pub use create_slot::CreateSlot;
pub use drain::Drain;
pub use drop_marks::DropMarks;
pub use enable_logical_replication::{EnableLogicalReplication, ParameterChange};
pub use fence_target::FenceTarget;
pub use fence_writes::FenceWrites;
pub use final_compare::{CompareWhen, FinalCompare};
pub use grant_replication_role::GrantReplicationRole;
pub use hand_back::HandBack;
pub use hand_over::{HandOver, HandedOver, new_connection};
pub use import_schema::ImportSchema;
pub(crate) use import_schema::{entries as schema_entries, refuse_unexpected};
pub use open_way_back::OpenWayBack;
pub use prepare_way_back::PrepareWayBack;
pub use prove_fence::ProveFence;
pub use prove_reachability::ProveReachability;
pub use refresh_views::RefreshViews;
pub use resume_forward::ResumeForward;
pub use reverse::Reverse;
pub(crate) use set_replica_identity::complete_on_target;
pub use set_replica_identity::{IdentityChange, SetReplicaIdentity};
pub use set_sequences::SetSequences;
pub use set_sequences_ahead::SetSequencesAhead;
pub(crate) use set_sequences_ahead::{STEP as SEQUENCES_AHEAD, demand_unmoved, moved_sequences, set_sequences_again};
pub use stream_data::StreamData;
pub use subscribe::Subscribe;
pub use turn::Turn;
pub use use_project::UseProject;
pub(crate) use warm_up::SHORT as WITNESS_DEADLINE;
pub use warm_up::WarmUp;

use serde::{Deserialize, Serialize};

use crate::operation::Operation;

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident($kind:ty) = $id:literal,)*) => {
        /// What a step does, with the data that the planner decided on.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(tag = "step")]
        pub enum Action {
            $($(#[$doc])* #[serde(rename = $id)] $variant($kind),)*
        }

        impl Action {
            /// The step's id.
            pub fn id(&self) -> &'static str {
                match self { $(Self::$variant(_) => $id,)* }
            }

            /// The step's behaviour.
            pub fn operation(&self) -> &dyn Operation {
                match self { $(Self::$variant(operation) => operation,)* }
            }
        }
    };
}

actions! {
    /// Creates the target's project.
    CreateProject(CreateProject) = "create-project",
    /// Uses a project that is there already.
    UseProject(UseProject) = "use-project",
    /// Keeps an existing compute awake and gives it the size that the migration wants.
    RaiseTargetSettings(ChangeTargetSettings) = "raise-target-settings",
    /// Creates the target's database.
    CreateDatabase(CreateDatabase) = "create-database",
    /// Imports tables, and keys unless the copy makes them.
    ImportSchema(ImportSchema) = "import-schema",
    /// Sets server parameters, with one restart if due.
    EnableLogicalReplication(EnableLogicalReplication) = "enable-logical-replication",
    /// Creates the role that the target connects as.
    CreateReplicationRole(CreateReplicationRole) = "create-replication-role",
    /// Lets it read everything.
    GrantReplicationRole(GrantReplicationRole) = "grant-replication-role",
    /// Gives tables without a key a replica identity.
    SetReplicaIdentity(SetReplicaIdentity) = "set-replica-identity",
    /// Publishes the tables.
    CreatePublication(CreatePublication) = "create-publication",
    /// Opens the source's firewall for the target's addresses.
    AllowTargetInbound(AllowTargetInbound) = "allow-target-inbound",
    /// Connects from the target to the source.
    ProveReachability(ProveReachability) = "prove-reachability",
    /// Creates the slot, with the snapshot that the copy reads.
    CreateSlot(CreateSlot) = "create-slot",
    /// Copies every table through this machine.
    StreamData(StreamData) = "stream-data",
    /// Creates the subscription.
    Subscribe(Subscribe) = "subscribe",
    /// Waits for the initial copy.
    CopyData(CopyData) = "copy-data",
    /// Creates the rest of the schema.
    BuildIndexes(BuildIndexes) = "build-indexes",
    /// Keeps the target's history from now on: the application will depend on it.
    KeepHistory(ChangeTargetSettings) = "keep-history",
    /// Waits until the target is in step.
    CatchUp(CatchUp) = "catch-up",
    /// Sets sequences to the source's values of now.
    SetSequencesAhead(SetSequencesAhead) = "set-sequences-ahead",
    /// Compares every table while writes go on.
    Compare(Compare) = "compare",
    /// Compares the catalogs and looks at the sequences.
    CompareCatalogs(CompareCatalogs) = "compare-catalogs",
    /// Compares again what changed since.
    CompareAgain(CompareAgain) = "compare-again",
    /// Opens what the cut-over needs.
    WarmUp(WarmUp) = "warm-up",
    /// Makes ready what brings the target's changes back to the source.
    PrepareWayBack(PrepareWayBack) = "prepare-way-back",
    /// Stops writes to the source.
    FenceWrites(FenceWrites) = "fence-writes",
    /// Waits until all that was written is on the target.
    Drain(Drain) = "drain",
    /// Copies every table while the source refuses writes.
    CopyOffline(CopyOffline) = "copy-offline",
    /// Copies the tables that are never replicated.
    CopyUnloggedTables(CopyUnloggedTables) = "copy-unlogged-tables",
    /// Sets sequences to the source's values.
    SetSequences(SetSequences) = "set-sequences",
    /// Refreshes materialized views.
    RefreshViews(RefreshViews) = "refresh-views",
    /// Compares every table, both sides at rest.
    FinalCompare(FinalCompare) = "final-compare",
    /// Reads that nothing was written behind the fence.
    ProveFence(ProveFence) = "prove-fence",
    /// Gives the application the new connection string.
    HandOver(HandOver) = "hand-over",
    /// Opens what the way back needs.
    WarmUpBack(WarmUp) = "warm-up-back",
    /// Stops writes to the target.
    FenceTarget(FenceTarget) = "fence-target",
    /// Waits until all that was written is on the source.
    DrainBack(Drain) = "drain-back",
    /// Copies back the tables that are never replicated.
    CopyUnloggedBack(CopyUnloggedTables) = "copy-unlogged-back",
    /// Sets sequences to the target's values.
    SetSequencesBack(SetSequences) = "set-sequences-back",
    /// Compares every table, both sides at rest.
    CompareBack(FinalCompare) = "compare-back",
    /// Reads that nothing was written behind the target's fence.
    ProveTargetFence(ProveFence) = "prove-target-fence",
    /// Puts the way back's slot at the present position.
    TurnBack(Turn) = "turn-back",
    /// Puts the way forward's slot at the present position.
    TurnForth(Turn) = "turn-forth",
    /// Lets the target's changes flow back.
    OpenWayBack(OpenWayBack) = "open-way-back",
    /// Gives the application the old connection string.
    HandBack(HandBack) = "hand-back",
    /// Lets the source's changes flow to the target again.
    ResumeForward(ResumeForward) = "resume-forward",
    /// Compares what the pause left no time for.
    CompareRest(CompareRest) = "compare-rest",
    /// Drops the run's schema on the target, where no subscription does.
    DropMarks(DropMarks) = "drop-marks",
    /// Undoes `prepare-way-back`.
    DropWayBack(Reverse) = "drop-way-back",
    /// Undoes `subscribe`.
    DropSubscription(Reverse) = "drop-subscription",
    /// Undoes `create-publication`.
    DropPublication(Reverse) = "drop-publication",
    /// Undoes `set-replica-identity`.
    RestoreReplicaIdentity(Reverse) = "restore-replica-identity",
    /// Undoes `create-replication-role`.
    DropReplicationRole(Reverse) = "drop-replication-role",
    /// Undoes `allow-target-inbound`.
    RevokeInbound(Reverse) = "revoke-inbound",
    /// Undoes `enable-logical-replication`.
    RestoreSettings(Reverse) = "restore-settings",
    /// Lets the target's compute suspend and be as large as the application wants.
    RestoreTargetSettings(ChangeTargetSettings) = "restore-target-settings",
}
