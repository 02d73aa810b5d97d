//! A statement that grows, with its parameters.

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::connect::Session;
use crate::error::Result;
use crate::ident::literal;

/// A value that goes beside the text.
pub(super) enum Parameter {
    Text(String),
    Texts(Vec<String>),
    Numbers(Vec<i64>),
}

impl Parameter {
    fn literal(&self) -> String {
        match self {
            Self::Text(value) => format!("{}::pg_catalog.text", literal(value)),
            Self::Texts(values) => {
                format!("array[{}]::pg_catalog.text[]", values.iter().map(|value| literal(value)).collect::<Vec<_>>().join(", "))
            }
            Self::Numbers(values) => {
                format!("'{{{}}}'::pg_catalog.int8[]", values.iter().map(i64::to_string).collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// A statement with its parameters; it takes one round trip.
#[derive(Default)]
pub(super) struct Statement {
    pub(super) text: String,
    parameters: Vec<Parameter>,
    /// Values go into the text, for COPY, which takes no parameters.
    inline: bool,
}

impl Statement {
    /// One that holds its values itself.
    pub(super) fn inline() -> Self {
        Self { inline: true, ..Self::default() }
    }

    /// Adds a parameter; the result stands for it in the text.
    pub(super) fn bind(&mut self, parameter: Parameter) -> String {
        if self.inline {
            return parameter.literal();
        }
        self.parameters.push(parameter);
        format!("${}", self.parameters.len())
    }

    pub(super) async fn query(&self, session: &Session) -> Result<Vec<Row>> {
        let typed: Vec<(&(dyn ToSql + Sync), Type)> = self
            .parameters
            .iter()
            .map(|parameter| match parameter {
                Parameter::Text(value) => (value as &(dyn ToSql + Sync), Type::TEXT),
                Parameter::Texts(values) => (values as _, Type::TEXT_ARRAY),
                Parameter::Numbers(values) => (values as _, Type::INT8_ARRAY),
            })
            .collect();
        Ok(session.query_typed(&self.text, &typed).await?)
    }
}
