//! Servers of a host that chaperone could stand in front of: what their entries say, and what of it
//! its own configuration has no words for.

use serde_json::Value;
use url::Url;

use super::program::is_chaperone;
use crate::config::{ServerAuth, is_safe_url};
use crate::name::ServerName;

/// What an entry of a host is to chaperone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreign {
    /// Chaperone itself.
    Ours,
    /// A program on this machine, which chaperone does not stand in front of.
    Local,
    /// A server that can be moved.
    Movable(Movable),
    /// One that cannot, and why.
    Stays(Box<str>),
}

/// A server that can be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movable {
    /// Where it is.
    pub url: Url,
    /// Names of headers that the entry has values for.
    pub headers: Vec<Box<str>>,
}

/// Members of an entry that mean nothing to chaperone, because each host has its own way with them.
const OF_HOST: [&str; 10] = [
    "type",
    "source",
    "enabled",
    "disabled",
    "url",
    "serverUrl",
    "httpUrl",
    "headers",
    "http_headers",
    "description",
];

/// Reads an entry.
#[must_use]
pub fn read(entry: &Value) -> Foreign {
    let is = |name: &str, value: bool| entry.get(name) == Some(&Value::Bool(value));
    if let Some(command) = entry.get("command").and_then(Value::as_str) {
        if is_chaperone(command) {
            return Foreign::Ours;
        }
        return wrapped(command, entry).unwrap_or(Foreign::Local);
    }
    let urls = ["url", "serverUrl", "httpUrl"];
    let Some(url) = urls.iter().find_map(|name| entry.get(*name)?.as_str()) else {
        return Foreign::Stays("it has neither an address nor a program".into());
    };
    if is("disabled", true) || is("enabled", false) {
        return Foreign::Stays("it is turned off".into());
    }
    match entry.get("type").and_then(Value::as_str) {
        None | Some("http" | "streamable-http" | "streamableHttp") => {}
        Some(_) => return Foreign::Stays("it does not speak streamable HTTP".into()),
    }
    let members = entry.as_object().into_iter().flat_map(|entry| entry.keys());
    if let Some(name) = members
        .into_iter()
        .find(|name| !OF_HOST.contains(&name.as_str()))
    {
        let why = format!("chaperone's configuration has nothing for its {name:?}");
        return Foreign::Stays(why.into());
    }
    let headers = ["headers", "http_headers"].iter();
    let headers = headers.filter_map(|name| entry.get(*name)?.as_object());
    let headers = headers.flat_map(|headers| headers.keys());
    movable(url, headers.map(|name| name.as_str().into()).collect())
}

fn movable(url: &str, headers: Vec<Box<str>>) -> Foreign {
    let Ok(url) = Url::parse(url) else {
        return Foreign::Stays("its address is no URL".into());
    };
    if !is_safe_url(&url) {
        return Foreign::Stays("its address is not https, or holds a password or fragment".into());
    }
    if url.query().is_some() {
        // Keys are passed like this, and chaperone's configuration is no place for them.
        return Foreign::Stays("its address has a query, which may hold a secret".into());
    }
    Foreign::Movable(Movable { url, headers })
}

/// A server behind `npx mcp-remote URL`; `None` if the program is another.
fn wrapped(command: &str, entry: &Value) -> Option<Foreign> {
    let words = entry.get("args").and_then(Value::as_array);
    let words: Option<Vec<&str>> = words?.iter().map(Value::as_str).collect();
    let words = words?;
    let is_bridge = |word: &str| word == "mcp-remote" || word.starts_with("mcp-remote@");
    let program = command.rsplit(['/', '\\']).next().unwrap_or_default();
    let rest = match words.iter().position(|word| is_bridge(word)) {
        Some(at) => words.get(at + 1..)?,
        None if is_bridge(program) => words.as_slice(),
        None => return None,
    };
    if entry
        .get("env")
        .and_then(Value::as_object)
        .is_some_and(|env| !env.is_empty())
    {
        return Some(Foreign::Stays(
            "it is given an environment, which may hold secrets".into(),
        ));
    }
    let (url, rest) = rest.split_first()?;
    let mut headers = Vec::new();
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match *word {
            "--header" => {
                let header = rest.next().copied().unwrap_or_default();
                headers.push(header.split(':').next().unwrap_or_default().trim().into());
            }
            "--transport" => match rest.next() {
                Some(&("http-only" | "http-first")) => {}
                Some(_) | None => {
                    return Some(Foreign::Stays("it does not speak streamable HTTP".into()));
                }
            },
            // How it signs in and what it says of itself is no longer its affair.
            "--debug" | "--allow-http" | "--silent" | "--enable-proxy" => {}
            "--host" | "--auth-timeout" => drop(rest.next()),
            port if port.bytes().all(|byte| byte.is_ascii_digit()) => {}
            other => {
                let flag = other.split('=').next().unwrap_or_default();
                let why = if flag.starts_with("--") {
                    format!("chaperone's configuration has nothing for its {flag}")
                } else {
                    "its arguments are not known".to_owned()
                };
                return Some(Foreign::Stays(why.into()));
            }
        }
    }
    Some(movable(url, headers))
}

/// A server as chaperone's own configuration has it, or is to have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Its name there.
    pub name: ServerName,
    /// Where it is.
    pub url: Url,
    /// Whether the person's token goes with each request.
    pub auth: ServerAuth,
}

/// What becomes of a server that can be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is added.
    Added(Adopted),
    /// Chaperone has it already, under this name.
    Known(ServerName),
    /// It stays, and why.
    Stays(Box<str>),
}

/// Decides what becomes of a server. A person's token goes to it only if one goes to its origin
/// already: an address in a host's file is no reason to send the company's tokens there. A header
/// cannot be taken along, so it stays with one, unless that was the sign-in which chaperone's replaces.
#[must_use]
pub fn fate(name: &str, server: &Movable, known: &[Adopted]) -> Fate {
    if let Some(same) = known.iter().find(|known| known.url == server.url) {
        return Fate::Known(same.name.clone());
    }
    let mut trusted = known.iter().filter(|known| known.auth == ServerAuth::Sso);
    let auth = if trusted.any(|known| known.url.origin() == server.url.origin()) {
        ServerAuth::Sso
    } else {
        ServerAuth::None
    };
    let is_sign_in = |header: &str| header.eq_ignore_ascii_case("authorization");
    let lost = |header: &&str| auth != ServerAuth::Sso || !is_sign_in(header);
    if let Some(header) = server.headers.iter().map(|header| &**header).find(lost) {
        let why = format!("it is sent the header {header:?}, which chaperone cannot send");
        return Fate::Stays(why.into());
    }
    let taken: Vec<&str> = known.iter().map(|known| known.name.as_str()).collect();
    match legal(name, &taken) {
        Some(name) => Fate::Added(Adopted {
            name,
            url: server.url.clone(),
            auth,
        }),
        None => Fate::Stays("no name could be made of its own".into()),
    }
}

/// A legal name that is not taken, as near to the given one as can be.
fn legal(name: &str, taken: &[&str]) -> Option<ServerName> {
    const MOST: usize = 20;
    let fit = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let plain: String = name.chars().map(fit).take(MOST).collect();
    let plain = plain.trim_matches('-');
    let plain = if plain.is_empty() { "server" } else { plain };
    let mut names =
        std::iter::once(plain.to_owned()).chain((2..100).map(|n| format!("{plain}-{n}")));
    names.find_map(|name| {
        ServerName::parse(&name)
            .ok()
            .filter(|_| !taken.contains(&name.as_str()))
    })
}

/// Chaperone's configuration with these servers at its end; all else stays as it is.
///
/// # Errors
/// Says where the file cannot be read.
pub fn adopt(config: &[u8], servers: &[Adopted]) -> Result<Vec<u8>, super::edit::Unfit> {
    super::edit::append_tables(config, servers.iter().map(table))
}

fn table(server: &Adopted) -> String {
    let text = |text: &str| toml::Value::from(text).to_string();
    let (name, url) = (text(server.name.as_str()), text(server.url.as_str()));
    let auth = match server.auth {
        ServerAuth::Sso => "sso",
        ServerAuth::None => "none",
    };
    format!("[[server]]\nname = {name}\nurl = {url}\nauth = \"{auth}\"")
}

#[cfg(test)]
mod tests;
