//! Finding the server by its name or host name, in one subscription or in all that the identity sees.

use azure2neon_core::{Error, ErrorKind, Result};

use crate::fault::{Call, Fault};
use crate::model::{Server, Subscription};
use crate::names;
use crate::servers::Arm;

/// The API version of subscriptions, which belong to another provider.
const SUBSCRIPTIONS_VERSION: &str = "2022-12-01";
const READ: &str = "Microsoft.DBforPostgreSQL/flexibleServers/read";

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceId {
    pub(crate) subscription: String,
    pub(crate) group: String,
    pub(crate) name: String,
}

impl ResourceId {
    /// From ARM's id; its fixed segments have no certain case.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let parts: Vec<&str> = id.trim_matches('/').split('/').collect();
        let [subscriptions, subscription, groups, group, _, provider, kind, name] = parts[..] else { return None };
        let fixed = [subscriptions, groups, provider, kind];
        let expected = ["subscriptions", "resourceGroups", "Microsoft.DBforPostgreSQL", "flexibleServers"];
        let right = fixed.iter().zip(expected).all(|(a, b)| a.eq_ignore_ascii_case(b));
        right.then(|| Self { subscription: subscription.to_owned(), group: group.to_owned(), name: name.to_owned() })
    }

    /// ARM's id.
    pub(crate) fn path(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{}",
            self.subscription, self.group, self.name
        )
    }
}

/// What is known of the server before it is found.
pub(crate) struct Wanted {
    subscription: Option<String>,
    group: Option<String>,
    /// A name or a host name.
    server: String,
}

impl Wanted {
    /// Checks the names. `server` may also be ARM's id, which then says it all.
    pub(crate) fn new(subscription: Option<String>, group: Option<String>, server: &str) -> Result<Self> {
        let server = server.trim().trim_end_matches('.');
        if let Some((host, port)) = server.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())) {
            let text =
                format!("`{server}` names a port: the migration connects to the server itself on 5432, never to its PgBouncer on 6432");
            return Err(Error::new(ErrorKind::Configuration, text).hint(format!("leave `:{port}` out: --server {host}")));
        }
        let wanted = match ResourceId::parse(server) {
            Some(id) if server.starts_with('/') => Self { subscription: Some(id.subscription), group: Some(id.group), server: id.name },
            _ => Self { subscription, group, server: server.to_owned() },
        };
        wanted.subscription.as_deref().map(names::subscription).transpose()?;
        wanted.group.as_deref().map(names::resource_group).transpose()?;
        if wanted.is_host() {
            names::host(&wanted.server)?
        } else {
            names::server(&wanted.server)?
        }
        Ok(wanted)
    }

    /// Whether it is the name of whichever server has a role just now, which a failover gives to another one.
    fn is_virtual_endpoint(&self) -> bool {
        let second = self.server.split('.').nth(1).unwrap_or_default();
        ["writer", "reader"].iter().any(|label| label.eq_ignore_ascii_case(second))
    }

    fn is_host(&self) -> bool {
        self.server.contains('.')
    }

    /// The server's place, if it needs no search.
    fn exact(&self) -> Option<ResourceId> {
        let (Some(subscription), Some(group), false) = (&self.subscription, &self.group, self.is_host()) else { return None };
        Some(ResourceId { subscription: subscription.clone(), group: group.clone(), name: self.server.clone() })
    }

    fn is(&self, server: &Server) -> bool {
        let name = server.name.as_deref().unwrap_or_default();
        if !self.is_host() {
            return name.eq_ignore_ascii_case(&self.server);
        }
        // A private DNS zone gives the server a second host name, with its own name in front.
        let first = self.server.split('.').next().unwrap_or_default();
        server.host() == self.server.to_ascii_lowercase()
            || (!self.is_virtual_endpoint() && name.eq_ignore_ascii_case(first) && self.server.to_ascii_lowercase().contains(".postgres."))
    }

    fn in_group(&self, id: &ResourceId) -> bool {
        self.group.as_deref().is_none_or(|group| group.eq_ignore_ascii_case(&id.group))
    }

    fn place(&self) -> String {
        match (&self.subscription, &self.group) {
            (Some(subscription), Some(group)) => format!("resource group {group} of subscription {subscription}"),
            (Some(subscription), None) => format!("subscription {subscription}"),
            (None, Some(group)) => format!("a resource group {group} of any subscription that this identity sees"),
            (None, None) => "any subscription that this identity sees".to_owned(),
        }
    }

    /// The error for a server that is not there; `names` are those that are.
    fn missing(&self, mut names: Vec<String>) -> Error {
        if self.is_virtual_endpoint() {
            let text = format!("{} is a virtual endpoint, which a failover moves to another server", self.server);
            return Error::new(ErrorKind::NotFound, text)
                .hint(format!("name the server itself that takes the writes; there are {}", names.join(", ")));
        }
        let error = Error::new(ErrorKind::NotFound, format!("there is no flexible server {} in {}", self.server, self.place()));
        if names.is_empty() {
            return error
                .hint("check the name, and that this identity may read the subscription: `az postgres flexible-server list -o table`");
        }
        names.sort_by_key(|name| std::cmp::Reverse(likeness(name, &self.server)));
        names.truncate(5);
        error.hint(format!("it has {}", names.join(", ")))
    }

    /// The error for a server that was found once, or was named exactly, and does not answer.
    pub(crate) async fn gone(&self, arm: &Arm, id: &ResourceId) -> Error {
        let others: Vec<Server> = arm.list(&list_path(&id.subscription), None).await.unwrap_or_default();
        self.missing(others.into_iter().filter_map(|server| server.name).collect())
    }

    /// Finds the server.
    pub(crate) async fn find(&self, arm: &Arm) -> Result<ResourceId> {
        if let Some(id) = self.exact() {
            return Ok(id);
        }
        let call = Call::new(format!("look for the server {}", self.server), READ);
        let subscriptions = match &self.subscription {
            Some(one) => vec![one.clone()],
            None => self.subscriptions(arm).await.map_err(|fault| arm.error(&call, fault))?,
        };
        let mut found = Vec::new();
        let mut others = Vec::new();
        for subscription in subscriptions {
            let servers: Vec<Server> = match arm.list(&list_path(&subscription), None).await {
                Ok(servers) => servers,
                // Of all subscriptions, some may be closed to this identity, or not registered for PostgreSQL.
                Err(Fault::Answer { status: 403 | 404 | 409, .. }) if self.subscription.is_none() => continue,
                Err(fault) => return Err(arm.error(&call, fault)),
            };
            for server in servers {
                match server.id.as_deref().and_then(ResourceId::parse) {
                    Some(id) if self.is(&server) && self.in_group(&id) => found.push(id),
                    Some(id) => others.push(id.name),
                    None => {}
                }
            }
        }
        match found.len() {
            0 => Err(self.missing(others)),
            1 => Ok(found.remove(0)),
            _ => Err(self.several(&found)),
        }
    }

    fn several(&self, found: &[ResourceId]) -> Error {
        let places: Vec<String> =
            found.iter().map(|id| format!("{} in resource group {} of subscription {}", id.name, id.group, id.subscription)).collect();
        let text = format!("there are {} servers {}: {}", found.len(), self.server, places.join("; "));
        Error::new(ErrorKind::Configuration, text).hint("name one with --subscription and --resource-group")
    }

    async fn subscriptions(&self, arm: &Arm) -> std::result::Result<Vec<String>, Fault> {
        let all: Vec<Subscription> = arm.list("/subscriptions", Some(SUBSCRIPTIONS_VERSION)).await?;
        Ok(all.into_iter().filter_map(|one| one.subscription_id).filter(|id| names::subscription(id).is_ok()).collect())
    }
}

fn list_path(subscription: &str) -> String {
    format!("/subscriptions/{subscription}/providers/Microsoft.DBforPostgreSQL/flexibleServers")
}

/// How many leading characters are the same: enough to put `shop-prod` first for `shop-prd`.
fn likeness(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
}
