//! From two files to one configuration, with every problem of both.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{Document, Report};
use super::error::ConfigError;
use super::file::{Owners, Trust};
use super::layers::Section;
use super::{
    AuditConfig, Config, Durability, NetworkConfig, Source, SpoolLimit, ToolsConfig, identity,
    servers, sinks, values, witnesses,
};
use crate::bounds::LINE;
use crate::paths::Paths;

const DURABILITY: [(&str, Durability); 2] = [
    ("strict", Durability::Strict),
    ("process", Durability::Process),
];
/// What the published guides ask for on a device; upstream keeps records for years.
const RETENTION: Duration = Duration::from_secs(90 * 24 * 3600);
const LINE_LIMITS: (usize, usize) = (64 * 1024, 1024 * 1024 * 1024);
/// The least is some twenty records, the most a tebibyte.
const SPOOL_LIMITS: (u64, u64) = (16 << 10, 1 << 40);

/// Reads the administrator's file and the user's.
///
/// # Errors
/// When there is no configuration, or any part of it cannot be used: nothing is guessed.
pub fn load(paths: &Paths) -> Result<Config, ConfigError> {
    load_as(paths, Owners::of_system())
}

pub(super) fn load_as(paths: &Paths, owners: Owners) -> Result<Config, ConfigError> {
    let mut report = Report::default();
    let managed = text(
        &paths.managed_file,
        Trust::Administrator,
        owners,
        &mut report,
    );
    let user = text(&paths.config_file, Trust::Account, owners, &mut report);
    let sources = [
        (Source::Managed(paths.managed_file.clone()), managed),
        (Source::User(paths.config_file.clone()), user),
    ];
    let documents: Vec<Document<'_>> = sources
        .iter()
        .filter_map(|(source, text)| {
            Some(Document::parse(
                source.clone(),
                text.as_deref()?,
                &mut report,
            ))
        })
        .collect();
    let missing = sources.iter().all(|(_, text)| text.is_none());
    if missing && report.problems.is_empty() {
        return Err(ConfigError::Missing {
            path: paths.config_file.clone(),
        });
    }
    let config = read(&documents, paths, &mut report);
    let Report {
        mut problems,
        values,
        notes,
    } = report;
    if problems.is_empty() {
        return Ok(Config {
            values,
            notes,
            ..config
        });
    }
    // The administrator's file first, each from top to bottom.
    problems.sort_by_key(|problem| (problem.file != paths.managed_file, problem.place));
    let of_managed = problems
        .iter()
        .any(|problem| problem.file == paths.managed_file);
    Err(if of_managed {
        ConfigError::Managed(problems)
    } else {
        ConfigError::User(problems)
    })
}

fn text(path: &Path, trust: Trust, owners: Owners, report: &mut Report) -> Option<String> {
    match owners.read(path, trust) {
        Ok(text) => Some(text),
        Err(error) if error.is_absence() => None,
        Err(error) => {
            report.refuse_file(path, &error.to_string());
            None
        }
    }
}

fn read(documents: &[Document<'_>], paths: &Paths, report: &mut Report) -> Config {
    let mut top = Section::top(documents.iter());
    let identity = identity::read(top.section("identity", report), report);
    let (policy_file, policy_trust) = policy(top.section("policy", report), paths, report);
    let audit = audit(top.section("audit", report), report);
    let users_allowed = administrators(&mut top, "allow_user_servers", report, values::boolean);
    let data_dir = administrators(&mut top, "data_dir", report, values::file);
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
    }
}

/// A key that only the administrator's file may have.
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
            "this key is the administrator's; it counts in the managed file only",
        )
    })
}

/// Whoever may write the file that names the policy may write the policy, and nobody else.
fn policy(mut table: Section<'_>, paths: &Paths, report: &mut Report) -> (PathBuf, Trust) {
    let beside = paths.config_file.parent().unwrap_or(Path::new(""));
    let usual = beside.join("mcp-policies.yaml");
    let found = table.read("file", report, values::file);
    let managed = found.first().is_some_and(super::layers::Found::is_managed);
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
    let redact_keys = table.or("redact_keys", Vec::new(), report, values::texts);
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
    let ca_file = table.or("ca_file", None, report, values::file_or_none);
    table.finish(report);
    NetworkConfig { proxy, ca_file }
}

#[cfg(test)]
mod tests;
