//! Where each host keeps its configuration on each system, and whether it is there.

use std::fs;
use std::path::{Path, PathBuf};

use super::table::Host;

/// Kinds of system, by where programs keep their settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux and its like.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl System {
    /// This one.
    #[must_use]
    pub fn own() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Linux
        }
    }
}

/// For whom an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// For the account, wherever the host is started.
    #[default]
    User,
    /// For the directory that the command is run in.
    Project,
}

impl Scope {
    /// What a host's changes are kept under: those of one project are not another's.
    #[must_use]
    pub fn name_of(self, host: Host, around: &Surroundings) -> String {
        match self {
            Self::User => host.id().to_owned(),
            Self::Project => {
                let here = around.here.to_string_lossy();
                let digest = blake3::hash(here.as_bytes()).to_hex();
                format!("{}-{}", host.id(), digest.split_at(16).0)
            }
        }
    }
}

/// What decides where hosts look.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The kind of system.
    pub system: System,
    /// The home directory.
    pub home: PathBuf,
    /// Settings of programs: `$XDG_CONFIG_HOME`, `~/Library/Application Support`, `%APPDATA%`.
    pub config: PathBuf,
    /// The same for this machine alone: `%LOCALAPPDATA%`.
    pub local: PathBuf,
    /// `CLAUDE_CONFIG_DIR`
    pub claude: Option<PathBuf>,
    /// `CODEX_HOME`
    pub codex: Option<PathBuf>,
    /// Where programs are looked for (`PATH`).
    pub path: Vec<PathBuf>,
    /// The directory that the command was run in.
    pub here: PathBuf,
}

/// One file in which a host looks for servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub file: PathBuf,
    /// What it belongs to: the home, or a directory that somebody set in its place. No symbolic link
    /// may lead out of it.
    pub base: PathBuf,
    /// Whether the host seems to be there.
    pub is_installed: bool,
}

/// The files in which a host looks, the usual one first. None if it has no such scope.
#[must_use]
pub fn locations(host: Host, scope: Scope, around: &Surroundings) -> Vec<Location> {
    let found = match scope {
        Scope::User => of_account(host, around),
        Scope::Project => of_project(host, around).into_iter().collect(),
    };
    let location = |(file, marks): (PathBuf, Vec<PathBuf>)| {
        let is_there = |mark: &PathBuf| mark.symlink_metadata().is_ok();
        let is_installed =
            is_there(&file) || marks.iter().any(is_there) || is_on_path(host, around);
        let base = base(&file, scope, around);
        Location {
            file,
            base,
            is_installed,
        }
    };
    found.into_iter().map(location).collect()
}

/// Files with what shows that the host is installed.
fn of_account(host: Host, around: &Surroundings) -> Vec<(PathBuf, Vec<PathBuf>)> {
    let Surroundings { home, config, .. } = around;
    let in_directory = |directory: PathBuf, file: &str| (directory.join(file), vec![directory]);
    match host {
        Host::ClaudeDesktop => claude_desktop(around),
        Host::ClaudeCode => {
            let directory = around.claude.as_ref().unwrap_or(home);
            let mark = around.claude.clone().unwrap_or(home.join(".claude"));
            vec![(directory.join(".claude.json"), vec![mark])]
        }
        Host::VsCode => {
            let user = |directory: PathBuf, user: &str| {
                (directory.join(user).join("mcp.json"), vec![directory])
            };
            vec![
                user(config.join("Code"), "User"),
                user(config.join("Code - Insiders"), "User"),
                user(home.join(".vscode-server"), "data/User"),
            ]
        }
        Host::Cursor => vec![in_directory(home.join(".cursor"), "mcp.json")],
        Host::Windsurf => vec![in_directory(
            home.join(".codeium/windsurf"),
            "mcp_config.json",
        )],
        Host::Zed => {
            let usual = home.join(".config/zed");
            let directories = match around.system {
                System::Linux => vec![config.join("zed")],
                System::MacOs => vec![usual],
                System::Windows => vec![config.join("Zed"), usual],
            };
            let file = |directory| in_directory(directory, "settings.json");
            directories.into_iter().map(file).collect()
        }
        Host::Codex => {
            let directory = around.codex.clone().unwrap_or(home.join(".codex"));
            vec![in_directory(directory, "config.toml")]
        }
        Host::GeminiCli => vec![in_directory(home.join(".gemini"), "settings.json")],
    }
}

/// From the Windows store it sees a copy of `%APPDATA%` of its own, in the directory of its package,
/// whose name ends with the publisher's.
fn claude_desktop(around: &Surroundings) -> Vec<(PathBuf, Vec<PathBuf>)> {
    const FILE: &str = "claude_desktop_config.json";
    let usual = around.config.join("Claude");
    let mut found = Vec::new();
    if around.system == System::Windows {
        let listed = fs::read_dir(around.local.join("Packages"));
        let entries = listed.into_iter().flatten().flatten();
        let is_its =
            |name: &str| name.starts_with("Claude_") || name.starts_with("AnthropicClaude_");
        let mut packages: Vec<PathBuf> = entries
            .filter(|entry| entry.file_name().to_str().is_some_and(is_its))
            .map(|entry| entry.path())
            .collect();
        packages.sort();
        for package in packages {
            let file = package.join("LocalCache/Roaming/Claude").join(FILE);
            found.push((file, vec![package]));
        }
    }
    found.push((usual.join(FILE), vec![usual]));
    found
}

fn of_project(host: Host, around: &Surroundings) -> Option<(PathBuf, Vec<PathBuf>)> {
    let file = match host {
        Host::ClaudeCode => ".mcp.json",
        Host::VsCode => ".vscode/mcp.json",
        Host::Cursor => ".cursor/mcp.json",
        Host::GeminiCli => ".gemini/settings.json",
        Host::ClaudeDesktop | Host::Windsurf | Host::Zed | Host::Codex => return None,
    };
    Some((around.here.join(file), Vec::new()))
}

/// The name under which people start it, if they do so in a terminal.
fn is_on_path(host: Host, around: &Surroundings) -> bool {
    let name = match host {
        Host::ClaudeCode => "claude",
        Host::Codex => "codex",
        Host::GeminiCli => "gemini",
        Host::ClaudeDesktop | Host::VsCode | Host::Cursor | Host::Windsurf | Host::Zed => {
            return false;
        }
    };
    let ends: &[&str] = match around.system {
        System::Windows => &[".exe", ".cmd"],
        System::Linux | System::MacOs => &[""],
    };
    let is_in = |directory: &PathBuf| {
        let mut files = ends
            .iter()
            .map(|end| directory.join(format!("{name}{end}")));
        files.any(|file| file.is_file())
    };
    around.path.iter().any(is_in)
}

fn base(file: &Path, scope: Scope, around: &Surroundings) -> PathBuf {
    let set = [around.claude.as_ref(), around.codex.as_ref()];
    let set = set.into_iter().flatten();
    let mut bases = std::iter::once(&around.home)
        .chain(set)
        .chain([&around.config]);
    match scope {
        Scope::Project => around.here.clone(),
        Scope::User => bases
            .find(|base| file.starts_with(base))
            .unwrap_or(&around.home)
            .clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(home: &Path, system: System) -> Surroundings {
        let config = match system {
            System::Linux => ".config",
            System::MacOs => "Library/Application Support",
            System::Windows => "AppData/Roaming",
        };
        Surroundings {
            system,
            home: home.to_owned(),
            config: home.join(config),
            local: home.join("AppData/Local"),
            claude: None,
            codex: None,
            path: vec![home.join("bin")],
            here: home.join("project"),
        }
    }

    fn files(host: Host, scope: Scope, around: &Surroundings) -> Vec<String> {
        let found = locations(host, scope, around);
        let relative = |location: Location| {
            let file = location.file.strip_prefix(&around.home).unwrap();
            let mark = if location.is_installed { "+" } else { "" };
            format!("{mark}{}", file.to_str().unwrap().replace('\\', "/"))
        };
        found.into_iter().map(relative).collect()
    }

    #[test]
    fn each_host_is_looked_for_where_it_looks() {
        let home = tempfile::tempdir().unwrap();
        let [linux, mac, windows] = [System::Linux, System::MacOs, System::Windows]
            .map(|system| around(home.path(), system));
        let mac_settings = "Library/Application Support";
        for (host, expected) in [
            (
                Host::ClaudeDesktop,
                ["Claude/claude_desktop_config.json"; 3],
            ),
            (Host::VsCode, ["Code/User/mcp.json"; 3]),
        ] {
            for (around, settings, expected) in [
                (&linux, ".config", expected[0]),
                (&mac, mac_settings, expected[1]),
                (&windows, "AppData/Roaming", expected[2]),
            ] {
                let found = files(host, Scope::User, around);
                assert_eq!(found[0], format!("{settings}/{expected}"));
            }
        }
        for around in [&linux, &mac, &windows] {
            for (host, file) in [
                (Host::ClaudeCode, ".claude.json"),
                (Host::Cursor, ".cursor/mcp.json"),
                (Host::Windsurf, ".codeium/windsurf/mcp_config.json"),
                (Host::Codex, ".codex/config.toml"),
                (Host::GeminiCli, ".gemini/settings.json"),
            ] {
                assert_eq!(files(host, Scope::User, around), [file]);
            }
            let project = files(Host::ClaudeCode, Scope::Project, around);
            assert_eq!(project, ["project/.mcp.json"]);
            assert_eq!(files(Host::Zed, Scope::Project, around).len(), 0);
        }
        assert_eq!(
            files(Host::Zed, Scope::User, &linux),
            [".config/zed/settings.json"]
        );
        assert_eq!(
            files(Host::Zed, Scope::User, &mac),
            [".config/zed/settings.json"]
        );
        let zed = [
            "AppData/Roaming/Zed/settings.json",
            ".config/zed/settings.json",
        ];
        assert_eq!(files(Host::Zed, Scope::User, &windows), zed);
        let code = files(Host::VsCode, Scope::User, &linux);
        assert_eq!(code[1], ".config/Code - Insiders/User/mcp.json");
        assert_eq!(code[2], ".vscode-server/data/User/mcp.json");
    }

    #[test]
    fn a_packaged_claude_desktop_is_found_beside_the_usual_one() {
        let home = tempfile::tempdir().unwrap();
        let around = around(home.path(), System::Windows);
        let package = around.local.join("Packages/Claude_pzs8sxrjxfjjc");
        fs::create_dir_all(&package).unwrap();
        fs::create_dir_all(around.local.join("Packages/Other_1")).unwrap();
        let packaged = "+AppData/Local/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude/claude_desktop_config.json";
        let usual = "AppData/Roaming/Claude/claude_desktop_config.json";
        assert_eq!(
            files(Host::ClaudeDesktop, Scope::User, &around),
            [packaged, usual]
        );
        fs::create_dir_all(around.config.join("Claude")).unwrap();
        let both = [packaged.to_owned(), format!("+{usual}")];
        assert_eq!(files(Host::ClaudeDesktop, Scope::User, &around), both);
    }

    #[test]
    fn variables_move_what_they_name() {
        let home = tempfile::tempdir().unwrap();
        let around = Surroundings {
            claude: Some("/data/claude".into()),
            codex: Some("/data/codex".into()),
            ..around(home.path(), System::Linux)
        };
        let claude = &locations(Host::ClaudeCode, Scope::User, &around)[0];
        assert_eq!(claude.file, Path::new("/data/claude/.claude.json"));
        assert_eq!(claude.base, Path::new("/data/claude"));
        let codex = &locations(Host::Codex, Scope::User, &around)[0];
        assert_eq!(codex.file, Path::new("/data/codex/config.toml"));
    }

    #[test]
    fn a_host_is_installed_if_its_directory_file_or_program_is_there() {
        let home = tempfile::tempdir().unwrap();
        let around = around(home.path(), System::Linux);
        let cursor = home.path().join(".cursor");
        assert_eq!(
            files(Host::Cursor, Scope::User, &around),
            [".cursor/mcp.json"]
        );
        fs::create_dir(cursor).unwrap();
        assert_eq!(
            files(Host::Cursor, Scope::User, &around),
            ["+.cursor/mcp.json"]
        );
        fs::create_dir(home.path().join("bin")).unwrap();
        fs::write(home.path().join("bin/codex"), "").unwrap();
        assert_eq!(
            files(Host::Codex, Scope::User, &around),
            ["+.codex/config.toml"]
        );
        fs::write(home.path().join(".claude.json"), "").unwrap();
        assert_eq!(
            files(Host::ClaudeCode, Scope::User, &around),
            ["+.claude.json"]
        );
    }
}
