//! What the application may do with the server.

use hyper::StatusCode;
use serde_json::json;

use super::{Azure, PROVIDER, error};
use crate::http::Answer;

/// The action that a call takes.
fn action(method: &str, rest: &[&str]) -> String {
    let kind = match (method, rest) {
        (_, ["providers", ..]) => return "Microsoft.Authorization/permissions/read".to_owned(),
        ("POST", [verb]) => return format!("{PROVIDER}/flexibleServers/{verb}/action"),
        (_, [kind, ..]) => format!("/{kind}"),
        (_, []) => String::new(),
    };
    let verb = match method {
        "GET" => "read",
        "DELETE" => "delete",
        _ => "write",
    };
    format!("{PROVIDER}/flexibleServers{kind}/{verb}")
}

impl Azure {
    /// The roles' permissions: all, but for what the options take away.
    pub(super) fn list_permissions(&self) -> Answer {
        let role = json!({ "actions": ["*"], "notActions": self.not_actions, "dataActions": [], "notDataActions": [] });
        Answer::ok(json!({ "value": [role] }))
    }

    /// The answer to a call that the roles don't allow.
    pub(super) fn refuse_forbidden(&self, method: &str, rest: &[&str]) -> Option<Answer> {
        let action = action(method, rest);
        self.not_actions.iter().find(|denied| denied.eq_ignore_ascii_case(&action)).map(|_| {
            let message = format!(
                "The client does not have authorization to perform action '{action}' over scope '{}' or the scope is invalid. If access \
                 was recently granted, please refresh your credentials.",
                self.id()
            );
            error(StatusCode::FORBIDDEN, "AuthorizationFailed", message)
        })
    }
}
