//! What a client can do for a server: `capabilities` of `initialize`, or those that a request carries.

use super::object::Object;
use super::raw::Raw;

/// Asks the person something.
const ELICITATION: &str = "elicitation";
/// Tasks of revision 2025-11-25, which belong to one session and are not passed on.
const TASKS: &str = "tasks";

/// What a host can do, in its own words.
#[derive(Debug, Clone, PartialEq)]
pub struct Abilities(Raw);

impl Default for Abilities {
    /// Nothing.
    fn default() -> Self {
        Self(Raw::empty_object())
    }
}

impl Abilities {
    /// Reads `capabilities`. What cannot be read is nothing that could be relied on.
    #[must_use]
    pub fn of(capabilities: &Raw) -> Self {
        match Object::of(capabilities, &[]) {
            Ok(object) if object.get(TASKS).is_some() => Self(object.without(&[TASKS])),
            Ok(_) => Self(capabilities.clone()),
            Err(_) => Self::default(),
        }
    }

    /// As JSON.
    #[must_use]
    pub fn as_raw(&self) -> &Raw {
        &self.0
    }

    /// Whether it can be asked anything at all.
    #[must_use]
    pub fn any(&self) -> bool {
        Object::of(&self.0, &[]).is_ok_and(|all| {
            let mut asked = super::method::OF_SERVERS.iter();
            asked.any(|(_, ability)| all.get(ability).is_some())
        })
    }

    /// Whether it can be asked this. Forms are what `elicitation` without a mode means.
    #[must_use]
    pub fn allow(&self, method: &str, params: Option<&Raw>) -> bool {
        let Some(ability) = super::method::ability(method) else {
            return false;
        };
        let Ok(all) = Object::of(&self.0, &[]) else {
            return false;
        };
        let Some(said) = all.get(ability) else {
            return false;
        };
        ability != ELICITATION || mode_fits(said, params)
    }

    /// What `other` adds to this, if anything; both together.
    #[must_use]
    pub fn grown_by(&self, other: &Self) -> Option<Self> {
        let (own, more) = (
            Object::of(&self.0, &[]).ok()?,
            Object::of(&other.0, &[]).ok()?,
        );
        let differs = |(key, value): &(&str, &Raw)| own.get(key) != Some(value);
        let added: Vec<_> = more.iter().filter(differs).collect();
        if added.is_empty() {
            return None;
        }
        let added: Vec<_> = added
            .into_iter()
            .map(|(key, value)| (key, value.clone()))
            .collect();
        Some(Self(own.with_all(&added)))
    }
}

fn mode_fits(said: &Raw, params: Option<&Raw>) -> bool {
    let Ok(said) = Object::of(said, &[]) else {
        return false;
    };
    let params = params.and_then(|params| Object::of(params, &[]).ok());
    let mode = params
        .as_ref()
        .and_then(|params| params.string("mode").ok().flatten());
    match mode.as_deref() {
        None | Some("form") => said.get("form").is_some() || said.get("url").is_none(),
        Some(mode) => said.get(mode).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abilities(text: &str) -> Abilities {
        Abilities::of(&Raw::parse(text).unwrap())
    }

    fn can(said: &str, method: &str, params: &str) -> bool {
        abilities(said).allow(method, Some(&Raw::parse(params).unwrap()))
    }

    #[test]
    fn a_host_is_asked_what_it_can_do() {
        let (form, url) = (r#"{"mode":"form"}"#, r#"{"mode":"url"}"#);
        for (said, params, fits) in [
            (r#"{"elicitation":{}}"#, "{}", true),
            (r#"{"elicitation":{}}"#, form, true),
            (r#"{"elicitation":{}}"#, url, false),
            (r#"{"elicitation":{"form":{},"url":{}}}"#, url, true),
            (r#"{"elicitation":{"url":{}}}"#, form, false),
            (r#"{"elicitation":{"url":{}}}"#, "{}", false),
            (r#"{"sampling":{}}"#, "{}", false),
        ] {
            assert_eq!(
                can(said, "elicitation/create", params),
                fits,
                "{said} {params}"
            );
        }
        assert!(can(r#"{"sampling":{}}"#, "sampling/createMessage", "{}"));
        assert!(can(r#"{"roots":{"listChanged":true}}"#, "roots/list", "{}"));
        assert!(!can(r#"{"tools":{}}"#, "tools/call", "{}"));
    }

    #[test]
    fn tasks_of_a_session_are_not_passed_on() {
        let said = abilities(r#"{"tasks":{"list":{}},"roots":{},"extensions":{"a/b":{}}}"#);
        assert_eq!(
            said.as_raw().get(),
            r#"{"roots":{},"extensions":{"a/b":{}}}"#
        );
        assert_eq!(abilities("[]"), Abilities::default());
    }

    #[test]
    fn abilities_grow_and_never_shrink() {
        let first = abilities(r#"{"roots":{}}"#);
        assert_eq!(first.grown_by(&abilities(r#"{"roots":{}}"#)), None);
        assert_eq!(first.grown_by(&Abilities::default()), None);
        let more = first.grown_by(&abilities(r#"{"sampling":{}}"#)).unwrap();
        assert_eq!(more.as_raw().get(), r#"{"roots":{},"sampling":{}}"#);
        assert!(more.any() && !Abilities::default().any());
    }
}
