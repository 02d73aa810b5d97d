//! What the credential may do with the server, as ARM says when it is asked (`Microsoft.Authorization/permissions`, 2022-04-01).

use azure2neon_core::Result;
use azure2neon_core::cloud::CloudAct;
use serde::Deserialize;

use crate::cloud::AzureCloud;
use crate::fault::Call;
use crate::model::or_default;

/// The API version of the permissions.
const VERSION: &str = "2022-04-01";

/// What roles on the server and above it allow, each for itself.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Permission {
    #[serde(deserialize_with = "or_default")]
    actions: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    not_actions: Vec<String>,
}

/// The action of an act, in ARM's words.
fn action(act: CloudAct) -> &'static str {
    match act {
        CloudAct::SetParameter => "Microsoft.DBforPostgreSQL/flexibleServers/configurations/write",
        CloudAct::Restart => "Microsoft.DBforPostgreSQL/flexibleServers/restart/action",
        CloudAct::AllowInbound => "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules/write",
        CloudAct::RevokeInbound => "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules/delete",
    }
}

/// Whether a pattern with `*` for any run of characters covers this action. Neither has a certain case.
fn covers(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = action.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Whether one of the roles allows it. What one takes away another may give.
fn allowed(permissions: &[Permission], action: &str) -> bool {
    let any = |patterns: &[String]| patterns.iter().any(|pattern| covers(pattern, action));
    permissions.iter().any(|permission| any(&permission.actions) && !any(&permission.not_actions))
}

impl AzureCloud {
    /// The acts that no role of the credential allows, each with its action.
    pub(crate) async fn forbidden_acts(&self) -> Result<Vec<(CloudAct, String)>> {
        let id = self.id().await?;
        let call = Call::new(format!("ask what may be done with {}", id.name), "Microsoft.Authorization/permissions/read");
        let path = format!("{}/providers/Microsoft.Authorization/permissions", id.path());
        let permissions: Vec<Permission> = self.arm.list(&path, Some(VERSION)).await.map_err(|fault| self.arm.error(&call, fault))?;
        let forbidden = CloudAct::ALL.into_iter().filter(|act| !allowed(&permissions, action(*act)));
        Ok(forbidden.map(|act| (act, action(act).to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_allowed_by_one_role_that_does_not_take_it_away_again() {
        let role = |actions: &[&str], not_actions: &[&str]| {
            let owned = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            Permission { actions: owned(actions), not_actions: owned(not_actions) }
        };
        let restart = action(CloudAct::Restart);
        for pattern in ["*", "microsoft.dbforpostgresql/*", "*/action", "Microsoft.DBforPostgreSQL/*/restart/*", restart] {
            assert!(allowed(&[role(&[pattern], &[])], restart), "{pattern}");
        }
        for pattern in ["*/read", "Microsoft.DBforPostgreSQL/flexibleServers/restart", "", "Microsoft.Sql/*"] {
            assert!(!allowed(&[role(&[pattern], &[])], restart), "{pattern}");
        }
        let contributor = role(&["*"], &["*/restart/action"]);
        assert!(!allowed(&[role(&["*/read"], &[]), contributor], restart));
        assert!(allowed(&[role(&["*"], &["*/restart/*"]), role(&[restart], &[])], restart));
    }
}
