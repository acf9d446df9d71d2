//! Which server a resource URI belongs to.
//!
//! URIs pass unchanged. Where two servers offer the same one, the later server's is shown as
//! `chaperone://server/<percent-encoded>`, and reading that name leads back to it.

use std::borrow::Cow;
use std::collections::HashMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::name::ServerName;

use super::Lists;

const SCHEME: &str = "chaperone://";

/// The listed URIs and templates of all servers.
#[derive(Debug, Default)]
pub(super) struct Uris {
    /// The first server that offers a URI.
    owners: HashMap<Box<str>, usize>,
    /// Templates in the order of the servers.
    templates: Vec<(Box<str>, usize)>,
    /// What each later server calls by a URI that an earlier one owns.
    aliased: HashMap<Box<str>, (usize, Box<str>)>,
}

impl Uris {
    pub(super) fn of(servers: &[(ServerName, Option<Lists>)]) -> Self {
        let mut uris = Self::default();
        for (place, (name, lists)) in servers.iter().enumerate() {
            let Some(lists) = lists else { continue };
            for listed in lists.resources.iter().chain(lists.templates.iter()) {
                let owner = *uris.owners.entry(listed.uri.clone()).or_insert(place);
                if owner != place {
                    let alias = alias(name, &listed.uri);
                    uris.aliased
                        .insert(alias.into(), (place, listed.uri.clone()));
                }
            }
            let templates = lists
                .templates
                .iter()
                .map(|template| (template.uri.clone(), place));
            uris.templates.extend(templates);
        }
        uris
    }

    /// The place of the server, and its own URI.
    pub(super) fn locate(&self, uri: &str) -> Option<(usize, Box<str>)> {
        if let Some((place, own)) = self.aliased.get(uri) {
            return Some((*place, own.clone()));
        }
        if let Some(place) = self.owners.get(uri) {
            return Some((*place, uri.into()));
        }
        let mut templates = self.templates.iter();
        let (_, place) = templates.find(|(template, _)| template_fits(template, uri))?;
        Some((*place, uri.into()))
    }

    pub(super) fn exposed<'a>(
        &self,
        place: usize,
        server: &ServerName,
        uri: &'a str,
    ) -> Cow<'a, str> {
        match self.owners.get(uri) {
            Some(owner) if *owner != place => alias(server, uri).into(),
            Some(_) | None => uri.into(),
        }
    }

    pub(super) fn has_aliases(&self, place: usize) -> bool {
        self.aliased.values().any(|(server, _)| *server == place)
    }
}

fn alias(server: &ServerName, uri: &str) -> String {
    format!(
        "{SCHEME}{server}/{}",
        utf8_percent_encode(uri, NON_ALPHANUMERIC)
    )
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
