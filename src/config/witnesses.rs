//! `[[audit.witness]]`: who is shown the log's heads.

use std::time::Duration;

use toml::de::DeValue;
use url::Url;

use super::document::{Report, Value};
use super::layers::{Part, Section};
use super::servers::{Address, Named, name};
use super::shown::Shown;
use super::values;
use crate::name::ServerName;
use crate::note::WitnessKey;

/// How often a witness is shown the newest head, unless the configuration says otherwise.
const EVERY: Duration = Duration::from_secs(600);
/// How long it may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A witness (C2SP tlog-witness).
#[derive(Debug, Clone)]
pub struct WitnessConfig {
    /// Its name here; what it says is kept under it.
    pub name: ServerName,
    /// Its submission prefix; https, or http on loopback.
    pub url: Url,
    /// The key that it cosigns with.
    pub key: WitnessKey,
    /// How often it is shown the newest head.
    pub every: Duration,
    /// How long it may take to answer.
    pub timeout: Duration,
}

/// Reads the witnesses of all files. All of them count, as sinks do.
pub(super) fn read(files: Vec<Value<'_>>, report: &mut Report) -> Vec<WitnessConfig> {
    let mut witnesses: Vec<WitnessConfig> = Vec::new();
    for file in files {
        let Some(entries) = file.elements() else {
            file.expected::<()>(report, "tables, [[audit.witness]]");
            continue;
        };
        for entry in entries {
            let Some((witness, name_at)) = one(entry, report) else {
                continue;
            };
            let name = &witness.name;
            if witnesses.iter().any(|known| known.name == *name) {
                name_at.refuse::<()>(report, &format!("there are two witnesses named '{name}'"));
            } else {
                witnesses.push(witness);
            }
        }
    }
    witnesses
}

fn one<'d>(entry: Value<'d>, report: &mut Report) -> Option<(WitnessConfig, Value<'d>)> {
    let DeValue::Table(table) = entry.get() else {
        return entry.expected(report, "a table, [[audit.witness]]");
    };
    let part = Part {
        document: entry.document,
        table,
        at: entry.span().start,
    };
    let known_as = table.get("name").and_then(|name| name.get_ref().as_str());
    let title = format!("audit.witness.{}", known_as.unwrap_or("?").escape_debug());
    let mut section = Section::new(title, vec![part]);
    let name_at = section.values("name").into_iter().next();
    let name = section.required("name", report, name);
    let url = section.required("url", report, |value, report| {
        values::safe_url(value, report).map(Address)
    });
    let key = section.required("key", report, key);
    let every = section.or("every", EVERY, report, values::duration);
    let timeout = section.or("timeout", TIMEOUT, report, values::duration);
    section.finish(report);
    let (Named(name), Address((_, url))) = (name?, url?);
    let witness = WitnessConfig {
        name,
        url,
        key: key?,
        every,
        timeout,
    };
    Some((witness, name_at?))
}

fn key(value: Value<'_>, report: &mut Report) -> Option<WitnessKey> {
    let text = values::text(value, report)?;
    match WitnessKey::parse(&text) {
        Ok(key) => Some(key),
        Err(why) => value.refuse(report, &why.to_string()),
    }
}

impl Shown for WitnessKey {
    fn shown(&self) -> String {
        Box::<str>::from(self.to_string()).shown()
    }
}
