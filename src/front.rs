//! The host's side: newline-delimited JSON-RPC, the session, and requests in flight.
//!
//! What opens a session is answered here, from memory and at once, and so is what asks what is served
//! (MCP 2026-07-28, whose requests stand alone: [`discovery`], [`listening`]); all else goes to a [`Backend`],
//! which is built meanwhile. Reading, writing and every request go on independently: a slow request
//! holds up no other, and none is left behind when the host goes.

mod discovery;
mod greeting;
pub(crate) mod lines;
mod listening;
mod progress;
mod reply;
mod running;
mod session;
mod stdio;
mod writer;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, mpsc};

use crate::bounds::OUTBOX;
use crate::gateway::{Asides, Fault, Gateway, Host};
use crate::stop::Tasks;
use crate::wire::{Message, Notification, Raw};

use lines::Lines;
use session::Session;

pub use lines::LineLimit;
pub use stdio::stdio;

/// What requests get that are running when the host closes its end for writing: enough for whoever
/// pipes a few lines into the program, too little to matter where a host has gone.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long subscriptions may take to say that they are over.
const PARTING: Duration = Duration::from_millis(100);
/// How long what is queued may take to be written when the session ends.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);

/// What answers behind the host's session; clones share it.
pub trait Backend: Clone + Send + Sync + 'static {
    /// Takes the host in, once; requests do not wait for it.
    fn welcome(&self, host: &Host) -> impl Future<Output = ()> + Send;

    /// Hears what the host tells of itself.
    fn told(&self, host: &Host, notice: Notification);

    /// What servers are known to offer beyond the protocol: the name and the settings of each
    /// extension.
    fn extensions(&self) -> Vec<(Box<str>, Raw)>;

    /// Answers a request. Dropping the future withdraws it.
    fn answer(
        &self,
        host: &Host,
        method: &str,
        params: &Raw,
        asides: Option<Asides>,
    ) -> impl Future<Output = Result<Raw, Fault>> + Send;
}

impl Backend for Gateway {
    async fn welcome(&self, host: &Host) {
        Self::welcome(self, host).await;
    }

    fn told(&self, host: &Host, notice: Notification) {
        Self::told(self, host, notice);
    }

    fn extensions(&self) -> Vec<(Box<str>, Raw)> {
        Self::extensions(self)
    }

    async fn answer(
        &self,
        host: &Host,
        method: &str,
        params: &Raw,
        asides: Option<Asides>,
    ) -> Result<Raw, Fault> {
        Self::answer(self, host, method, params, asides).await
    }
}

/// How a host is served.
#[derive(Debug)]
pub struct Options<F> {
    /// The longest line that is read.
    pub line_limit: LineLimit,
    /// Builds the backend. Started when the host's first message has been dealt with, so that a
    /// slow start never delays the answer to `initialize`.
    pub backend: F,
    /// Who waits for the requests, and tells the session to stop.
    pub tasks: Tasks,
}

/// How a session ended.
#[derive(Debug)]
pub struct Ended<B> {
    /// What ended it.
    pub cause: Cause,
    /// What answered, for closing; absent when it was not built yet.
    pub backend: Option<B>,
}

/// What ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The host closed its end for writing, or it cannot be read.
    InputEnded,
    /// The host closed its end for reading.
    OutputClosed,
    /// The program was told to stop.
    Stopped,
}

/// Serves one host until either side ends the session. On return every request is withdrawn and
/// what was answered is written, as far as the host reads.
pub async fn serve<R, W, F>(reader: R, writer: W, options: Options<F>) -> Ended<F::Output>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    F: Future<Output: Backend> + Send + 'static,
{
    let (outbox, inbox) = mpsc::channel::<Message>(OUTBOX);
    let session = Arc::new(Session::new(outbox, options.tasks.clone()));
    let ending = Notify::new();
    let mut writing = pin!(writer::write(writer, inbox, &ending));
    let lines = Lines::new(reader, options.line_limit);
    let mut cause = tokio::select! {
        biased;
        () = options.tasks.stopping() => Cause::Stopped,
        () = &mut writing => Cause::OutputClosed,
        () = session.read(lines, options.backend) => Cause::InputEnded,
    };
    // What is not ended by then is withdrawn.
    let _late = tokio::time::timeout(PARTING, session.end_listening()).await;
    if cause == Cause::InputEnded {
        tokio::select! {
            () = &mut writing => cause = Cause::OutputClosed,
            _late = tokio::time::timeout(LAST_WORDS, session.emptied()) => {}
        }
    }
    session.withdraw_all();
    // What they leave behind goes into the record before the end of the session does.
    let _late = tokio::time::timeout(LAST_WORDS, session.emptied()).await;
    ending.notify_one();
    if cause != Cause::OutputClosed && tokio::time::timeout(FLUSH_LIMIT, writing).await.is_err() {
        tracing::debug!("the host does not read; what was left for it is dropped");
    }
    Ended {
        cause,
        backend: session.backend(),
    }
}

#[cfg(test)]
mod tests;
