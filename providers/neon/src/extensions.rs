//! Which extensions a new project offers.

use std::collections::BTreeMap;

use azure2neon_core::cloud::OfferedExtensions;

/// The day of the list.
const AS_OF: &str = "2026-02-20";

/// The majors that the columns are of.
const MAJORS: [u32; 3] = [16, 17, 18];

/// Extensions with their versions by PostgreSQL major, empty where there is none. From Neon's documentation, "Supported Postgres
/// extensions", of [`AS_OF`]; without `pg_ivm`, which new projects don't get since 2026-05-29, and `pg_cron` and `pg_repack`, which
/// a new project does not have before they are enabled.
#[rustfmt::skip]
const OFFERED: &[(&str, [&str; 3])] = &[
    ("address_standardizer", ["3.3.3", "3.5.0", "3.6.0"]),
    ("address_standardizer_data_us", ["3.3.3", "3.5.0", "3.6.0"]),
    ("anon", ["2.5.1", "2.5.1", "2.5.1"]),
    ("autoinc", ["1.0", "1.0", "1.0"]),
    ("bloom", ["1.0", "1.0", "1.0"]),
    ("btree_gin", ["1.3", "1.3", "1.3"]),
    ("btree_gist", ["1.7", "1.7", "1.8"]),
    ("citext", ["1.6", "1.6", "1.8"]),
    ("cube", ["1.5", "1.5", "1.5"]),
    ("dblink", ["1.2", "1.2", "1.2"]),
    ("dict_int", ["1.0", "1.0", "1.0"]),
    ("earthdistance", ["1.2", "1.2", "1.2"]),
    ("fuzzystrmatch", ["1.2", "1.2", "1.2"]),
    ("h3", ["4.1.3", "4.1.3", "4.2.3"]),
    ("h3_postgis", ["4.1.3", "4.1.3", "4.2.3"]),
    ("hll", ["2.19", "2.19", "2.19"]),
    ("hstore", ["1.8", "1.8", "1.8"]),
    ("hypopg", ["1.4.2", "1.4.2", "1.4.2"]),
    ("insert_username", ["1.0", "1.0", "1.0"]),
    ("intagg", ["1.1", "1.1", "1.1"]),
    ("intarray", ["1.5", "1.5", "1.5"]),
    ("ip4r", ["2.4", "2.4", "2.4"]),
    ("isn", ["1.2", "1.2", "1.3"]),
    ("lo", ["1.1", "1.1", "1.2"]),
    ("ltree", ["1.2", "1.3", "1.3"]),
    ("moddatetime", ["1.0", "1.0", "1.0"]),
    ("online_advisor", ["", "1.0", ""]),
    ("pg_graphql", ["1.5.11", "1.5.11", "1.5.12"]),
    ("pg_hashids", ["1.2.1", "1.2.1", "1.2.1"]),
    ("pg_hint_plan", ["1.6.0", "1.7.0", "1.8.0"]),
    ("pg_jsonschema", ["0.3.3", "0.3.3", ""]),
    ("pg_mooncake", ["0.1.3", "0.1.3", ""]),
    ("pg_partman", ["5.1.0", "5.1.0", "5.1.0"]),
    ("pg_prewarm", ["1.2", "1.2", "1.2"]),
    ("pg_search", ["0.15.26", "0.15.26", ""]),
    ("pg_session_jwt", ["0.4.0", "0.4.0", "0.4.0"]),
    ("pg_stat_statements", ["1.10", "1.11", "1.12"]),
    ("pg_tiktoken", ["0.0.1", "0.0.1", "0.0.1"]),
    ("pg_trgm", ["1.6", "1.6", "1.6"]),
    ("pg_uuidv7", ["1.6", "1.6", "1.6"]),
    ("pgcrypto", ["1.3", "1.3", "1.4"]),
    ("pgjwt", ["0.2.0", "0.2.0", "0.2.0"]),
    ("pgrouting", ["3.4.2", "3.6.2", "3.8.0"]),
    ("pgrowlocks", ["1.2", "1.2", "1.2"]),
    ("pgstattuple", ["1.5", "1.5", "1.5"]),
    ("pgtap", ["1.3.3", "1.3.3", "1.3.3"]),
    ("pgx_ulid", ["", "0.2.0", "0.2.2"]),
    ("plcoffee", ["3.1.10", "", ""]),
    ("plls", ["3.1.10", "", ""]),
    ("plpgsql_check", ["2.8.2", "2.8.2", "2.8.2"]),
    ("plv8", ["3.1.10", "3.2.3", ""]),
    ("postgis", ["3.3.3", "3.5.0", "3.6.0"]),
    ("postgis_raster", ["3.3.3", "3.5.0", "3.6.0"]),
    ("postgis_sfcgal", ["3.3.3", "3.5.0", "3.6.0"]),
    ("postgis_tiger_geocoder", ["3.3.3", "3.5.0", "3.6.0"]),
    ("postgis_topology", ["3.3.3", "3.5.0", "3.6.0"]),
    ("postgres_fdw", ["1.1", "1.1", "1.2"]),
    ("prefix", ["1.2.0", "1.2.0", "1.2.0"]),
    ("rdkit", ["4.3.0", "4.6.0", "4.8.0"]),
    ("refint", ["1.0", "1.0", "1.0"]),
    ("roaringbitmap", ["0.5", "0.5", "0.5"]),
    ("rum", ["1.3", "1.3", ""]),
    ("seg", ["1.4", "1.4", "1.4"]),
    ("semver", ["0.32.1", "0.40.0", "0.40.0"]),
    ("tablefunc", ["1.0", "1.0", "1.0"]),
    ("tcn", ["1.0", "1.0", "1.0"]),
    ("timescaledb", ["2.13.0", "2.17.1", ""]),
    ("tsm_system_rows", ["1.0", "1.0", "1.0"]),
    ("tsm_system_time", ["1.0", "1.0", "1.0"]),
    ("ulid", ["0.1.5", "", ""]),
    ("unaccent", ["1.1", "1.1", "1.1"]),
    ("unit", ["7", "7", ""]),
    ("uuid-ossp", ["1.1", "1.1", "1.1"]),
    ("vector", ["0.8.0", "0.8.0", "0.8.1"]),
    ("xml2", ["1.1", "1.1", "1.2"]),
];

/// What a new project of this major offers; nothing is known of a major that isn't in the list.
pub(crate) fn offered(major: u32) -> Option<OfferedExtensions> {
    let column = MAJORS.iter().position(|known| *known == major)?;
    let versions: BTreeMap<String, String> = OFFERED
        .iter()
        .filter(|(_, versions)| !versions[column].is_empty())
        .map(|(name, versions)| ((*name).to_owned(), versions[column].to_owned()))
        .collect();
    Some(OfferedExtensions { versions, provenance: format!("Neon's documentation of {AS_OF} for PostgreSQL {major}") })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_major_has_its_own() {
        assert_eq!(offered(17).unwrap().versions["postgis"], "3.5.0");
        assert_eq!(offered(18).unwrap().versions["postgis"], "3.6.0");
        assert!(offered(16).unwrap().versions.contains_key("ulid") && !offered(17).unwrap().versions.contains_key("ulid"));
        assert!(!offered(18).unwrap().versions.contains_key("plv8") && offered(19).is_none());
        assert!(OFFERED.is_sorted_by_key(|(name, _)| *name));
    }
}
