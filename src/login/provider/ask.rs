//! What is asked of the provider, in each of the ways to say whom a token is for. Pure.
//!
//! One authorization covers all audiences: a provider that knows resource indicators gets them
//! all at once and is asked for one token each later; Entra ID takes one resource for a request but
//! lets the refresh token serve others; Auth0 does the same with `audience`.

use crate::config::{AudienceBy, IdentityConfig};
use crate::login::Audience;

/// Scopes and further parameters of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) scopes: Vec<Box<str>>,
    pub(super) parameters: Vec<(&'static str, Box<str>)>,
}

/// How many audiences an authorization request names by `resource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resources {
    /// Every one, by repeating the parameter, as RFC 8707 has it.
    All,
    /// The first alone, for providers that accept a single value.
    First,
}

/// The authorization request.
pub(super) fn authorization(
    identity: &IdentityConfig,
    audiences: &[Audience],
    resources: Resources,
) -> Ask {
    let mut ask = Ask::default();
    ask.scope("openid");
    let by_scope = identity.audience_by == AudienceBy::Scope;
    let general = identity.scopes.iter();
    for name in general.filter(|name| !by_scope || is_about_person(name)) {
        ask.scope(name);
    }
    let first = audiences.first();
    match identity.audience_by {
        AudienceBy::Resource => {
            let count = match resources {
                Resources::All => audiences.len(),
                Resources::First => 1,
            };
            for audience in audiences.iter().take(count) {
                ask.parameter("resource", &audience.id);
            }
        }
        AudienceBy::Audience => {
            if let Some(audience) = first {
                ask.parameter("audience", &audience.id);
            }
        }
        AudienceBy::Scope | AudienceBy::None => {}
    }
    if by_scope {
        if let Some(audience) = first {
            ask.scopes(&resource_scopes(identity, audience));
        }
    } else {
        for audience in audiences {
            ask.scopes(&audience.scopes);
        }
    }
    ask
}

/// What the exchange of the code says beside the code: the token is for the first audience.
pub(super) fn exchange(identity: &IdentityConfig, first: Option<&Audience>) -> Ask {
    let mut ask = Ask::default();
    if let (AudienceBy::Resource, Some(audience)) = (identity.audience_by, first) {
        ask.parameter("resource", &audience.id);
    }
    ask
}

/// A refresh for one audience. Without a `scope` the token has what the sign-in granted; only where
/// the scope names the audience must it be sent.
pub(super) fn refresh(identity: &IdentityConfig, audience: &Audience) -> Ask {
    let mut ask = Ask::default();
    match identity.audience_by {
        AudienceBy::Resource => ask.parameter("resource", &audience.id),
        AudienceBy::Audience => ask.parameter("audience", &audience.id),
        AudienceBy::Scope => {
            ask.scope("openid");
            for name in identity.scopes.iter().filter(|name| is_about_person(name)) {
                ask.scope(name);
            }
            ask.scopes(&resource_scopes(identity, audience));
        }
        AudienceBy::None => {}
    }
    ask
}

/// The scopes that a refresh for the audience asks for, said or unsaid: what an answer without
/// `scope` grants.
pub(super) fn refreshed_scopes(identity: &IdentityConfig, audience: &Audience) -> Vec<Box<str>> {
    let sent = refresh(identity, audience).scopes;
    if !sent.is_empty() {
        return sent;
    }
    let mut unsaid = Ask::default();
    unsaid.scopes(&identity.scopes);
    unsaid.scopes(&audience.scopes);
    unsaid.scopes
}

impl Ask {
    fn scope(&mut self, name: &str) {
        if !self.scopes.iter().any(|known| &**known == name) {
            self.scopes.push(name.into());
        }
    }

    fn scopes(&mut self, names: &[Box<str>]) {
        for name in names {
            self.scope(name);
        }
    }

    fn parameter(&mut self, name: &'static str, value: &str) {
        let pair = (name, value.into());
        if !self.parameters.contains(&pair) {
            self.parameters.push(pair);
        }
    }
}

/// The scopes of the sign-in and the audience's own, each with the audience before its name, as
/// Entra ID has them; one that names an audience already stays as it is. Without any, all that was
/// consented to (`/.default` is Entra ID's word for it).
fn resource_scopes(identity: &IdentityConfig, audience: &Audience) -> Vec<Box<str>> {
    let general = identity.scopes.iter().filter(|name| !is_about_person(name));
    let all = general.chain(&audience.scopes);
    let mut named: Vec<Box<str>> = all.map(|name| qualified(name, &audience.id)).collect();
    if named.is_empty() {
        named.push(qualified(".default", &audience.id));
    }
    named
}

fn qualified(name: &str, audience: &str) -> Box<str> {
    if name.contains('/') {
        return name.into();
    }
    format!("{audience}/{name}").into()
}

/// Scopes of OpenID Connect itself, which are for no audience.
fn is_about_person(scope: &str) -> bool {
    matches!(
        scope,
        "openid" | "profile" | "email" | "address" | "phone" | "offline_access"
    )
}
