//! Settings: the user's file under the administrator's, and the environment.

mod absent;
mod document;
mod draft;
mod environment;
mod error;
mod file;
mod identity;
mod layers;
mod load;
mod managed;
mod named;
mod near;
mod roots;
mod servers;
mod shown;
mod sinks;
mod values;
mod witnesses;

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::name::ServerName;

pub use draft::{Draft, PolicyDocument};
pub use environment::{Environment, HostVariables, ProxyVariables, is_colour_unwanted};
pub use error::{ConfigError, Place, Position, Problem};
pub use file::{FileError, Trust, read_document, read_private_key};
pub use load::{data_dir, keys, load, preview};
pub use roots::Roots;
pub use sinks::{ClientCertificate, Receipt, Receiver, SinkAuth, SinkConfig, SinkWay, Syslog};
pub use values::{Endpoint, is_safe_url};
pub use witnesses::WitnessConfig;

/// Everything that can be set, ready to use.
#[derive(Debug, Clone)]
pub struct Config {
    /// How people sign in; absent when the file has no `[identity]`.
    pub identity: Option<IdentityConfig>,
    /// Where the policy document lies.
    pub policy_file: PathBuf,
    /// Who may write the policy document: whoever may write the file that names it.
    pub policy_trust: Trust,
    /// The record.
    pub audit: AuditConfig,
    /// The servers, in the order of the files, managed ones first.
    pub servers: Vec<ServerConfig>,
    /// How tools are shown.
    pub tools: ToolsConfig,
    /// The way out.
    pub network: NetworkConfig,
    /// Where the data lies on a machine with managed settings, whatever the environment says.
    pub data_dir: Option<PathBuf>,
    /// Every value with the place that it came from.
    pub values: Vec<Setting>,
    /// What is worth knowing: checks that are off, what was left out and why.
    pub notes: Vec<Box<str>>,
    /// What the user has asked for and the administrator keeps to himself; the notes have it, too.
    pub refused: Vec<Box<str>>,
}

/// One value, for people who want to know where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Such as `identity.issuer` or `server.database.url`.
    pub key: Box<str>,
    /// As it would be written in a file.
    pub value: Box<str>,
    /// Where it was found.
    pub source: Source,
    /// Where in it; absent for a default.
    pub place: Option<Position>,
}

impl Setting {
    /// As programs read it; names and meaning of the members stay as they are.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "key": self.key,
            "value": self.value,
            "source": self.source.as_str(),
            "store": self.source.store(),
            "file": self.source.name(),
            "line": self.place.as_ref().and_then(Position::line),
            "entry": self.place.as_ref().and_then(Position::entry),
        })
    }
}

/// Where a value was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: it is what counts unless something is set.
    Default,
    /// In the user's file.
    User(PathBuf),
    /// Among the administrator's settings.
    Managed(Store),
}

/// Where an administrator keeps settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// A file of TOML.
    File(PathBuf),
    /// Managed preferences of macOS, which configuration profiles bring.
    Preferences(PathBuf),
    /// A key of the registry of Windows, which group policy writes.
    Registry(Box<str>),
}

impl Source {
    /// The place for people: a file, or a key of the registry; nothing for a default.
    #[must_use]
    pub fn name(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Default => None,
            Self::Managed(Store::Registry(key)) => Some(Cow::Borrowed(key)),
            Self::User(path) | Self::Managed(Store::File(path) | Store::Preferences(path)) => {
                Some(path.to_string_lossy())
            }
        }
    }

    /// The file that paths in it are relative to; no such thing where it is none of TOML.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::User(path) | Self::Managed(Store::File(path)) => Some(path),
            Self::Default | Self::Managed(Store::Preferences(_) | Store::Registry(_)) => None,
        }
    }

    /// Whether the administrator wrote it.
    #[must_use]
    pub fn is_managed(&self) -> bool {
        matches!(self, Self::Managed(_))
    }

    /// `default`, `user` or `managed`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::User(_) => "user",
            Self::Managed(_) => "managed",
        }
    }

    /// What kind of place it is: `file`, `managed preferences` or `registry`.
    #[must_use]
    pub fn store(&self) -> Option<&'static str> {
        match self {
            Self::Default => None,
            Self::User(_) | Self::Managed(Store::File(_)) => Some("file"),
            Self::Managed(Store::Preferences(_)) => Some("managed preferences"),
            Self::Managed(Store::Registry(_)) => Some("registry"),
        }
    }
}

/// `[identity]`
#[derive(Debug, Clone)]
pub struct IdentityConfig {
    /// The provider; https, or http on loopback. Kept as written: issuers compare byte for byte.
    pub issuer: Box<str>,
    /// The public client's identifier.
    pub client_id: Box<str>,
    /// Scopes asked for at sign-in.
    pub scopes: Vec<Box<str>>,
    /// Claims that may hold the roles; the first that is present counts.
    pub roles_claim: Vec<ClaimPath>,
    /// `127.0.0.1` or `localhost`, as the provider has it registered.
    pub redirect_host: Box<str>,
    /// A fixed port of the callback, or 0.
    pub redirect_port: u16,
    /// How a token is asked for one audience.
    pub audience_by: AudienceBy,
    /// The company's names of the four scopes.
    pub scope_names: ScopeNames,
    /// Accept a provider that does not advertise PKCE with S256 (`allow_unadvertised_pkce`).
    pub allow_unadvertised_pkce: bool,
}

/// The way to one claim: names of nested objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(pub Vec<Box<str>>);

impl ClaimPath {
    /// Reads a path such as `realm_access.roles`; a name in double quotes may hold dots.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut names = Vec::new();
        let mut rest = text;
        loop {
            let (name, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
            };
            if name.is_empty() || (!rest.starts_with('"') && name.contains('"')) {
                return None;
            }
            names.push(name.into());
            match after.strip_prefix('.') {
                Some(next) => rest = next,
                None if after.is_empty() => return Some(Self(names)),
                None => return None,
            }
        }
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            if name.contains('.') {
                write!(f, "{dot}\"{name}\"")?;
            } else {
                write!(f, "{dot}{name}")?;
            }
        }
        Ok(())
    }
}

/// How the provider is told which audience a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudienceBy {
    /// RFC 8707.
    Resource,
    /// The audience is part of the scope's name (Entra ID).
    Scope,
    /// A parameter `audience` (Auth0).
    Audience,
    /// One token serves all.
    None,
}

/// The company's names of the scopes that chaperone asks for; `None` turns the check off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeNames {
    /// `mcp:tools:read`
    pub tools_read: Option<Box<str>>,
    /// `mcp:tools:execute`
    pub tools_execute: Option<Box<str>>,
    /// `mcp:resources:read`
    pub resources_read: Option<Box<str>>,
    /// `mcp:admin`
    pub admin: Option<Box<str>>,
}

impl Default for ScopeNames {
    fn default() -> Self {
        Self {
            tools_read: Some("mcp:tools:read".into()),
            tools_execute: Some("mcp:tools:execute".into()),
            resources_read: Some("mcp:resources:read".into()),
            admin: Some("mcp:admin".into()),
        }
    }
}

/// `[audit]`
#[derive(Debug, Clone)]
pub struct AuditConfig {
    /// What a commit survives.
    pub durability: Durability,
    /// Keys whose values are redacted, besides the built-in ones.
    pub redact_keys: Vec<Box<str>>,
    /// How long records keep their content here after they have been sent.
    pub retention: Duration,
    /// How much may wait to be sent.
    pub spool: SpoolLimit,
    /// Where records are sent, the administrator's places first.
    pub sinks: Vec<SinkConfig>,
    /// Who is shown the log's heads.
    pub witnesses: Vec<WitnessConfig>,
}

/// How much may wait to be sent to any one sink before calls that change something are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimit {
    /// Bytes of records (`spool_limit`).
    pub bytes: u64,
    /// The age of the oldest of them (`spool_age`).
    pub age: Duration,
}

impl Default for SpoolLimit {
    fn default() -> Self {
        Self {
            bytes: 1 << 30,
            age: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

/// What a committed record survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of the machine.
    Strict,
    /// The end of the process.
    Process,
}

/// One `[[server]]`.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Its name here.
    pub name: ServerName,
    /// Its endpoint; https, or http on loopback.
    pub url: Url,
    /// Whether the person's token goes with each request.
    pub auth: ServerAuth,
    /// Whom the token is for; the endpoint unless set.
    pub audience: Box<str>,
    /// Scopes for this audience beside the usual ones.
    pub scopes: Vec<Box<str>>,
    /// Whether hosts' own connectors get the person's token for it (`chaperone headers-helper`).
    pub headers_helper: bool,
    /// Deadline of a TCP and TLS connection.
    pub connect_timeout: Duration,
    /// Deadline of a list.
    pub list_timeout: Duration,
    /// Deadline of a call.
    pub call_timeout: Duration,
}

/// How a server is told who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerAuth {
    /// The person's access token for its audience.
    Sso,
    /// Not at all; a sign-in is still needed for the policy.
    None,
}

/// `[tools]`
#[derive(Debug, Clone)]
pub struct ToolsConfig {
    /// How long a first list waits for servers.
    pub list_budget: Duration,
    /// The longest exposed name.
    pub name_limit: usize,
    /// The longest line that is read from a host, in bytes (`line_limit`).
    pub line_limit: usize,
    /// Whether a tool is held back until somebody has accepted its definition.
    pub pin_definitions: bool,
}

/// `[network]`
#[derive(Debug, Clone, Default)]
pub struct NetworkConfig {
    /// A proxy for everything; else the environment, then the system.
    pub proxy: Option<Url>,
    /// Certificates trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Which those are.
    pub roots: Roots,
}
