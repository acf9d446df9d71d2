//! The address on this machine that the provider sends the browser back to (RFC 8252).
//!
//! Every program and every web page on the machine can reach it, so it believes nothing: one path,
//! one host, navigations only, little patience, and nothing but the right `state` ends the wait.
//! A wrong one does not, or any page could cancel a sign-in. Nothing of a request is repeated.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::page::{self, Page, Refusal};
use super::provider::Callback;

mod request;

use request::{Request, read};

/// Registered with the provider; RFC 8252 lets the port vary, not the path.
const CALLBACK: &str = "/callback";
/// Where the browser goes on to, so that its history does not keep the code.
const DONE: &str = "/done";
const FAILED: &str = "/failed";
/// Connections served at once; more wait in the system's queue.
const CONNECTION_LIMIT: usize = 8;
/// How long one connection may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last page waits to be fetched.
const PAGE_PATIENCE: Duration = Duration::from_secs(2);
/// How many callbacks with a wrong state it takes to give up.
const FOREIGN_LIMIT: u32 = 20;
/// How often a pair of free ports is looked for.
const PAIR_ATTEMPTS: usize = 8;

/// A bound address; dropping it closes it.
#[derive(Debug)]
pub struct Loopback {
    listeners: Vec<TcpListener>,
    redirect: Url,
}

/// The callback of this sign-in, and the browser that waits for what becomes of it.
#[derive(Debug)]
pub struct Arrival {
    /// What the provider says.
    pub callback: Callback,
    /// The open connection.
    pub browser: Browser,
}

/// A browser that waits for an answer.
#[derive(Debug)]
pub struct Browser(TcpStream);

/// What the person is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The sign-in is complete.
    SignedIn,
    /// It is not.
    Failed,
}

/// Why there is no callback.
#[derive(Debug, thiserror::Error)]
pub enum LoopbackError {
    /// The configured port is not free. Another one would not be registered with the provider.
    #[error(
        "port {port} is in use by another program; close it, or set another redirect_port in \
         [identity] and at the provider"
    )]
    Taken {
        /// `redirect_port` of the configuration.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no address.
    #[error("no port of this machine can be opened for the sign-in")]
    Bind(#[source] io::Error),
    /// A host that is not this machine.
    #[error("redirect_host must be 127.0.0.1 or localhost")]
    Host,
    /// Somebody keeps sending callbacks that are not of this sign-in.
    #[error("{FOREIGN_LIMIT} answers came that are not of this sign-in, so it was given up")]
    Foreign,
}

impl Loopback {
    /// Binds the address; port 0 is any free one. Nobody can take it before the browser opens.
    pub async fn bind(host: &str, port: u16) -> Result<Self, LoopbackError> {
        let bound = match host {
            "127.0.0.1" => bind_v4(port).await.map(|listener| vec![listener]),
            "localhost" => bind_pair(port).await,
            _ => return Err(LoopbackError::Host),
        };
        let listeners = bound.map_err(|source| {
            if source.kind() == io::ErrorKind::AddrInUse && port != 0 {
                LoopbackError::Taken { port, source }
            } else {
                LoopbackError::Bind(source)
            }
        })?;
        let bound = listeners.first().map_or(Ok(port), |listener| {
            listener.local_addr().map(|address| address.port())
        });
        let bound = bound.map_err(LoopbackError::Bind)?;
        let redirect = Url::parse(&format!("http://{host}:{bound}{CALLBACK}"));
        Ok(Self {
            listeners,
            redirect: redirect.or(Err(LoopbackError::Host))?,
        })
    }

    /// The redirect URI of the authorization request.
    #[must_use]
    pub fn redirect(&self) -> &Url {
        &self.redirect
    }

    /// Waits for the callback whose `state` is ours, as long as it takes.
    pub async fn wait(&self, is_ours: impl Fn(&str) -> bool) -> Result<Arrival, LoopbackError> {
        let mut visits = Visits::of(self);
        let mut foreign = 0;
        while foreign < FOREIGN_LIMIT {
            let (request, browser) = visits.next().await;
            if request.path != CALLBACK {
                browser.show(Page::Refused(Refusal::NotFound)).await;
                continue;
            }
            match request.callback {
                Some(callback) if callback.state.as_deref().is_some_and(&is_ours) => {
                    return Ok(Arrival { callback, browser });
                }
                Some(_) | None => foreign += 1,
            }
            browser.show(Page::Refused(Refusal::BadRequest)).await;
        }
        Err(LoopbackError::Foreign)
    }

    /// Tells the browser how it ended, shows the page, and closes the address.
    pub async fn finish(self, browser: Browser, ending: Ending) {
        let (path, page) = match ending {
            Ending::SignedIn => (DONE, Page::Done),
            Ending::Failed => (FAILED, Page::Failed),
        };
        browser.answer(&page::see_other(path)).await;
        let show = async {
            let mut visits = Visits::of(&self);
            loop {
                let (request, browser) = visits.next().await;
                if request.path == path {
                    return browser.show(page).await;
                }
                browser.show(Page::Refused(Refusal::NotFound)).await;
            }
        };
        // A browser that does not come for its page has lost nothing.
        let _ = tokio::time::timeout(PAGE_PATIENCE, show).await;
    }

    async fn accept(&self) -> TcpStream {
        loop {
            let accepted = poll_fn(|context| {
                for listener in &self.listeners {
                    if let Poll::Ready(accepted) = listener.poll_accept(context) {
                        return Poll::Ready(accepted);
                    }
                }
                Poll::Pending
            });
            match accepted.await {
                Ok((stream, _)) => return stream,
                // Out of descriptors, or the other side is gone already: neither is for ever.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Reads one request; `None` when there was none or it was refused.
    async fn visit(&self, mut stream: TcpStream) -> Option<(Request, Browser)> {
        let request = tokio::time::timeout(PATIENCE, read(&mut stream, &self.redirect)).await;
        let browser = Browser(stream);
        match request.ok()? {
            Ok(request) => Some((request, browser)),
            Err(None) => None,
            Err(Some(refusal)) => {
                browser.show(Page::Refused(refusal)).await;
                None
            }
        }
    }
}

/// Connections whose requests are read side by side, a few at a time and each for a while.
struct Visits<'a> {
    loopback: &'a Loopback,
    open: FuturesUnordered<BoxFuture<'a, Option<(Request, Browser)>>>,
}

impl<'a> Visits<'a> {
    fn of(loopback: &'a Loopback) -> Self {
        Self {
            loopback,
            open: FuturesUnordered::new(),
        }
    }

    async fn next(&mut self) -> (Request, Browser) {
        loop {
            tokio::select! {
                stream = self.loopback.accept(), if self.open.len() < CONNECTION_LIMIT => {
                    self.open.push(self.loopback.visit(stream).boxed());
                }
                Some(ended) = self.open.next(), if !self.open.is_empty() => {
                    if let Some(visit) = ended {
                        return visit;
                    }
                }
            }
        }
    }
}

impl Browser {
    /// Sends the browser to another sign-in page, for a callback that is still to come.
    pub async fn send_to(self, url: &Url) {
        self.answer(&page::see_other(url.as_str())).await;
    }

    async fn show(self, page: Page) {
        self.answer(&page::answer(page)).await;
    }

    /// A browser that has gone needs no answer.
    async fn answer(mut self, answer: &str) {
        let write = async {
            self.0.write_all(answer.as_bytes()).await?;
            self.0.shutdown().await
        };
        let _ = tokio::time::timeout(PATIENCE, write).await;
    }
}

fn bind_v4(port: u16) -> impl Future<Output = io::Result<TcpListener>> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// Binds both meanings of `localhost`, where the machine has both: what nobody binds, another
/// program could, and browsers may try that one first.
async fn bind_pair(port: u16) -> io::Result<Vec<TcpListener>> {
    let mut attempts = PAIR_ATTEMPTS;
    loop {
        let v4 = bind_v4(port).await?;
        let bound = v4.local_addr()?.port();
        attempts -= 1;
        match TcpListener::bind((Ipv6Addr::LOCALHOST, bound)).await {
            Ok(v6) => return Ok(vec![v4, v6]),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if port != 0 || attempts == 0 {
                    return Err(error);
                }
            }
            Err(_) => return Ok(vec![v4]),
        }
    }
}

#[cfg(test)]
mod tests;
