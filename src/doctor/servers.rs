//! The servers: whether each is reached, and speaks MCP with whoever is signed in.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::clocks::Peer;
use super::{Check, silence, within};
use crate::app::App;
use crate::clock::SystemClock;
use crate::codes::Code;
use crate::config::{Config, ServerAuth, ServerConfig};
use crate::upstream::{Eras, Health, Http, Listing, Upstream};
use crate::wire::{Object, Raw};
use crate::wording::chain;

/// One check for each server, with the names of its tools; all are asked at once.
pub(super) async fn look(
    app: &App,
    config: &Config,
    http: &Http,
    peers: &[Arc<Peer>],
    is_signed_in: bool,
) -> Vec<(Check, Option<Vec<Box<str>>>)> {
    let eras = Eras::kept_in(app.paths.servers_dir(), Arc::new(SystemClock::new()));
    let eras = &eras;
    let asked = config.servers.iter().map(|server| async move {
        let id = format!("server.{}", server.name);
        let peer = peers
            .iter()
            .find(|peer| *peer.name == *server.name.as_str());
        if let Some(Err(why)) = peer.map(|peer| &peer.answer) {
            return (unreachable(&id, server, why), None);
        }
        if server.auth == ServerAuth::Sso && !is_signed_in {
            let status = peer.and_then(|peer| peer.answer.as_ref().ok());
            let status = status.map(|status| format!(" (HTTP {status})"));
            let detail = format!(
                "{} answers{}; whether it speaks MCP with you shows when you are signed in",
                server.url,
                status.unwrap_or_default()
            );
            return (Check::note(&id, &detail), None);
        }
        speaking(app, &id, server, http, eras).await
    });
    futures_util::future::join_all(asked).await
}

async fn speaking(
    app: &App,
    id: &str,
    server: &ServerConfig,
    http: &Http,
    eras: &Eras,
) -> (Check, Option<Vec<Box<str>>>) {
    let (told, _unheard) = mpsc::unbounded_channel();
    let (http, session) = (http.clone(), app.session.clone());
    let upstream = Upstream::new(server.clone(), http, session, told, &app.tasks, eras);
    let listed = within(upstream.list(Listing::Tools)).await;
    let health = upstream.health();
    upstream.close().await;
    let tools = match listed {
        Some(Ok(tools)) => tools,
        Some(Err(error)) => return (unreachable(id, server, &chain(&error)), None),
        None => return (unreachable(id, server, &silence()), None),
    };
    let speaks = match health {
        Health::Up { revision, .. } => format!("speaks MCP {revision}"),
        Health::Unused | Health::Down { .. } => "answers".to_owned(),
    };
    let detail = format!("{} {speaks}, {} tools", server.url, tools.len());
    let names = tools.iter().filter_map(name);
    (Check::ok(id, &detail), Some(names.collect()))
}

/// The name of a tool in a list.
fn name(tool: &Raw) -> Option<Box<str>> {
    let tool = Object::of(tool, &[]).ok()?;
    Some(tool.string("name").ok()??.into())
}

fn unreachable(id: &str, server: &ServerConfig, why: &str) -> Check {
    let detail = format!("{}: {why}", server.url);
    let fix = "compare `url` and `audience` in the configuration; else ask whoever runs it";
    Check::failed(id, Code::ServerUnreachable, &detail, fix)
}
