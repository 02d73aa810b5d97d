use super::*;
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
        "[source]\nserver = \"a\"\ndatabase = \"Shop\"\n[target]\nregion = \"aws-eu-west-2\"\n[hand_over]\nenv_file = \"app.env\"\n[cut_over]\nmax_pause = \"500ms\"\n",
    );
    global.overrides = Overrides { server: Some("b.postgres.database.azure.com".into()), ..Overrides::default() };
    let config = Config::load(&global).unwrap();
    assert_eq!(config.server, "b.postgres.database.azure.com");
    assert_eq!(config.settings.project, "shop");
    assert_eq!(config.settings.region.as_deref(), Some("aws-eu-west-2"));
    assert_eq!(config.settings.max_pause, Duration::from_millis(500));
    assert_eq!(config.settings.hand_over.env_file, folder.path().join("app.env"));
    assert_eq!(config.run_folder, folder.path().join(".azure2neon/b.Shop"));
}

#[test]
fn mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |text: &str| Config::load(&global(folder.path(), text)).err().unwrap();
    assert!(refused("[source]\nsever = \"a\"\n").message().contains("sever"));
    assert!(refused("[source]\nserver = \"a\"\n").message().contains("database"));
    let base = "[source]\nserver = \"a\"\ndatabase = \"b\"\n";
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
