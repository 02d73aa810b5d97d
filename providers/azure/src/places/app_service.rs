//! A setting of an app of App Service (Microsoft.Web, 2023-12-01). Writing the settings restarts the app.

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

const API_VERSION: &str = "2023-12-01";

/// One setting of one app.
pub(super) struct AppService {
    service: Service,
    app: App,
    slot: Option<String>,
    setting: String,
}

impl AppService {
    pub(super) fn new(cloud: &Arc<AzureCloud>, app: &AzureApp, slot: Option<&str>, setting: &str) -> Result<Self> {
        slot.map(|slot| check_name("a deployment slot", slot)).transpose()?;
        check_name("an app's setting", setting)?;
        let app = App::new(cloud, app, "Microsoft.Web/sites")?;
        Ok(Self { service: Service::arm(cloud, API_VERSION), app, slot: slot.map(str::to_owned), setting: setting.to_owned() })
    }

    async fn path(&self) -> Result<String> {
        let slot = self.slot.as_ref().map(|slot| format!("/slots/{slot}")).unwrap_or_default();
        Ok(format!("{}{slot}/config/appsettings", self.app.path().await?))
    }
}

#[async_trait]
impl Held for AppService {
    fn service(&self) -> &Service {
        &self.service
    }

    fn look(&self) -> String {
        let slot = self.slot.as_ref().map(|slot| format!(" --slot {slot}")).unwrap_or_default();
        format!("az webapp config appsettings list --resource-group {} --name {}{slot}", self.app.group(), self.app.name())
    }

    async fn read(&self) -> Result<Now> {
        let call =
            Call::new(format!("read the settings of the App Service app {}", self.app.name()), "Microsoft.Web/sites/config/list/action");
        let document = self.service.ask(&call, Method::POST, &format!("{}/list", self.path().await?)).await?;
        let value = document["properties"][&self.setting].as_str().map(|value| SecretString::from(value.to_owned()));
        value.map(|value| Now { value, document }).ok_or_else(|| {
            let text = format!("the App Service app {} has no setting {}", self.app.name(), self.setting);
            Error::new(ErrorKind::NotFound, text)
                .hint(format!("name the one that the app reads by `setting`; `{}` lists them", self.look()))
        })
    }

    fn writing(&self) -> Call {
        Call::new(
            format!("write the setting {} of the App Service app {}", self.setting, self.app.name()),
            "Microsoft.Web/sites/config/write",
        )
    }

    /// All settings are replaced at once, so they were read right before.
    async fn write(&self, now: &Now, value: &SecretString) -> std::result::Result<(), Fault> {
        let path = self.path().await.map_err(|error| Fault::Malformed(error.to_string()))?;
        let body = json!({ "properties": merged(&now.document, &self.setting, value)? });
        self.service.send(Method::PUT, &path, Some(&body)).await
    }
}

/// All settings, with this one changed.
fn merged(all: &Value, setting: &str, value: &SecretString) -> std::result::Result<Value, Fault> {
    let mut properties = all["properties"].as_object().cloned().ok_or_else(|| Fault::Malformed("an app's settings".to_owned()))?;
    properties.insert(setting.to_owned(), Value::from(value.expose_secret()));
    Ok(Value::Object(properties))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_settings_stay_as_they_are() {
        let all = json!({ "name": "appsettings", "properties": { "A": "1", "DATABASE_URL": "old", "EMPTY": "" } });
        let new = merged(&all, "DATABASE_URL", &SecretString::from("new")).unwrap();
        assert_eq!(new, json!({ "A": "1", "DATABASE_URL": "new", "EMPTY": "" }));
        assert!(merged(&json!({ "value": [] }), "A", &SecretString::from("new")).is_err());
    }
}
