//! Every command line that the documentation shows, run as a shell runs it.
//!
//! One company, one home and one working directory, in which lie the files that the examples name. The
//! documents are gone through one after the other, each from its beginning, so what a page says first has
//! happened when its later lines run. `ways.rs` knows what ends otherwise than with 0, and why.

#[path = "pages/lines.rs"]
mod lines;
#[path = "pages/ways.rs"]
mod ways;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use chaperone::stop::Tasks;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::company::{Company, POLICY};
use crate::world::pki::Authority;
use crate::world::{PATIENCE, World, browser, finish};

use lines::Line;
use ways::{Tables, Way};

/// What stands in the configuration beside the servers.
const SINK: &str =
    "[[audit.sink]]\nname = \"archive\"\nkind = \"directory\"\npath = \"segments\"\n";
/// What some commands need and others would be in the way of: sinks that take a secret, consent to definitions.
const MORE: &str = "\n[tools]\npin_definitions = true\n\n[[audit.sink]]\nname = \"splunk\"\nkind = \"splunk\"\n\
    url = \"https://127.0.0.1:9/services/collector/event\"\nauth = \"header\"\nheader = \"Authorization\"\n\n\
    [[audit.sink]]\nname = \"siem\"\nkind = \"otlp\"\nurl = \"https://127.0.0.1:9/v1/logs\"\nauth = \"none\"\n\
    client_cert = \"client.pem\"\n";
/// How often something that becomes ready is looked at.
const GLANCE: Duration = Duration::from_millis(20);

#[tokio::test]
async fn every_command_line_of_the_documentation_runs() {
    let company = Company::new(SINK).await;
    let tasks = Tasks::new();
    let shell = Shell::new(&company, &tasks).await;
    shell.furnish().await;
    let tables = Tables::default();
    let mut wrong = Vec::new();
    let pages = lines::all(&company.world).await;
    for page in &pages {
        if page
            .iter()
            .any(|line| line.text.contains(".txt") || line.text.contains("KEY"))
        {
            shell.hand_over().await;
        }
        for line in page {
            if let Err(why) = shell.run(line, &tables).await {
                wrong.push(format!("{}: {}\n  {why}", line.place, line.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    tables.assert_all_used();
    let number: usize = pages.iter().map(Vec::len).sum();
    assert!(number > 100, "only {number} lines were found");
}

/// A shell in the company's home, in a directory of its own.
struct Shell<'a> {
    company: &'a Company,
    place: PathBuf,
    /// Where the company serves its settings.
    announced: String,
}

impl<'a> Shell<'a> {
    async fn new(company: &'a Company, tasks: &Tasks) -> Self {
        let place = company.world.home().join("work");
        let announced = announce(company, tasks).await;
        Self {
            company,
            place,
            announced,
        }
    }

    fn world(&self) -> &World {
        &self.company.world
    }

    /// The line with the company's addresses in place of those that every example has.
    fn here(&self, text: &str) -> String {
        let company = self.company;
        text.replace(
            "https://sso.example.com/realms/enterprise",
            &company.provider.url,
        )
        .replace(
            "https://gateway.example.com/mcp/database",
            &company.database.url,
        )
        .replace("https://www.example.com", &self.announced)
    }

    /// Puts down what the examples name: programs, hosts, a record with calls, copies of it.
    async fn furnish(&self) {
        let home = self.world().home();
        for directory in ["work", "runtime", ".cursor", ".gemini", ".config/Code/User"] {
            fs::create_dir_all(home.join(directory)).expect("a directory");
        }
        symlink(env!("CARGO_BIN_EXE_chaperone"), home.join("bin/chaperone")).expect("a link");
        let paste = home.join("bin/wl-paste");
        fs::write(&paste, "#!/bin/sh\necho a value\n").expect("a script");
        fs::set_permissions(&paste, fs::Permissions::from_mode(0o755)).expect("its mode");
        fs::create_dir_all(home.join(".local/share/bash-completion/completions"))
            .expect("a directory");
        let servers = json!({"mcpServers": {"docs": {"httpUrl": self.everything()}}});
        fs::write(home.join(".gemini/settings.json"), servers.to_string()).expect("a host's file");
        for (name, text) in [
            ("mcp-policies.yaml", POLICY),
            ("token.txt", "Splunk 00000000-0000-0000-0000-000000000000\n"),
        ] {
            fs::write(self.place.join(name), text).expect("a file");
        }
        let authority = Authority::new(&home.join("pki"), "authority");
        authority.certify("client", &[]);
        let shown = self.world().config_file().with_file_name("client.pem");
        fs::copy(home.join("pki/client.pem"), shown).expect("a certificate");
        fs::copy(home.join("pki/client.key"), self.place.join("key.pem")).expect("a key");
        self.company.sign_in("alice").await;
        self.fill_the_record().await;
    }

    /// Where the server listens that asks for no token.
    fn everything(&self) -> String {
        let text = fs::read_to_string(self.world().config_file()).expect("a configuration");
        let (_, table) = text
            .split_once("name = \"everything\"\nurl = \"")
            .expect("a server");
        table.split('"').next().expect("an address").to_owned()
    }

    /// Makes calls enough for record 17.
    async fn fill_the_record(&self) {
        for _ in 0..8 {
            self.sh("chaperone call database__list_tables").await;
        }
    }

    /// Copies what an auditor gets, as the log and its key are now.
    async fn hand_over(&self) {
        let data = self.world().data_dir();
        for command in [
            "chaperone audit key > key.txt",
            "rm -f evidence.zip out.zip copy-of-audit.db* && chaperone audit export --bundle evidence.zip --id 17",
            "unzip -p evidence.zip checkpoint.txt > head.txt",
        ] {
            let (status, told) = self.sh(command).await;
            assert_eq!(status.code(), Some(0), "{command}: {told}");
        }
        for end in ["", "-wal"] {
            let log = data.join(format!("audit.db{end}"));
            if log.exists() {
                let copy = self.place.join(format!("copy-of-audit.db{end}"));
                fs::copy(log, copy).expect("a copy");
            }
        }
    }

    /// The command as somebody types it, and what it needs of the environment.
    fn command(&self, text: &str) -> Command {
        let home = self.world().home();
        let mut command = self.world().command("bash");
        command
            .args(["-o", "pipefail", "-c", text])
            .current_dir(&self.place)
            .env("PASSWORD", "only-for-tests")
            .env("XDG_RUNTIME_DIR", home.join("runtime"));
        command
    }

    async fn sh(&self, text: &str) -> (ExitStatus, String) {
        let output = finish(&mut self.command(text)).await;
        let told = [output.stdout, output.stderr].concat();
        (output.status, String::from_utf8_lossy(&told).into_owned())
    }

    /// Runs a line of a page, and compares what it ends with.
    async fn run(&self, line: &Line, tables: &Tables) -> Result<(), String> {
        let text = self.here(&tables.filled(&line.text));
        let expected = tables.exits(&line.text);
        let (status, told) = match tables.way(&line.text) {
            Way::Elsewhere => return Ok(()),
            Way::Plain => self.sh(&text).await,
            Way::SignsIn => self.signing_in(&text).await,
            Way::Follows => return self.following(&text).await,
            Way::SignsOut => {
                let ended = self.sh(&text).await;
                self.company.sign_in("alice").await;
                ended
            }
            Way::WithMore => {
                let file = self.with_more();
                // What has been accepted before waits again.
                let pins = self.world().data_dir().join("pins");
                let begin = format!(
                    "export CHAPERONE_CONFIG={}; rm -rf {}*",
                    file.display(),
                    pins.display()
                );
                self.sh(&format!("{begin}; chaperone tools >/dev/null; {text}"))
                    .await
            }
            Way::Begins => {
                let empty = TempDir::new_in(self.world().home()).expect("a directory");
                let file = empty.path().join("chaperone.toml");
                let text = format!("export CHAPERONE_CONFIG={}; {text}", file.display());
                self.sh(&text).await
            }
            Way::WithInput => self.sh(&format!("echo a value | {{ {text}; }}")).await,
        };
        if status.code().is_some_and(|code| expected.contains(&code)) {
            return Ok(());
        }
        Err(format!("{status} in place of {expected:?}: {told}"))
    }

    /// A configuration with more in it, and a server that is open to hosts' own connectors.
    fn with_more(&self) -> PathBuf {
        let own = self.world().config_file();
        let file = own.with_file_name("more.toml");
        let text = fs::read_to_string(own).expect("a configuration") + MORE;
        let name = "name = \"database\"\n";
        let text = text.replacen(name, &format!("{name}headers_helper = true\n"), 1);
        fs::write(&file, text).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
        file
    }

    /// A person signs in with the link, wherever it is shown: in the browser, on standard output, in a file.
    async fn signing_in(&self, text: &str) -> (ExitStatus, String) {
        let before = self.world().opened().len();
        let printed = self.place.join("printed.txt");
        let kept = self.place.join("link.txt");
        drop(fs::remove_file(&kept));
        let mut command = self.command(text);
        command.stdout(fs::File::create(&printed).expect("a file"));
        let mut child = command.spawn().expect("a shell");
        let link = async {
            loop {
                let opened = self.world().opened().get(before).cloned();
                let shown = || first_link(&printed).or_else(|| first_link(&kept));
                if let Some(link) = opened.or_else(shown) {
                    break link;
                }
                sleep(GLANCE).await;
            }
        };
        let link = timeout(PATIENCE, link).await.expect("a link in time");
        let page = browser::sign_in(&link, "alice").await;
        let status = timeout(PATIENCE, child.wait())
            .await
            .expect("an end in time");
        (status.expect("an exit status"), format!("{page:?}"))
    }

    /// Until a line comes; what it is about happens meanwhile.
    async fn following(&self, text: &str) -> Result<(), String> {
        let mut child = self
            .command(&format!("exec {text}"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut lines = BufReader::new(child.stdout.take().expect("a piped stdout")).lines();
        let came = async {
            loop {
                self.sh("chaperone call database__drop_table '{\"table\": \"x\"}'")
                    .await;
                while let Ok(line) = timeout(Duration::from_secs(1), lines.next_line()).await {
                    let line = line.expect("readable stdout").expect("it goes on");
                    if line.contains("drop_table") {
                        return;
                    }
                }
            }
        };
        let line = timeout(PATIENCE, came).await;
        child.kill().await.expect("it runs until it is stopped");
        line.map_err(|_| "no line came".to_owned())
    }
}

/// Serves the company's settings, and returns where.
async fn announce(company: &Company, tasks: &Tasks) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let whole = json!({
        "identity": {"issuer": company.provider.url, "client_id": "mcp-desktop"},
        "server": [{"name": "database", "url": company.database.url}],
        "policy": {"version": "1.0", "policies": [{"name": "all", "servers": ["*"], "roles": ["*"]}]},
    });
    let served = axum::routing::get(async move || whole.to_string());
    let router = axum::Router::new().route("/chaperone.json", served);
    tasks.spawn_until_stop(async move { drop(axum::serve(listener, router).await) });
    address
}

fn first_link(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (line, _) = text.split_once('\n')?;
    line.starts_with("http").then(|| line.to_owned())
}
