//! A message bus and an unlocked Secret Service of a world's own.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

use super::{PATIENCE, World, finish};

/// The bus, and the keychain on it.
pub struct Keychain {
    /// The address of the bus.
    pub bus: String,
    _daemon: Child,
}

impl Keychain {
    /// Starts both. gnome-keyring goes to the background when it is ready; that is what is waited
    /// for, and the world's end finds it by its home.
    pub(super) async fn start(world: &World) -> Self {
        let mut command = world.command("dbus-daemon");
        command.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        command.arg(format!(
            "--address=unix:path={}",
            world.home().join("bus").display()
        ));
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut daemon = command.spawn().expect("dbus-daemon is installed");
        let stdout = daemon.stdout.as_mut().expect("a piped stdout");
        let mut bus = String::new();
        let read = timeout(PATIENCE, BufReader::new(stdout).read_line(&mut bus)).await;
        read.expect("a bus in time")
            .expect("the address of the bus");
        let bus = bus.trim_end().to_owned();
        unlock(world, &bus, &[]).await;
        Self {
            bus,
            _daemon: daemon,
        }
    }
}

impl World {
    /// Locks what the keychain keeps, as a desktop does when its person asks for that.
    pub async fn lock_keychain(&self) {
        let mut command = self.command("dbus-send");
        command.args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
        ]);
        command.args([
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.Lock",
            "array:objpath:/org/freedesktop/secrets/collection/login",
        ]);
        let output = finish(&mut command).await;
        assert!(output.status.success(), "{output:?}");
    }

    /// Unlocks it again: another daemon, given the password, takes the place of the one that runs.
    pub async fn unlock_keychain(&self) {
        let keychain = self.keychain.as_ref().expect("a keychain");
        unlock(self, &keychain.bus, &["--replace"]).await;
    }
}

async fn unlock(world: &World, bus: &str, more: &[&str]) {
    let run = world.home().join("run");
    std::fs::create_dir_all(&run).expect("a run-time directory");
    let mut command = world.command("gnome-keyring-daemon");
    command
        .args(["--unlock", "--components=secrets"])
        .args(more);
    command
        .env("DBUS_SESSION_BUS_ADDRESS", bus)
        .env("XDG_RUNTIME_DIR", run);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut starting = command.spawn().expect("gnome-keyring-daemon is installed");
    let mut stdin = starting.stdin.take().expect("a piped stdin");
    stdin
        .write_all(b"only-for-tests\n")
        .await
        .expect("a password");
    drop(stdin);
    let status = timeout(PATIENCE, starting.wait())
        .await
        .expect("a keychain in time");
    assert!(
        status.expect("an exit status").success(),
        "the keychain did not unlock"
    );
}
