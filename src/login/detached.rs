//! The sign-in's own process, which outlives whoever asked for it.
//!
//! Hosts end the programs that they start whenever they like, some with everything below them in the
//! process tree. So the sign-in runs in a grandchild: the child in between starts it again and ends,
//! and on Unix it leads a session of its own. The command line names the configuration and nothing
//! else, and of the environment only what a browser and a keychain need is passed on.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::paths::{self, Paths};

/// What is passed on besides `XDG_*` and `CHAPERONE_*`.
#[rustfmt::skip]
const PASSED_ON: [&str; 32] = [
    "HOME", "LOGNAME", "USER", "PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "DISPLAY",
    "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "BROWSER", "DESKTOP_SESSION",
    "KDE_FULL_SESSION", "GNOME_DESKTOP_SESSION_ID",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "SystemRoot", "SystemDrive", "windir", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "ProgramData",
    "ProgramFiles", "TEMP", "USERNAME",
];
const PASSED_ON_BEGINNINGS: [&str; 2] = ["XDG_", "CHAPERONE_"];

/// What the kernel adds to the path of a program whose file is not there any more (`proc_pid_exe(5)`).
pub const REPLACED: &str = " (deleted)";
/// The program of whoever looks.
#[cfg(target_os = "linux")]
const RUNNING: &str = "/proc/self/exe";

/// How this program is started to sign in; tests start another one.
#[derive(Debug, Clone)]
pub(super) struct Launcher {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
}

/// Whether the caller goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detached {
    /// This process is on its own: run the sign-in.
    Alone,
    /// Another process has taken over: end.
    HandedOver,
}

impl Launcher {
    /// `chaperone login --detached` of this very program.
    pub(super) fn own() -> io::Result<Self> {
        Ok(Self {
            program: own_program()?,
            arguments: ["login", "--detached"].map(OsString::from).into(),
        })
    }

    /// Starts it and waits until it is on its own, which takes a moment.
    pub(super) fn start(&self, paths: &Paths) -> io::Result<()> {
        paths::private_dir(&paths.data_dir)?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .arg("--config")
            .arg(std::path::absolute(&paths.config_file)?)
            .env_clear()
            .envs(passed_on())
            .env("CHAPERONE_DATA_DIR", &paths.data_dir)
            .current_dir(&paths.data_dir);
        until_alone(spawn_apart(&mut command)?)
    }
}

/// Leaves whoever started this process. The first time it starts the same program again and says
/// so; the second time it leads a session of its own.
pub fn leave() -> io::Result<Detached> {
    if is_alone() {
        return Ok(Detached::Alone);
    }
    let mut command = Command::new(own_program()?);
    command.args(env::args_os().skip(1));
    // Whoever waits for the child in between does not wait for this one.
    quiet(&mut command)
        .spawn()
        .map(|_child| Detached::HandedOver)
}

/// This very program. Where its file was replaced or removed while it runs, the kernel still has it: the
/// sign-in is then of the same version as who asked for it.
#[cfg(target_os = "linux")]
fn own_program() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    let is_gone = program
        .as_os_str()
        .as_encoded_bytes()
        .ends_with(REPLACED.as_bytes());
    Ok(if is_gone { RUNNING.into() } else { program })
}

/// This program, or the one that has taken its place since it was started.
#[cfg(not(target_os = "linux"))]
fn own_program() -> io::Result<PathBuf> {
    env::current_exe()
}

/// The environment is read in `config` alone; this only hands a part of it on, unread.
fn passed_on() -> impl Iterator<Item = (OsString, OsString)> {
    env::vars_os().filter(|(name, _)| is_passed_on(name))
}

fn is_passed_on(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    PASSED_ON
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
        || PASSED_ON_BEGINNINGS
            .iter()
            .any(|beginning| name.starts_with(beginning))
}

fn quiet(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

/// Leads its own process group, so that a signal to the host's does not reach it.
#[cfg(unix)]
fn spawn_apart(command: &mut Command) -> io::Result<Child> {
    use std::os::unix::process::CommandExt;
    quiet(command).process_group(0).spawn()
}

/// Waits for the child in between, which would otherwise stay in the table of processes.
#[cfg(unix)]
fn until_alone(mut child: Child) -> io::Result<()> {
    let ended = child.wait()?;
    if ended.success() {
        Ok(())
    } else {
        let sentence = format!("the sign-in's process ended at once: {ended}");
        Err(io::Error::other(sentence))
    }
}

/// A leader of a process group cannot begin a session: that is the child in between.
#[cfg(unix)]
fn is_alone() -> bool {
    rustix::process::setsid().is_ok()
}

#[cfg(windows)]
fn spawn_apart(command: &mut Command) -> io::Result<Child> {
    use std::os::windows::process::CommandExt;
    const DETACHED_PROCESS: u32 = 0x0000_0008;
    const NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    const BREAKAWAY_FROM_JOB: u32 = 0x0100_0000;
    // Some hosts put their children into a job that ends with the host, and not every such job
    // lets a process leave.
    quiet(command)
        .creation_flags(DETACHED_PROCESS | NEW_PROCESS_GROUP | BREAKAWAY_FROM_JOB)
        .spawn()
        .or_else(|_| {
            command
                .creation_flags(DETACHED_PROCESS | NEW_PROCESS_GROUP)
                .spawn()
        })
}

/// There is no child in between: out of the job, a process does not end with the one that started
/// it, and nothing is left behind by not waiting.
#[cfg(not(unix))]
fn until_alone(_child: Child) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn is_alone() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_environment_is_passed_on_but_what_is_needed() {
        for name in [
            "HOME",
            "PATH",
            "DISPLAY",
            "XDG_RUNTIME_DIR",
            "CHAPERONE_LOG",
            "https_proxy",
        ] {
            assert!(is_passed_on(OsStr::new(name)), "{name}");
        }
        for name in [
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_TOKEN",
            "LD_PRELOAD",
            "NODE_OPTIONS",
            "XDG",
        ] {
            assert!(!is_passed_on(OsStr::new(name)), "{name}");
        }
    }
}
