//! What both servers are asked for, to copy a table.

use crate::ident::{Ident, QualifiedName};
use crate::inventory::Table;

/// What both servers are asked for, to copy a table or a part of it.
pub struct Statements {
    pub(super) table: QualifiedName,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// Rows of columns: COPY on both sides.
    Rows { out: String, into: String },
    /// COPY can't name no columns; such rows are nothing but their number.
    Bare { count: String },
}

/// The form in which rows travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As text: any type, between any versions.
    Text,
    /// As the types' own binary form, which costs both servers less.
    Binary,
}

impl Statements {
    /// The whole table, as text.
    pub fn text(table: &Table) -> Self {
        Self::new(table, Format::Text, None, false)
    }

    /// The whole table, for a transaction that emptied it: its rows are frozen as they are written.
    pub fn frozen(table: &Table, format: Format) -> Self {
        Self::new(table, format, None, true)
    }

    /// The whole table.
    pub fn whole(table: &Table, format: Format) -> Self {
        Self::new(table, format, None, false)
    }

    /// The rows for which `condition` holds.
    pub fn part(table: &Table, format: Format, condition: String) -> Self {
        Self::new(table, format, Some(condition), false)
    }

    fn new(table: &Table, format: Format, filter: Option<String>, freeze: bool) -> Self {
        let name = &table.name;
        let columns: Vec<String> =
            table.columns.iter().filter(|column| !column.generated).map(|column| Ident::new(&*column.name).to_string()).collect();
        if columns.is_empty() {
            let filter = filter.map(|filter| format!(" where {filter}")).unwrap_or_default();
            let count = format!("select pg_catalog.count(*) from only {name}{filter}");
            return Self { table: name.clone(), kind: Kind::Bare { count } };
        }
        let list = columns.join(", ");
        let format = if format == Format::Binary { "binary" } else { "text" };
        let freeze = if freeze { ", freeze" } else { "" };
        // A plain relation's COPY takes its own rows only, inheritance children left out.
        let what = match filter {
            None => format!("{name} ({list})"),
            Some(filter) => format!("(select {list} from only {name} where {filter})"),
        };
        Self {
            table: name.clone(),
            kind: Kind::Rows {
                out: format!("copy {what} to stdout (format {format})"),
                into: format!("copy {name} ({list}) from stdin (format {format}{freeze})"),
            },
        }
    }
}
