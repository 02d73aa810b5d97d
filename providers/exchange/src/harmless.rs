//! What is known to be harmless, or what it is: the allow-list of a recording.
//!
//! Field names are those of the API documents. A field that is missing here is recorded as `field-1` with its value replaced: look at it
//! in the service's documentation, then add it.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What becomes of a field's text and numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// States, sizes, versions, times: stay.
    Keep,
    /// A name that somebody gave.
    Name,
    /// An id that a cloud gave.
    Id,
    /// A host name.
    Host,
    /// Never shown.
    Secret,
    /// Words for people; only known ones stay.
    Message,
    /// An address on the web, or a connection string.
    Link,
    /// What Azure's catalog says of a parameter; stays where an exchange is about parameters.
    Catalog,
    /// A parameter's value; stays if it is a number or one of the catalog's words.
    Setting,
    /// Holds other fields.
    Nested,
}

const FIELDS: &[(Treatment, &str)] = &[
    (
        Treatment::Keep,
        // ARM
        "sku.name sku.tier storage.tier storage.type replica.role \
         activeDirectoryAuth authorizationSource autoGrow availabilityZone backupRetentionDays capacity charset code collation createdAt \
         customWindow dataEncryption.type dataType dayOfWeek earliestRestoreDate geoRedundantBackup iops isConfigPendingRestart isDynamicConfig \
         isReadOnly lastModifiedAt location minorVersion mode operation passwordAuth publicNetworkAccess replicaCapacity replicationRole \
         quotaId locationPlacementId restartWithFailover source spendingLimit standbyAvailabilityZone startHour startMinute startTime state \
         status storageSizeGB throughput type unit version count.type count.value percentComplete endTime \
         actions notActions dataActions notDataActions max_autoscaling_limit projects_limit \
         token_type expires_in ext_expires_in expires_on not_before error_codes timestamp \
         action active_time active_time_seconds auth_method autoscaling_limit_max_cu autoscaling_limit_min_cu block_public_connections \
         block_vpc_connections branches_limit branch_logical_size_limit branch_logical_size_limit_bytes compute_last_active_at compute_release_version \
         compute_time_seconds consumption_period_end consumption_period_start cpu_used_sec created_at creation_source current_state \
         data_storage_bytes_hour data_transfer_bytes default deleted_at disabled enable_logical_replication end_time expires_at \
         failures_count geo_lat geo_long hipaa history_retention_seconds init_source last_active last_reset_at logical_size \
         logical_size_bytes maintenance_starts_at managed_by no_login passwordless_access pending_state pg_version plan platform_id \
         pooler_enabled pooler_mode primary primary_branch_only protected protected_branches_only provisioner quota_reset_at recoverable_until region_id retry_at \
         sort_by sort_order start_time started_at state_changed_at store_passwords subscription_type suspend_timeout_seconds suspended_at \
         synthetic_storage_size total_duration_ms ttl_interval_seconds updated_at use_defaults weekdays written_data_bytes",
    ),
    (
        Treatment::Name,
        "name administratorLogin createdBy database database_name displayName email handle image lastModifiedBy login org_name owner_name role \
         role_name target",
    ),
    (
        Treatment::Id,
        "id account_id auth_data branch_id client_id correlation_id cursor delegatedSubnetResourceId endIpAddress endpoint_id ips next org_id owner_id \
         parent_id privateDnsZoneArmResourceId project_id request_id sourceServerResourceId startIpAddress subscriptionId tenantId trace_id",
    ),
    (Treatment::Host, "fullyQualifiedDomainName host pooler_host proxy_host"),
    (Treatment::Secret, "access_token client_secret id_token password refresh_token"),
    (Treatment::Message, "error error_description message"),
    (Treatment::Link, "connection_uri error_uri nextLink resource uri"),
    (Treatment::Catalog, "allowedValues description documentationLink"),
    (Treatment::Setting, "value defaultValue"),
    (
        Treatment::Nested,
        "allowed_ips annotations applications authConfig backup branch branches cluster connection_parameters connection_uris count \
         created_by dataEncryption databases default_endpoint_settings details endpoint endpoints highAvailability integrations maintenanceWindow \
         maintenance_window managedByTenants network operations organizations owner pagination pg_settings pgbouncer_settings preload_libraries \
         privateEndpointConnections project projects properties quota regions replica roles settings sku storage subscriptionPolicies \
         systemData tags",
    ),
];

static BY_FIELD: LazyLock<HashMap<&str, Treatment>> =
    LazyLock::new(|| FIELDS.iter().flat_map(|(treatment, fields)| fields.split_whitespace().map(|field| (field, *treatment))).collect());

/// What becomes of the values of `field` within `parent`; none for a field that is not known.
pub(crate) fn treatment(parent: &str, field: &str) -> Option<Treatment> {
    let exact = BY_FIELD.get(format!("{parent}.{field}").as_str());
    exact.or_else(|| BY_FIELD.get(field)).copied()
}

/// Headers that are recorded, in lower case; all others are left out.
pub(crate) const HEADERS: &[(&str, Treatment)] = &[
    ("azure-asyncoperation", Treatment::Link),
    ("cache-control", Treatment::Keep),
    ("content-type", Treatment::Keep),
    ("location", Treatment::Link),
    ("retry-after", Treatment::Keep),
    ("vary", Treatment::Keep),
    ("x-ms-correlation-request-id", Treatment::Id),
    ("x-ms-error-code", Treatment::Keep),
    ("x-ms-ratelimit-remaining-subscription-reads", Treatment::Keep),
    ("x-ms-ratelimit-remaining-subscription-writes", Treatment::Keep),
    ("x-ms-request-id", Treatment::Id),
    ("x-neon-ret-request-id", Treatment::Id),
];

/// Parameters of a query: what becomes of their values. Those of all others, such as signatures, become `*`.
pub(crate) const QUERY: &[(&str, Treatment)] = &[
    ("api-version", Treatment::Keep),
    ("branch_id", Treatment::Id),
    ("channel_binding", Treatment::Keep),
    ("cursor", Treatment::Id),
    ("database_name", Treatment::Name),
    ("endpoint_id", Treatment::Id),
    ("limit", Treatment::Keep),
    ("org_id", Treatment::Id),
    ("pooled", Treatment::Keep),
    ("role_name", Treatment::Name),
    ("search", Treatment::Name),
    ("sort_by", Treatment::Keep),
    ("sort_order", Treatment::Keep),
    ("sslmode", Treatment::Keep),
];

/// Segments of paths that are the APIs' own words, in lower case.
pub(crate) const SEGMENTS: &[&str] = &[
    "api",
    "appsettings",
    "auth",
    "azureasyncoperation",
    "branches",
    "config",
    "configurations",
    "connection_uri",
    "containerappoperationresults",
    "containerappoperationstatuses",
    "containerapps",
    "databases",
    "delete",
    "endpoints",
    "firewallrules",
    "flexibleservers",
    "identity",
    "list",
    "listsecrets",
    "locations",
    "me",
    "metadata",
    "microsoft.app",
    "microsoft.dbforpostgresql",
    "microsoft.network",
    "microsoft.web",
    "oauth2",
    "operationresults",
    "operations",
    "organizations",
    "privatednszones",
    "projects",
    "providers",
    "read",
    "regions",
    "reset_password",
    "resourcegroups",
    "restart",
    "restore",
    "reveal_password",
    "revisions",
    "roles",
    "secrets",
    "shared",
    "sites",
    "slots",
    "start",
    "stop",
    "subnets",
    "subscriptions",
    "suspend",
    "token",
    "users",
    "v2",
    "v2.0",
    "virtualnetworks",
    "write",
];

/// Names that every server or project has, in lower case: they tell nothing of anybody.
pub(crate) const COMMON_NAMES: &[&str] =
    &["azure_maintenance", "azure_sys", "main", "neondb", "neondb_owner", "postgres", "template0", "template1"];

/// States of a server, which messages quote.
pub(crate) const STATES: &[&str] =
    &["Disabled", "Dropping", "Inaccessible", "Provisioning", "Ready", "Restarting", "Starting", "Stopped", "Stopping", "Updating"];

/// The public addresses of the services.
pub(crate) const PUBLIC_HOSTS: &[&str] = &[
    "console.neon.tech",
    "login.chinacloudapi.cn",
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "management.azure.com",
    "management.chinacloudapi.cn",
    "management.usgovcloudapi.net",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_is_listed_twice() {
        let listed = FIELDS.iter().map(|(_, fields)| fields.split_whitespace().count()).sum::<usize>();
        assert_eq!(listed, BY_FIELD.len());
    }

    #[test]
    fn the_parent_decides_first() {
        assert_eq!(treatment("sku", "name"), Some(Treatment::Keep));
        assert_eq!(treatment("project", "name"), Some(Treatment::Name));
        assert_eq!(treatment("tags", "Owner"), None);
    }
}
