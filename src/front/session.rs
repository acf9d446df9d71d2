//! What each message of the host does.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::Abortable;
use tokio::io::AsyncRead;
use tokio::sync::{SetOnce, mpsc};

use crate::audit::Agent;
use crate::gateway::{Fault, Host};
use crate::stop::Tasks;
use crate::wire::{Id, Message, Notification, Object, Raw, Request, Response, method};

use super::greeting::Hello;
use super::lines::{Line, Lines};
use super::running::{Place, Running};
use super::{Backend, progress, reply};

/// One host's session.
#[derive(Debug)]
pub(super) struct Session<B> {
    host: Host,
    backend: SetOnce<B>,
    running: Running,
    outbox: mpsc::Sender<Message>,
    tasks: Tasks,
}

impl<B: Backend> Session<B> {
    /// A session that says what it has to say through `outbox`.
    pub(super) fn new(outbox: mpsc::Sender<Message>, tasks: Tasks) -> Self {
        Self {
            host: Host::new(Agent::default(), outbox.clone()),
            backend: SetOnce::new(),
            running: Running::default(),
            outbox,
            tasks,
        }
    }

    /// What answers, once it is built.
    pub(super) fn backend(&self) -> Option<B> {
        self.backend.get().cloned()
    }

    /// Withdraws every running request.
    pub(super) fn withdraw_all(&self) {
        self.running.withdraw_all();
    }

    /// Resolves when no request is running.
    pub(super) async fn emptied(&self) {
        self.running.emptied().await;
    }

    /// Hears the host out, to the end of its input.
    pub(super) async fn read<R, F>(self: &Arc<Self>, mut lines: Lines<R>, backend: F)
    where
        R: AsyncRead + Unpin,
        F: Future<Output = B> + Send + 'static,
    {
        let mut backend = Some(backend);
        loop {
            let reply = match lines.next().await {
                Ok(Some(Line::Text(line))) => self.hear(line),
                Ok(Some(Line::TooLong(limit))) => Some(reply::too_long(limit)),
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, "the host cannot be read");
                    return;
                }
            };
            if let Some(reply) = reply {
                // A host that leaves so much unread is not read either. When it has closed its
                // end, the writer ends the session.
                let _closed = self.outbox.send(Message::Response(reply)).await;
            }
            if let Some(backend) = backend.take() {
                self.build(backend);
            }
        }
    }

    /// Builds what answers, after the writer had its turn.
    fn build(self: &Arc<Self>, backend: impl Future<Output = B> + Send + 'static) {
        let session = Arc::clone(self);
        self.tasks.spawn_until_stop(async move {
            tokio::task::yield_now().await;
            let backend = backend.await;
            // It is built once.
            let _built = session.backend.set(backend.clone());
            backend.welcome(&session.host).await;
        });
    }

    fn hear(self: &Arc<Self>, line: &[u8]) -> Option<Response> {
        match Message::parse(line) {
            Ok(Message::Request(request)) => self.asked(request),
            Ok(Message::Notification(notice)) => {
                self.told(&notice);
                None
            }
            Ok(Message::Response(_)) => {
                tracing::debug!("the host answers what nobody asked");
                None
            }
            Err(malformed) => Some(reply::malformed(malformed)),
        }
    }

    fn told(&self, notice: &Notification) {
        let withdrawn = match (&*notice.method, &notice.params) {
            (method::CANCELLED, Some(params)) => withdrawn(params),
            _ => None,
        };
        if let Some(id) = withdrawn {
            self.running.withdraw(&id);
        }
    }

    /// Answers what is answered from memory, and starts what is not.
    fn asked(self: &Arc<Self>, request: Request) -> Option<Response> {
        match &*request.method {
            method::INITIALIZE => Some(self.greet(request)),
            method::PING => Some(reply::result(request.id, reply::empty())),
            // Newer hosts then open a session in the way of the older revisions.
            method::DISCOVER => {
                let unknown = Err(Fault::UnknownMethod);
                Some(reply::outcome(request.id, &request.method, unknown))
            }
            _ => self.start(request),
        }
    }

    fn greet(&self, request: Request) -> Response {
        let hello = Hello::read(&request.params.unwrap_or_else(reply::empty));
        let outcome = hello.map(|hello| {
            let answer = hello.answer();
            hello
                .agent
                .into_iter()
                .for_each(|agent| self.host.introduce(agent));
            answer
        });
        reply::outcome(request.id, method::INITIALIZE, outcome)
    }

    fn start(self: &Arc<Self>, request: Request) -> Option<Response> {
        let (place, withdrawal) = match self.running.enter(&request.id) {
            Ok(entered) => entered,
            Err(why) => return Some(reply::no_place(request.id, why)),
        };
        let session = Arc::clone(self);
        // Boxed, because starting a task moves it several times.
        let answering = Box::pin(async move { session.run(request, place).await });
        self.tasks.spawn(async move {
            // A withdrawn request has no answer.
            let _withdrawn = Abortable::new(answering, withdrawal).await;
        });
        None
    }

    async fn run(&self, request: Request, place: Place) {
        let Request { id, method, params } = request;
        let params = params.unwrap_or_else(reply::empty);
        let outcome = self.answer(&method, &params).await;
        drop(params);
        let reply = reply::outcome(id, &method, outcome);
        if let Ok(slot) = self.outbox.reserve().await {
            // The host may use the identity again as soon as it has the answer.
            drop(place);
            slot.send(Message::Response(reply));
        }
    }

    async fn answer(&self, method: &str, params: &Raw) -> Result<Raw, Fault> {
        let backend = self.backend.wait().await;
        let Some(token) = progress::wanted(params) else {
            return backend.answer(&self.host, method, params, None).await;
        };
        let (sink, mut told) = mpsc::unbounded_channel();
        let mut answering = pin!(backend.answer(&self.host, method, params, Some(sink)));
        let outcome = loop {
            tokio::select! {
                biased;
                Some(progress) = told.recv() => self.pass_on(&token, progress).await,
                outcome = &mut answering => break outcome,
            }
        };
        while let Ok(progress) = told.try_recv() {
            self.pass_on(&token, progress).await;
        }
        outcome
    }

    /// Tells the host how far its request is; a request that progresses faster than the host reads
    /// waits for it.
    async fn pass_on(&self, token: &Id, progress: Raw) {
        if progress::belongs(&progress, token) {
            let notice = Notification {
                method: method::PROGRESS.into(),
                params: Some(progress),
            };
            // When the host has closed its end, the writer ends the session.
            let _closed = self.outbox.send(Message::Notification(notice)).await;
        } else {
            tracing::debug!("progress of another request");
        }
    }
}

/// The request that a cancellation means.
fn withdrawn(params: &Raw) -> Option<Id> {
    let params = Object::of(params, &["requestId"]).ok()?;
    Id::from_raw(params.get("requestId")?)
}
