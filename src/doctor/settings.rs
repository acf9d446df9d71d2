//! The settings: whether they load, where they come from, and whether the policy does.

use std::collections::BTreeMap;

use super::{Around, Check, clean};
use crate::app::{App, Unusable};
use crate::codes::Code;
use crate::config::{self, Config, ConfigError, ProxyVariables};
use crate::policy::Policy;
use crate::wording::chain;

/// How many problems and warnings are shown; the commands that are named show all.
const SHOWN: usize = 5;

pub(super) fn look(app: &App, around: &Around) -> Vec<Check> {
    let config = app.config.as_ref();
    let mut checks = vec![loaded(config, app)];
    if let Ok(config) = config {
        let proxy = proxy(config, &around.proxies);
        checks.extend([sources(config), policy(config), proxy]);
    } else {
        let why = "there is no usable configuration";
        let ids = ["config.sources", "policy.loaded", "network.proxy"];
        checks.extend(ids.map(|id| Check::skipped(id, why)));
    }
    checks
}

fn loaded(config: Result<&Config, &Unusable>, app: &App) -> Check {
    const ID: &str = "config.loaded";
    match config {
        Ok(config) if config.notes.is_empty() => {
            let (file, count) = (app.paths.config_file.display(), config.servers.len());
            Check::ok(ID, &format!("{file}; servers: {count}"))
        }
        Ok(config) => Check::note(ID, &config.notes.join("\n")),
        Err(Unusable::Config(error @ ConfigError::Missing { path })) => {
            let detail = format!("there is none yet; it is looked for at {}", path.display());
            let fix = "chaperone init";
            Check::failed(ID, error.code(), &detail, fix)
        }
        Err(Unusable::Config(error)) => {
            let detail = first(error.problems().iter().map(ToString::to_string));
            let fix = match error {
                ConfigError::Managed(_) => "send this to your administrator",
                ConfigError::Missing { .. } | ConfigError::User(_) => "mend these places",
            };
            Check::failed(ID, error.code(), &detail, fix)
        }
        Err(why @ Unusable::Network(_)) => {
            let fix = "mend [network] in the configuration";
            Check::failed(ID, Code::NetworkSettings, &chain(why), fix)
        }
    }
}

/// The first few lines, and how many more there are.
fn first(all: impl Iterator<Item = String>) -> String {
    let mut lines: Vec<String> = all.collect();
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

fn sources(config: &Config) -> Check {
    let mut counts = BTreeMap::new();
    for setting in &config.values {
        let place = setting.source.name().map(|place| format!(" ({place})"));
        let whence = format!("{}{}", setting.source.as_str(), place.unwrap_or_default());
        *counts.entry(whence).or_insert(0_usize) += 1;
    }
    let counts = counts
        .iter()
        .map(|(whence, count)| format!("{count} {whence}"));
    let counts: Vec<String> = counts.collect();
    let detail = format!(
        "values by source: {}; `chaperone config show` names each",
        counts.join(", ")
    );
    Check::ok("config.sources", &detail)
}

fn policy(config: &Config) -> Check {
    const ID: &str = "policy.loaded";
    const FIX: &str = "chaperone policy check";
    let file = config.policy_file.display();
    let text = match config::read_document(&config.policy_file, config.policy_trust) {
        Ok(text) => text,
        Err(error) => {
            let detail = format!("everything is refused: {file} {}", chain(&error));
            return Check::failed(ID, Code::PolicyInvalid, &detail, FIX);
        }
    };
    let names = config.identity.as_ref();
    let names = names.map(|identity| identity.scope_names.clone());
    let placed =
        |at: &crate::policy::Problem| format!("{file}:{}:{}: {}", at.line, at.column, at.message);
    match Policy::parse(&text, names.unwrap_or_default()) {
        Err(error) => {
            let lines = error.problems.iter().map(placed);
            let detail = format!("everything is refused:\n{}", first(lines));
            Check::failed(ID, Code::PolicyInvalid, &detail, FIX)
        }
        Ok(policy) => {
            let warnings = policy.warnings();
            if warnings.is_empty() {
                return Check::ok(ID, &format!("{file}, {}", short(policy.digest())));
            }
            let detail = first(warnings.iter().map(placed));
            Check::note(ID, &detail)
        }
    }
}

/// As much of a digest as people compare.
fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

fn proxy(config: &Config, variables: &ProxyVariables) -> Check {
    const ID: &str = "network.proxy";
    if let Some(proxy) = &config.network.proxy {
        let detail = format!("everything goes through {proxy} (network.proxy)");
        return Check::ok(ID, &detail);
    }
    let Some((name, proxy)) = &variables.proxy else {
        return Check::ok(ID, "none is set here; one of the system's settings counts");
    };
    let mut detail = format!("requests go through {} ({name})", place(proxy));
    if let Some(exceptions) = &variables.exceptions {
        detail = format!("{detail}, but for {exceptions}");
    }
    let detail = format!("{detail}; a host that is started elsewhere may have other variables");
    Check::note(ID, &detail)
}

/// A proxy's address without its password, which may be written without a scheme.
fn place(proxy: &str) -> String {
    let whole = if proxy.contains("://") {
        proxy.to_owned()
    } else {
        format!("http://{proxy}")
    };
    clean(&whole)
}
