//! `chaperone serve`: what a host starts.

use std::time::Duration;

#[cfg(unix)]
use futures_util::FutureExt;

use super::failure::{Failure, exit};
use crate::app::App;
use crate::front::{self, LineLimit, Options};
use crate::paths::Paths;
use crate::stop::Tasks;

/// What is left to do when the session has ended may take this long.
const GRACE: Duration = Duration::from_millis(1200);

/// Serves MCP on standard input and output until the host ends the session.
pub fn run(paths: Paths) -> Result<u8, Failure> {
    let runtime = super::runtime()?;
    runtime.block_on(serve(paths));
    // Whatever waits longer for a keychain or a name server is not waited for.
    runtime.shutdown_background();
    Ok(exit::DONE)
}

async fn serve(paths: Paths) {
    let tasks = Tasks::new();
    let line_limit = LineLimit::default();
    let opening = {
        let (tasks, limit) = (tasks.clone(), line_limit.clone());
        async move {
            let theirs = tasks.clone();
            let app = tasks.blocking(move || App::open(paths, &theirs)).await;
            if let Ok(config) = &app.config {
                limit.set(config.tools.line_limit);
                app.sync.start();
            }
            app.gateway
        }
    };
    let (input, output) = match front::stdio() {
        Ok(streams) => streams,
        Err(error) => {
            tracing::error!(%error, "standard input and output cannot be used");
            return;
        }
    };
    let hosts = tasks.child();
    let options = Options {
        line_limit,
        backend: opening,
        tasks: hosts.clone(),
    };
    let serving = front::serve(input, output, options);
    let told = async {
        told_to_stop().await;
        hosts.stop();
        std::future::pending().await
    };
    let ended = tokio::select! {
        ended = serving => ended,
        never = told => never,
    };
    tracing::debug!(cause = ?ended.cause, "the session has ended");
    let closing = async {
        if let Some(gateway) = &ended.backend {
            gateway.close().await;
        }
        tasks.finish(GRACE).await
    };
    // A host that waits is told nothing more; what is on record stays there.
    let _late = tokio::time::timeout(GRACE, closing).await;
}

/// Resolves when the system or a terminal says so.
#[cfg(unix)]
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};

    let signals = [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
    ];
    let mut signals: Vec<_> = signals
        .into_iter()
        .filter_map(|kind| signal(kind).ok())
        .collect();
    let heard = signals.iter_mut().map(|signal| signal.recv().boxed());
    if heard.len() == 0 {
        return std::future::pending().await;
    }
    let _which = futures_util::future::select_all(heard).await;
}

#[cfg(not(unix))]
async fn told_to_stop() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
