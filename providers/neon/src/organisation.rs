//! Whose key it is, and which organisation its projects belong to.

use azure2neon_core::{Error, ErrorKind, Result};

use crate::api::{Api, Request};
use crate::fault::Fault;
use crate::model::{Auth, Organisations};

/// Checks the key and says whose it is.
pub(crate) async fn identity(api: &Api, org_id: Option<&str>) -> Result<String> {
    let auth: Auth = api.send(Request::get(&["auth"])).await.map_err(|fault| fault.error("check the Neon API key"))?;
    let account = if auth.account_id.is_empty() { "unknown".to_owned() } else { auth.account_id };
    Ok(match (auth.auth_method.as_str(), org_id) {
        ("api_key_org", _) => format!("organisation {account}"),
        (_, Some(org)) => format!("user {account}, in organisation {org}"),
        (_, None) => format!("user {account}"),
    })
}

/// Whether the API wants to know the organisation: it does of a person's key.
pub(crate) fn is_wanted(fault: &Fault) -> bool {
    fault.says("org_id is required")
}

/// The only organisation of the key's owner.
pub(crate) async fn only(api: &Api) -> Result<String> {
    let what = "list the organisations of the Neon API key";
    let listed: Organisations = api.send(Request::get(&["users", "me", "organizations"])).await.map_err(|fault| fault.error(what))?;
    let mut all = listed.organizations;
    if all.len() == 1 {
        return Ok(all.remove(0).id);
    }
    let names: Vec<String> = all.into_iter().map(|one| format!("{} ({})", one.id, one.name.unwrap_or_default())).collect();
    let text = match names.is_empty() {
        true => "the Neon API key belongs to no organisation".to_owned(),
        false => format!("the Neon API key belongs to {} organisations: {}", names.len(), names.join(", ")),
    };
    Err(Error::new(ErrorKind::Configuration, text).hint("name the one to use with --org-id"))
}
