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

#[cfg(test)]
#[path = "config_samples/policy.rs"]
mod policy;

#[cfg(test)]
#[path = "config_samples/schema.rs"]
mod schema;

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
            // Held to the keys in config_samples/schema.rs, and against documents in whole/templates.rs.
            Some("json") => {}
            other => panic!("nothing loads {} ({other:?})", path.display()),
        }
    }
}

/// What stands between fences of this language in the README and in the pages below it, with its place.
fn blocks(language: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = fs::read_dir(root.join("src/pages")).unwrap();
    let pages = pages.map(|entry| entry.unwrap().path());
    let fence = format!("```{language}\n");
    let mut found = Vec::new();
    for page in pages.chain([root.join("README.md")]) {
        let Ok(text) = fs::read_to_string(&page) else {
            continue;
        };
        for block in text.split(&fence).skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            found.push((page.display().to_string(), block.to_owned()));
        }
    }
    found
}

#[test]
fn every_configuration_in_a_page_loads() {
    let blocks = blocks("toml");
    assert!(blocks.len() > 6, "{blocks:?}");
    for (page, text) in blocks {
        // The administrator's alone; whole/managed.rs has machines on which it counts.
        let text = text.replace("allow_user_servers = false\n", "");
        let home = tempfile::tempdir().unwrap();
        let paths = Paths {
            config_file: home.path().join("chaperone.toml"),
            managed_file: home.path().join("managed.toml"),
            data_dir: home.path().join("data"),
        };
        fs::write(&paths.config_file, &text).unwrap();
        let config = config::load(&paths).unwrap_or_else(|error| panic!("{page}: {error}\n{text}"));
        let written = text.contains("[identity]");
        assert_eq!(config.identity.is_some(), written, "{page}: {text}");
    }
}

#[test]
fn every_policy_in_a_page_loads() {
    let blocks = blocks("yaml");
    assert!(!blocks.is_empty());
    for (page, text) in blocks {
        let policy = Policy::parse(&text, ScopeNames::default());
        let policy = policy.unwrap_or_else(|error| panic!("{page}: {error}\n{text}"));
        assert_eq!(policy.warnings().len(), 0, "{page}: {text}");
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
                "path",
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
