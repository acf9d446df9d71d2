//! From all sources to one configuration, with every problem of each.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{Document, Reading, Report};
use super::error::{ConfigError, Position, Problem};
use super::file::{Owners, Trust};
use super::layers::{Found, Section};
use super::{
    AuditConfig, Config, Durability, NetworkConfig, Roots, Source, SpoolLimit, ToolsConfig,
    environment, identity, managed, servers, sinks, values, witnesses,
};
use crate::bounds::LINE;
use crate::paths::{self, Paths};

const DURABILITY: [(&str, Durability); 2] = [
    ("strict", Durability::Strict),
    ("process", Durability::Process),
];
/// What the published guides ask for on a device; upstream keeps records for years.
const RETENTION: Duration = Duration::from_secs(90 * 24 * 3600);
const LINE_LIMITS: (usize, usize) = (64 * 1024, 1024 * 1024 * 1024);
/// The least is some twenty records, the most a tebibyte.
const SPOOL_LIMITS: (u64, u64) = (16 << 10, 1 << 40);

/// Reads the administrator's settings and the user's file.
///
/// # Errors
/// When there is no configuration, or any part of it cannot be used: nothing is guessed.
pub fn load(paths: &Paths) -> Result<Config, ConfigError> {
    let mut config = load_as(paths, Owners::of_system())?;
    if config.network.roots == Roots::Machine && environment::names_authorities() {
        let sentence = "the environment (SSL_CERT_FILE, SSL_CERT_DIR) does not replace the authorities of \
                        the system: they belong to identity.issuer, which the administrator has set";
        config.notes.push(sentence.into());
        config.refused.push(sentence.into());
    }
    Ok(config)
}

/// What [`load`] would come to if the user's file had this text.
///
/// # Errors
/// As there; places are those in the text, under the name of the file.
pub fn preview(paths: &Paths, text: &str) -> Result<Config, ConfigError> {
    let mut report = Report::default();
    let mut readings = managed::readings(paths, Owners::of_system(), &mut report);
    readings.push(Reading {
        source: Source::User(paths.config_file.clone()),
        text: text.to_owned(),
        entries: Vec::new(),
    });
    settle(&readings, paths, report)
}

pub(super) fn load_as(paths: &Paths, owners: Owners) -> Result<Config, ConfigError> {
    let mut report = Report::default();
    let managed = managed::readings(paths, owners, &mut report);
    let user = Source::User(paths.config_file.clone());
    let user = managed::file(user, Trust::Account, owners, &mut report);
    let readings: Vec<Reading> = managed.into_iter().chain(user).collect();
    settle(&readings, paths, report)
}

/// Makes a configuration of what was read, the source that counts first first.
pub(super) fn settle(
    readings: &[Reading],
    paths: &Paths,
    mut report: Report,
) -> Result<Config, ConfigError> {
    let documents = documents(readings, &mut report);
    let is_open = |document: &Document<'_>| document.source.is_managed() && document.says_nothing();
    if documents.iter().all(is_open) && report.problems.is_empty() {
        return Err(ConfigError::Missing {
            path: paths.config_file.clone(),
        });
    }
    let config = read(&documents, paths, &mut report);
    let Report {
        mut problems,
        values,
        notes,
        refused,
        asked: _,
    } = report;
    if problems.is_empty() {
        return Ok(Config {
            values,
            notes,
            refused,
            ..config
        });
    }
    // The administrator's first, each source from top to bottom.
    problems.sort_by(|one, other| order(one).cmp(&order(other)));
    let of_managed = problems.iter().any(|problem| problem.source.is_managed());
    Err(if of_managed {
        ConfigError::Managed(problems)
    } else {
        ConfigError::User(problems)
    })
}

fn order(problem: &Problem) -> (bool, Option<Cow<'_, str>>, Option<&Position>) {
    let Problem { source, place, .. } = problem;
    (!source.is_managed(), source.name(), place.as_ref())
}

fn documents<'r>(readings: &'r [Reading], report: &mut Report) -> Vec<Document<'r>> {
    let documents = readings
        .iter()
        .map(|reading| Document::parse(reading, report));
    documents.collect()
}

/// Every key that can be set, as the sample that is shipped brings the code to ask for it; `server[].url`
/// is the key `url` of each table `[[server]]`.
#[must_use]
pub fn keys() -> Vec<String> {
    let reading = Reading {
        source: Source::User(PathBuf::new()),
        text: include_str!("../../config/chaperone.toml").to_owned(),
        entries: Vec::new(),
    };
    let paths = Paths {
        config_file: PathBuf::new(),
        managed_file: PathBuf::new(),
        data_dir: PathBuf::new(),
    };
    let mut report = Report::default();
    let documents = documents(std::slice::from_ref(&reading), &mut report);
    read(&documents, &paths, &mut report);
    let asked = &report.asked;
    let is_table = |key: &&String| {
        let inside = [format!("{key}."), format!("{key}[].")];
        asked
            .iter()
            .any(|other| inside.iter().any(|table| other.starts_with(table)))
    };
    asked.iter().filter(|key| !is_table(key)).cloned().collect()
}

/// Where the data lies on a machine with managed settings, whatever the environment says; for whoever
/// has to know it although the rest of the configuration cannot be used.
#[must_use]
pub fn data_dir(paths: &Paths) -> Option<PathBuf> {
    let mut report = Report::default();
    let readings = managed::readings(paths, Owners::of_system(), &mut report);
    let documents = documents(&readings, &mut report);
    let is_unreadable = !report.problems.is_empty();
    let mut top = Section::top(documents.iter());
    let fixed = administrators(&mut top, "data_dir", &mut report, values::file);
    match fixed {
        Some(fixed) => Some(fixed),
        None if is_unreadable || is_managed(&documents) => paths::own_data_dir(),
        None => None,
    }
}

/// Whether an administrator has set anything.
fn is_managed(documents: &[Document<'_>]) -> bool {
    let mut documents = documents.iter();
    documents.any(|document| document.source.is_managed() && !document.says_nothing())
}

/// The place for the data on a machine with managed settings. Nothing in the environment moves it: who
/// could do that would have a log of his own making, and none of what he has done.
fn settled_data_dir(
    fixed: Option<PathBuf>,
    documents: &[Document<'_>],
    paths: &Paths,
    report: &mut Report,
) -> Option<PathBuf> {
    if !is_managed(documents) {
        return None;
    }
    let own = paths::own_data_dir();
    let settled = fixed.or_else(|| own.clone())?;
    if ![Some(&settled), own.as_ref()].contains(&Some(&paths.data_dir)) {
        let (asked, settled) = (paths.data_dir.display(), settled.display());
        report.overrule(format!(
            "the data stays in {settled}: on a machine with managed settings the environment \
             (CHAPERONE_DATA_DIR, XDG_DATA_HOME, HOME) cannot move it to {asked}"
        ));
    }
    Some(settled)
}

fn read(documents: &[Document<'_>], paths: &Paths, report: &mut Report) -> Config {
    let mut top = Section::top(documents.iter());
    let identity = identity::read(top.section("identity", report), report);
    let (policy_file, policy_trust) = policy(top.section("policy", report), paths, report);
    let audit = audit(top.section("audit", report), report);
    let users_allowed = administrators(&mut top, "allow_user_servers", report, values::boolean);
    let fixed = administrators(&mut top, "data_dir", report, values::file);
    let data_dir = settled_data_dir(fixed, documents, paths, report);
    let files = top.values("server");
    let servers = servers::read(files, users_allowed.unwrap_or(true), report);
    let tools = tools(top.section("tools", report), report);
    let network = network(top.section("network", report), report);
    top.finish(report);
    Config {
        identity,
        policy_file,
        policy_trust,
        audit,
        servers,
        tools,
        network,
        data_dir,
        values: Vec::new(),
        notes: Vec::new(),
        refused: Vec::new(),
    }
}

/// A key that only the administrator may set.
fn administrators<'d, T: super::shown::Shown>(
    top: &mut Section<'d>,
    key: &'static str,
    report: &mut Report,
    parse: impl Fn(super::document::Value<'d>, &mut Report) -> Option<T>,
) -> Option<T> {
    top.optional(key, report, |value, report| {
        if value.document.source.is_managed() {
            return parse(value, report);
        }
        value.refuse(
            report,
            "this key is the administrator's; it counts among managed settings only",
        )
    })
}

/// Whoever may write the file that names the policy may write the policy, and nobody else.
fn policy(mut table: Section<'_>, paths: &Paths, report: &mut Report) -> (PathBuf, Trust) {
    let beside = paths.config_file.parent().unwrap_or(Path::new(""));
    let usual = beside.join("mcp-policies.yaml");
    let found = table.read("file", report, values::file);
    let managed = found.first().is_some_and(Found::is_managed);
    let file = table.settle("file", found, usual, report);
    table.finish(report);
    (
        file,
        if managed {
            Trust::Administrator
        } else {
            Trust::Account
        },
    )
}

fn audit(mut table: Section<'_>, report: &mut Report) -> AuditConfig {
    let durability = table.or("durability", Durability::Strict, report, |value, report| {
        values::word(value, report, &DURABILITY)
    });
    let redact_keys = redact_keys(&mut table, report);
    let retention = table.or("retention", RETENTION, report, values::days);
    let spool = spool(&mut table, report);
    let sinks = sinks::read(table.values("sink"), report);
    let witnesses = witnesses::read(table.values("witness"), report);
    table.finish(report);
    AuditConfig {
        durability,
        redact_keys,
        retention,
        spool,
        sinks,
        witnesses,
    }
}

/// What anybody wants redacted is redacted.
fn redact_keys(table: &mut Section<'_>, report: &mut Report) -> Vec<Box<str>> {
    let found = table.read("redact_keys", report, values::texts);
    if found.is_empty() {
        return table.settle("redact_keys", found, Vec::new(), report);
    }
    let mut all: Vec<Box<str>> = Vec::new();
    for one in found {
        table.keep("redact_keys", &one, report);
        for key in one.value {
            if !all.contains(&key) {
                all.push(key);
            }
        }
    }
    all
}

fn spool(table: &mut Section<'_>, report: &mut Report) -> SpoolLimit {
    let usual = SpoolLimit::default();
    let (least, most) = SPOOL_LIMITS;
    SpoolLimit {
        bytes: table.or("spool_limit", usual.bytes, report, |value, report| {
            values::size(value, report, least, most)
        }),
        age: table.or("spool_age", usual.age, report, values::days),
    }
}

fn tools(mut table: Section<'_>, report: &mut Report) -> ToolsConfig {
    let usual = Duration::from_millis(1500);
    let (least, most) = LINE_LIMITS;
    let tools = ToolsConfig {
        list_budget: table.or("list_budget", usual, report, values::duration),
        name_limit: table.or("name_limit", 48, report, |value, report| {
            values::number(value, report, 40, 64)
        }),
        line_limit: table.or("line_limit", LINE, report, |value, report| {
            values::size(value, report, least, most)
        }),
        pin_definitions: table.or("pin_definitions", false, report, values::boolean),
    };
    table.finish(report);
    tools
}

fn network(mut table: Section<'_>, report: &mut Report) -> NetworkConfig {
    let proxy = table.or("proxy", None, report, values::proxy);
    let reserved = identity::reserved(report);
    let ca_file = table.or_reserved("ca_file", None, reserved, report, values::file_or_none);
    table.finish(report);
    let roots = match reserved {
        Some(_) => Roots::Machine,
        None => Roots::Environment,
    };
    NetworkConfig {
        proxy,
        ca_file,
        roots,
    }
}

#[cfg(test)]
mod tests;
