//! `[identity]`

use super::document::{Report, Value};
use super::layers::Section;
use super::{AudienceBy, ClaimPath, IdentityConfig, ScopeNames, values};

const AUDIENCE_BY: [(&str, AudienceBy); 4] = [
    ("resource", AudienceBy::Resource),
    ("scope", AudienceBy::Scope),
    ("audience", AudienceBy::Audience),
    ("none", AudienceBy::None),
];

/// Where the callback may be heard; both lead to this machine alone.
const REDIRECT_HOSTS: [(&str, &str); 2] = [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost")];

/// Reads the table; `None` if there is none, or it has a problem.
pub(super) fn read(mut table: Section<'_>, report: &mut Report) -> Option<IdentityConfig> {
    if table.is_absent() {
        report
            .notes
            .push("there is no [identity], so nobody can sign in".into());
        return None;
    }
    let issuer = table.required("issuer", report, |value, report| {
        Some(values::safe_url(value, report)?.0)
    });
    let client_id = table.required("client_id", report, values::text);
    let reserved = reserved(report);
    let identity = IdentityConfig {
        scopes: table.or("scopes", usual_scopes(), report, values::texts),
        roles_claim: table.or_reserved(
            "roles_claim",
            usual_claims(),
            reserved,
            report,
            |value, report| values::list(value, report, claim),
        ),
        redirect_host: table.or(
            "redirect_host",
            "127.0.0.1".into(),
            report,
            |value, report| values::word(value, report, &REDIRECT_HOSTS).map(Into::into),
        ),
        redirect_port: table.or("redirect_port", 0, report, |value, report| {
            values::number(value, report, 0, u16::MAX)
        }),
        audience_by: table.or(
            "audience_by",
            AudienceBy::Resource,
            report,
            |value, report| values::word(value, report, &AUDIENCE_BY),
        ),
        scope_names: scope_names(table.section("scope_names", report), report),
        allow_unadvertised_pkce: table.or_reserved(
            "allow_unadvertised_pkce",
            false,
            reserved,
            report,
            values::boolean,
        ),
        issuer: issuer.clone().unwrap_or_default(),
        client_id: client_id.clone().unwrap_or_default(),
    };
    table.finish(report);
    if identity.allow_unadvertised_pkce {
        let note = "identity.allow_unadvertised_pkce is on: a provider that does not say that it \
                    supports PKCE is accepted";
        report.notes.push(note.into());
    }
    issuer.and(client_id).map(|_| identity)
}

/// Why only the administrator says what is believed of the issuer's word, if he has named it: the claim
/// that holds the roles, checks that can be turned off, certificates.
pub(super) fn reserved(report: &Report) -> Option<&'static str> {
    report
        .is_managed("identity.issuer")
        .then_some("it belongs to identity.issuer, which the administrator has set")
}

fn claim(value: Value<'_>, report: &mut Report) -> Option<ClaimPath> {
    let text = values::text(value, report)?;
    match ClaimPath::parse(&text) {
        Some(path) => Some(path),
        None => value.refuse(
            report,
            "this is a claim such as roles, realm_access.roles or \"\\\"https://a.example/roles\\\"\"",
        ),
    }
}

fn scope_names(mut table: Section<'_>, report: &mut Report) -> ScopeNames {
    let reserved = reserved(report);
    let mut name = |key: &'static str| {
        let usual = Some(key.into());
        let named = table.or_reserved(key, usual, reserved, report, |value, report| {
            let text = values::any_text(value, report)?;
            Some(Some(text).filter(|text| !text.is_empty()))
        });
        if named.is_none() {
            report
                .notes
                .push(format!("the check of the scope {key} is off (scope_names)").into());
        }
        named
    };
    let names = ScopeNames {
        tools_read: name("mcp:tools:read"),
        tools_execute: name("mcp:tools:execute"),
        resources_read: name("mcp:resources:read"),
        admin: name("mcp:admin"),
    };
    table.finish(report);
    names
}

fn usual_scopes() -> Vec<Box<str>> {
    let usual = [
        "openid",
        "profile",
        "email",
        "offline_access",
        "mcp:tools:read",
        "mcp:tools:execute",
    ];
    usual.map(Into::into).into()
}

fn usual_claims() -> Vec<ClaimPath> {
    let claims = ["realm_access.roles", "roles", "groups"];
    claims
        .iter()
        .filter_map(|claim| ClaimPath::parse(claim))
        .collect()
}
