use std::fs;

use super::*;
use crate::config::error::Problem;
use crate::config::{Receipt, SinkWay};

/// The least that can be used.
const LEAST: &str = r#"
[identity]
issuer = "https://sso.example.com"
client_id = "desktop"

[[server]]
name = "db"
url = "https://gateway.example.com/db"
"#;

struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn paths(&self) -> Paths {
        Paths {
            config_file: self.dir.path().join("chaperone.toml"),
            managed_file: self.dir.path().join("managed/managed.toml"),
            data_dir: paths::own_data_dir().unwrap(),
        }
    }

    fn user(self, text: &str) -> Self {
        fs::write(self.paths().config_file, text).unwrap();
        self
    }

    fn managed(self, text: &str) -> Self {
        self.drop_in("../managed.toml", text)
    }

    fn drop_in(self, name: &str, text: &str) -> Self {
        let directory = self.paths().managed_file.with_file_name("managed.d");
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join(name);
        fs::write(file, text).unwrap();
        self
    }

    /// Whoever runs the tests is the administrator, too.
    fn load(&self) -> Result<Config, ConfigError> {
        load_as(&self.paths(), whoever_runs_this(self))
    }

    /// What the user asks for in vain, without the directory.
    fn refused(&self) -> Vec<String> {
        let config = self.load().unwrap_or_else(|error| panic!("{error}"));
        let dir = format!("{}/", self.dir.path().display());
        for sentence in &config.refused {
            assert!(config.notes.contains(sentence), "{sentence}");
        }
        let sentences = config.refused.iter();
        sentences
            .map(|sentence| sentence.replace(&dir, ""))
            .collect()
    }

    fn problems(&self) -> Vec<String> {
        let error = self.load().unwrap_err();
        let line = |problem: &Problem| {
            let line = problem.to_string();
            let source = problem.source.name().unwrap();
            let directory = Path::new(&*source).parent().unwrap();
            line.replace(&format!("{}/", directory.display()), "")
        };
        error.problems().iter().map(line).collect()
    }
}

fn whoever_runs_this(desk: &Desk) -> Owners {
    let me = fs::metadata(desk.dir.path()).map(|meta| uid(&meta));
    let me = me.unwrap();
    Owners {
        administrator: me,
        account: me,
    }
}

#[cfg(unix)]
fn uid(meta: &fs::Metadata) -> u32 {
    use std::os::unix::fs::MetadataExt;
    meta.uid()
}

#[cfg(not(unix))]
fn uid(_meta: &fs::Metadata) -> u32 {
    0
}

#[test]
fn the_least_file_gets_the_documented_defaults() {
    let config = Desk::new().user(LEAST).load().unwrap();
    let identity = config.identity.unwrap();
    assert_eq!(identity.redirect_port, 0);
    assert_eq!(identity.scopes.len(), 6);
    let [server] = config.servers.as_slice() else {
        panic!()
    };
    assert_eq!(&*server.audience, "https://gateway.example.com/db");
    assert_eq!(server.call_timeout, Duration::from_secs(120));
    assert_eq!(config.tools.list_budget, Duration::from_millis(1500));
    assert_eq!(config.tools.name_limit, 48);
    assert!(config.policy_file.ends_with("mcp-policies.yaml"));
    assert_eq!(config.audit.durability, Durability::Strict);
}

#[test]
fn without_any_file_the_error_says_how_to_begin() {
    let desk = Desk::new();
    assert!(
        matches!(desk.load(), Err(ConfigError::Missing { path }) if path == desk.paths().config_file)
    );
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let desk = Desk::new().user(
        r#"colour = 1
[identity]
isuer = "https://sso.example.com"
client_id = 7
redirect_port = 70000
audience_by = "resources"
[[server]]
name = "a__b"
url = "http://gateway.example.com"
connect_timeout = "5"
[[server]]
name = "db"
url = "https://u:p@gateway.example.com/#x"
[tools]
list_budget = "2h"
"#,
    );
    let wait = "this is a time such as \"5s\", \"1500ms\" or \"2m\"";
    let expected = [
        "1:1: unknown key 'colour' in the top level; known are identity, policy, audit, \
         allow_user_servers, data_dir, server, tools, network",
        "2:1: [identity] needs 'issuer'",
        "3:1: unknown key 'isuer' in [identity]; did you mean 'issuer'?",
        "4:13: expected a string, found an integer",
        "5:17: this must be from 0 to 65535",
        "6:15: this is one of \"resource\", \"scope\", \"audience\", \"none\"",
        "8:8: a server's name holds only a-z, 0-9 and '-'",
        "9:7: this must be https, or http on loopback",
        &format!("10:19: {wait}"),
        "13:7: a URL here must not hold a user name or password",
        &format!("15:15: {wait}"),
    ];
    let expected = expected.map(|problem| format!("chaperone.toml:{problem}"));
    assert_eq!(desk.problems(), expected);
}

#[test]
fn what_is_no_toml_is_shown_where_it_breaks_off() {
    let problems = Desk::new().user("[identity\nissuer = \"x\"\n").problems();
    assert!(problems[0].starts_with("chaperone.toml:1:"), "{problems:?}");
}

#[test]
fn the_administrators_value_wins_key_by_key() {
    let desk = Desk::new().user(&format!(
        "{LEAST}\n[tools]\nlist_budget = \"3s\"\nname_limit = 50\n"
    ));
    let desk =
        desk.managed("[identity]\nissuer = \"https://company\"\n[tools]\nlist_budget = \"1s\"\n");
    let config = desk.load().unwrap();
    assert_eq!(&*config.identity.unwrap().issuer, "https://company");
    assert_eq!(config.tools.list_budget, Duration::from_secs(1));
    assert_eq!(config.tools.name_limit, 50);
    let source = |key: &str| {
        let found = config
            .values
            .iter()
            .find(|setting| &*setting.key == key)
            .unwrap();
        found.source.as_str()
    };
    assert_eq!(source("identity.issuer"), "managed");
    assert_eq!(source("identity.client_id"), "user");
    assert_eq!(source("audit.durability"), "default");
}

#[test]
fn the_administrators_servers_cannot_be_redirected_and_may_be_the_only_ones() {
    let managed = "[[server]]\nname = \"db\"\nurl = \"https://real/db\"\n";
    let user = format!("{LEAST}\n[[server]]\nname = \"own\"\nurl = \"https://own\"\n");
    let both = Desk::new().user(&user).managed(managed).load().unwrap();
    let urls: Vec<_> = both
        .servers
        .iter()
        .map(|server| server.url.as_str())
        .collect();
    assert_eq!(urls, ["https://real/db", "https://own/"]);
    assert_eq!(both.notes.len(), 1);
    let only = format!("allow_user_servers = false\n{managed}");
    let only = Desk::new().user(&user).managed(&only).load().unwrap();
    assert_eq!(only.servers.len(), 1);
    assert_eq!(only.notes.len(), 2);
}

#[test]
fn what_may_wait_is_the_administrators_to_say() {
    let desk = Desk::new().user(LEAST);
    assert_eq!(desk.load().unwrap().audit.spool, SpoolLimit::default());
    let user = format!("{LEAST}\n[audit]\nspool_limit = \"2GiB\"\nspool_age = \"60d\"\n");
    let spool = Desk::new().user(&user).load().unwrap().audit.spool;
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    assert_eq!((spool.bytes, spool.age), (2 << 30, days(60)));
    let managed = "[audit]\nspool_limit = \"64KiB\"\n";
    let desk = Desk::new().user(&user).managed(managed);
    let spool = desk.load().unwrap().audit.spool;
    assert_eq!((spool.bytes, spool.age), (64 << 10, days(60)));
    for bad in [
        "spool_limit = \"1KiB\"",
        "spool_limit = \"2000GiB\"",
        "spool_limit = \"99999999999GiB\"",
        "spool_limit = \"much\"",
        "spool_limit = -1",
        "spool_age = \"0d\"",
        "spool_age = \"12h\"",
    ] {
        let desk = Desk::new().user(&format!("{LEAST}\n[audit]\n{bad}\n"));
        assert_eq!(desk.problems().len(), 1, "{bad}");
    }
}

#[test]
fn keys_of_the_administrator_do_not_count_in_the_users_file() {
    let desk = Desk::new().user(&format!(
        "allow_user_servers = true\ndata_dir = \"/x\"\n{LEAST}"
    ));
    assert_eq!(desk.problems().len(), 2);
    let desk = Desk::new().user(LEAST).managed("data_dir = \"/fixed\"\n");
    assert_eq!(desk.load().unwrap().data_dir, Some("/fixed".into()));
}

#[test]
fn a_malformed_managed_file_refuses_everything() {
    let desk = Desk::new()
        .user(LEAST)
        .managed("[audit]\ndurability = \"none\"\n");
    assert!(matches!(desk.load(), Err(ConfigError::Managed(_))));
}

#[cfg(unix)]
#[test]
fn files_that_others_can_write_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new().user(LEAST).managed("[audit]\n");
    let open = |path: &Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
    };
    open(&desk.paths().config_file);
    assert!(matches!(desk.load(), Err(ConfigError::User(_))));
    open(&desk.paths().managed_file);
    assert!(matches!(desk.load(), Err(ConfigError::Managed(_))));
}

#[test]
fn claims_are_paths_whose_quoted_names_may_hold_dots() {
    use crate::config::ClaimPath;
    let parts = |text: &str| ClaimPath::parse(text).map(|path| path.0.join("|"));
    for (text, expected) in [
        ("roles", Some("roles")),
        ("realm_access.roles", Some("realm_access|roles")),
        (
            "\"https://a.example/roles\"",
            Some("https://a.example/roles"),
        ),
        ("a.\"b.c\".d", Some("a|b.c|d")),
        ("https://a.example/roles", Some("https://a|example/roles")),
        ("a..b", None),
        ("", None),
        ("a.", None),
        ("\"a", None),
        ("a\"b\"", None),
    ] {
        assert_eq!(parts(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn a_client_certificate_lies_beside_the_file_and_is_for_https() {
    let sink = |lines: &str| {
        let sink = format!("[[audit.sink]]\nname = \"siem\"\nkind = \"otlp\"\n{lines}");
        Desk::new().user(&format!("{LEAST}{sink}"))
    };
    let desk = sink("url = \"https://siem.example.com\"\nclient_cert = \"a.pem\"\n");
    let config = desk.load().unwrap();
    let certificate = config.audit.sinks[0].way.certificate().unwrap();
    assert_eq!(certificate.chain, desk.dir.path().join("a.pem"));
    assert_eq!(certificate.key, None);
    for (lines, problem) in [
        (
            "url = \"http://127.0.0.1:4318/v1/logs\"\nclient_cert = \"a.pem\"\n",
            "13:15: without https nobody sees a client certificate",
        ),
        (
            "url = \"https://siem.example.com\"\nclient_key = \"a.key\"\n",
            "13:14: a key counts with its certificate, 'client_cert'",
        ),
    ] {
        let problem = format!("chaperone.toml:{problem}");
        assert_eq!(sink(lines).problems(), [problem]);
    }
}

#[test]
fn syslog_has_an_address_and_no_more_than_it_needs() {
    let sink = |lines: &str| {
        let sink = format!("[[audit.sink]]\nname = \"siem\"\nkind = \"syslog\"\n{lines}");
        Desk::new().user(&format!("{LEAST}{sink}"))
    };
    let config = sink("address = \"logs.example.com\"\n").load().unwrap();
    let way = &config.audit.sinks[0].way;
    let SinkWay::Syslog(syslog) = way else {
        panic!("{way:?}");
    };
    assert_eq!(way.kind(), "syslog");
    assert_eq!(syslog.endpoint.to_string(), "logs.example.com:6514");
    assert_eq!(syslog.receipt, Receipt::CloseNotify);
    let desk = sink("url = \"https://logs.example.com\"\nreceipt = \"none\"\n");
    assert_eq!(
        desk.problems(),
        [
            "chaperone.toml:9:1: [audit.sink.siem] needs 'address'",
            "chaperone.toml:12:1: unknown key 'url' in [audit.sink.siem]; known are name, kind, \
             address, receipt, client_cert, client_key, timeout",
            "chaperone.toml:13:11: this is one of \"close_notify\", \"eof\"",
        ]
    );
}

/// Says the opposite of whatever [`OURS`] says.
const THEIRS: &str = "\
        [identity]\n\
        issuer = \"https://own\"\n\
        client_id = \"desktop\"\n\
        roles_claim = [\"nickname\"]\n\
        allow_unadvertised_pkce = true\n\
        [identity.scope_names]\n\
        \"mcp:tools:execute\" = \"\"\n\
        [policy]\n\
        file = \"/own.yaml\"\n\
        [audit]\n\
        durability = \"process\"\n\
        retention = \"1d\"\n\
        redact_keys = [\"theirs\", \"both\"]\n\
        spool_limit = \"64KiB\"\n\
        [[audit.sink]]\n\
        name = \"siem\"\n\
        kind = \"directory\"\n\
        path = \"/tmp\"\n\
        [[audit.sink]]\n\
        name = \"own\"\n\
        kind = \"directory\"\n\
        path = \"/tmp\"\n\
        [[server]]\n\
        name = \"own\"\n\
        url = \"https://own\"\n\
        [network]\n\
        ca_file = \"/own.pem\"\n";

/// What an administrator sets.
const OURS: &str = "\
        allow_user_servers = false\n\
        [identity]\n\
        issuer = \"https://company\"\n\
        client_id = \"desktop\"\n\
        [policy]\n\
        file = \"policy.yaml\"\n\
        [audit]\n\
        durability = \"strict\"\n\
        retention = \"90d\"\n\
        redact_keys = [\"both\", \"ours\"]\n\
        [[audit.sink]]\n\
        name = \"siem\"\n\
        kind = \"otlp\"\n\
        url = \"https://siem\"\n";

#[test]
fn what_the_administrator_has_set_is_not_set_otherwise() {
    let desk = Desk::new().user(THEIRS).managed(OURS);
    let config = desk.load().unwrap();
    let identity = config.identity.as_ref().unwrap();
    assert_eq!(&*identity.issuer, "https://company");
    assert_eq!(identity.roles_claim.len(), 3);
    assert!(!identity.allow_unadvertised_pkce && identity.scope_names.tools_execute.is_some());
    assert_eq!(
        config.policy_file,
        desk.dir.path().join("managed/policy.yaml")
    );
    assert_eq!(config.policy_trust, Trust::Administrator);
    assert_eq!(config.audit.durability, Durability::Strict);
    assert_eq!(
        config.audit.redact_keys,
        ["both", "ours", "theirs"].map(Into::into)
    );
    assert_eq!(config.audit.spool.bytes, 64 << 10);
    let sinks: Vec<_> = config
        .audit
        .sinks
        .iter()
        .map(|sink| sink.way.kind())
        .collect();
    assert_eq!(sinks, ["otlp", "directory"]);
    assert!(config.servers.is_empty() && config.network.ca_file.is_none());
}

#[test]
fn whoever_is_told_is_told_where() {
    let set = "does not count: the administrator has set it (managed/managed.toml";
    let issuers = "does not count: it belongs to identity.issuer, which the administrator has set";
    let expected = [
        format!("your identity.issuer (chaperone.toml:2) {set}:3)"),
        format!("your identity.roles_claim (chaperone.toml:4) {issuers}"),
        format!("your identity.scope_names.mcp:tools:execute (chaperone.toml:7) {issuers}"),
        format!("your identity.allow_unadvertised_pkce (chaperone.toml:5) {issuers}"),
        format!("your policy.file (chaperone.toml:9) {set}:6)"),
        format!("your audit.durability (chaperone.toml:11) {set}:8)"),
        format!("your audit.retention (chaperone.toml:12) {set}:9)"),
        "your sink 'siem' is left out: the administrator has set one of that name".to_owned(),
        "your server 'own' is left out: the administrator allows his own servers only".to_owned(),
        format!("your network.ca_file (chaperone.toml:27) {issuers}"),
    ];
    assert_eq!(Desk::new().user(THEIRS).managed(OURS).refused(), expected);
}

#[test]
fn whoever_says_the_same_as_the_administrator_is_told_nothing() {
    let desk = Desk::new().user(LEAST).managed(LEAST);
    assert_eq!(
        desk.refused(),
        ["your server 'db' is left out: the administrator has set one of that name"]
    );
    let desk = Desk::new()
        .user(LEAST)
        .managed("[identity]\nissuer = \"https://sso.example.com\"");
    assert!(desk.refused().is_empty());
    let usual = format!("{LEAST}[identity.scope_names]\n\"mcp:admin\" = \"mcp:admin\"\n");
    let desk = Desk::new()
        .user(&usual)
        .managed("[identity]\nissuer = \"https://sso.example.com\"");
    assert!(desk.refused().is_empty());
}

#[test]
fn drop_ins_count_before_the_managed_file_and_the_last_of_them_first() {
    let desk = Desk::new()
        .managed(&format!("{LEAST}\n[tools]\nname_limit = 41\nlist_budget = \"1s\"\n"))
        .drop_in("10-all.toml", "[tools]\nname_limit = 42\nline_limit = 65536\n[[server]]\nname = \"db\"\nurl = \"https://b\"\n")
        .drop_in("90-some.toml", "[tools]\nname_limit = 43\n")
        .drop_in("99-not.toml.bak", "colour = 1\n");
    let config = desk.load().unwrap();
    assert_eq!(config.tools.name_limit, 43);
    assert_eq!(config.tools.line_limit, 65536);
    assert_eq!(config.tools.list_budget, Duration::from_secs(1));
    assert_eq!(config.servers.len(), 1);
    assert_eq!(config.servers[0].url.as_str(), "https://b/");
    assert!(config.refused.is_empty());
    assert!(
        config.notes[0].contains("the server 'db' of "),
        "{:?}",
        config.notes
    );
    let desk = desk.drop_in("20-bad.toml", "colour = 1\n");
    assert!(desk.problems()[0].contains("20-bad.toml:1:1: unknown key 'colour'"));
}

#[test]
fn managed_settings_that_are_all_placeholders_are_none() {
    let open = "[identity]\nissuer = \"REPLACE_WITH_ISSUER\"\n";
    let desk = Desk::new().managed(open);
    assert!(matches!(desk.load(), Err(ConfigError::Missing { .. })));
    let config = desk.user(LEAST).load().unwrap();
    assert_eq!(&*config.identity.unwrap().issuer, "https://sso.example.com");
    assert_eq!(config.data_dir, None);
    let note = "managed.toml these are a placeholder and count as absent: identity.issuer";
    assert!(config.notes[0].ends_with(note), "{:?}", config.notes);
}

#[test]
fn the_environment_does_not_move_the_data_of_a_managed_machine() {
    let desk = Desk::new()
        .user(LEAST)
        .managed("[tools]\nname_limit = 50\n");
    let own = paths::own_data_dir().unwrap();
    assert_eq!(desk.load().unwrap().data_dir, Some(own.clone()));
    assert!(desk.refused().is_empty());
    let load = |desk: &Desk, data_dir: &str| {
        let paths = Paths {
            data_dir: data_dir.into(),
            ..desk.paths()
        };
        load_as(&paths, whoever_runs_this(desk)).unwrap()
    };
    let moved = load(&desk, "/elsewhere");
    assert_eq!(moved.data_dir, Some(own));
    assert!(moved.refused[0].ends_with("HOME) cannot move it to /elsewhere"));
    let fixed = Desk::new().user(LEAST).managed("data_dir = \"/fixed\"\n");
    assert!(fixed.refused().is_empty());
    let moved = load(&fixed, "/elsewhere");
    assert_eq!(moved.data_dir, Some("/fixed".into()));
    assert_eq!(moved.refused.len(), 1);
    let free = load(&Desk::new().user(LEAST), "/elsewhere");
    assert_eq!((free.data_dir, free.refused.len()), (None, 0));
}

/// The sample for `/etc`, with everything set that it has.
fn filled() -> String {
    let sample = include_str!("../../../installers/managed/managed.toml");
    let set = sample.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => setting,
        _ => line,
    });
    let mut text = set.collect::<Vec<_>>().join("\n");
    for (place, value) in [
        ("ISSUER", "https://sso.example.com"),
        ("CLIENT_ID", "desktop"),
        ("POLICY_FILE", "mcp-policies.yaml"),
        ("COLLECTOR", "https://siem.example.com/v1/logs"),
        ("WITNESS", "https://witness.example.com"),
        (
            "VERIFIER_KEY",
            "witness.example.com/w1+7e6f4aaa+BNdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
        ),
        ("SERVER", "https://gateway.example.com/db"),
    ] {
        text = text.replace(
            &format!("\"REPLACE_WITH_{place}\""),
            &format!("\"{value}\""),
        );
    }
    assert!(!text.contains("\"REPLACE_WITH_"), "{text}");
    text
}

#[test]
fn the_sample_for_administrators_sets_nothing_until_it_is_filled_in() {
    let sample = include_str!("../../../installers/managed/managed.toml");
    let desk = Desk::new().managed(sample);
    let Err(ConfigError::Missing { .. }) = desk.load() else {
        panic!("{:?}", desk.load());
    };
    let config = Desk::new().managed(&filled()).load();
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    let set: Vec<&str> = config
        .values
        .iter()
        .filter(|setting| setting.source.is_managed())
        .map(|setting| &*setting.key)
        .collect();
    let keys = keys();
    let flat = keys.iter().filter(|key| !key.contains("[]"));
    for key in flat {
        assert!(
            set.contains(&key.as_str()),
            "{key} is not in the sample: {set:?}"
        );
    }
    for table in [
        "audit.sink.siem.url",
        "audit.witness.transparency.key",
        "server.database.url",
    ] {
        assert!(set.contains(&table), "{table}: {set:?}");
    }
}
