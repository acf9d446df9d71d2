//! Whether a host is running, which matters if it writes its file back from memory.

#[cfg(all(unix, not(target_os = "macos")))]
use std::fs;
#[cfg(unix)]
use std::path::Path;

use super::table::Host;

/// Whether a host of this account is running, as far as `/proc` tells.
#[cfg(all(unix, not(target_os = "macos")))]
#[must_use]
pub fn is_running(host: Host) -> bool {
    runs_in(host, Path::new("/proc"))
}

#[cfg(all(unix, not(target_os = "macos")))]
fn runs_in(host: Host, proc: &Path) -> bool {
    let listed = fs::read_dir(proc).into_iter().flatten().flatten();
    let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let mut processes = listed.filter(|entry| entry.file_name().to_str().is_some_and(is_process));
    processes.any(|process| is_of_this_account(&process.path()) && is_host(host, &process.path()))
}

/// Whether a host of this account is running.
#[cfg(target_os = "macos")]
#[must_use]
pub fn is_running(host: Host) -> bool {
    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};
    let mut system = System::new();
    let wanted = ProcessRefreshKind::nothing()
        .with_user(UpdateKind::Always)
        .with_cmd(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
    let own = rustix::process::geteuid().as_raw();
    let mut processes = system.processes().values();
    processes.any(|process| {
        let is_own = process.user_id().is_some_and(|user| **user == own);
        let script = process.cmd().get(1).map(|script| script.to_string_lossy());
        let name = process.name().to_string_lossy();
        is_own && is_named(host, &name, || script.unwrap_or_default().into_owned())
    })
}

/// Whether a host is running, whoever started it; what a script's interpreter runs is not told.
#[cfg(windows)]
#[must_use]
pub fn is_running(host: Host) -> bool {
    use winsafe::{HPROCESSLIST, co};
    let list = HPROCESSLIST::CreateToolhelp32Snapshot(co::TH32CS::SNAPPROCESS, None);
    let Ok(mut list) = list else { return false };
    let mut processes = list.iter_processes().filter_map(Result::ok);
    processes.any(|process| is_program(host, &process.szExeFile()))
}

/// Whether a file of this name is a host's program; letters are the same in either case.
#[cfg(any(windows, test))]
fn is_program(host: Host, file: &str) -> bool {
    let name = file.strip_suffix(".exe").unwrap_or(file);
    names(host)
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a host keeps its file in memory while it runs, and writes it back.
#[must_use]
pub fn writes_back(host: Host) -> bool {
    match host {
        Host::ClaudeDesktop | Host::ClaudeCode => true,
        Host::VsCode
        | Host::Cursor
        | Host::Windsurf
        | Host::Zed
        | Host::Codex
        | Host::GeminiCli => false,
    }
}

fn names(host: Host) -> &'static [&'static str] {
    match host {
        Host::ClaudeDesktop => &["Claude", "claude-desktop"],
        Host::ClaudeCode => &["claude"],
        Host::VsCode => &["code", "code-insiders"],
        Host::Cursor => &["cursor", "Cursor"],
        Host::Windsurf => &["windsurf", "Windsurf"],
        Host::Zed => &["zed", "zed-editor"],
        Host::Codex => &["codex"],
        Host::GeminiCli => &["gemini"],
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
fn is_host(host: Host, process: &Path) -> bool {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    is_named(host, name.trim_end(), || {
        let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
        let mut arguments = arguments.split(|byte| *byte == 0);
        String::from_utf8_lossy(arguments.nth(1).unwrap_or_default()).into_owned()
    })
}

/// By the process' own name, or for scripts by the first argument of their interpreter.
#[cfg(unix)]
fn is_named(host: Host, process: &str, script: impl FnOnce() -> String) -> bool {
    let names = names(host);
    if names.contains(&process) {
        return true;
    }
    if process != "node" {
        return false;
    }
    let script = script();
    let script = Path::new(&script).file_name();
    script.is_some_and(|script| names.iter().any(|name| script == *name))
}

#[cfg(all(unix, not(target_os = "macos")))]
fn is_of_this_account(process: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let own = rustix::process::geteuid().as_raw();
    fs::metadata(process).is_ok_and(|meta| meta.uid() == own)
}

#[cfg(all(test, unix, not(target_os = "macos")))]
mod tests {
    use super::*;

    #[test]
    fn a_running_host_is_known_by_its_name_or_its_script() {
        let proc = tempfile::tempdir().unwrap();
        let process = |id: &str, name: &str, arguments: &str| {
            let dir = proc.path().join(id);
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("comm"), format!("{name}\n")).unwrap();
            fs::write(dir.join("cmdline"), arguments).unwrap();
        };
        process("1", "claude-desktop", "");
        process("22", "node", "node\0/usr/bin/gemini\0-p\0");
        process("333", "vim", "vim\0codex\0");
        process("self", "code", "");
        let running = Host::ALL
            .into_iter()
            .filter(|host| runs_in(*host, proc.path()));
        assert_eq!(
            running.collect::<Vec<_>>(),
            [Host::ClaudeDesktop, Host::GeminiCli]
        );
        assert!(!runs_in(Host::ClaudeDesktop, Path::new("/no/such/place")));
    }

    #[test]
    fn a_windows_program_is_known_by_its_file() {
        assert!(is_program(Host::ClaudeDesktop, "Claude.exe"));
        assert!(is_program(Host::ClaudeCode, "claude.exe"));
        assert!(is_program(Host::Cursor, "Cursor.exe"));
        assert!(!is_program(Host::Cursor, "cursor-updater.exe"));
    }
}
