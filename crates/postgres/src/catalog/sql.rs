//! The queries, each over all objects of some kinds: `class`, `object`, `kind`, `name`, `of`, then one column for each aspect.

macro_rules! over_our_objects {
    ($file:literal) => {
        concat!(
            "with user_schema as (",
            include_str!("../../sql/user_schemas.sql"),
            "), ",
            include_str!("../../sql/catalog_ours.sql"),
            include_str!($file)
        )
    };
}

/// All of them.
pub const ALL: &[&str] = &[
    over_our_objects!("../../sql/catalog_relations.sql"),
    over_our_objects!("../../sql/catalog_columns.sql"),
    over_our_objects!("../../sql/catalog_constraints.sql"),
    over_our_objects!("../../sql/catalog_indexes.sql"),
    over_our_objects!("../../sql/catalog_sequences.sql"),
    over_our_objects!("../../sql/catalog_functions.sql"),
    over_our_objects!("../../sql/catalog_triggers.sql"),
    over_our_objects!("../../sql/catalog_rules.sql"),
    over_our_objects!("../../sql/catalog_types.sql"),
    over_our_objects!("../../sql/catalog_extensions.sql"),
    over_our_objects!("../../sql/catalog_others.sql"),
];
