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
            data_dir: self.dir.path().join("data"),
        }
    }

    fn user(self, text: &str) -> Self {
        fs::write(self.paths().config_file, text).unwrap();
        self
    }

    fn managed(self, text: &str) -> Self {
        let file = self.paths().managed_file;
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        self
    }

    /// Whoever runs the tests is the administrator, too.
    fn load(&self) -> Result<Config, ConfigError> {
        let me = fs::metadata(self.dir.path())
            .map(|meta| uid(&meta))
            .unwrap();
        load_as(
            &self.paths(),
            Owners {
                administrator: me,
                account: me,
            },
        )
    }

    fn problems(&self) -> Vec<String> {
        let error = self.load().unwrap_err();
        let line = |problem: &Problem| {
            let file = problem.file.file_name().unwrap().to_str().unwrap();
            match problem.place {
                Some(place) => format!(
                    "{file}:{}:{}: {}",
                    place.line, place.column, problem.message
                ),
                None => format!("{file}: {}", problem.message),
            }
        };
        error.problems().iter().map(line).collect()
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
