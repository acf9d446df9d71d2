//! What preferences and registries say goes through the one reader of settings. The property lists
//! lie beside this file, as Python's `plistlib` and Apple's own format have them.

use std::fs;
use std::path::{Path, PathBuf};

use super::registry::Registered;
use super::{preferences, registry};
use crate::config::document::{Reading, Report};
use crate::config::file::Owners;
use crate::config::load::settle;
use crate::config::{Config, ConfigError, Durability, Source};
use crate::paths::Paths;

fn settled(readings: &[Reading], report: Report) -> Result<Config, ConfigError> {
    let paths = Paths {
        config_file: "/home/me/chaperone.toml".into(),
        managed_file: "/etc/managed.toml".into(),
        data_dir: crate::paths::own_data_dir().unwrap(),
    };
    settle(readings, &paths, report)
}

fn registered(values: &[(&str, Registered)]) -> Result<Config, ConfigError> {
    let mut report = Report::default();
    let values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    let readings = registry::reading(values, &mut report);
    settled(readings.as_slice(), report)
}

fn listed(places: &[&Path]) -> Result<Config, ConfigError> {
    let mut report = Report::default();
    let places = places.iter().map(|place| place.to_path_buf()).collect();
    let readings = preferences::readings(places, whoever_runs_this(), &mut report);
    settled(&readings, report)
}

/// The files of the tests belong to whoever has checked them out.
#[cfg(unix)]
fn whoever_runs_this() -> Owners {
    let Owners { account, .. } = Owners::of_system();
    Owners {
        administrator: account,
        account,
    }
}

#[cfg(not(unix))]
fn whoever_runs_this() -> Owners {
    Owners::of_system()
}

fn text(text: &str) -> Registered {
    Registered::Text(text.to_owned())
}

fn shown<'c>(config: &'c Config, key: &str) -> &'c str {
    let found = config.values.iter().find(|setting| &*setting.key == key);
    &found.unwrap_or_else(|| panic!("no {key}")).value
}

const SERVERS: &str = r#"[{"name": "db", "url": "https://gateway.example.com/db", "scopes": ["mcp:admin"],
  "headers_helper": true}, {"name": "deploy", "url": "https://gateway.example.com/deploy"}]"#;

#[test]
fn the_registry_sets_what_a_file_sets() {
    let config = registered(&[
        ("identity.issuer", text("https://sso.example.com")),
        ("identity.client_id", text("desktop")),
        (
            "identity.scopes",
            Registered::Texts(vec!["openid".into(), "mcp:x".into()]),
        ),
        ("identity.roles_claim", text("[\"groups\"]")),
        ("identity.redirect_port", text("4711")),
        ("identity.scope_names.mcp:admin", text("company:admin")),
        ("audit.durability", text("strict")),
        ("audit.spool_limit", Registered::Number(1 << 20)),
        ("allow_user_servers", Registered::Number(0)),
        ("tools.pin_definitions", text("true")),
        ("tools.name_limit", Registered::Number(60)),
        ("policy.file", text("/opt/policy.yaml")),
        ("network.proxy", text("  ")),
        ("server", text(SERVERS)),
        ("", text("nobody means this one")),
    ])
    .unwrap();
    let identity = config.identity.as_ref().unwrap();
    assert_eq!(&*identity.issuer, "https://sso.example.com");
    assert_eq!(identity.redirect_port, 4711);
    assert_eq!(identity.scope_names.admin.as_deref(), Some("company:admin"));
    assert_eq!(identity.scopes.len(), 2);
    assert_eq!(config.audit.spool.bytes, 1 << 20);
    assert_eq!(config.audit.durability, Durability::Strict);
    assert_eq!(config.policy_file, PathBuf::from("/opt/policy.yaml"));
    assert!(config.tools.pin_definitions);
    assert_eq!(config.servers.len(), 2);
    assert!(config.servers[0].headers_helper);
    assert_eq!(shown(&config, "allow_user_servers"), "false");
    let place = r"HKLM\SOFTWARE\Policies\Chaperone";
    assert_eq!(
        config.notes,
        [format!("in {place} these are empty and count as absent: network.proxy").into()]
    );
    let url = config
        .values
        .iter()
        .find(|setting| &*setting.key == "server.deploy.url");
    let url = url.unwrap();
    assert_eq!(url.source.name().as_deref(), Some(place));
    assert_eq!(url.source.store(), Some("registry"));
    assert_eq!(
        url.place.as_ref().and_then(|place| place.entry()),
        Some("server")
    );
}

/// Names, values and what is wrong; `#1` stands for a number, `!` for a value of another type.
const WRONG: [(&str, &str, &str); 17] = [
    (
        "isuer",
        "x",
        "isuer: unknown key 'isuer' in the top level; known are ",
    ),
    (
        "tools.colour",
        "x",
        "tools.colour: unknown key 'colour' in [tools]; known are ",
    ),
    (
        "tools.pin_definition",
        "#1",
        "tools.pin_definition: unknown key 'pin_definition' in [tools]; did you mean 'pin_definitions'?",
    ),
    (
        "tools.pin_definitions",
        "#2",
        "tools.pin_definitions: expected true or false, found an integer",
    ),
    (
        "tools.name_limit",
        "many",
        "tools.name_limit: this must be from 40 to 64",
    ),
    (
        "tools.name_limit",
        "#99",
        "tools.name_limit: this must be from 40 to 64",
    ),
    (
        "audit.durability",
        "none",
        "audit.durability: this is one of \"strict\", \"process\"",
    ),
    (
        "tools",
        "x",
        "tools: expected a table, [tools], found a string",
    ),
    (
        "server",
        "db",
        "server: expected tables, [[server]], found a string",
    ),
    (
        "server",
        "[{\"name\": \"db\"}]",
        "server: [server.db] needs 'url'",
    ),
    (
        "server",
        "[{\"name\": \"db\", }]",
        "server: this begins like JSON, and is none: ",
    ),
    (
        "audit.redact_keys",
        "#3",
        "audit.redact_keys: expected an array, found an integer",
    ),
    (
        "audit.redact_keys",
        "!",
        "audit.redact_keys: this is not REG_SZ, REG_MULTI_SZ or REG_DWORD",
    ),
    (
        "policy.file",
        "policy.yaml",
        "policy.file: here this must be an absolute path, or begin with '~'",
    ),
    (
        "identity.client_id",
        "desktop",
        "identity.client_id: [identity] needs 'issuer'",
    ),
    (
        "tools.name_limit.x",
        "1",
        "tools.name_limit.x: expected an integer, found a table",
    ),
    (
        "a\n\u{202e}b",
        "1",
        "a\\n\\u{202e}b: unknown key 'a\\n\\u{202e}b' in the top level; known are ",
    ),
];

#[test]
fn problems_name_the_value_that_has_them() {
    for (name, value, expected) in WRONG {
        let value = match value.strip_prefix('#') {
            Some(number) => Registered::Number(number.parse().unwrap()),
            None if value == "!" => Registered::Other,
            None => text(value),
        };
        let Err(ConfigError::Managed(problems)) = registered(&[(name, value)]) else {
            panic!("{name} is accepted");
        };
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let begins = format!(r"HKLM\SOFTWARE\Policies\Chaperone: {expected}");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&begins), "{name}: {told:?}");
    }
}

#[test]
fn a_name_that_is_a_table_and_a_value_is_refused() {
    let both = registered(&[
        ("tools", text("{\"name_limit\": 50}")),
        ("tools.name_limit", text("50")),
    ]);
    assert!(matches!(both, Err(ConfigError::Managed(_))), "{both:?}");
    let twice = registered(&[("tools", text("{\"name_limit\": 50, \"name_limit\": 51}"))]);
    assert!(matches!(twice, Err(ConfigError::Managed(_))), "{twice:?}");
}

fn fixture(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/managed/preferences");
    here.join(name)
}

#[test]
fn property_lists_set_what_a_file_sets_binary_and_xml_alike() {
    // A checkout may lie in a directory that others can change.
    let dir = tempfile::tempdir().unwrap();
    for name in ["managed.xml.plist", "managed.binary.plist"] {
        let place = dir.path().join(name);
        fs::copy(fixture(name), &place).unwrap();
        closed(&place);
        let config = listed(&[&place]).unwrap();
        let identity = config.identity.as_ref().unwrap();
        assert_eq!(
            &*identity.issuer,
            "https://sso.example.com/realms/enterprise"
        );
        assert_eq!(identity.redirect_port, 4711);
        assert_eq!(identity.scopes.len(), 3);
        assert_eq!(shown(&config, "allow_user_servers"), "false");
        let names: Vec<_> = config
            .servers
            .iter()
            .map(|server| server.name.as_str())
            .collect();
        assert_eq!(names, ["database", "deploy"]);
        assert!(config.tools.pin_definitions);
        let source = &config.values[0].source;
        assert_eq!(source.store(), Some("managed preferences"));
        assert_eq!(source.name().as_deref(), place.to_str());
        assert_eq!(config.notes.len(), 1, "{:?}", config.notes);
        assert!(config.notes[0].ends_with("are a placeholder and count as absent: policy.file"));
    }
}

#[test]
fn preferences_of_the_account_count_before_those_of_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, key: &str, value: &str| {
        let place = dir.path().join(name);
        let mut values = plist::Dictionary::new();
        values.insert(key.to_owned(), value.into());
        plist::Value::from(values).to_file_xml(&place).unwrap();
        closed(&place);
        place
    };
    let one = put("one", "tools.name_limit", "50");
    let other = put("other", "tools.name_limit", "60");
    let none = dir.path().join("absent");
    let limit = |places: &[&Path]| listed(places).unwrap().tools.name_limit;
    assert_eq!(limit(&[&none, &one, &other]), 50);
    assert_eq!(limit(&[&other, &none, &one]), 60);
    assert!(matches!(listed(&[&none]), Err(ConfigError::Missing { .. })));
}

#[test]
fn what_is_no_list_of_settings_refuses_everything() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("odd.plist");
    let mut odd = plist::Dictionary::new();
    odd.insert("policy.file".into(), plist::Value::Data(vec![1]));
    for (content, expected) in [
        (
            b"<plist><string>x</string></plist>".to_vec(),
            "is a property list, but no dictionary",
        ),
        (b"bplist00\xff\xff".to_vec(), "is no property list: "),
        (
            xml(odd),
            "policy.file: this is of a type that no setting has",
        ),
    ] {
        fs::write(&place, content).unwrap();
        closed(&place);
        let Err(ConfigError::Managed(problems)) = listed(&[&place]) else {
            panic!("{expected}");
        };
        let told = problems[0].to_string();
        assert!(
            told.starts_with(&format!("{}: {expected}", place.display())),
            "{told}"
        );
        let Source::Managed(_) = problems[0].source else {
            panic!("{told}");
        };
    }
}

fn xml(values: plist::Dictionary) -> Vec<u8> {
    let mut content = Vec::new();
    plist::Value::from(values)
        .to_writer_xml(&mut content)
        .unwrap();
    content
}

#[cfg(unix)]
fn closed(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}

#[cfg(not(unix))]
fn closed(path: &Path) {
    let mut permissions = fs::metadata(path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(path, permissions).unwrap();
}

#[test]
fn the_profile_has_every_setting_and_sets_none_until_it_is_filled_in() {
    let profile = include_bytes!("../../../installers/managed/chaperone.mobileconfig");
    let profile = plist::Value::from_reader(std::io::Cursor::new(profile)).unwrap();
    let content = profile.as_dictionary().unwrap().get("PayloadContent");
    let payload = content.unwrap().as_array().unwrap()[0]
        .as_dictionary()
        .unwrap();
    let kind = payload.get("PayloadType").unwrap().as_string();
    assert_eq!(
        kind,
        Some("com.chaperone.chaperone"),
        "paths.rs has the name of the file"
    );
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("com.chaperone.chaperone.plist");
    fs::write(&place, xml(payload.clone())).unwrap();
    closed(&place);
    assert!(matches!(
        listed(&[&place]),
        Err(ConfigError::Missing { .. })
    ));
    let settings = payload.keys().filter(|key| !key.starts_with("Payload"));
    let settings: std::collections::BTreeSet<String> = settings.cloned().collect();
    let keys = crate::config::keys();
    let name = |key: &String| key.split("[]").next().unwrap_or_default().to_owned();
    assert_eq!(settings, keys.iter().map(name).collect());
    // What they say once they are filled in is read as what a file says.
    let mut filled = payload.clone();
    for (key, value) in [
        ("identity.issuer", "https://sso.example.com"),
        ("identity.client_id", "desktop"),
        ("identity.scopes", "[\"openid\"]"),
        ("server", SERVERS),
        (
            "policy.file",
            "/Library/Application Support/Chaperone/policies.yaml",
        ),
    ] {
        filled.insert(key.to_owned(), value.into());
    }
    fs::write(&place, xml(filled)).unwrap();
    let config = listed(&[&place]).unwrap();
    assert_eq!(
        (config.servers.len(), config.identity.unwrap().scopes.len()),
        (2, 1)
    );
}
