//! `[[server]]`

use std::time::Duration;

use toml::de::DeValue;

use super::document::{Report, Value};
use super::layers::{Part, Section};
use super::{ServerAuth, ServerConfig, Source, named, values};
use crate::name::ServerName;

const AUTH: [(&str, ServerAuth); 2] = [("sso", ServerAuth::Sso), ("none", ServerAuth::None)];

/// Reads the servers of all sources: the administrator's first, which nobody can redirect.
pub(super) fn read(
    files: Vec<Value<'_>>,
    users_allowed: bool,
    report: &mut Report,
) -> Vec<ServerConfig> {
    let mut servers: Vec<(ServerConfig, &Source)> = Vec::new();
    for file in files {
        let Some(entries) = file.elements() else {
            file.expected::<()>(report, "tables, [[server]]");
            continue;
        };
        let source = file.document.source;
        for entry in entries {
            let Some((server, name_at)) = one(entry, report) else {
                continue;
            };
            let name = &server.name;
            let same = servers.iter().find(|(known, _)| known.name == *name);
            match same {
                Some((_, other)) => named::refuse_second("server", name, name_at, other, report),
                None if !source.is_managed() && !users_allowed => report.overrule(format!(
                    "your server '{name}' is left out: the administrator allows his own servers only"
                )),
                None => servers.push((server, source)),
            }
        }
    }
    servers.into_iter().map(|(server, _)| server).collect()
}

fn one<'d>(entry: Value<'d>, report: &mut Report) -> Option<(ServerConfig, Value<'d>)> {
    let DeValue::Table(table) = entry.get() else {
        return entry.expected(report, "a table, [[server]]");
    };
    let part = Part {
        document: entry.document,
        table,
        at: entry.span().start,
    };
    let known_as = table.get("name").and_then(|name| name.get_ref().as_str());
    let title = format!("server.{}", known_as.unwrap_or("?").escape_debug());
    let mut section = Section::new(title, "server[]".to_owned(), vec![part]);
    let name_at = section.values("name").into_iter().next();
    let name = section.required("name", report, name);
    let url = section.required("url", report, |value, report| {
        values::safe_url(value, report).map(Address)
    });
    let seconds = |seconds| Duration::from_secs(seconds);
    let as_written = url
        .as_ref()
        .map(|address| address.0.0.clone())
        .unwrap_or_default();
    let auth = section.or("auth", ServerAuth::Sso, report, |value, report| {
        values::word(value, report, &AUTH)
    });
    let audience = section.or("audience", as_written, report, values::text);
    let scopes = section.or("scopes", Vec::new(), report, values::texts);
    let headers_helper = section.or("headers_helper", false, report, values::boolean);
    let connect_timeout = section.or("connect_timeout", seconds(5), report, values::duration);
    let list_timeout = section.or("list_timeout", seconds(10), report, values::duration);
    let call_timeout = section.or("call_timeout", seconds(120), report, values::duration);
    section.finish(report);
    let server = ServerConfig {
        name: name?.0,
        url: url?.0.1,
        auth,
        audience,
        scopes,
        headers_helper,
        connect_timeout,
        list_timeout,
        call_timeout,
    };
    Some((server, name_at?))
}

pub(super) fn name(value: Value<'_>, report: &mut Report) -> Option<Named> {
    let text = values::text(value, report)?;
    match ServerName::parse(&text) {
        Ok(name) => Some(Named(name)),
        Err(error) => value.refuse(report, &error.to_string()),
    }
}

pub(super) struct Named(pub(super) ServerName);

impl super::shown::Shown for Named {
    fn shown(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

/// As it is written, and as it is understood.
pub(super) struct Address(pub(super) (Box<str>, url::Url));

impl super::shown::Shown for Address {
    fn shown(&self) -> String {
        self.0.0.shown()
    }
}
