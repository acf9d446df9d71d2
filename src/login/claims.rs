//! Roles and e-mail from the claims of a verified token. Pure; verifying is `provider`'s.
//!
//! Nothing here has a default: a token that does not say which roles a person has is a refusal with
//! its reason, never a person without roles and never a person with some.

use serde_json::{Map, Value};

use crate::config::ClaimPath;
use crate::principal::Roles;

/// The payload of a token.
pub type ClaimSet = Map<String, Value>;

/// More roles than anybody has; such a claim is a mistake or an attack.
const ROLE_LIMIT: usize = 1000;

/// Why a token does not tell the roles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// None of the configured claims is there.
    #[error(
        "the token says nothing about roles: it has none of the claims {0}; the provider must put \
         one of them into its tokens, or roles_claim in [identity] must name the one it uses"
    )]
    Missing(Box<str>),
    /// The claim is there but is no list of texts.
    #[error(
        "the claim {claim} must be a list of texts and is {found}; roles_claim in [identity] must \
         name the claim that lists the roles"
    )]
    WrongType {
        /// The claim as the configuration writes it.
        claim: Box<str>,
        /// What it is instead.
        found: &'static str,
    },
    /// Entra ID left the groups out because there are too many.
    #[error(
        "the person is in too many groups for one token, so the provider left {0} out; emit app \
         roles, or only the groups assigned to the application"
    )]
    Overage(Box<str>),
    /// More than anybody has.
    #[error("the claim {claim} lists {count} roles; at most {ROLE_LIMIT} are accepted")]
    TooMany {
        /// The claim as the configuration writes it.
        claim: Box<str>,
        /// How many it lists.
        count: usize,
    },
}

/// Returns the roles that the first of the configured claims lists.
pub fn roles(claims: &ClaimSet, paths: &[ClaimPath]) -> Result<Roles, ClaimsError> {
    for path in paths {
        if let Some(value) = find(claims, path)? {
            return listed(value, path);
        }
        if left_out(claims, path) {
            return Err(ClaimsError::Overage(written(path)));
        }
    }
    let names: Vec<_> = paths.iter().map(written).collect();
    Err(ClaimsError::Missing(names.join(", ").into()))
}

/// Returns the address for display: `email`, else a `preferred_username` that is one.
#[must_use]
pub fn email(claims: &ClaimSet) -> Option<Box<str>> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    text("email")
        .filter(|email| !email.is_empty())
        .or_else(|| text("preferred_username").filter(|name| name.contains('@')))
        .map(Into::into)
}

/// Follows the path; absent is `None`, a step into something that is no object is an error.
fn find<'a>(claims: &'a ClaimSet, path: &ClaimPath) -> Result<Option<&'a Value>, ClaimsError> {
    let Some((last, above)) = path.0.split_last() else {
        return Ok(None);
    };
    let mut object = claims;
    for (depth, step) in above.iter().enumerate() {
        match object.get(&**step) {
            None => return Ok(None),
            Some(Value::Object(inner)) => object = inner,
            Some(other) => {
                return Err(ClaimsError::WrongType {
                    claim: path.0[..=depth].join(".").into(),
                    found: kind(other),
                });
            }
        }
    }
    Ok(object.get(&**last))
}

fn listed(value: &Value, path: &ClaimPath) -> Result<Roles, ClaimsError> {
    let wrong = |found| ClaimsError::WrongType {
        claim: written(path),
        found,
    };
    let Value::Array(items) = value else {
        return Err(wrong(kind(value)));
    };
    if items.len() > ROLE_LIMIT {
        return Err(ClaimsError::TooMany {
            claim: written(path),
            count: items.len(),
        });
    }
    items
        .iter()
        .map(|item| {
            item.as_str()
                .ok_or_else(|| wrong("a list with other things"))
        })
        .collect()
}

/// Whether the provider says that the claim exists but is not in the token (OpenID Connect Core
/// 5.6.2; Entra ID's `hasgroups`).
fn left_out(claims: &ClaimSet, path: &ClaimPath) -> bool {
    let Some(first) = path.0.first() else {
        return false;
    };
    let named_elsewhere = claims
        .get("_claim_names")
        .and_then(Value::as_object)
        .is_some_and(|names| names.contains_key(&**first));
    let has_groups = matches!(
        claims.get("hasgroups"),
        Some(Value::Bool(true) | Value::String(_))
    );
    named_elsewhere || (&**first == "groups" && has_groups)
}

fn written(path: &ClaimPath) -> Box<str> {
    path.0.join(".").into()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn paths() -> Vec<ClaimPath> {
        [&["realm_access", "roles"][..], &["roles"], &["groups"]]
            .map(|path| ClaimPath(path.iter().map(|&step| step.into()).collect()))
            .into()
    }

    #[track_caller]
    fn check(claims: Value, expected: Result<&[&str], ClaimsError>) {
        let Value::Object(claims) = claims else {
            panic!("claims are an object");
        };
        let expected = expected.map(|roles| roles.iter().copied().collect::<Roles>());
        assert_eq!(roles(&claims, &paths()), expected);
    }

    fn wrong(claim: &str, found: &'static str) -> ClaimsError {
        ClaimsError::WrongType {
            claim: claim.into(),
            found,
        }
    }

    #[test]
    fn the_first_claim_that_is_present_counts() {
        check(
            json!({"roles": ["a", "b"], "groups": ["c"]}),
            Ok(&["a", "b"]),
        );
        check(
            json!({"groups": ["c"], "realm_access": {"roles": ["k"]}}),
            Ok(&["k"]),
        );
        check(json!({"groups": ["c"], "realm_access": {}}), Ok(&["c"]));
        check(json!({"roles": [], "groups": ["c"]}), Ok(&[]));
    }

    #[test]
    fn a_claim_of_the_wrong_type_is_refused_and_not_passed_over() {
        let groups = json!(["c"]);
        for (value, found) in [
            (json!("admin"), "a text"),
            (json!("a b"), "a text"),
            (json!(null), "null"),
            (json!({"admin": true}), "an object"),
            (json!(["a", 1]), "a list with other things"),
        ] {
            check(
                json!({"roles": value, "groups": groups}),
                Err(wrong("roles", found)),
            );
        }
        check(
            json!({"realm_access": "x", "roles": ["a"]}),
            Err(wrong("realm_access", "a text")),
        );
    }

    #[test]
    fn no_claim_at_all_is_refused_with_the_names_that_were_looked_for() {
        let missing = ClaimsError::Missing("realm_access.roles, roles, groups".into());
        check(json!({"sub": "alice"}), Err(missing));
    }

    #[test]
    fn groups_that_were_left_out_are_refused_unless_an_earlier_claim_is_there() {
        let overage = || Err(ClaimsError::Overage("groups".into()));
        let names = json!({"groups": "src1"});
        check(json!({"_claim_names": names}), overage());
        check(json!({"hasgroups": true}), overage());
        check(json!({"_claim_names": names, "roles": ["a"]}), Ok(&["a"]));
    }

    #[test]
    fn more_roles_than_anybody_has_are_refused() {
        let many: Vec<_> = (0..1001).map(|n| n.to_string()).collect();
        let too_many = ClaimsError::TooMany {
            claim: "roles".into(),
            count: 1001,
        };
        check(json!({"roles": many}), Err(too_many));
    }

    #[test]
    fn the_address_is_the_email_or_a_user_name_that_is_one() {
        let address = |claims: Value| email(claims.as_object().unwrap());
        let both = json!({"email": "a@x", "preferred_username": "b@x"});
        assert_eq!(address(both).as_deref(), Some("a@x"));
        let name = json!({"preferred_username": "b@x"});
        assert_eq!(address(name).as_deref(), Some("b@x"));
        assert_eq!(address(json!({"preferred_username": "bob"})), None);
        assert_eq!(address(json!({"email": 7})), None);
    }
}
