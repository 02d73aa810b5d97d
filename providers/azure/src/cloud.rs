//! The source server through ARM.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core_legacy as legacy;
use azure_mgmt_postgresql::Client;
use azure_mgmt_postgresql::models::{ConfigurationForUpdate, ConfigurationProperties, FirewallRule, FirewallRuleProperties};
use azure2neon_core::call::SourceCall;
use azure2neon_core::cloud::{CloudAct, InboundRule, Parameter, SourceCloud, SourceServer};
use azure2neon_core::{Error, ErrorKind, Result};
use azure2neon_exchange::{Http, Recorder};
use futures::future::BoxFuture;
use secrecy::SecretString;
use tokio::sync::{Mutex, OnceCell};
use url::Url;

use crate::credential::{Credential, CredentialSource};
use crate::environment::Environment;
use crate::fault::{Call, Fault};
use crate::locate::{ResourceId, Wanted};
use crate::login;
use crate::names;
use crate::pace::Pace;
use crate::servers::{API_VERSION, Arm, Attempt, collect};
use crate::token::Tokens;
use crate::transport::{Answer, Placeholder, Transport};
use azure2neon_core::patience::Waits;

const PARAMETERS_READ: &str = "Microsoft.DBforPostgreSQL/flexibleServers/configurations/read";

/// Which server, as whom, and how to get there.
pub struct Settings {
    /// Which of Azure's clouds.
    pub environment: Environment,
    /// ARM's address, if it is not the cloud's. It has no path.
    pub endpoint: Option<Url>,
    /// The scope of ARM's token, if it is not the cloud's.
    pub scope: Option<String>,
    /// Entra ID's address, with or without `https://`, if it is not the cloud's.
    pub authority: Option<String>,
    /// Id of the subscription; all that the credential sees are searched by default.
    pub subscription: Option<String>,
    /// The resource group; any by default.
    pub resource_group: Option<String>,
    /// The server's name, host name or ARM id.
    pub server: String,
    /// Who to be.
    pub credential: Credential,
    /// Whom to trust, for ARM and for Entra ID.
    pub tls: rustls::ClientConfig,
    /// How long an answer may take before it counts as lost.
    pub answer_timeout: Duration,
    /// Who hears what is waited for.
    pub waits: Waits,
    /// Who writes the exchanges down, if anybody.
    pub recorder: Option<Recorder>,
}

/// What tests put in the place of the world.
pub(crate) struct World {
    pub(crate) pace: Pace,
    pub(crate) http: reqwest::Client,
    /// Runs the Azure CLI.
    pub(crate) executor: Arc<dyn azure_identity::Executor>,
}

/// A flexible server on Azure.
pub struct AzureCloud {
    pub(crate) arm: Arm,
    tokens: Arc<Tokens>,
    database_scope: &'static str,
    pub(crate) environment: Environment,
    wanted: Wanted,
    found: OnceCell<ResourceId>,
    /// Azure does one change a server at a time.
    pub(crate) turn: Mutex<()>,
}

impl AzureCloud {
    /// Checks the settings; nothing is sent yet.
    pub fn new(settings: Settings) -> Result<Self> {
        let http = azure2neon_exchange::client(settings.tls.clone(), settings.answer_timeout)
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "the HTTP client can't be set up").because(error))?;
        let pace = Pace { waits: settings.waits.clone(), ..Pace::default() };
        Self::in_world(settings, World { pace, http, executor: azure_identity::new_executor() })
    }

    pub(crate) fn in_world(settings: Settings, world: World) -> Result<Self> {
        let Settings { environment, endpoint, scope, authority, subscription, resource_group, server, credential, recorder, .. } = settings;
        let World { pace, http, executor } = world;
        let addresses = environment.addresses();
        let endpoint = match endpoint {
            Some(endpoint) => endpoint,
            None => Url::parse(addresses.arm).map_err(|error| Error::new(ErrorKind::Internal, addresses.arm).because(error))?,
        };
        if !matches!(endpoint.scheme(), "https" | "http") || !matches!(endpoint.path(), "" | "/") || !endpoint.has_host() {
            let text = format!("`{endpoint}` can't be ARM's address: it must be http(s)://host without a path");
            return Err(Error::new(ErrorKind::Configuration, text));
        }
        environment.check_host(&server)?;
        let wanted = Wanted::new(subscription.clone(), resource_group, &server)?;
        let scope = scope.unwrap_or_else(|| addresses.arm_scope.to_owned());
        let authority = authority.unwrap_or_else(|| addresses.authority.to_owned());
        let tokens = Arc::new(Tokens::new(CredentialSource {
            credential: credential.clone(),
            authority: if authority.contains("://") { authority } else { format!("https://{authority}") },
            http: login::client(http.clone(), recorder.clone()),
            executor,
            subscription,
            arm_scope: scope.clone(),
        }));
        let transport = Arc::new(Transport::new(Http::new(http, recorder), &endpoint, scope, tokens.clone()));
        let client = Client::builder(Arc::new(Placeholder))
            .endpoint(endpoint.clone())
            .scopes(&["unused"])
            .retry(legacy::RetryOptions::none())
            .transport(legacy::TransportOptions::new(transport.clone()))
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "the ARM client can't be set up").because(error))?;
        let arm = Arm { client, transport, endpoint, credential, pace };
        let database_scope = addresses.database_scope;
        Ok(Self { arm, tokens, database_scope, environment, wanted, found: OnceCell::new(), turn: Mutex::new(()) })
    }

    /// Where the server is; searched for once.
    pub(crate) async fn id(&self) -> Result<&ResourceId> {
        self.found.get_or_try_init(|| self.wanted.find(&self.arm)).await
    }

    /// All parameters with what Azure says of them.
    async fn configurations(&self) -> Result<Vec<azure_mgmt_postgresql::models::Configuration>> {
        let id = self.id().await?;
        let call = Call::new(format!("list the parameters of {}", id.name), PARAMETERS_READ);
        let read = self.arm.read(|| {
            let request = self.arm.client.configurations_client().list_by_server(&id.subscription, &id.group, &id.name);
            Box::pin(collect(request.into_stream(), |page| page.value))
        });
        read.await.map_err(|fault| self.arm.error(&call, fault))
    }

    pub(crate) async fn all_parameters(&self) -> Result<Vec<Parameter>> {
        let all = self.configurations().await?;
        Ok(all
            .into_iter()
            .filter_map(|configuration| Some((configuration.proxy_resource.resource.name?, configuration.properties?)))
            .map(|(name, properties)| Parameter {
                name,
                value: properties.value.unwrap_or_default(),
                default: properties.default_value.unwrap_or_default(),
                dynamic: properties.is_dynamic_config.unwrap_or(false),
                read_only: properties.is_read_only.unwrap_or(false),
                pending_restart: properties.is_config_pending_restart.unwrap_or(false),
            })
            .collect())
    }

    /// Refuses what Azure would accept at first and fail later without a reason.
    async fn check_parameter(&self, id: &ResourceId, name: &str, value: &str) -> Result<()> {
        let call = Call::new(format!("read the parameter {name} of {}", id.name), PARAMETERS_READ);
        let read = self.arm.read(|| {
            let request = self.arm.client.configurations_client().get(&id.subscription, &id.group, &id.name, name).into_future();
            Box::pin(async move { Ok(request.await?) })
        });
        let properties = match read.await {
            Ok(configuration) => configuration.properties.unwrap_or_default(),
            Err(fault) if fault.is_not_found() => {
                let text = format!("there is no parameter {name} on the server {}", id.name);
                return Err(Error::new(ErrorKind::NotFound, text).because(fault));
            }
            Err(fault) => return Err(self.arm.error(&call, fault)),
        };
        if properties.is_read_only == Some(true) {
            return Err(Error::new(ErrorKind::Configuration, format!("Azure lets nobody change the parameter {name}")));
        }
        let kind = properties.data_type.and_then(|kind| serde_json::to_value(kind).ok());
        let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default();
        let allowed = properties.allowed_values.unwrap_or_default();
        if !names::allows(kind, &allowed, value) {
            let text = format!("the parameter {name} can't be `{value}`: Azure allows {allowed}");
            return Err(Error::new(ErrorKind::Configuration, text));
        }
        Ok(())
    }
}

#[async_trait]
impl SourceCloud for AzureCloud {
    fn identity(&self) -> String {
        self.arm.credential.to_string()
    }

    async fn database_token(&self) -> Result<SecretString> {
        let call = Call::new("get an access token for the source's database", "");
        let token = self.tokens.get(self.database_scope, None).await.map_err(|fault| self.arm.error(&call, fault))?;
        Ok(token.value)
    }

    async fn describe(&self) -> Result<SourceServer> {
        let id = self.id().await?;
        let call = Call::new(format!("read the server {}", id.name), "Microsoft.DBforPostgreSQL/flexibleServers/read");
        match self.arm.server(id).await {
            Ok(server) => Ok(server.describe(id)),
            Err(fault) if fault.is_not_found() => Err(self.wanted.gone(&self.arm, id).await.because(fault)),
            Err(fault) => Err(self.arm.error(&call, fault)),
        }
    }

    async fn forbidden(&self) -> Result<Vec<(CloudAct, String)>> {
        self.forbidden_acts().await
    }

    async fn databases(&self) -> Result<Vec<String>> {
        let id = self.id().await?;
        let call = Call::new(format!("list the databases of {}", id.name), "Microsoft.DBforPostgreSQL/flexibleServers/databases/read");
        let read = self.arm.read(|| {
            let request = self.arm.client.databases_client().list_by_server(&id.subscription, &id.group, &id.name);
            Box::pin(collect(request.into_stream(), |page| page.value))
        });
        let all = read.await.map_err(|fault| self.arm.error(&call, fault))?;
        Ok(all.into_iter().filter_map(|database| database.proxy_resource.resource.name).collect())
    }

    async fn parameters(&self, names: &[&str]) -> Result<Vec<Parameter>> {
        let mut all = self.all_parameters().await?;
        all.retain(|parameter| names.contains(&parameter.name.as_str()));
        Ok(all)
    }

    async fn set_parameter(&self, name: &str, value: &str) -> Result<()> {
        names::parameter(name)?;
        let id = self.id().await?;
        let call = Call::new(
            format!("set the parameter {name} of {} to `{value}`", id.name),
            "Microsoft.DBforPostgreSQL/flexibleServers/configurations/write",
        );
        let _turn = self.turn.lock().await;
        self.check_parameter(id, name, value).await?;
        let body = parameter_body(value);
        let attempt = || -> Attempt<Answer> {
            let client = self.arm.client.configurations_client();
            let request = client.update(&id.subscription, &id.group, &id.name, name, body.clone()).send();
            Box::pin(async move { Answer::from_crate(request.await?.into_raw_response()).await })
        };
        let is_so = || -> BoxFuture<'_, Result<bool>> {
            Box::pin(async move { Ok(self.parameters(&[name]).await?.iter().any(|parameter| parameter.value.eq_ignore_ascii_case(value))) })
        };
        self.arm.write(id, &call, attempt, is_so).await
    }

    async fn restart(&self) -> Result<()> {
        self.restart_once().await
    }

    async fn inbound_rules(&self) -> Result<Vec<InboundRule>> {
        let id = self.id().await?;
        let call =
            Call::new(format!("list the firewall rules of {}", id.name), "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules/read");
        let read = self.arm.read(|| {
            let request = self.arm.client.firewall_rules_client().list_by_server(&id.subscription, &id.group, &id.name);
            Box::pin(collect(request.into_stream(), |page| page.value))
        });
        let all = read.await.map_err(|fault| self.arm.error(&call, fault))?;
        Ok(all
            .into_iter()
            .filter_map(|rule| {
                let FirewallRuleProperties { start_ip_address: start, end_ip_address: end } = rule.properties;
                Some(InboundRule { name: rule.proxy_resource.resource.name?, start, end })
            })
            .collect())
    }

    async fn allow_inbound(&self, rule: &InboundRule) -> Result<()> {
        names::inbound_rule(rule)?;
        let id = self.id().await?;
        let call = Call::new(
            format!("let {} into the server {}", rule.start, id.name),
            "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules/write",
        );
        let _turn = self.turn.lock().await;
        // Azure takes the rule all the same, and it has no effect.
        if let Some(why) = self.arm.ready(id, &call).await?.unreachable_because() {
            return Err(Error::new(ErrorKind::Blocked, format!("could not {}: {why}", call.what)));
        }
        let body = rule_body(rule);
        let attempt = || -> Attempt<Answer> {
            let client = self.arm.client.firewall_rules_client();
            let request = client.create_or_update(&id.subscription, &id.group, &id.name, &rule.name, body.clone()).send();
            Box::pin(async move { Answer::from_crate(request.await?.into_raw_response()).await })
        };
        let is_so = || -> BoxFuture<'_, Result<bool>> { Box::pin(async move { Ok(self.inbound_rules().await?.contains(rule)) }) };
        self.arm.write(id, &call, attempt, is_so).await
    }

    async fn revoke_inbound(&self, name: &str) -> Result<()> {
        names::firewall_rule(name)?;
        let id = self.id().await?;
        let call = Call::new(
            format!("remove the firewall rule {name} of {}", id.name),
            "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules/delete",
        );
        let _turn = self.turn.lock().await;
        let attempt = || -> Attempt<Answer> {
            let client = self.arm.client.firewall_rules_client();
            let request = client.delete(&id.subscription, &id.group, &id.name, name).send();
            Box::pin(async move {
                match request.await {
                    Ok(response) => Answer::from_crate(response.into_raw_response()).await,
                    Err(error) => match Fault::from(error) {
                        fault if fault.is_not_found() => Ok(Answer::done()),
                        fault => Err(fault),
                    },
                }
            })
        };
        let is_so = || -> BoxFuture<'_, Result<bool>> {
            Box::pin(async move { Ok(self.inbound_rules().await?.iter().all(|rule| !rule.name.eq_ignore_ascii_case(name))) })
        };
        self.arm.write(id, &call, attempt, is_so).await
    }

    fn spell(&self, server: &SourceServer, call: &SourceCall) -> String {
        let json = |body: serde_json::Result<String>| body.map(|body| format!(" {body}")).unwrap_or_default();
        let (method, path, body) = match call {
            SourceCall::SetParameter { name, value } => {
                ("PATCH", format!("configurations/{name}"), json(serde_json::to_string(&parameter_body(value))))
            }
            SourceCall::Restart => ("POST", "restart".to_owned(), String::new()),
            SourceCall::AllowInbound(rule) => {
                ("PUT", format!("firewallRules/{}", rule.name), json(serde_json::to_string(&rule_body(rule))))
            }
            SourceCall::RevokeInbound(name) => ("DELETE", format!("firewallRules/{name}"), String::new()),
        };
        let endpoint = self.arm.endpoint.as_str().trim_end_matches('/');
        format!("{method} {endpoint}{}/{path}?api-version={API_VERSION}{body}", server.id)
    }
}

fn parameter_body(value: &str) -> ConfigurationForUpdate {
    let properties =
        ConfigurationProperties { value: Some(value.to_owned()), source: Some("user-override".to_owned()), ..Default::default() };
    ConfigurationForUpdate { properties: Some(properties) }
}

fn rule_body(rule: &InboundRule) -> FirewallRule {
    FirewallRule::new(FirewallRuleProperties::new(rule.start.clone(), rule.end.clone()))
}
