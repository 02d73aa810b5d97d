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
