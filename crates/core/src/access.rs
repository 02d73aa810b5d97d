//! The operator's own access to the servers: as whom, how proven, and what to do when it is refused.

use std::sync::Arc;

use azure2neon_postgres::{Endpoint, Session};
use secrecy::SecretString;

use crate::cloud::{SourceCloud, SourceServer};
use crate::error::{Error, ErrorKind, Result};
use crate::settings::Settings;

/// How the operator proves to the source's database who he is.
#[derive(Clone)]
pub enum Login {
    /// With the login's password.
    Password(SecretString),
    /// With an access token of this cloud, which is asked for whenever a connection is made: none lives longer than an hour.
    Token(Arc<dyn SourceCloud>),
}

/// How the operator's own connections are made.
#[derive(Clone)]
pub struct Access {
    /// How the source's login is proven.
    pub login: Login,
    /// TLS for all PostgreSQL connections; verifies chain and host name.
    pub tls: Arc<rustls::ClientConfig>,
}

impl Access {
    /// The source's database for these settings, good for connections of the next minutes.
    pub async fn source_endpoint(&self, settings: &Settings, host: &str, user: &str, application_name: &str) -> Result<Endpoint> {
        Ok(Endpoint {
            host: host.to_owned(),
            address: settings.network.address_of(host),
            port: 5432,
            database: settings.source_database.clone(),
            user: user.to_owned(),
            password: match &self.login {
                Login::Password(password) => password.clone(),
                Login::Token(cloud) => cloud.database_token().await?,
            },
            tls: Arc::clone(&self.tls),
            application_name: application_name.to_owned(),
        })
    }

    /// A session on the source.
    pub async fn connect(&self, server: &SourceServer, endpoint: &Endpoint) -> Result<Session> {
        endpoint.connect().await.map_err(|refused| self.explain(server, refused))
    }

    /// What to do about a source that refused a connection.
    pub fn explain(&self, server: &SourceServer, refused: azure2neon_postgres::Error) -> Error {
        let address = refused.refused_address();
        let error = Error::from(refused);
        match (address, error.kind()) {
            (Some(address), _) => error.hint(format!(
                "let {address} in: `{}`; or begin or go on with --open-firewall, which does so for as long as the run lasts",
                server.az_allow(address)
            )),
            (None, ErrorKind::Credentials) => error.hint(match &self.login {
                Login::Password(_) => {
                    "the password of the source's login is read from AZURE2NEON_SOURCE_PASSWORD or `password_file` under [source]"
                        .to_owned()
                }
                Login::Token(cloud) => format!(
                    "`user` under [source] must be the role that stands for {}: `az postgres flexible-server microsoft-entra-admin \
                     list --resource-group {} --server-name {}`",
                    cloud.identity(),
                    server.resource_group,
                    server.name
                ),
            }),
            (None, ErrorKind::Unreachable) => {
                error.hint("see that the server runs, that its firewall lets this machine in, and that this network lets port 5432 out; then run the same command again")
            }
            _ => error,
        }
    }
}
