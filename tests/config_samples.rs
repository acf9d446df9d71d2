//! Every file under `config/` is loaded by the code that would load it from its user.

#![expect(clippy::unwrap_used, reason = "a test fails by failing")]

use std::fs;
use std::path::{Path, PathBuf};

use chaperone::config::{self, ScopeNames, Source};
use chaperone::paths::Paths;
use chaperone::policy::Policy;

fn samples() -> Vec<PathBuf> {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let entries = fs::read_dir(config).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_sample_loads() {
    for path in samples() {
        let text = fs::read_to_string(&path).unwrap();
        match path.extension().and_then(|end| end.to_str()) {
            Some("toml") => assert_loads(&text),
            Some("yaml") => {
                let policy = Policy::parse(&text, ScopeNames::default()).unwrap();
                assert_eq!(policy.warnings().len(), 0, "{:?}", policy.warnings());
            }
            other => panic!("nothing loads {} ({other:?})", path.display()),
        }
    }
}

fn assert_loads(text: &str) {
    let home = tempfile::tempdir().unwrap();
    let paths = Paths {
        config_file: home.path().join("chaperone.toml"),
        managed_file: home.path().join("managed.toml"),
        data_dir: home.path().join("data"),
    };
    fs::write(&paths.config_file, text).unwrap();
    let config = config::load(&paths).unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<_> = config
        .servers
        .iter()
        .map(|server| server.name.as_str())
        .collect();
    assert_eq!(names, ["database", "deploy"]);
    // What the sample calls the default is the default.
    let defaults = fs::read_to_string(&paths.config_file).unwrap();
    let kept = |line: &&str| {
        let key = line.split('=').next().unwrap_or_default().trim();
        line.starts_with('[')
            || [
                "issuer",
                "client_id",
                "name",
                "kind",
                "url",
                "key",
                "address",
                "scopes",
            ]
            .contains(&key)
    };
    let short: Vec<&str> = defaults.lines().filter(kept).collect();
    fs::write(&paths.config_file, short.join("\n")).unwrap();
    let short = config::load(&paths).unwrap_or_else(|error| panic!("{error}"));
    for setting in &short.values {
        let same = config
            .values
            .iter()
            .find(|written| written.key == setting.key)
            .unwrap();
        if setting.source == Source::Default && &*setting.key != "audit.redact_keys" {
            assert_eq!(same.value, setting.value, "{}", setting.key);
        }
    }
}
