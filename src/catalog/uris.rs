//! Which server a resource URI belongs to.
//!
//! URIs pass unchanged where they lead to the server that they came from. Where another server
//! offers the same one, it is shown as `chaperone://server/<percent-encoded>`. Of a template only
//! the beginning changes, `chaperone://server/<template>`, because what is filled in must reach the
//! server as it is: a colon that is not encoded tells the two apart.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::name::ServerName;

use super::Lists;

const SCHEME: &str = "chaperone://";

/// The listed URIs and templates of all servers.
#[derive(Debug, Default)]
pub(super) struct Uris {
    servers: Vec<ServerName>,
    /// The first server that offers a URI or a template.
    owners: HashMap<Box<str>, usize>,
    /// Templates in the order of the servers.
    templates: Vec<(Box<str>, usize)>,
    /// Whether more than one server has any.
    mixed: bool,
}

impl Uris {
    pub(super) fn of(servers: &[(ServerName, Option<Lists>)]) -> Self {
        let mut uris = Self {
            servers: servers.iter().map(|(name, _)| name.clone()).collect(),
            ..Self::default()
        };
        for (place, (_, lists)) in servers.iter().enumerate() {
            let Some(lists) = lists else { continue };
            for listed in lists.resources.iter().chain(lists.templates.iter()) {
                let first = uris.owners.values().next();
                uris.mixed |= first.is_some_and(|first| *first != place);
                uris.owners.entry(listed.uri.clone()).or_insert(place);
            }
            let templates = lists.templates.iter();
            uris.templates
                .extend(templates.map(|template| (template.uri.clone(), place)));
        }
        uris
    }

    /// The place of the server, and its own URI.
    pub(super) fn locate(&self, uri: &str) -> Option<(usize, Box<str>)> {
        if let Some(found) = self.unalias(uri) {
            return Some(found);
        }
        Some((self.owner(uri)?, uri.into()))
    }

    fn owner(&self, uri: &str) -> Option<usize> {
        if let Some(place) = self.owners.get(uri) {
            return Some(*place);
        }
        let mut templates = self.templates.iter();
        let (_, place) = templates.find(|(template, _)| template_fits(template, uri))?;
        Some(*place)
    }

    fn unalias(&self, uri: &str) -> Option<(usize, Box<str>)> {
        let (server, own) = uri.strip_prefix(SCHEME)?.split_once('/')?;
        let mut servers = self.servers.iter();
        let place = servers.position(|known| known.as_str() == server)?;
        if own.contains(':') {
            return Some((place, own.into()));
        }
        let own = percent_decode_str(own).decode_utf8().ok()?;
        Some((place, own.into()))
    }

    /// What hosts call a URI of the server.
    pub(super) fn exposed<'a>(&self, place: usize, uri: &'a str) -> Cow<'a, str> {
        let is_ours = self.owner(uri).is_none_or(|owner| owner == place);
        if is_ours && !uri.starts_with(SCHEME) {
            return uri.into();
        }
        let encoded = utf8_percent_encode(uri, NON_ALPHANUMERIC);
        format!("{SCHEME}{}/{encoded}", self.servers[place]).into()
    }

    /// What hosts call a template of the server.
    pub(super) fn exposed_template<'a>(&self, place: usize, template: &'a str) -> Cow<'a, str> {
        match self.owners.get(template) {
            Some(owner) if *owner != place => {
                format!("{SCHEME}{}/{template}", self.servers[place]).into()
            }
            Some(_) | None => template.into(),
        }
    }

    /// Whether some URI may be shown under another name.
    pub(super) fn has_aliases(&self) -> bool {
        self.mixed || self.owners.keys().any(|uri| uri.starts_with(SCHEME))
    }
}

/// Whether a URI could come from a template (RFC 6570): the literal parts stand in it in order, at
/// its beginning and its end where the template has them. Expressions may be anything.
fn template_fits(template: &str, uri: &str) -> bool {
    let mut rest = uri;
    let mut parts = template.split('{');
    let Some(after) = parts.next().and_then(|first| rest.strip_prefix(first)) else {
        return false;
    };
    rest = after;
    let mut open_end = false;
    for part in parts {
        let Some((_, literal)) = part.split_once('}') else {
            return false;
        };
        open_end = literal.is_empty();
        let Some(found) = rest.find(literal) else {
            return false;
        };
        rest = &rest[found + literal.len()..];
    }
    open_end || rest.is_empty() || template.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_fit_what_they_could_have_made() {
        for (template, uri, fits) in [
            ("file:///{path}", "file:///a/b", true),
            ("demo://resource/{id}/text", "demo://resource/7/text", true),
            ("demo://resource/{id}/text", "demo://resource/7/blob", false),
            ("demo://resource/{id}", "other://resource/7", false),
            ("demo://{a}/x/{b}", "demo://1/x/2", true),
        ] {
            assert_eq!(template_fits(template, uri), fits, "{template} {uri}");
        }
    }
}
