//! Looks on both sides for what a run leaves behind, and says where it looked.

use azure2neon_postgres::Session;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::error::Result;
use crate::plan::{MARK_PREFIX, RULE_PREFIX};

/// One place that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Where.
    pub place: String,
    /// What of ours is there.
    pub found: Vec<String>,
    /// Why it stays on purpose, if so.
    pub kept_because: Option<String>,
}

impl Look {
    /// Nothing is there, or it stays on purpose.
    pub fn is_clean(&self) -> bool {
        self.found.is_empty() || self.kept_because.is_some()
    }
}

/// Queries for names that begin with the mark, as `(what, SQL)`: with a way back, either server is publisher and subscriber.
const EITHER: [(&str, &str); 5] = [
    ("roles", "select rolname::text from pg_catalog.pg_roles where pg_catalog.starts_with(rolname::text, $1)"),
    ("publications", "select pubname::text from pg_catalog.pg_publication where pg_catalog.starts_with(pubname::text, $1)"),
    ("replication slots", "select slot_name::text from pg_catalog.pg_replication_slots where pg_catalog.starts_with(slot_name::text, $1)"),
    ("subscriptions", "select subname::text from pg_catalog.pg_subscription where pg_catalog.starts_with(subname::text, $1)"),
    ("schemas", "select nspname::text from pg_catalog.pg_namespace where pg_catalog.starts_with(nspname::text, $1)"),
];

/// The same for what is made on the source only.
const SOURCE: [(&str, &str); 1] = [(
    "default privileges",
    "select distinct pg_catalog.pg_get_userbyid(a.grantee)::text from pg_catalog.pg_default_acl d, \
     lateral pg_catalog.aclexplode(d.defaclacl) a where pg_catalog.starts_with(pg_catalog.pg_get_userbyid(a.grantee)::text, $1)",
)];

/// Looks everywhere a run leaves something, and closes the operator's door behind it: nothing needs the source any more.
pub async fn look_and_leave(cx: &Context) -> Result<Vec<Look>> {
    let mut looks = Vec::new();
    look_in(&mut looks, "source", &cx.source().await?, &[EITHER.as_slice(), &SOURCE].concat()).await?;
    look_in(&mut looks, "target", &cx.target().await?, &EITHER).await?;
    for (place, step, kept) in [
        ("Azure: server parameters", "enable-logical-replication", None),
        ("source: replica identities", "set-replica-identity", None),
        (
            "source: the closed database",
            "fence-writes",
            Some("a write to the old server would be lost; `azure2neon finish --reopen-source` lifts it"),
        ),
    ] {
        let found = match cx.plan.step(step) {
            Some(step) => step.action.operation().left_over(cx).await?,
            None => None,
        };
        let kept_because = kept.filter(|_| found.is_some() && !cx.settings.reopen_source).map(str::to_owned);
        looks.push(Look { place: place.into(), found: found.into_iter().collect(), kept_because });
    }
    cx.door().close().await?;
    let rules = cx.clouds.source.inbound_rules().await?;
    looks.push(Look {
        place: "Azure: firewall rules".into(),
        found: rules.into_iter().map(|rule| rule.name).filter(|name| name.starts_with(RULE_PREFIX)).collect(),
        kept_because: None,
    });
    Ok(looks)
}

async fn look_in(looks: &mut Vec<Look>, side: &str, session: &Session, queries: &[(&str, &str)]) -> Result<()> {
    for (what, sql) in queries {
        let rows = session.query(*sql, &[&MARK_PREFIX]).await?;
        looks.push(Look { place: format!("{side}: {what}"), found: rows.iter().map(|row| row.get(0)).collect(), kept_because: None });
    }
    Ok(())
}
