//! Reading single values; each says what it wants when it finds something else.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;
use url::{Host, Url};

use super::document::{Report, Value};
use super::environment::at_home;

/// No wait is longer.
const LONGEST: Duration = Duration::from_secs(3600);
/// A day, in seconds.
const DAY: u64 = 24 * 3600;
/// Ten years.
const MOST_DAYS: u64 = 3650;

/// A text that is not empty and holds nothing that a reader cannot see.
pub(super) fn text(value: Value<'_>, report: &mut Report) -> Option<Box<str>> {
    let text = any_text(value, report)?;
    if text.is_empty() {
        return value.refuse(report, "this must not be empty");
    }
    Some(text)
}

/// A text that may be empty.
pub(super) fn any_text(value: Value<'_>, report: &mut Report) -> Option<Box<str>> {
    let DeValue::String(text) = value.get() else {
        return value.expected(report, "a string");
    };
    if text.chars().any(crate::wording::is_invisible) {
        return value.refuse(report, "this holds characters that cannot be seen");
    }
    Some(text.as_ref().into())
}

/// A list, each element read by `read`.
pub(super) fn list<'d, T>(
    value: Value<'d>,
    report: &mut Report,
    read: impl Fn(Value<'d>, &mut Report) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(elements) = value.elements() else {
        return value.expected(report, "an array");
    };
    // Every element is read, so that all problems are found.
    let read: Vec<Option<T>> = elements.map(|element| read(element, report)).collect();
    read.into_iter().collect()
}

/// A list of texts.
pub(super) fn texts(value: Value<'_>, report: &mut Report) -> Option<Vec<Box<str>>> {
    list(value, report, text)
}

pub(super) fn boolean(value: Value<'_>, report: &mut Report) -> Option<bool> {
    let is_flat = value.document.is_flat();
    match value.get() {
        DeValue::Boolean(boolean) => Some(*boolean),
        DeValue::Integer(integer) if is_flat && integer.as_str() == "0" => Some(false),
        DeValue::Integer(integer) if is_flat && integer.as_str() == "1" => Some(true),
        DeValue::String(text) if is_flat && text == "false" => Some(false),
        DeValue::String(text) if is_flat && text == "true" => Some(true),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => value.expected(report, "true or false"),
    }
}

/// A whole number within bounds.
pub(super) fn number<T: TryFrom<i64> + PartialOrd + Copy + fmt::Display>(
    value: Value<'_>,
    report: &mut Report,
    least: T,
    most: T,
) -> Option<T> {
    let number = match value.get() {
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok(),
        DeValue::String(text) if value.document.is_flat() => text.parse().ok(),
        DeValue::String(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => return value.expected(report, "an integer"),
    };
    let number = number.and_then(|number| T::try_from(number).ok());
    match number.filter(|number| *number >= least && *number <= most) {
        Some(number) => Some(number),
        None => value.refuse(report, &format!("this must be from {least} to {most}")),
    }
}

/// One of a few words.
pub(super) fn word<T: Copy>(
    value: Value<'_>,
    report: &mut Report,
    words: &[(&str, T)],
) -> Option<T> {
    let text = any_text(value, report)?;
    if let Some((_, meaning)) = words.iter().find(|(word, _)| **word == *text) {
        return Some(*meaning);
    }
    let known: Vec<String> = words
        .iter()
        .map(|(word, _)| format!("\"{word}\""))
        .collect();
    value.refuse(report, &format!("this is one of {}", known.join(", ")))
}

/// A wait such as `5s`, `1500ms` or `2m`.
pub(super) fn duration(value: Value<'_>, report: &mut Report) -> Option<Duration> {
    let text = any_text(value, report)?;
    let Some(span) = span(&text) else {
        return value.refuse(
            report,
            "this is a time such as \"5s\", \"1500ms\" or \"2m\"",
        );
    };
    if span.is_zero() || span > LONGEST {
        return value.refuse(report, "this must be more than nothing and at most an hour");
    }
    Some(span)
}

/// A time in days, such as `90d`.
pub(super) fn days(value: Value<'_>, report: &mut Report) -> Option<Duration> {
    let text = any_text(value, report)?;
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    match days.filter(|days: &u64| (1..=MOST_DAYS).contains(days)) {
        Some(days) => Some(Duration::from_secs(days * DAY)),
        None => value.refuse(
            report,
            "this is a number of days such as \"90d\", 3650 at most",
        ),
    }
}

fn span(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

/// A size such as `16MiB`, or a number of bytes.
pub(super) fn size<T>(value: Value<'_>, report: &mut Report, least: T, most: T) -> Option<T>
where
    T: TryFrom<i64> + TryFrom<u64> + PartialOrd + Copy + fmt::Display,
{
    let DeValue::String(text) = value.get() else {
        return number(value, report, least, most);
    };
    let Some(size) = bytes(text) else {
        return value.refuse(report, "this is a size such as \"16MiB\" or \"512KiB\"");
    };
    let size = T::try_from(size).ok();
    match size.filter(|size| *size >= least && *size <= most) {
        Some(size) => Some(size),
        None => value.refuse(
            report,
            &format!("this must be from {least} to {most} bytes"),
        ),
    }
}

fn bytes(text: &str) -> Option<u64> {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let mut units = units.into_iter();
    let (number, unit) = units
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)))
        .unwrap_or((text, 1));
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// A file, relative to the file that names it.
pub(super) fn file(value: Value<'_>, report: &mut Report) -> Option<PathBuf> {
    let source = value.document.source;
    let text = text(value, report)?;
    // Whoever starts the program says what HOME is.
    let home = if source.is_managed() {
        crate::paths::account_home()
    } else {
        std::env::home_dir()
    };
    let Some(path) = at_home(Path::new(&*text), home) else {
        return value.refuse(report, "this account has no home directory for '~'");
    };
    match source.file().and_then(Path::parent) {
        Some(beside) => Some(beside.join(path)),
        None if path.is_absolute() => Some(path),
        None => value.refuse(
            report,
            "here this must be an absolute path, or begin with '~'",
        ),
    }
}

/// A file, relative to the file that names it; empty means none.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether it could be read"
)]
pub(super) fn file_or_none(value: Value<'_>, report: &mut Report) -> Option<Option<PathBuf>> {
    if any_text(value, report)?.is_empty() {
        return Some(None);
    }
    file(value, report).map(Some)
}

/// An address that secrets may be sent to: https, or http on this machine.
pub(super) fn safe_url(value: Value<'_>, report: &mut Report) -> Option<(Box<str>, Url)> {
    let text = text(value, report)?;
    let url = match Url::parse(&text) {
        Ok(url) => url,
        Err(error) => return value.refuse(report, &format!("this is no URL: {error}")),
    };
    if !is_private_way(&url) {
        return value.refuse(report, "this must be https, or http on loopback");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return value.refuse(report, "a URL here must not hold a user name or password");
    }
    if url.fragment().is_some() {
        return value.refuse(report, "a URL here must not have a fragment (#...)");
    }
    Some((text, url))
}

fn is_private_way(url: &Url) -> bool {
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    safe && url.host().is_some()
}

/// Whether a server of this address could be in the configuration.
#[must_use]
pub fn is_safe_url(url: &Url) -> bool {
    let has_secret = !url.username().is_empty() || url.password().is_some();
    is_private_way(url) && !has_secret && url.fragment().is_none()
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A host, with a port unless it is the usual one.
pub(super) fn endpoint(value: Value<'_>, report: &mut Report, usual: u16) -> Option<Endpoint> {
    let found = host_and_port(&text(value, report)?, usual);
    if found.is_none() {
        let what = "this is a host and a port, such as \"logs.example.com:6514\" or \"[::1]:6514\"";
        return value.refuse(report, what);
    }
    found
}

fn host_and_port(text: &str, usual: u16) -> Option<Endpoint> {
    let (host, port) = match text.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        Some(_) | None => (text, usual),
    };
    let host = Host::parse(host).ok()?;
    (port != 0).then_some(Endpoint { host, port })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(domain)) => domain == "localhost",
        None => false,
    }
}

/// A proxy; empty means the environment's or the system's.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether it could be read"
)]
pub(super) fn proxy(value: Value<'_>, report: &mut Report) -> Option<Option<Url>> {
    let text = any_text(value, report)?;
    if text.is_empty() {
        return Some(None);
    }
    match Url::parse(&text) {
        Ok(url) if ["http", "https", "socks5", "socks5h"].contains(&url.scheme()) => {
            Some(Some(url))
        }
        Ok(_) | Err(_) => {
            value.refuse(report, "this is a URL with http, https or socks5, or empty")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_hosts_with_ports() {
        for (text, expected) in [
            ("logs.example.com", Some("logs.example.com:6514")),
            ("logs.example.com:10514", Some("logs.example.com:10514")),
            ("LOGS.example.com:1", Some("logs.example.com:1")),
            ("192.0.2.1:6514", Some("192.0.2.1:6514")),
            ("[2001:db8::1]", Some("[2001:db8::1]:6514")),
            ("[2001:db8::1]:601", Some("[2001:db8::1]:601")),
            ("2001:db8::1", None),
            ("logs.example.com:", None),
            ("logs.example.com:0", None),
            ("logs.example.com:65536", None),
            (":6514", None),
            ("syslog+tls://logs.example.com:6514", None),
            ("logs.example.com:6514/x", None),
            ("me@logs.example.com", None),
            ("two words", None),
        ] {
            let found = host_and_port(text, 6514).map(|found| found.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
