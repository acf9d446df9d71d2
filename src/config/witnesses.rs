//! `[[audit.witness]]`: who is shown the log's heads.

use std::time::Duration;

use url::Url;

use super::document::{Report, Value};
use super::layers::Section;
use super::named;
use super::servers::Address;
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

/// Reads the witnesses of all files.
pub(super) fn read(files: Vec<Value<'_>>, report: &mut Report) -> Vec<WitnessConfig> {
    let witnesses = named::tables(files, "witness", report, rest).into_iter();
    let named = witnesses.map(|(name, (url, key, every, timeout))| WitnessConfig {
        name,
        url,
        key,
        every,
        timeout,
    });
    named.collect()
}

fn rest(
    mut section: Section<'_>,
    report: &mut Report,
) -> Option<(Url, WitnessKey, Duration, Duration)> {
    let url = section.required("url", report, |value, report| {
        values::safe_url(value, report).map(Address)
    });
    let key = section.required("key", report, key);
    let every = section.or("every", EVERY, report, values::duration);
    let timeout = section.or("timeout", TIMEOUT, report, values::duration);
    section.finish(report);
    let Address((_, url)) = url?;
    Some((url, key?, every, timeout))
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
