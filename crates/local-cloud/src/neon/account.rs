//! The account: its key, its user, its organization; and the regions.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{Neon, error, regions};
use crate::http::Answer;

impl Neon {
    /// Refuses what the kind of key may not ask for. `/auth` is for all.
    pub(super) fn check_key(&self, words: &[&str]) -> Result<(), Answer> {
        match (&self.key_project, words) {
            (_, ["auth"]) => Ok(()),
            (Some(name), ["projects", id, ..]) if self.project(id).is_some_and(|project| project.state().name == *name) => Ok(()),
            (Some(_), _) => Err(error(StatusCode::FORBIDDEN, "not allowed to perform actions outside the project this key is scoped to")),
            (None, ["users", ..] | ["regions"]) if self.organization_key => {
                Err(error(StatusCode::NOT_FOUND, "not allowed for organization API keys"))
            }
            (None, _) => Ok(()),
        }
    }

    pub(super) fn auth(&self) -> Value {
        // Keys of a project are the organization's.
        if self.organization_key || self.key_project.is_some() {
            json!({ "account_id": self.organization, "auth_method": "api_key_org" })
        } else {
            json!({ "account_id": self.user, "auth_method": "api_key_user" })
        }
    }

    pub(super) fn me(&self) -> Value {
        json!({
            "active_seconds_limit": 0,
            "billing_account": {
                "state": "active", "payment_source": { "type": "" }, "subscription_type": self.plan.id(), "payment_method": "none",
                "quota_reset_at_last": "2026-01-01T00:00:00Z", "name": "", "email": "operator@example.com", "address_city": "",
                "address_country": "", "address_line1": "", "address_line2": "", "address_postal_code": "", "address_state": "",
            },
            "auth_accounts": [{ "email": "operator@example.com", "image": "", "login": "operator", "name": "Operator", "provider": "github" }],
            "email": "operator@example.com",
            "id": self.user,
            "image": "",
            "login": "operator",
            "name": "Operator",
            "last_name": "",
            "projects_limit": self.projects_limit,
            "branches_limit": self.plan.branches(),
            "max_autoscaling_limit": self.plan.largest_range(),
            "plan": self.plan.id(),
        })
    }

    pub(super) fn organization_json(&self) -> Value {
        json!({
            "id": self.organization,
            "name": "Bikeparts",
            "handle": "bikeparts",
            "plan": self.plan.id(),
            "created_at": "2025-02-01T09:00:00Z",
            "updated_at": "2025-02-01T09:00:00Z",
            "managed_by": "console",
        })
    }
}

pub(super) fn regions_json() -> Value {
    let regions: Vec<Value> = regions::REGIONS
        .iter()
        .map(|region| {
            json!({
                "region_id": region.id,
                "name": region.name,
                "default": region.id == regions::DEFAULT,
                "geo_lat": region.latitude,
                "geo_long": region.longitude,
            })
        })
        .collect();
    json!({ "regions": regions })
}
