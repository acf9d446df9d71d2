//! Puts the parts together, and takes them apart again in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc;

use crate::audit::{Audit, AuditSettings, Device};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, ConfigError, Durability};
use crate::gateway::{Gateway, Setup, audiences};
use crate::login::keychain::{OsKeychain, SecretStore};
use crate::login::{Audience, BeginSession, Session};
use crate::paths::Paths;
use crate::principal::Identity;
use crate::stop::Tasks;
use crate::sync::{self, Courier};
use crate::upstream::{Eras, Http, HttpSetupError, Upstream};
use crate::wording::chain;

/// All parts of the program, ready to use; none has touched network, keychain or log.
#[derive(Debug)]
pub struct App {
    /// Where things lie.
    pub paths: Paths,
    /// The settings, or why there are none.
    pub config: Result<Config, Unusable>,
    /// The person.
    pub session: Session,
    /// The record.
    pub audit: Audit,
    /// Hosts and commands come through here.
    pub gateway: Gateway,
    /// Sends the record elsewhere.
    pub sync: Courier,
    /// Secrets of this account and data directory.
    pub keychain: Arc<OsKeychain>,
    /// Who waits for what runs beside.
    pub tasks: Tasks,
}

/// Why the program cannot do more than say so.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The settings of the network.
    #[error("the network settings cannot be used")]
    Network(#[from] HttpSetupError),
}

impl App {
    /// Reads the configuration and puts the parts together. Without a usable configuration there
    /// are no servers and nobody can sign in, and everything says why.
    #[must_use]
    pub fn open(paths: Paths, tasks: &Tasks) -> Self {
        let config = config::load(&paths);
        Self::with(config, paths, tasks)
    }

    /// The same with a configuration that may not have been written yet.
    #[must_use]
    pub fn with(config: Result<Config, ConfigError>, mut paths: Paths, tasks: &Tasks) -> Self {
        let refused = refused(&config);
        if let Some(dir) = fixed_data_dir(&config, &paths) {
            paths.data_dir = dir;
        }
        let keychain = Arc::new(OsKeychain::new(&paths.data_dir));
        let secrets: Arc<dyn SecretStore> = keychain.clone();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let settings = config.as_ref().ok();
        let network = settings.map(|config| config.network.clone());
        let network = network.unwrap_or_default();
        let http = Http::new(&network);
        let audit = record(settings, &paths, &secrets, &clock);
        let session = Session::new(
            settings.and_then(|config| config.identity.clone()),
            &network,
            settings.map(audiences_of).unwrap_or_default(),
            &paths,
            Arc::clone(&clock),
            tasks,
            Arc::clone(&secrets),
        );
        let session = session.recording(recorder(&audit));
        let sync = Courier::new(sync::Setup {
            sinks: settings
                .map(|config| config.audit.sinks.clone())
                .unwrap_or_default(),
            witnesses: settings
                .map(|config| config.audit.witnesses.clone())
                .unwrap_or_default(),
            paths: paths.clone(),
            audit: audit.clone(),
            session: session.clone(),
            http: http.as_ref().ok().cloned(),
            secrets,
            retention: settings.map_or(Duration::MAX, |config| config.audit.retention),
            spool: settings
                .map(|config| config.audit.spool)
                .unwrap_or_default(),
            clock,
            tasks: tasks.clone(),
        });
        let config = config.map_err(Unusable::from);
        let config = config.and_then(|config| Ok((config, http?)));
        let (config, gateway) = gateway(config, refused, &session, &audit, &sync, &paths, tasks);
        Self {
            paths,
            config,
            session,
            audit,
            gateway,
            sync,
            keychain,
            tasks: tasks.clone(),
        }
    }
}

/// Where the data is to lie, if the administrator says so; also where the rest cannot be used.
fn fixed_data_dir(config: &Result<Config, ConfigError>, paths: &Paths) -> Option<PathBuf> {
    match config {
        Ok(config) => config.data_dir.clone(),
        Err(_) => config::data_dir(paths),
    }
}

/// What settings asked for in vain. Whoever has none yet has asked for nothing.
fn refused(config: &Result<Config, ConfigError>) -> Option<Box<str>> {
    match config {
        Ok(config) if config.refused.is_empty() => None,
        Ok(config) => Some(config.refused.join("\n").into()),
        Err(ConfigError::Missing { .. }) => None,
        Err(error) => Some(format!("the configuration cannot be used:\n{error}").into()),
    }
}

fn record(
    settings: Option<&Config>,
    paths: &Paths,
    secrets: &Arc<dyn SecretStore>,
    clock: &Arc<dyn Clock>,
) -> Audit {
    Audit::open(AuditSettings {
        paths: paths.clone(),
        durability: settings.map_or(Durability::Strict, |config| config.audit.durability),
        redact_keys: settings
            .map(|config| config.audit.redact_keys.clone())
            .unwrap_or_default(),
        secrets: Arc::clone(secrets),
        clock: Arc::clone(clock),
        device: Device::of_system(),
    })
}

/// For whom the person's tokens are: servers, and whatever gets records on his behalf.
fn audiences_of(config: &Config) -> Vec<Audience> {
    let of_servers = audiences(&config.servers);
    of_servers
        .chain(sync::audiences(&config.audit.sinks))
        .collect()
}

/// How a sign-in opens a session in the record.
fn recorder(audit: &Audit) -> BeginSession {
    let audit = audit.clone();
    Arc::new(move |who: Identity| {
        let audit = audit.clone();
        async move { Ok(audit.begin_session(&who).await?) }.boxed()
    })
}

fn gateway(
    config: Result<(Config, Http), Unusable>,
    refused: Option<Box<str>>,
    session: &Session,
    audit: &Audit,
    sync: &Courier,
    paths: &Paths,
    tasks: &Tasks,
) -> (Result<Config, Unusable>, Gateway) {
    let (told, notices) = mpsc::unbounded_channel();
    let prepared = config.map(|(config, http)| {
        let eras = Eras::kept_in(paths.servers_dir(), Arc::new(SystemClock::new()));
        let upstream = |server: &config::ServerConfig| {
            Upstream::new(
                server.clone(),
                http.clone(),
                session.clone(),
                told.clone(),
                tasks,
                &eras,
            )
        };
        let servers = config
            .servers
            .iter()
            .map(|server| (server.clone(), upstream(server)));
        let servers = servers.collect::<Vec<_>>();
        (config, servers)
    });
    let (config, servers) = match prepared {
        Ok((config, servers)) => (Ok(config), servers),
        Err(why) => (Err(why), Vec::new()),
    };
    let settings = config.as_ref().ok();
    let identity = settings.and_then(|config| config.identity.as_ref());
    let setup = Setup {
        servers,
        notices,
        session: session.clone(),
        audit: audit.clone(),
        sync: sync.clone(),
        policy: settings.map(|config| (config.policy_file.clone(), config.policy_trust)),
        scope_names: identity
            .map(|identity| identity.scope_names.clone())
            .unwrap_or_default(),
        list_budget: settings.map_or(Duration::ZERO, |config| config.tools.list_budget),
        name_limit: settings.map_or(48, |config| config.tools.name_limit),
        pin_definitions: settings.is_some_and(|config| config.tools.pin_definitions),
        paths: paths.clone(),
        problem: config.as_ref().err().map(|why| chain(why).into()),
        notes: settings
            .map(|config| config.notes.clone())
            .unwrap_or_default(),
        refused,
        tasks: tasks.clone(),
    };
    (config, Gateway::new(setup))
}
