//! The world that a test runs in: an identity provider, servers, a keychain, a home of its own.
//!
//! Each test has its own world on free ports of loopback, so tests run beside each other. A world
//! waits for readiness, never for time to pass, and at its end kills every process that was started
//! in its home, whoever its parent is by then.

pub mod browser;
pub mod host;
pub mod keychain;
pub mod parts;
pub mod pki;
pub mod rsyslog;
pub mod way;
pub mod wine;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use self::browser::Page;
use self::host::Host;
use self::keychain::Keychain;
use self::parts::{Kind, Provider, Server};
use self::wine::Wine;

/// How long anything in the world may take before the test fails; two busy cores are slow.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The policy of the published guide, as it is shipped.
pub const POLICY: &str = include_str!("../../config/mcp-policies.yaml");

/// A path in the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A home, and what runs in it.
pub struct World {
    home: TempDir,
    running: Vec<(String, Child)>,
    keychain: Option<Keychain>,
    wine: Option<Wine>,
    /// The program, where a test has put another than the one that was built.
    program: Option<PathBuf>,
    talkative: bool,
    managed: bool,
}

impl World {
    /// An empty home on a machine without a keychain.
    pub fn new() -> Self {
        let home = TempDir::with_prefix("chaperone-world-").expect("a temporary directory");
        for directory in ["bin", "logs", ".config/chaperone"] {
            fs::create_dir_all(home.path().join(directory)).expect("a directory in the home");
        }
        let world = Self {
            home,
            running: Vec::new(),
            keychain: None,
            wine: None,
            program: None,
            talkative: false,
            managed: false,
        };
        world.install_opener();
        world
    }

    /// A home on Windows, which has a keychain always.
    pub fn windows() -> Self {
        let mut world = Self::new();
        let wine = Wine::install(world.home());
        let place = wine.config_file();
        fs::create_dir_all(place.parent().expect("a directory")).expect("a directory in the home");
        world.wine = Some(wine);
        world
    }

    /// The drive on which Windows is.
    pub fn wine(&self) -> &Wine {
        self.wine.as_ref().expect("a home on Windows")
    }

    /// The home directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Starts the identity provider; `style` changes its ways (tests/world/provider/style.mjs).
    pub async fn provider(&mut self, style: Value) -> Provider {
        let mut command = self.node("tests/world/provider.mjs");
        command.env("STYLE", style.to_string());
        Provider::new(self.start(command, "provider").await)
    }

    /// Starts a server whose tokens `provider` issues, and tells the provider of it.
    pub async fn server(&mut self, kind: Kind, provider: &Provider) -> Server {
        let command = kind.command(self, &provider.url);
        let server = Server::new(self.start(command, kind.name()).await, kind.name());
        provider.add_resource(&server.url).await;
        server
    }

    /// Starts a server where another one was, or was to be.
    pub async fn server_at(&mut self, kind: Kind, provider: &Provider, place: &Server) -> Server {
        let mut command = kind.command(self, &provider.url);
        command.env("PORT", place.port().to_string());
        Server::new(self.start(command, kind.name()).await, &place.name)
    }

    /// Starts a server of somebody's own making.
    pub async fn server_of(&mut self, command: Command, name: &str, provider: &Provider) -> Server {
        let server = Server::new(self.start(command, name).await, name);
        provider.add_resource(&server.url).await;
        server
    }

    /// Kills a part, and waits until it is gone.
    pub async fn stop(&mut self, name: &str) {
        let place = self.running.iter().position(|(known, _)| known == name);
        let (_, mut child) = self.running.remove(place.expect("a part that runs"));
        child.kill().await.expect("a part that runs");
    }

    /// Starts a session bus with an unlocked keychain, which all that is started later can use.
    pub async fn keychain(&mut self) {
        self.keychain = Some(Keychain::start(self).await);
    }

    /// Writes the configuration for these servers with the published policy; `more` is appended.
    pub fn configure(&self, provider: &Provider, servers: &[&Server], more: &str) {
        let mut text = format!(
            "[identity]\nissuer = \"{}\"\nclient_id = \"mcp-desktop\"\nscopes = [\"openid\", \
             \"profile\", \"email\", \"offline_access\", \"mcp:tools:read\", \"mcp:tools:execute\", \
             \"mcp:resources:read\", \"mcp:admin\"]\n\n[policy]\nfile = \"mcp-policies.yaml\"\n\n",
            provider.url
        );
        for server in servers {
            text += &server.configuration();
        }
        self.write_configuration(&(text + more));
        self.write_policy(POLICY);
    }

    /// Writes the configuration as it stands.
    pub fn write_configuration(&self, text: &str) {
        write_private(&self.config_file(), text);
    }

    /// The configuration.
    pub fn config_file(&self) -> PathBuf {
        let place = self.home().join(".config/chaperone/chaperone.toml");
        self.wine.as_ref().map_or(place, Wine::config_file)
    }

    /// Where the program keeps its data.
    pub fn data_dir(&self) -> PathBuf {
        let place = self.home().join(".local/share/chaperone");
        self.wine.as_ref().map_or(place, Wine::data_dir)
    }

    /// Takes away what the disk remembers of the servers' lists.
    pub fn forget_catalog(&self) {
        fs::remove_dir_all(self.data_dir().join("catalog")).expect("a catalogue on disk");
    }

    /// Takes away what processes share of access tokens, so that the next one has to ask for its own.
    pub fn forget_tokens(&self) {
        fs::remove_file(self.data_dir().join("tokens.sealed")).expect("shared tokens");
    }

    /// Adds lines to the table `[identity]`.
    pub fn set_identity(&self, lines: &str) {
        let text = fs::read_to_string(self.config_file()).expect("a configuration");
        let text = text.replacen("[identity]\n", &format!("[identity]\n{lines}\n"), 1);
        self.write_configuration(&text);
    }

    /// Writes the policy as it stands.
    pub fn write_policy(&self, text: &str) {
        let place = self.config_file().with_file_name("mcp-policies.yaml");
        write_private(&place, text);
    }

    /// A command with what hosts leave of the environment. The address of the message bus is the
    /// world's own, or leads nowhere: a test must never reach the keychain of whoever runs it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let home = self.home();
        let nowhere = format!("unix:path={}", home.join("no-bus").display());
        let bus = self
            .keychain
            .as_ref()
            .map_or(nowhere, |keychain| keychain.bus.clone());
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", home)
            .env("LOGNAME", "person")
            .env("USER", "person")
            .env("SHELL", "/bin/sh")
            .env("TERM", "dumb")
            .env(
                "PATH",
                format!(
                    "{}:/usr/local/bin:/usr/bin:/bin",
                    home.join("bin").display()
                ),
            )
            .env("DBUS_SESSION_BUS_ADDRESS", bus)
            .current_dir("/")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Has the program tell all that it can be asked to tell.
    pub fn talkative(&mut self) {
        self.talkative = true;
    }

    /// Whether tests may give the program an `/etc` of its own, which takes the administrator's rights:
    /// without them the files of the real one would not seem to be his.
    pub fn can_be_managed() -> bool {
        let mut probe = std::process::Command::new("unshare");
        let probe = probe.args(["-m", "true"]).stderr(Stdio::null()).status();
        rustix::process::geteuid().is_root() && probe.is_ok_and(|status| status.success())
    }

    /// Makes the machine a managed one from now on: the program sees a copy of `/etc` in which these are
    /// `/etc/chaperone/managed.toml` and `/etc/chaperone/mcp-policies.yaml`, and the account has its home
    /// here.
    pub fn manage(&mut self, settings: &str, policy: &str) {
        let etc = self.etc();
        let copied = std::process::Command::new("cp")
            .args(["-a", "/etc"])
            .arg(self.home())
            .status();
        assert!(
            copied.is_ok_and(|status| status.success()),
            "a copy of /etc"
        );
        let account = format!("root:x:0:0:root:{}:/bin/sh\n", self.home().display());
        fs::write(etc.join("passwd"), account).expect("a list of accounts");
        fs::create_dir_all(etc.join("chaperone/managed.d")).expect("a directory in /etc");
        fs::write(etc.join("chaperone/managed.toml"), settings).expect("a file in /etc");
        fs::write(etc.join("chaperone/mcp-policies.yaml"), policy).expect("a file in /etc");
        self.managed = true;
    }

    /// What the program sees as `/etc` on a managed machine.
    pub fn etc(&self) -> PathBuf {
        self.home().join("etc")
    }

    /// From now on the program under test is this one.
    pub fn installed(&mut self, program: &Path) {
        self.program = Some(program.to_owned());
    }

    /// From now on it is the one that was built again.
    pub fn uninstalled(&mut self) {
        self.program = None;
    }

    fn program(&self) -> &Path {
        let built = Path::new(env!("CARGO_BIN_EXE_chaperone"));
        self.program.as_deref().unwrap_or(built)
    }

    /// The program under test.
    pub fn chaperone(&self, arguments: &[&str]) -> Command {
        let program = self.program();
        let mut command = match &self.wine {
            Some(wine) => wine.command(self, self.program.as_deref()),
            None if self.managed => {
                let script = "mount --bind \"$0\" /etc && exec \"$@\"";
                let mut command = self.command("unshare");
                command.args(["-m", "sh", "-c", script]);
                command.arg(self.etc()).arg(program);
                command
            }
            None => self.command(program),
        };
        command.args(arguments);
        if self.talkative {
            command
                .env("CHAPERONE_LOG", "trace")
                .env("RUST_LOG", "trace");
        }
        command
    }

    /// Runs the program to its end.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        finish(&mut self.chaperone(arguments)).await
    }

    /// Starts the program the way a host does.
    pub fn host(&self) -> Host {
        Host::start(self.chaperone(&[]), &self.log("chaperone"))
    }

    /// Signs a person in through `chaperone login --no-browser`, and returns the page that the
    /// browser ends on and what the program printed.
    pub async fn sign_in(&self, person: &str) -> (Page, Output) {
        let mut command = self.chaperone(&["login", "--no-browser"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a piped stdout")).lines();
        let link = timeout(PATIENCE, lines.next_line())
            .await
            .expect("a link in time");
        let Some(link) = link.expect("readable stdout") else {
            let output = timeout(PATIENCE, child.wait_with_output()).await;
            panic!("login printed no link: {output:?}");
        };
        let page = browser::sign_in(&link, person).await;
        let output = timeout(PATIENCE, child.wait_with_output()).await;
        let output = output.unwrap_or_else(|_| panic!("login did not end: {link} {page:?}"));
        (page, output.expect("an exit status"))
    }

    /// The links that the program asked the system to open.
    pub fn opened(&self) -> Vec<String> {
        let text = fs::read_to_string(self.home().join("opened")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// A script of the repository on the world's Node.js.
    pub fn node(&self, script: &str) -> Command {
        let mut command = self.command(installed("bin/node"));
        command
            .arg("--import")
            .arg(repository("tests/world/packages.mjs"));
        command.arg(repository(script));
        command
    }

    /// A script of the repository on the world's Python.
    pub fn python(&self, script: &str) -> Command {
        let mut command = self.command(installed("venv/bin/python"));
        command.arg(repository(script));
        command
    }

    /// Starts a part and waits until it says where it listens.
    async fn start(&mut self, mut command: Command, name: &str) -> String {
        let log = self.log(name);
        command
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log).expect("a log file"));
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let stdout = child.stdout.as_mut().expect("a piped stdout");
        let mut lines = BufReader::new(stdout).lines();
        let url = loop {
            let line = timeout(PATIENCE, lines.next_line())
                .await
                .expect("a part in time");
            let Some(line) = line.expect("readable stdout") else {
                let log = fs::read_to_string(&log).unwrap_or_default();
                panic!("{name} did not start: {log}");
            };
            if let Some(url) = line.strip_prefix("listening ") {
                break url.to_owned();
            }
        };
        self.running.push((name.to_owned(), child));
        url
    }

    /// Where a part's standard error goes.
    pub fn log(&self, name: &str) -> PathBuf {
        self.home().join("logs").join(name)
    }

    /// Puts a program in the way that writes links down instead of opening a browser.
    fn install_opener(&self) {
        let path = self.home().join("bin/xdg-open");
        fs::write(
            &path,
            "#!/bin/sh\nprintf '%s\\n' \"$1\" >>\"$HOME/opened\"\n",
        )
        .expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for (_, child) in &mut self.running {
            let _already_ended = child.start_kill();
        }
        for pid in processes_in(self.home()) {
            let _already_ended = kill_process(pid, Signal::KILL);
        }
    }
}

/// Runs a command to its end and returns all that it printed.
pub async fn finish(command: &mut Command) -> Output {
    let output = timeout(PATIENCE, command.output())
        .await
        .expect("an end in time");
    output.expect("the program starts")
}

/// Something that `tests/run --install` put there.
pub fn installed(path: &str) -> PathBuf {
    let path = repository(".world").join(path);
    assert!(
        path.exists(),
        "{} is missing: run tests/run --install",
        path.display()
    );
    path
}

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).expect("a file in the home");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("its mode");
}

/// The processes whose environment says that this is their home.
fn processes_in(home: &Path) -> Vec<Pid> {
    let wanted = format!("HOME={}", home.display());
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lives_here = |environment: Vec<u8>| {
        environment
            .split(|b| *b == 0)
            .any(|v| v == wanted.as_bytes())
    };
    entries
        .filter(|entry| fs::read(entry.path().join("environ")).is_ok_and(lives_here))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .collect()
}
