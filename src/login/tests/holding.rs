//! Sessions and grants for the tests of other modules, made without a provider.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::paths;
use crate::clock::{Clock, FakeClock};
use crate::config::NetworkConfig;
use crate::login::fields::{Fields, Who};
use crate::login::grant::Life;
use crate::login::keychain::{KeychainError, MemoryStore};
use crate::login::shared::{Held, Place, Standing, locked};
use crate::login::vault::{Contents, Token};
use crate::login::{AccessToken, Audience, Grant, Session};
use crate::principal::{Generation, Identity, Principal, Roles, Scopes};
use crate::stop::Tasks;

impl Session {
    /// Holds the first token for the audience; whoever has that one refused gets the second.
    pub(crate) fn holding(audience: &str, tokens: &[Arc<Grant>], tasks: &Tasks) -> Self {
        let keychain = Arc::new(MemoryStore::default());
        let session = Self::new(
            None,
            &NetworkConfig::default(),
            vec![Audience {
                id: audience.into(),
                scopes: Vec::new(),
            }],
            &paths(std::path::Path::new("/nonexistent")),
            FakeClock::new(),
            tasks,
            keychain.clone(),
        );
        if let Some(first) = tokens.first() {
            let held = held(audience, first, Fields::new(keychain));
            session.shared.publish(Standing::Somebody(Arc::new(held)));
        }
        if let Some(second) = tokens.get(1) {
            let (landing, flight) = oneshot::channel();
            landing.send(Ok(Arc::clone(second))).unwrap();
            locked(&session.shared.flights).join(audience, flight.shared());
        }
        session
    }
}

impl Grant {
    /// A grant with this token, for the person with this subject.
    pub(crate) fn of(token: &str, subject: &str) -> Arc<Self> {
        let principal = Principal {
            identity: identity(subject),
            roles: Roles::default(),
            scopes: Scopes::default(),
            generation: Generation(1),
        };
        let token = Arc::new(AccessToken(token.into()));
        Arc::new(Self::new(Arc::new(principal), token, life()))
    }
}

fn held(audience: &str, grant: &Grant, fields: Fields) -> Held {
    let identity = grant.principal.identity.clone();
    let who = Who {
        identity: identity.clone(),
        client_id: "client".into(),
        generation: Generation(1),
        audiences: None,
    };
    let token = Token {
        access: grant.secret(),
        scopes: Scopes::default(),
        life: life(),
    };
    let contents = Contents {
        verified_until: life().end,
        tokens: BTreeMap::from([(audience.into(), token)]),
        ..Contents::empty(identity, Generation(1))
    };
    let reason = Arc::new(KeychainError::Forgetful);
    Held::new(who, Place::Memory { fields, reason }, contents, None)
}

fn identity(subject: &str) -> Identity {
    Identity {
        issuer: "https://idp".into(),
        subject: subject.into(),
        email: None,
    }
}

fn life() -> Life {
    let begin = FakeClock::new().now();
    let end = begin.after(Duration::from_secs(3600));
    Life { begin, end }
}
