//! A managed machine: what the administrator has set counts, whatever the person and the environment
//! say, and that they have said it is on record.
//!
//! The program reads the real `/etc/chaperone`: it is started in a mount namespace of its own, on a copy
//! of `/etc`. That takes the administrator's rights; without them there is nothing here to run.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::company::{Company, POLICY};
use crate::world::host::Host;
use crate::world::pki::Authority;
use crate::world::{PATIENCE, World, finish};

/// Everything is allowed to everybody.
const THEIRS: &str =
    "version: \"1.0\"\npolicies:\n  - {name: mine, servers: [\"*\"], roles: [\"*\"]}\n";

/// A company whose administrator has set what there is to set, in which alice has signed in.
async fn company() -> Option<Company> {
    if !World::can_be_managed() {
        return None;
    }
    let mut company = Company::new("").await;
    let settings = format!(
        "allow_user_servers = false\n\
         [identity]\nissuer = \"{}\"\nclient_id = \"mcp-desktop\"\nscopes = [\"openid\", \"profile\", \
         \"email\", \"offline_access\", \"mcp:tools:read\", \"mcp:tools:execute\", \
         \"mcp:resources:read\"]\n\
         [policy]\nfile = \"mcp-policies.yaml\"\n\
         [audit]\ndurability = \"strict\"\nretention = \"90d\"\nspool_limit = \"1GiB\"\n\
         [tools]\nlist_budget = \"20s\"\n{}",
        company.provider.url,
        company.database.configuration()
    );
    company.world.manage(&settings, POLICY);
    // Nothing of the person's own is needed.
    company.world.write_configuration("");
    company.sign_in("alice").await;
    Some(company)
}

/// Everything that the administrator has said, the other way round.
fn attempt(company: &Company) {
    let text = format!(
        "[identity]\nissuer = \"http://127.0.0.1:9\"\nroles_claim = [\"nickname\"]\n\
         [identity.scope_names]\n\"mcp:tools:execute\" = \"\"\n\
         [policy]\nfile = \"mcp-policies.yaml\"\n\
         [audit]\ndurability = \"process\"\nretention = \"1d\"\nspool_limit = \"1TiB\"\n{}\
         [[server]]\nname = \"database\"\nurl = \"http://127.0.0.1:9/mcp\"\n",
        company.deploy.configuration()
    );
    company
        .world
        .write_configuration(&text.replace("1TiB", "1024GiB"));
    company.world.write_policy(THEIRS);
}

/// What is on record of settings that were asked for in vain.
async fn refused(company: &Company) -> Vec<Value> {
    let mut record = company.record().await;
    record.retain(|one| one["kind"] == "settings_refused");
    record
}

#[tokio::test]
async fn whoever_says_otherwise_is_refused_with_the_reason_and_a_record() {
    let Some(company) = company().await else {
        return;
    };
    assert!(refused(&company).await.is_empty());
    attempt(&company);
    let mut host = company.host().await;
    let tools = host.tools_with("database__query_database").await;
    assert!(
        !tools.iter().any(|tool| tool.starts_with("deploy")),
        "{tools:?}"
    );
    assert!(
        !tools.contains(&"database__drop_table".to_owned()),
        "{tools:?}"
    );
    for _ in 0..3 {
        query(&mut host).await;
    }
    host.close().await;
    let records = refused(&company).await;
    let [record] = records.as_slice() else {
        panic!("once for each process: {records:?}");
    };
    let file = company.world.config_file();
    let at =
        |key: &str, line: usize| format!("your {key} ({}:{line}) does not count: ", file.display());
    let reason = record["reason"].as_str().expect("a reason");
    for expected in [
        at("identity.issuer", 2) + "the administrator has set it (/etc/chaperone/managed.toml:3)",
        at("identity.roles_claim", 3) + "it belongs to identity.issuer",
        at("identity.scope_names.mcp:tools:execute", 5) + "it belongs to identity.issuer",
        at("policy.file", 7) + "the administrator has set it (/etc/chaperone/managed.toml:7)",
        at("audit.durability", 9) + "the administrator has set it",
        at("audit.retention", 10) + "the administrator has set it",
        at("audit.spool_limit", 11) + "the administrator has set it",
        "your server 'deploy' is left out: the administrator allows his own servers only"
            .to_owned(),
        "your server 'database' is left out: the administrator has set one of that name".to_owned(),
    ] {
        assert!(reason.contains(&expected), "{expected}\n{reason}");
        let status = said(&company, &["status"]).await;
        assert!(status.contains(&expected), "{expected}\n{status}");
    }
    assert_eq!(record["outcome"], "denied");
    assert_eq!(company.deploy.seen().await.len(), 0);
    company.assert_intact().await;
}

async fn query(host: &mut Host) {
    let rows = host
        .call("database__query_database", json!({"sql": "select 1"}))
        .await;
    assert_ne!(rows["isError"], true, "{rows}");
}

async fn said(company: &Company, arguments: &[&str]) -> String {
    let output = company.world.run(arguments).await;
    String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8")
}

/// One way to start the program other than usual.
struct Way {
    arguments: Vec<String>,
    variable: Option<(&'static str, PathBuf)>,
    moves_data: bool,
}

impl Way {
    fn all(company: &Company) -> Vec<Self> {
        let elsewhere = company.world.home().join("elsewhere");
        let config = elsewhere.join("chaperone/chaperone.toml");
        fs::create_dir_all(config.parent().expect("a directory")).expect("a directory");
        fs::copy(company.world.config_file(), &config).expect("a copy");
        let variable = |name, value: &PathBuf, moves_data| Self {
            arguments: Vec::new(),
            variable: Some((name, value.clone())),
            moves_data,
        };
        vec![
            Self {
                arguments: vec!["--config".into(), config.display().to_string()],
                variable: None,
                moves_data: false,
            },
            variable("CHAPERONE_CONFIG", &config, false),
            variable("XDG_CONFIG_HOME", &elsewhere, false),
            variable("CHAPERONE_DATA_DIR", &elsewhere.join("data"), true),
            variable("XDG_DATA_HOME", &elsewhere, true),
            variable("HOME", &elsewhere, true),
        ]
    }

    async fn run(&self, company: &Company, arguments: &[&str]) -> Output {
        let own = self.arguments.iter().map(String::as_str);
        let all: Vec<&str> = own.chain(arguments.iter().copied()).collect();
        let mut command = company.world.chaperone(&all);
        if let Some((name, value)) = &self.variable {
            command.env(name, value);
        }
        finish(&mut command).await
    }
}

#[tokio::test]
async fn neither_flags_nor_the_environment_lead_around_the_administrator() {
    let Some(company) = company().await else {
        return;
    };
    attempt(&company);
    let log = company.world.data_dir().join("audit.db");
    for way in Way::all(&company) {
        let name = way.variable.as_ref().map_or("--config", |(name, _)| name);
        let records = refused(&company).await.len();
        let output = way
            .run(
                &company,
                &[
                    "call",
                    "database__query_database",
                    "{\"sql\": \"select 1\"}",
                ],
            )
            .await;
        assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
        let output = way
            .run(&company, &["call", "deploy__deploy_staging", "{}"])
            .await;
        assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
        let shown = way.run(&company, &["config", "show", "--json"]).await;
        assert_managed(name, &shown.stdout);
        let found = refused(&company).await;
        assert_eq!(
            found.len(),
            records + 1,
            "{name}: once for each process that does something"
        );
        let reason = found[found.len() - 1]["reason"].as_str().expect("a reason");
        assert_eq!(
            reason.contains("cannot move it to"),
            way.moves_data,
            "{name}: {reason}"
        );
        let status = way.run(&company, &["status", "--json"]).await;
        let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
        assert_eq!(status["audit"]["file"].as_str(), log.to_str(), "{name}");
    }
    let stray = company.world.home().join("elsewhere");
    for place in ["data", "chaperone/audit.db", ".local"] {
        assert!(!stray.join(place).exists(), "{place}");
    }
    company.assert_intact().await;
}

/// What the administrator has set comes from him, and is named so.
fn assert_managed(way: &str, shown: &[u8]) {
    let text = str::from_utf8(shown).expect("UTF-8");
    let values: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for key in [
        "identity.issuer",
        "policy.file",
        "audit.durability",
        "audit.retention",
        "allow_user_servers",
        "server.database.url",
    ] {
        let value = values.iter().find(|value| value["key"] == key);
        let value = value.unwrap_or_else(|| panic!("{way}: no {key}"));
        assert_eq!(value["source"], "managed", "{way}: {value}");
        assert_eq!(value["store"], "file", "{way}: {value}");
        assert_eq!(
            value["file"], "/etc/chaperone/managed.toml",
            "{way}: {value}"
        );
        assert!(
            value["line"].is_u64() && value["entry"].is_null(),
            "{way}: {value}"
        );
    }
    assert!(
        values
            .iter()
            .all(|value| value["key"] != "server.deploy.url" || value["source"] == "user")
    );
}

#[tokio::test]
async fn settings_that_others_could_have_written_refuse_everything() {
    let Some(company) = company().await else {
        return;
    };
    let etc = company.world.etc().join("chaperone");
    let file = etc.join("managed.toml");
    let (theirs, refuses) = (
        Some(65534),
        "managed.toml: belongs to account 65534; it counts only if",
    );
    chown(&file, theirs, None).expect("the file is given away");
    assert!(said(&company, &["config", "show"]).await.contains(refuses));
    chown(&file, Some(0), None).expect("and taken back");
    let drop_in = etc.join("managed.d/50-site.toml");
    fs::write(&drop_in, "[audit]\nretention = \"30d\"\n").expect("a drop-in");
    let shown = said(&company, &["config", "show"]).await;
    let line = "audit.retention = \"30d\"  # /etc/chaperone/managed.d/50-site.toml:2";
    assert!(shown.contains(line), "{shown}");
    fs::set_permissions(&drop_in, fs::Permissions::from_mode(0o666)).expect("its mode");
    let output = company
        .world
        .run(&["call", "database__list_tables", "{}"])
        .await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        told.contains("50-site.toml: can be written by others"),
        "{told}"
    );
    // The log stays where it was, and says so, too.
    let mut host = company.host().await;
    host.tools().await;
    // Beside the host's requests, which are not kept waiting for it.
    let recorded = async { while refused(&company).await.is_empty() {} };
    let recorded = tokio::time::timeout(PATIENCE, recorded).await;
    recorded.expect("a record in time");
    host.close().await;
    fs::set_permissions(&drop_in, fs::Permissions::from_mode(0o644)).expect("its mode");
    let records = refused(&company).await;
    let reason = records.last().and_then(|record| record["reason"].as_str());
    let begins = "the configuration cannot be used:\n/etc/chaperone/managed.d/50-site.toml: ";
    assert!(
        reason.is_some_and(|reason| reason.starts_with(begins)),
        "{reason:?}"
    );
}

/// Something that would be the provider, known to an authority of the person's own: counts who believes
/// it.
async fn pretender(pki: &Path) -> (String, Arc<AtomicUsize>, JoinSet<()>) {
    let chain = CertificateDer::pem_file_iter(pki.join("provider.pem")).expect("a certificate");
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(pki.join("provider.key")).expect("a key");
    let settings = ServerConfig::builder().with_no_client_auth();
    let settings = settings.with_single_cert(chain, key).expect("they fit");
    let acceptor = TlsAcceptor::from(Arc::new(settings));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let believed = Arc::new(AtomicUsize::new(0));
    let (counter, mut tasks) = (Arc::clone(&believed), JoinSet::new());
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Whoever does not believe the certificate says so after the handshake seems done here.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            if stream.read_u8().await.is_ok() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (format!("https://{address}"), believed, tasks)
}

#[tokio::test]
async fn the_environment_brings_no_authorities_of_its_own() {
    if !World::can_be_managed() {
        return;
    }
    let mut world = World::new();
    world.keychain().await;
    let pki = world.home().join("pki");
    Authority::new(&pki, "own").certify("provider", &["127.0.0.1"]);
    let (url, believed, _listening) = pretender(&pki).await;
    let settings = format!(
        "[identity]\nissuer = \"{url}\"\nclient_id = \"desktop\"\n\
         [[audit.sink]]\nname = \"siem\"\nkind = \"otlp\"\nauth = \"none\"\nurl = \"{url}\"\n\
         [[server]]\nname = \"db\"\nurl = \"{url}\"\n"
    );
    let own = pki.join("own.pem");
    for managed in [false, true] {
        let theirs = if managed {
            world.manage(&settings, POLICY);
            format!("[network]\nca_file = \"{}\"\n", own.display())
        } else {
            settings.clone()
        };
        world.write_configuration(&theirs);
        // Something for the sink to send.
        let mut host = world.host();
        host.initialize("2025-06-18").await;
        host.tools().await;
        host.close().await;
        for arguments in [["login", "--no-browser"], ["sync", "--now"]] {
            let before = believed.load(Ordering::SeqCst);
            let mut command = world.chaperone(&arguments);
            let output = finish(command.env("SSL_CERT_FILE", &own)).await;
            let told = String::from_utf8([output.stdout, output.stderr].concat());
            let told = told.expect("UTF-8");
            assert_ne!(output.status.code(), Some(0), "{told}");
            let is_believed = believed.load(Ordering::SeqCst) > before;
            assert_eq!(is_believed, !managed, "{arguments:?} {managed}: {told}");
        }
    }
    let log = world.run(&["audit", "list", "--all", "--json"]).await;
    let log = String::from_utf8(log.stdout).expect("UTF-8");
    let told = "(SSL_CERT_FILE, SSL_CERT_DIR) does not replace the authorities of the system: they belong to \
                identity.issuer";
    assert!(!log.contains(told), "the last host had no such variable");
    let mut command = world.chaperone(&["config", "show"]);
    let shown = finish(command.env("SSL_CERT_DIR", &pki)).await;
    let shown = String::from_utf8(shown.stderr).expect("UTF-8");
    assert!(shown.contains(told), "{shown}");
}

/// Something that would be a proxy: counts who comes, and sends everybody away.
async fn proxy() -> (String, Arc<AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let asked = Arc::new(AtomicUsize::new(0));
    let (counter, mut tasks) = (Arc::clone(&asked), JoinSet::new());
    tasks.spawn(async move {
        while let Ok((_stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    (format!("http://{address}"), asked, tasks)
}

#[tokio::test]
async fn the_administrators_proxy_is_used_whatever_the_environment_says() {
    if !World::can_be_managed() {
        return;
    }
    let mut world = World::new();
    world.keychain().await;
    let (ours, ours_asked, _ours) = proxy().await;
    let (theirs, theirs_asked, _theirs) = proxy().await;
    let settings = format!(
        "[identity]\nissuer = \"https://sso.example.test\"\nclient_id = \"desktop\"\n\
         [network]\nproxy = \"{ours}\"\n[[server]]\nname = \"db\"\nurl = \"https://db.example.test\"\n"
    );
    world.manage(&settings, POLICY);
    world.write_configuration(&format!("[network]\nproxy = \"{theirs}\"\n"));
    for (name, value) in [
        ("HTTPS_PROXY", &*theirs),
        ("https_proxy", &*theirs),
        ("ALL_PROXY", &*theirs),
        ("NO_PROXY", "*"),
        ("no_proxy", "sso.example.test"),
    ] {
        let before = ours_asked.load(Ordering::SeqCst);
        let mut command = world.chaperone(&["login", "--no-browser"]);
        let output = finish(command.env(name, value)).await;
        assert_eq!(output.status.code(), Some(5), "{name}: {output:?}");
        assert!(
            ours_asked.load(Ordering::SeqCst) > before,
            "{name}: {output:?}"
        );
    }
    assert_eq!(theirs_asked.load(Ordering::SeqCst), 0);
    let shown = world.run(&["config", "show"]).await;
    let shown = String::from_utf8(shown.stderr).expect("UTF-8");
    assert!(shown.contains("your network.proxy ("), "{shown}");
}
