use azure2neon_core::plan::CopyPath;

use super::*;
use azure2neon_core::settings::{AzureApp, Destination, Home, PgBouncer};

use crate::args::Overrides;

fn global(folder: &Path, text: &str) -> Global {
    let file = folder.join("azure2neon.toml");
    std::fs::write(&file, text).unwrap();
    Global { config: Some(file), ..Global::default() }
}

#[test]
fn flags_win_over_the_file_and_paths_are_relative_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut global = global(
        folder.path(),
        "[source]\nserver = \"a\"\ndatabase = \"Shop\"\n[target]\nregion = \"aws-eu-west-2\"\n[hand_over]\nenv_file = \"app.env\"\n[cut_over]\nmax_pause = \"500ms\"\n[copy]\npath = \"stream\"\nworkers = 6\nrate_limit = \"50MB/s\"\nbusy_sessions = 20\ntables = [\"a.*\"]\nexclude_tables = [\"a.b\"]\npart_size = \"512MB\"\nsnapshot_age = \"30m\"\n",
    );
    global.overrides = Overrides {
        server: Some("b.postgres.database.azure.com".into()),
        rate_limit: Some(1_000_000),
        exclude_tables: vec!["a.c".into(), "a.d".into()],
        ..Overrides::default()
    };
    let config = Config::load(&global).unwrap();
    assert_eq!(config.server, "b.postgres.database.azure.com");
    assert_eq!(config.settings.home, Home::New("shop".into()));
    assert_eq!(config.settings.region.as_deref(), Some("aws-eu-west-2"));
    assert_eq!(config.settings.max_pause, Some(Duration::from_millis(500)));
    assert_eq!(config.settings.copy, Some(CopyPath::Stream));
    let manners =
        CopyManners { workers: Some(6), rate_limit: Some(1_000_000), busy_sessions: Some(20), replica_lag: Duration::from_secs(10) };
    assert_eq!(config.settings.manners, manners);
    assert_eq!((config.settings.part_bytes, config.settings.snapshot_age), (Some(512_000_000), Some(Duration::from_secs(1800))));
    assert_eq!(
        (&*config.settings.selection.tables, &*config.settings.selection.exclude_tables),
        (&["a.*".to_owned()][..], &["a.c".to_owned(), "a.d".into()][..])
    );
    let env_file = Destination::EnvFile { file: folder.path().join("app.env"), variable: "DATABASE_URL".into() };
    assert_eq!(config.settings.hand_over.to, [env_file]);
    assert_eq!(config.run_folder, folder.path().join(".azure2neon/b.Shop"));
}

#[test]
fn mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |text: &str| Config::load(&global(folder.path(), text)).err().unwrap();
    assert!(refused("[source]\nsever = \"a\"\n").message().contains("sever"));
    assert!(refused("[source]\nserver = \"a\"\n").message().contains("database"));
    let base = "[source]\nserver = \"a\"\ndatabase = \"b\"\n";
    assert!(refused(&format!("{base}[copy]\npath = \"fast\"\n")).message().contains("direct"));
    assert!(refused(&format!("{base}[copy]\nrate_limit = \"50\"\n")).message().contains("rate_limit under [copy]"));
    assert!(refused(&format!("{base}[copy]\nworkers = 0\n")).message().contains("from 1 to 64"));
    assert!(refused(&format!("{base}[copy]\npath = \"direct\"\nmode = \"offline\"\n")).message().contains("through this machine"));
    assert!(refused(&format!("{base}[cut_over]\nmax_pause = \"5\"\n")).message().contains("unit"));
    assert!(refused(&format!("{base}subscription_sslmode = \"prefer\"\n")).message().contains("unencrypted"));
    assert_eq!(
        Config::load(&Global { config: Some("absent.toml".into()), ..Global::default() }).err().unwrap().kind(),
        ErrorKind::Configuration
    );
}

#[test]
fn azure_is_used_as_configured() {
    let folder = tempfile::tempdir().unwrap();
    let base = "[source]\nserver = \"shop\"\ndatabase = \"shop\"\n";
    let refused = |text: &str| Config::load(&global(folder.path(), &format!("{base}{text}"))).err().unwrap();
    assert!(refused("login = \"entra\"\n").remedy().unwrap().contains("`user` under [source]"));
    assert!(refused("credential = \"certificate\"\n").message().contains("service-principal"));
    assert!(refused("[cloud]\nazure = \"germany\"\n").message().contains("us-government"));

    let environment = |name: &str| matches!(name, "NEON_API_KEY" | "AZURE_ACCESS_TOKEN").then(|| "secret".to_owned());
    let events = crate::render::events(crate::args::Output::Json);
    let text =
        format!("{base}credential = \"azure-cli\"\nopen_firewall = true\nlogin = \"entra\"\nuser = \"ops\"\n[cloud]\nazure = \"china\"\n");
    let mut global = global(folder.path(), &text);
    global.overrides.azure_credential = Some(CredentialKind::Token);
    let config = Config::load(&global).unwrap();
    assert!(config.open_firewall);
    // A flag wins over the file; with a token no password is asked for.
    let (clouds, access) = config.connect(&environment, &events).unwrap();
    assert_eq!(clouds.source.identity(), "the access token in AZURE_ACCESS_TOKEN");
    assert!(matches!(access.login, Login::Token(_)));
}

#[test]
fn the_target_is_new_or_existing_and_flags_decide() {
    let folder = tempfile::tempdir().unwrap();
    let base = "[source]\nserver = \"a\"\ndatabase = \"Shop\"\n[target]\n";
    let load = |target: &str, change: fn(&mut Overrides)| {
        let mut global = global(folder.path(), &format!("{base}{target}"));
        change(&mut global.overrides);
        Config::load(&global)
    };
    let existing = |project: &str, branch: Option<&str>| Home::Existing { project: project.into(), branch: branch.map(Into::into) };
    let home = |target: &str, change: fn(&mut Overrides)| load(target, change).unwrap().settings.home;
    assert_eq!(home("", |_| {}), Home::New("shop".into()));
    assert_eq!(home("existing_project = \"p\"\nbranch = \"dev\"", |_| {}), existing("p", Some("dev")));
    assert_eq!(home("project = \"n\"", |over| over.existing_project = Some("p".into())), existing("p", None));
    assert_eq!(home("existing_project = \"p\"", |over| over.project = Some("n".into())), Home::New("n".into()));
    for (target, word) in [
        ("project = \"n\"\nexisting_project = \"p\"", "keep one"),
        ("branch = \"dev\"", "--existing-project"),
        ("existing_project = \"p\"\nregion = \"aws-eu-west-2\"", "--region"),
    ] {
        let error = load(target, |_| {}).err().unwrap();
        assert!(error.kind() == ErrorKind::Configuration && error.remedy().unwrap().contains(word), "{target}: {error}");
    }
}

#[test]
fn sizes_and_history_are_held_against_neons_rules_before_any_call() {
    let folder = tempfile::tempdir().unwrap();
    let load =
        |target: &str| Config::load(&global(folder.path(), &format!("[source]\nserver = \"a\"\ndatabase = \"b\"\n[target]\n{target}")));
    let settings = load("compute = \"0.25-2\"\nmigration_compute = \"8\"\nhistory_retention = \"7d\"").unwrap().settings;
    assert_eq!(settings.compute.map(|range| range.to_string()).as_deref(), Some("0.25-2"));
    assert_eq!((settings.migration_compute.unwrap().most(), settings.history_seconds), (8.0, Some(604_800)));
    for (target, word) in [
        ("compute = \"0.1-2\"", "0.25"),
        ("compute = \"1-16\"", "8 CU apart"),
        ("migration_compute = \"8\"", "`migration_compute`"),
        ("history_retention = \"31d\"", "more than any plan"),
        ("history_retention = \"7\"", "unit"),
    ] {
        let error = load(target).err().unwrap();
        assert!(error.kind() == ErrorKind::Configuration && error.message().contains(word), "{target}: {error}");
    }
}

#[test]
fn a_file_of_addresses_has_its_day() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("list.txt"), "# Neon\n3.10.42.8 # one\n\n18.133.205.39\n").unwrap();
    let base = "[source]\nserver = \"a\"\ndatabase = \"b\"\n[target]\negress_file = \"list.txt\"\n";
    let egress = Config::load(&global(folder.path(), base)).unwrap().egress.unwrap();
    assert_eq!(egress.addresses, ["3.10.42.8", "18.133.205.39"]);
    assert!(egress.provenance.contains("list.txt of 20"), "{}", egress.provenance);

    let both = format!("{base}egress = [\"3.10.42.8\"]\n");
    assert!(Config::load(&global(folder.path(), &both)).err().unwrap().message().contains("egress_file"));
    std::fs::write(folder.path().join("list.txt"), "# none\n").unwrap();
    assert!(Config::load(&global(folder.path(), base)).err().unwrap().message().contains("no address"));
}

#[test]
fn a_hand_over_goes_to_each_place_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let base = "[source]\nserver = \"a\"\ndatabase = \"shop\"\n";
    let load = |text: &str| Config::load(&global(folder.path(), &format!("{base}{text}")));
    let to = |text: &str| load(text).unwrap().settings.hand_over.to;
    let here = |name: &str| folder.path().join(name);
    let env_file = |name: &str, variable: &str| Destination::EnvFile { file: here(name), variable: variable.into() };
    assert_eq!(to(""), [env_file("neon.env", "DATABASE_URL")]);

    let text = r#"
        [hand_over]
        variable = "SHOP_URL"
        command = ["systemctl", "restart", "shop"]
        [[hand_over.to]]
        kind = "pgbouncer"
        file = "pgbouncer.ini"
        [[hand_over.to]]
        kind = "env-file"
        file = "/etc/shop.env"
        variable = "OTHER"
        [[hand_over.to]]
        kind = "key-vault"
        vault = "kv-shop"
        secret = "shop-db"
        [[hand_over.to]]
        kind = "app-service"
        app = "shop-web"
        slot = "staging"
        [[hand_over.to]]
        kind = "container-app"
        app = "shop-worker"
        resource_group = "rg-apps"
        secret = "database-url"
    "#;
    let app = |name: &str, group: Option<&str>| AzureApp { name: name.into(), resource_group: group.map(Into::into), subscription: None };
    let pgbouncer = PgBouncer {
        address: "127.0.0.1".into(),
        port: 6432,
        user: "pgbouncer".into(),
        database: "shop".into(),
        file: here("pgbouncer.ini"),
        password_file: None,
    };
    let all = [
        Destination::PgBouncer(pgbouncer),
        Destination::EnvFile { file: "/etc/shop.env".into(), variable: "OTHER".into() },
        Destination::KeyVault { vault: "kv-shop".into(), secret: "shop-db".into() },
        Destination::AppService { app: app("shop-web", None), slot: Some("staging".into()), setting: "SHOP_URL".into() },
        Destination::ContainerApp { app: app("shop-worker", Some("rg-apps")), secret: "database-url".into() },
        Destination::Command { program: ["systemctl", "restart", "shop"].map(Into::into).into(), variable: "SHOP_URL".into() },
    ];
    assert_eq!(to(text), all);
    assert_eq!(to(&text.replace("variable = \"SHOP_URL\"", "env_file = \"app.env\""))[0], env_file("app.env", "DATABASE_URL"));

    let refused = |text: &str| load(text).err().unwrap().message().to_owned();
    let twice = "[[hand_over.to]]\nkind = \"key-vault\"\nvault = \"kv\"\nsecret = \"s\"\n".repeat(2);
    assert!(refused(&twice).contains("the secret s of the key vault kv is named twice"));
    assert!(refused("[[hand_over.to]]\nkind = \"key-vault\"\nvault = \"kv\"\n").contains("secret"));
    assert!(refused("[[hand_over.to]]\nkind = \"ftp\"\n").contains("container-app"));
    assert!(refused("[[hand_over.to]]\nkind = \"command\"\ncommand = []\n").contains("empty"));
    assert!(refused("[hand_over]\nvariable = \"A B\"\n").contains("no name for an environment variable"));
}
