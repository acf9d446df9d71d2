//! The environment, by its one door: three variables of our own, what tells where hosts keep their
//! configuration, and what `chaperone doctor` tells of proxies.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the process was told by whoever started it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `CHAPERONE_CONFIG`: the user's configuration.
    pub config: Option<PathBuf>,
    /// `CHAPERONE_DATA_DIR`: where the data lies, unless the administrator fixed it.
    pub data_dir: Option<PathBuf>,
    /// `CHAPERONE_LOG`: what the log for people holds.
    pub log: Option<String>,
}

impl Environment {
    /// Reads the three variables; an empty one counts as absent.
    #[must_use]
    pub fn read() -> Self {
        Self {
            config: variable("CHAPERONE_CONFIG").map(path),
            data_dir: variable("CHAPERONE_DATA_DIR").map(path),
            log: variable("CHAPERONE_LOG").map(|text| text.to_string_lossy().into_owned()),
        }
    }
}

/// What `chaperone setup` looks at to find hosts; nothing else does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostVariables {
    /// `CLAUDE_CONFIG_DIR`: the directory of Claude Code.
    pub claude: Option<PathBuf>,
    /// `CODEX_HOME`: the directory of Codex.
    pub codex: Option<PathBuf>,
    /// `PATH`: where programs are looked for.
    pub path: Vec<PathBuf>,
}

impl HostVariables {
    /// Reads the variables; an empty one counts as absent.
    #[must_use]
    pub fn read() -> Self {
        let search = variable("PATH").unwrap_or_default();
        Self {
            claude: variable("CLAUDE_CONFIG_DIR").map(path),
            codex: variable("CODEX_HOME").map(path),
            path: std::env::split_paths(&search).collect(),
        }
    }
}

/// Proxies as whoever started the process set them. They are the HTTP client's own affair; this is for
/// saying which are in effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyVariables {
    /// What requests over TLS go through, with the name of the variable.
    pub proxy: Option<(&'static str, String)>,
    /// What is reached without it.
    pub exceptions: Option<String>,
}

impl ProxyVariables {
    /// Reads the variables, in the order in which the HTTP client does.
    #[must_use]
    pub fn read() -> Self {
        let text = |name| variable(name).map(|text| text.to_string_lossy().into_owned());
        let proxies = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        let mut proxies = proxies.into_iter();
        Self {
            proxy: proxies.find_map(|name| Some((name, text(name)?))),
            exceptions: text("NO_PROXY").or_else(|| text("no_proxy")),
        }
    }
}

/// Whether people who cannot or do not want to see colours have said so (<https://no-color.org>).
#[must_use]
pub fn is_colour_unwanted() -> bool {
    variable("NO_COLOR").is_some()
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the door by which the environment enters"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Hosts start the program wherever they like; a relative path is made whole before anybody else
/// interprets it differently.
fn path(text: OsString) -> PathBuf {
    std::path::absolute(&text).unwrap_or_else(|_| text.into())
}

/// Whether the environment names authorities in the place of the system's, where it can.
pub(super) fn names_authorities() -> bool {
    let mut names = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter();
    let is_named = names.any(|name| variable(name).is_some());
    cfg!(all(unix, not(target_os = "macos"))) && is_named
}

/// Replaces a leading `~` by the home directory, or returns `None` if there is none.
pub(super) fn at_home(path: &Path, home: Option<PathBuf>) -> Option<PathBuf> {
    match path.strip_prefix("~") {
        Ok(rest) => Some(home?.join(rest)),
        Err(_) => Some(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_leading_tilde_means_home() {
        let at_home = |path| at_home(Path::new(path), Some("/home/me".into()));
        assert_eq!(at_home("~/data"), Some("/home/me/data".into()));
        assert_eq!(at_home("/a/~/b"), Some("/a/~/b".into()));
        assert_eq!(at_home("/~user"), Some("/~user".into()));
    }

    #[test]
    fn relative_paths_are_made_whole() {
        assert!(path("here/there.toml".into()).is_absolute());
    }
}
