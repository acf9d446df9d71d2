//! Sessions with a provider that rotates strictly, in one process and in many.

mod company;
mod detached;
mod holding;
mod leaving;
mod processes;
mod refreshing;
mod signing_in;
mod store;

use std::sync::Arc;
use std::time::Duration;

use company::Company;
use store::FileStore;

use super::keychain::SecretStore;
use super::provider::{Claims, RefreshToken, Tokens};
use super::{AccessToken, Audience, Session};
use crate::clock::{FakeClock, SystemClock};
use crate::config::{AudienceBy, NetworkConfig};
use crate::paths::Paths;
use crate::principal::{Generation, Identity};
use crate::stop::Tasks;

const ONE: &str = "https://one.example";
const TWO: &str = "https://two.example";

/// A provider, an account's data directory, and what stands in for its keychain.
struct World {
    company: Company,
    clock: Arc<FakeClock>,
    store: FileStore,
    dir: tempfile::TempDir,
    tasks: Tasks,
}

fn audience(id: &str) -> Audience {
    Audience {
        id: id.into(),
        scopes: vec!["mcp:tools:read".into()],
    }
}

fn paths(dir: &std::path::Path) -> Paths {
    Paths {
        config_file: dir.join("chaperone.toml"),
        managed_file: dir.join("managed.toml"),
        data_dir: dir.join("data"),
    }
}

impl World {
    /// On a clock that stands still.
    async fn new() -> Self {
        let clock = FakeClock::new();
        Self::with(Company::start(clock.clone()).await, clock)
    }

    /// On the machine's clock, which other processes share.
    async fn real() -> Self {
        Self::with(
            Company::start(Arc::new(SystemClock::new())).await,
            FakeClock::new(),
        )
    }

    fn with(company: Company, clock: Arc<FakeClock>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            company,
            clock,
            store: FileStore::new(dir.path().join("keychain")),
            dir,
            tasks: Tasks::new(),
        }
    }

    fn paths(&self) -> Paths {
        paths(self.dir.path())
    }

    /// The session as another process would see it.
    fn session(&self) -> Session {
        self.session_with(Arc::new(self.store.clone()))
    }

    fn session_with(&self, store: Arc<dyn SecretStore>) -> Session {
        session(&self.company, &self.paths(), &self.tasks, store)
    }

    fn tokens(&self, expires_in: Duration) -> Tokens {
        tokens(&self.company, expires_in)
    }

    /// Somebody signed in; his first token is for [`ONE`] and lasts five minutes.
    async fn signed_in(&self) -> Session {
        let session = self.session();
        let tokens = self.tokens(Duration::from_secs(300));
        session.install(&tokens, Generation(1)).await.unwrap();
        session
    }
}

fn session(
    company: &Company,
    paths: &Paths,
    tasks: &Tasks,
    store: Arc<dyn SecretStore>,
) -> Session {
    Session::new(
        Some(company.identity(AudienceBy::Resource)),
        &NetworkConfig::default(),
        vec![audience(ONE), audience(TWO)],
        paths,
        company.clock(),
        tasks,
        store,
    )
}

fn tokens(company: &Company, expires_in: Duration) -> Tokens {
    Tokens {
        access: AccessToken("first".into()),
        refresh: Some(RefreshToken(company.refresh_token().into())),
        claims: Some(Claims {
            identity: Identity {
                issuer: company.issuer().into(),
                subject: "alice".into(),
                email: Some("alice@example.test".into()),
            },
            roles: ["developer"].into_iter().collect(),
        }),
        scopes: ["mcp:tools:read"].into_iter().collect(),
        expires: company.clock().now().after(expires_in),
    }
}
