//! Real PostgreSQL servers, and the ground that they stand on.

mod account;
mod guardian;
mod machine;
mod server;

pub(crate) use account::{Account, set_mode};
pub(crate) use machine::Machine;
pub(crate) use server::{Server, Spec};

/// An SQL string literal.
pub(crate) fn literal(text: &str) -> String {
    postgres_protocol::escape::escape_literal(text)
}

/// An SQL identifier.
pub(crate) fn identifier(name: &str) -> String {
    postgres_protocol::escape::escape_identifier(name)
}

/// What PostgreSQL stores for that password. Statements carry this, never the password itself.
pub(crate) fn verifier(password: &secrecy::SecretString) -> String {
    use secrecy::ExposeSecret;
    postgres_protocol::password::scram_sha_256(password.expose_secret().as_bytes())
}
