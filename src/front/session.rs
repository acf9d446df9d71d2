//! What each message of the host does.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::Abortable;
use tokio::io::AsyncRead;
use tokio::sync::{SetOnce, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audit::Agent;
use crate::codes::Code;
use crate::gateway::host::Sender;
use crate::gateway::{Aside, Asides, Fault, Host};
use crate::stop::Tasks;
use crate::wire::level::Level;
use crate::wire::stateless::{self, Terms};
use crate::wire::{Id, Message, Notification, Object, Raw, Request, Response, code, method};

use super::greeting::Hello;
use super::lines::{Line, Lines};
use super::running::{Place, Running};
use super::{Backend, discovery, greeting, listening, progress, reply};

/// One host's session.
#[derive(Debug)]
pub(super) struct Session<B> {
    host: Host,
    backend: SetOnce<B>,
    running: Running,
    outbox: mpsc::Sender<Message>,
    tasks: Tasks,
    /// Ends the subscriptions.
    ending: CancellationToken,
    subscriptions: TaskTracker,
}

/// How a request is to be answered.
enum Manner {
    /// As one of the host's session.
    InSession,
    /// As one that stands alone, of this sender, with log messages from a level on.
    Alone(Sender, Option<Level>),
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
            ending: CancellationToken::new(),
            subscriptions: TaskTracker::new(),
        }
    }

    /// Where everything goes that the host is to hear.
    pub(super) fn outbox(&self) -> &mpsc::Sender<Message> {
        &self.outbox
    }

    /// Has the subscriptions end in order; resolves when all have said so.
    pub(super) async fn end_listening(&self) {
        self.ending.cancel();
        self.subscriptions.close();
        self.subscriptions.wait().await;
    }

    /// Resolves when the subscriptions are to end.
    pub(super) async fn ending(&self) {
        self.ending.cancelled().await;
    }

    /// What answers, as soon as it is built.
    pub(super) async fn backend_when_built(&self) -> B {
        self.backend.wait().await.clone()
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
                self.told(notice);
                None
            }
            Ok(Message::Response(answer)) => {
                if !self.host.answered(answer) {
                    tracing::debug!("the host answers what nobody asks any more");
                }
                None
            }
            Err(malformed) => Some(reply::malformed(malformed)),
        }
    }

    fn told(&self, notice: Notification) {
        if *notice.method == *method::CANCELLED {
            if let Some(id) = notice.params.as_ref().and_then(withdrawn) {
                self.running.withdraw(&id);
            }
        } else if let Some(backend) = self.backend.get() {
            backend.told(&self.host, notice);
        }
    }

    /// Answers what is answered from memory, and starts what is not.
    fn asked(self: &Arc<Self>, mut request: Request) -> Option<Response> {
        let params = request.params.take().unwrap_or_else(reply::empty);
        match stateless::terms(&params) {
            Ok(Some(terms)) => self.asked_alone(request, &terms),
            Ok(None) if *request.method == *method::INITIALIZE => {
                Some(self.greet(request.id, &params))
            }
            Ok(None) => self.asked_in_session(request, params),
            Err(error) => Some(discovery::refusal(request.id, &error)),
        }
    }

    fn asked_in_session(self: &Arc<Self>, request: Request, params: Raw) -> Option<Response> {
        match &*request.method {
            method::PING => Some(reply::result(request.id, reply::empty())),
            // Requests of sessions say nothing of what these need to know.
            method::DISCOVER | method::LISTEN => {
                let unknown = Err(Fault::UnknownMethod);
                Some(reply::outcome(request.id, &request.method, unknown))
            }
            _ => self.start(request, params, Manner::InSession),
        }
    }

    /// A request that stands alone: nothing is taken from those before it.
    fn asked_alone(self: &Arc<Self>, request: Request, terms: &Terms) -> Option<Response> {
        let sender = greeting::sender(terms.client.as_ref(), Some(&terms.capabilities));
        if !self.host.is_introduced() {
            self.host.introduce(sender.clone());
        }
        let params = terms.params.clone();
        let reply = match &*request.method {
            method::DISCOVER => {
                let known = self.backend.get().map(Backend::extensions);
                let answer = discovery::answer(&known.unwrap_or_default());
                Some(reply::result(request.id, answer))
            }
            method::LISTEN => self.listen(request.id, &params, sender),
            asked if method::is_of_tasks(asked) && !discovery::knows_tasks(&terms.capabilities) => {
                Some(discovery::without_tasks(request.id))
            }
            asked if discovery::is_of_sessions(asked) => {
                let unknown = Err(Fault::UnknownMethod);
                Some(discovery::outcome(request.id, asked, unknown))
            }
            _ => self.start(request, params, Manner::Alone(sender, terms.level)),
        };
        reply.map(discovery::coded)
    }

    fn listen(self: &Arc<Self>, id: Id, params: &Raw, sender: Sender) -> Option<Response> {
        let filter = match listening::filter(params) {
            Ok(filter) => filter,
            Err(why) => {
                return Some(reply::error(
                    Some(id),
                    code::INVALID_PARAMS,
                    Code::BadParams,
                    why,
                ));
            }
        };
        let (place, withdrawal) = match self.running.enter(&id) {
            Ok(entered) => entered,
            Err(why) => return Some(reply::no_place(id, why)),
        };
        let (session, host) = (Arc::clone(self), self.host.sending(sender));
        let uris = filter.uris.clone();
        let holding = Arc::clone(self).hold(host.clone(), id, filter, place);
        let holding = Box::pin(self.subscriptions.track_future(holding));
        self.tasks.spawn(async move {
            // A withdrawn subscription has no answer.
            if Abortable::new(holding, withdrawal).await.is_err() {
                Box::pin(session.let_go(&host, uris)).await;
            }
        });
        None
    }

    fn greet(&self, id: Id, params: &Raw) -> Response {
        let hello = Hello::read(params);
        let outcome = hello.map(|hello| {
            let answer = hello.answer();
            self.host.introduce(hello.host);
            self.host.open_session();
            answer
        });
        reply::outcome(id, method::INITIALIZE, outcome)
    }

    fn start(self: &Arc<Self>, request: Request, params: Raw, manner: Manner) -> Option<Response> {
        let (place, withdrawal) = match self.running.enter(&request.id) {
            Ok(entered) => entered,
            Err(why) => return Some(reply::no_place(request.id, why)),
        };
        let session = Arc::clone(self);
        // Boxed, because starting a task moves it several times.
        let answering = Box::pin(async move { session.run(request, params, manner, place).await });
        self.tasks.spawn(async move {
            // A withdrawn request has no answer.
            let _withdrawn = Abortable::new(answering, withdrawal).await;
        });
        None
    }

    async fn run(&self, request: Request, params: Raw, manner: Manner, place: Place) {
        let Request { id, method, .. } = request;
        let reply = match manner {
            Manner::InSession => {
                let outcome = self.answer(&self.host, &method, &params, None).await;
                reply::outcome(id, &method, outcome)
            }
            Manner::Alone(sender, level) => {
                let host = self.host.sending(sender);
                let outcome = self.answer(&host, &method, &params, level).await;
                discovery::outcome(id, &method, outcome)
            }
        };
        drop(params);
        if let Ok(slot) = self.outbox.reserve().await {
            // The host may use the identity again as soon as it has the answer.
            drop(place);
            slot.send(Message::Response(reply));
        }
    }

    async fn answer(
        &self,
        host: &Host,
        method: &str,
        params: &Raw,
        level: Option<Level>,
    ) -> Result<Raw, Fault> {
        let backend = self.backend.wait().await;
        let token = progress::wanted(params);
        if token.is_none() && level.is_none() && !host.is_alone() {
            return backend.answer(host, method, params, None).await;
        }
        let (asides, mut told) = Asides::new(level);
        let asides = if host.is_alone() {
            asides.hearing_everything()
        } else {
            asides
        };
        // Boxed, so that its room is not kept where nobody wants to hear of the way.
        let mut answering = Box::pin(backend.answer(host, method, params, Some(asides)));
        let outcome = loop {
            tokio::select! {
                biased;
                Some(aside) = told.recv() => self.pass_on(token.as_ref(), aside).await,
                outcome = &mut answering => break outcome,
            }
        };
        while let Ok(aside) = told.try_recv() {
            self.pass_on(token.as_ref(), aside).await;
        }
        outcome
    }

    /// Tells the host what a server tells about its request; one of which more is told than the host
    /// reads waits for it.
    async fn pass_on(&self, token: Option<&Id>, aside: Aside) {
        let of = |method: &str, params| Notification {
            method: method.into(),
            params: Some(params),
        };
        let notice = match aside {
            Aside::Progress(params) => {
                if !token.is_some_and(|token| progress::belongs(&params, token)) {
                    tracing::debug!("progress of another request");
                    return;
                }
                of(method::PROGRESS, params)
            }
            Aside::Message(params) => of(method::MESSAGE, params),
            Aside::Notice(notice) => notice,
        };
        // When the host has closed its end, the writer ends the session.
        let _closed = self.outbox.send(Message::Notification(notice)).await;
    }
}

/// The request that a cancellation means.
fn withdrawn(params: &Raw) -> Option<Id> {
    let params = Object::of(params, &["requestId"]).ok()?;
    Id::from_raw(params.get("requestId")?)
}
