//! The way to others: certificates, keychain, provider, session, servers, clocks; as much at once as
//! does not depend on something else.

use std::sync::Arc;

use super::clocks::{self, Peer};
use super::{Check, Examination, company, servers, silence, within};
use crate::app::App;
use crate::codes::Code;
use crate::config::{Config, NetworkConfig};
use crate::upstream::Http;
use crate::wording::chain;

const NONE: &str = "there is no usable configuration";

pub(super) async fn look(app: &App) -> Examination {
    // Settings of the network that cannot be used are none; `config.loaded` says so.
    let usable = app.config.as_ref().ok();
    let usable = usable.and_then(|config| Some((config, Http::new(&config.network).ok()?)));
    let Some((config, http)) = usable else {
        let keychain = company::keychain(app).await;
        let skipped = [
            "tls.roots",
            "provider.reachable",
            "provider.metadata",
            "session.valid",
            "clock.skew",
        ];
        let skipped = skipped.map(|id| Check::skipped(id, NONE));
        let checks = std::iter::once(keychain).chain(skipped).collect();
        let tools = Vec::new();
        return Examination { checks, tools };
    };
    let keychain_and_session = async {
        let keychain = company::keychain(app).await;
        let session = company::session(app, &keychain).await;
        (keychain, session)
    };
    let (roots, (keychain, session), provider, peers) = tokio::join!(
        roots(app, &http, &config.network),
        keychain_and_session,
        company::provider(app, config),
        peers(app, &http, config),
    );
    let mut checks = vec![roots, clocks::check(&peers)];
    checks.extend(provider);
    checks.extend([keychain, session.check.clone()]);
    let found = servers::look(app, config, &http, &peers, session.is_there).await;
    let (answers, tools): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    checks.extend(answers);
    let names = config.servers.iter().map(|server| server.name.clone());
    let listed = names
        .zip(tools)
        .filter_map(|(name, tools)| Some((name, tools?)));
    let tools = listed.collect();
    Examination { checks, tools }
}

async fn roots(app: &App, http: &Http, network: &NetworkConfig) -> Check {
    const ID: &str = "tls.roots";
    let more = network.ca_file.as_ref();
    let more = more.map(|file| format!(", and those of {}", file.display()));
    let detail = format!("the system's certificates{}", more.unwrap_or_default());
    let fix = "install the system's certificates (ca-certificates), or set ca_file under [network]";
    match within(http.tls(None, &app.tasks)).await {
        Some(Ok(_)) => Check::ok(ID, &detail),
        Some(Err(error)) => Check::failed(ID, Code::TlsRoots, &chain(&error), fix),
        None => Check::failed(ID, Code::TlsRoots, &silence(), fix),
    }
}

/// The provider first, then the servers, in their order.
async fn peers(app: &App, http: &Http, config: &Config) -> Vec<Arc<Peer>> {
    let issuer = config.identity.as_ref().and_then(|identity| {
        let url = url::Url::parse(&identity.issuer).ok()?;
        Some(("the identity provider".into(), url))
    });
    let servers = config.servers.iter();
    let servers = servers.map(|server| (server.name.as_str().into(), server.url.clone()));
    let all = issuer.into_iter().chain(servers);
    let asked = all.map(|(name, url)| clocks::ask(app, http, name, url));
    futures_util::future::join_all(asked).await
}
