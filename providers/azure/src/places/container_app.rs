//! A secret of a container app (Microsoft.App, 2024-03-01). Its active revisions take a changed secret up when they are restarted.

use std::sync::Arc;

use async_trait::async_trait;
use azure2neon_core::settings::AzureApp;
use azure2neon_core::{Error, ErrorKind, Result};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::service::App;
use super::{Held, Now, Service, check_name};
use crate::cloud::AzureCloud;
use crate::fault::{Call, Fault};
use crate::pace::Tries;

const API_VERSION: &str = "2024-03-01";

/// One secret of one app.
pub(super) struct ContainerApp {
    service: Service,
    app: App,
    secret: String,
}

impl ContainerApp {
    pub(super) fn new(cloud: &Arc<AzureCloud>, app: &AzureApp, secret: &str) -> Result<Self> {
        check_name("a container app's secret", secret)?;
        let app = App::new(cloud, app, "Microsoft.App/containerApps")?;
        Ok(Self { service: Service::arm(cloud, API_VERSION), app, secret: secret.to_owned() })
    }

    async fn restart(&self, revision: &str) -> Result<()> {
        let call = Call::new(
            format!("restart the revision {revision} of the container app {}, which has the new secret", self.app.name()),
            "Microsoft.App/containerApps/revisions/restart/action",
        );
        check_name("a revision", revision)?;
        let path = format!("{}/revisions/{revision}/restart", self.app.path().await?);
        // To restart it twice does no harm.
        let mut tries = Tries::write(&self.service.pace);
        loop {
            match self.service.send(Method::POST, &path, None).await {
                Ok(()) => return Ok(()),
                Err(fault) if tries.again(&fault).await => {}
                Err(fault) => return Err(self.service.error(&call, fault)),
            }
        }
    }
}

#[async_trait]
impl Held for ContainerApp {
    fn service(&self) -> &Service {
        &self.service
    }

    fn look(&self) -> String {
        format!("az containerapp secret list --resource-group {} --name {}", self.app.group(), self.app.name())
    }

    async fn read(&self) -> Result<Now> {
        let name = self.app.name();
        let call = Call::new(format!("read the secrets of the container app {name}"), "Microsoft.App/containerApps/listSecrets/action");
        let document = self.service.ask(&call, Method::POST, &format!("{}/listSecrets", self.app.path().await?)).await?;
        let own = document["value"].as_array().into_iter().flatten().find(|one| one["name"] == self.secret.as_str());
        let Some(own) = own else {
            let text = format!("the container app {name} has no secret {}", self.secret);
            return Err(Error::new(ErrorKind::NotFound, text).hint(format!("`{}` lists them", self.look())));
        };
        if own["keyVaultUrl"].as_str().is_some_and(|url| !url.is_empty()) {
            let text = format!("the secret {} of the container app {name} only refers to a secret of a key vault", self.secret);
            return Err(Error::new(ErrorKind::Configuration, text)
                .hint("name that secret with kind = \"key-vault\" under [[hand_over.to]], and restart the app by a command"));
        }
        let value = SecretString::from(own["value"].as_str().unwrap_or_default().to_owned());
        Ok(Now { value, document })
    }

    fn writing(&self) -> Call {
        Call::new(format!("write the secret {} of the container app {}", self.secret, self.app.name()), "Microsoft.App/containerApps/write")
    }

    /// The list of secrets is replaced as a whole, so it was read right before.
    async fn write(&self, now: &Now, value: &SecretString) -> std::result::Result<(), Fault> {
        let path = self.app.path().await.map_err(|error| Fault::Malformed(error.to_string()))?;
        let body = json!({ "properties": { "configuration": { "secrets": merged(&now.document, &self.secret, value)? } } });
        self.service.send(Method::PATCH, path, Some(&body)).await
    }

    async fn take_up(&self) -> Result<()> {
        let name = self.app.name();
        let call = Call::new(format!("list the revisions of the container app {name}"), "Microsoft.App/containerApps/revisions/read");
        let all = self.service.ask(&call, Method::GET, &format!("{}/revisions", self.app.path().await?)).await?;
        let active = all["value"].as_array().into_iter().flatten().filter(|one| one["properties"]["active"] == true);
        for revision in active {
            self.restart(revision["name"].as_str().unwrap_or_default()).await?;
        }
        Ok(())
    }
}

/// All secrets, with this one changed; those that refer to a key vault go on doing so.
fn merged(all: &Value, secret: &str, value: &SecretString) -> std::result::Result<Value, Fault> {
    let mut secrets = all["value"].as_array().cloned().ok_or_else(|| Fault::Malformed("a container app's secrets".to_owned()))?;
    for one in &mut secrets {
        if one["name"] == secret {
            *one = json!({ "name": secret, "value": value.expose_secret() });
        }
    }
    Ok(Value::Array(secrets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_secrets_stay_as_they_are() {
        let reference = json!({ "name": "b", "keyVaultUrl": "https://kv.vault.azure.net/secrets/b", "identity": "system" });
        let all = json!({ "value": [{ "name": "a", "value": "1" }, { "name": "database-url", "value": "old" }, reference] });
        let new = merged(&all, "database-url", &SecretString::from("new")).unwrap();
        assert_eq!(new, json!([{ "name": "a", "value": "1" }, { "name": "database-url", "value": "new" }, reference]));
    }
}
