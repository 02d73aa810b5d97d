use std::sync::Arc;
use std::sync::Mutex;

use azure2neon_postgres::Endpoint;
use secrecy::SecretString;
use serde_json::json;

use super::*;

/// A connection string for tests.
pub(crate) fn connection(host: &str, password: &str) -> Connection {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots = rustls::RootCertStore::empty();
    Connection::new(
        "run1",
        Endpoint {
            host: host.to_owned(),
            address: None,
            port: 5432,
            database: "shop".to_owned(),
            user: "shop_owner".to_owned(),
            password: SecretString::from(password.to_owned()),
            tls: Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()),
            application_name: String::new(),
        },
    )
}

type Deeds = Arc<Mutex<Vec<String>>>;

/// A place that writes down what is done to it, and fails at one thing.
struct Noted {
    name: &'static str,
    fails_at: &'static str,
    last: bool,
    deeds: Deeds,
}

impl Noted {
    fn note(&self, what: &str) -> Result<()> {
        self.deeds.lock().unwrap().push(format!("{} {what}", self.name));
        if self.fails_at == what { Err(Error::new(ErrorKind::Cloud, format!("{what} refused"))) } else { Ok(()) }
    }
}

#[async_trait]
impl Place for Noted {
    fn name(&self) -> String {
        self.name.to_owned()
    }
    async fn check(&self, _pause: Duration) -> Result<()> {
        self.note("check")
    }
    async fn before(&self, _to: &Connection) -> Result<Value> {
        self.note("before").map(|()| json!(self.name))
    }
    async fn hold(&self, _most: Duration) -> Result<()> {
        self.note("hold")
    }
    async fn point(&self, _to: &Connection) -> Result<()> {
        self.note("point")
    }
    async fn verify(&self, _to: &Connection) -> Result<()> {
        self.note("verify")
    }
    async fn release(&self) -> Result<()> {
        self.note("release")
    }
    async fn restore(&self, before: &Value, _old: &Connection) -> Result<()> {
        assert_eq!(*before, json!(self.name));
        self.note("restore")
    }
    fn comes_last(&self) -> bool {
        self.last
    }
}

fn places(fails_at: &'static str) -> (Places, Deeds) {
    let deeds = Deeds::default();
    let place = |name, fails_at, last| Arc::new(Noted { name, fails_at, last, deeds: Arc::clone(&deeds) }) as Arc<dyn Place>;
    (Places::new(vec![place("command", "", true), place("a", fails_at, false), place("b", "", false)]), deeds)
}

fn done(deeds: &Deeds) -> Vec<String> {
    std::mem::take(&mut *deeds.lock().unwrap())
}

#[tokio::test]
async fn a_command_comes_after_all_else_and_each_place_is_released_when_it_is_written() {
    let (places, deeds) = places("");
    let to = connection("h", "p");
    places.hand_over(&to).await.unwrap();
    let all =
        ["a point", "a verify", "a release", "b point", "b verify", "b release", "command point", "command verify", "command release"];
    assert_eq!(done(&deeds), all);
    let before = places.before_all(&to).await.unwrap();
    done(&deeds);
    places.restore_all(&before, &to).await.unwrap();
    assert_eq!(done(&deeds), ["a restore", "a release", "b restore", "b release", "command restore", "command release"]);
    let error = places.restore_all(&before[..2], &to).await.unwrap_err();
    assert!(error.message().contains('b') && error.remedy().unwrap().contains("by hand"), "{error}");
}

#[tokio::test]
async fn what_one_place_fails_at_is_told_by_its_name_and_the_others_are_done() {
    let to = connection("h", "p");
    for fails_at in ["point", "verify"] {
        let (places, deeds) = places(fails_at);
        let error = places.hand_over(&to).await.unwrap_err();
        assert_eq!(error.message(), format!("a was not handed over: {fails_at} refused"));
        assert!(error.remedy().unwrap().contains("azure2neon cut-over"));
        let done = done(&deeds);
        assert!(
            done.contains(&"b release".into()) && !done.contains(&"a release".into()) && !done.contains(&"command point".into()),
            "{done:?}"
        );
    }
}

#[tokio::test]
async fn when_one_place_can_not_be_held_nobody_waits() {
    let (places, deeds) = places("hold");
    let error = places.hold_all(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(error.message(), "a could not be held: hold refused");
    assert_eq!(done(&deeds)[3..], ["command release", "a release", "b release"]);
}
