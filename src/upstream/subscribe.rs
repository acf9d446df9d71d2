//! What a server is asked to tell: `subscriptions/listen` where requests stand alone (MCP 2026-07-28,
//! basic/patterns/subscriptions), and the resources that hosts listen to in either way.
//!
//! One stream is held for the lists and for all resources. When the resources change it is opened
//! anew, and the old one is heard until the server has taken on the new one.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use http::StatusCode;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use super::ask::Ask;
use super::backoff::Backoff;
use super::body::Events;
use super::deadline::Deadline;
use super::exchange::{Exchange, Outcome};
use super::fault::UpstreamError;
use super::head::{self, Kind, Repeated};
use super::link::Link;
use super::{Inner, frame};
use crate::bounds::SUBSCRIPTIONS;
use crate::wire::{Message, Object, Raw, code, method, stateless};

/// A stream that held this long was a good one: the next attempt comes soon.
const GOOD: Duration = Duration::from_secs(30);
/// Pauses between attempts; a server that closes each stream at once is asked ever more seldom.
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);
/// How long the server may take to say what it takes on.
const ACKNOWLEDGMENT: Duration = Duration::from_secs(30);

/// The resources that are listened to.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    wanted: watch::Sender<Resources>,
    /// What the server has taken on of it.
    agreed: watch::Sender<Resources>,
}

#[derive(Debug, Clone, Default)]
struct Resources {
    /// Grows with each change of what is wanted.
    round: u64,
    uris: BTreeSet<Box<str>>,
}

/// Why there is no stream.
enum NoStream {
    /// The server offers none of it.
    Never,
    /// It failed; another attempt may not.
    Later,
    /// The server cannot be reached.
    Away(UpstreamError),
}

impl Subscriptions {
    /// Forgets all, as when somebody else signs in.
    pub(super) fn clear(&self) {
        self.wanted.send_modify(|wanted| {
            wanted.round += 1;
            wanted.uris.clear();
        });
    }

    /// The resources that are listened to.
    pub(super) fn uris(&self) -> BTreeSet<Box<str>> {
        self.wanted.borrow().uris.clone()
    }

    /// Takes note of what a server with sessions has taken on or given up.
    pub(super) fn note(&self, asked: &str, params: Option<&Raw>) {
        if !is_of_subscriptions(asked) {
            return;
        }
        if let Some(uri) = params.and_then(uri) {
            self.change(asked, &uri);
        }
    }

    /// Adds a resource or takes it out; the round that this begins. `None` if there are too many.
    fn change(&self, asked: &str, uri: &str) -> Option<u64> {
        let mut round = None;
        self.wanted.send_if_modified(|wanted| {
            let is_new = !wanted.uris.contains(uri);
            if asked == method::SUBSCRIBE && is_new && wanted.uris.len() >= SUBSCRIPTIONS {
                return false;
            }
            let changed = if asked == method::SUBSCRIBE {
                wanted.uris.insert(uri.into())
            } else {
                wanted.uris.remove(uri)
            };
            wanted.round += u64::from(changed);
            round = Some(wanted.round);
            changed
        });
        round
    }

    fn give_up(&self, uri: &str) {
        self.wanted.send_if_modified(|wanted| {
            wanted.uris.remove(uri);
            false
        });
    }
}

/// Whether a request is about listening to a resource.
pub(super) fn is_of_subscriptions(asked: &str) -> bool {
    matches!(asked, method::SUBSCRIBE | method::UNSUBSCRIBE)
}

fn uri(params: &Raw) -> Option<Box<str>> {
    let params = Object::of(params, &["uri"]).ok()?;
    Some(params.string("uri").ok()??.into())
}

impl Inner {
    /// `resources/subscribe` and its counterpart for a server that knows neither: what it is asked to
    /// tell is asked anew.
    pub(super) async fn subscribe_alone(&self, ask: Ask<'_>) -> Result<Outcome, UpstreamError> {
        let refused = |why: &str| {
            let error = json!({"code": code::INVALID_PARAMS, "message": why});
            Ok(Err(Raw::of(&error).unwrap_or_else(|_| Raw::empty_object())))
        };
        let Some(uri) = ask.params.and_then(uri) else {
            return refused("\"uri\" is missing");
        };
        let Some(round) = self.subscriptions.change(ask.method, &uri) else {
            return refused("too many resources of this server are listened to");
        };
        let mut agreed = self.subscriptions.agreed.subscribe();
        let taken = async {
            let agreed = agreed.wait_for(|agreed| agreed.round >= round).await;
            Ok(agreed.is_ok_and(|agreed| agreed.uris.contains(&uri)))
        };
        if ask.deadline.bound(taken).await? || ask.method == method::UNSUBSCRIBE {
            return Ok(Ok(Raw::empty_object()));
        }
        self.subscriptions.give_up(&uri);
        refused("the server does not tell of changes in this resource")
    }

    /// Listens again to what was listened to before the session was a new one.
    pub(super) async fn subscribe_again(self: Arc<Self>, link: Arc<Link>) {
        for uri in self.subscriptions.uris() {
            let Ok(who) = self.standing(None).await else {
                return;
            };
            let params = Raw::empty_object().with("uri", &Raw::string(&uri));
            let id = self.next_id();
            let exchange = Exchange {
                inner: &self,
                link: &link,
                bearer: self.bearer(who.as_ref()),
                id,
                asides: None,
            };
            let asking = async {
                let body = frame::request(id, method::SUBSCRIBE, Some(&params));
                let response = exchange.post(None, None, body).await?;
                Ok(exchange.judge(response).await)
            };
            let limit = Deadline::after(self.config.call_timeout);
            if let Err(error) = limit.bound(asking).await {
                tracing::debug!(server = %self.config.name, %error, "a resource is not listened to again");
            }
        }
    }

    /// Holds the stream until the link ends or the server turns out to have none.
    pub(super) async fn hold_subscription(self: Arc<Self>, link: Arc<Link>) {
        let mut wanted = self.subscriptions.wanted.subscribe();
        let mut backoff = Backoff::new(SHORTEST, LONGEST);
        let mut held: Option<Events> = None;
        let mut missed = false;
        loop {
            let now = wanted.borrow_and_update().clone();
            let opened = match filter(&link, &now.uris) {
                Some(filter) => self.open_subscription(&link, &filter).await,
                None => Err(NoStream::Never),
            };
            let (mut stream, uris) = match opened {
                Ok(opened) => opened,
                Err(NoStream::Away(error)) => return self.away(&link, error),
                Err(NoStream::Never) => {
                    held = None;
                    self.agree(now.round, BTreeSet::new());
                    // The sender lives as long as this.
                    let _changed = wanted.changed().await;
                    continue;
                }
                Err(NoStream::Later) => {
                    missed = true;
                    let pause = pin!(tokio::time::sleep(backoff.next()));
                    futures_util::future::select(pause, pin!(wanted.changed())).await;
                    continue;
                }
            };
            if let Some(mut old) = held.take() {
                while let Some(Ok(Some(data))) = old.next().now_or_never() {
                    self.hear_subscribed(&link, &data);
                }
            }
            self.agree(now.round, uris);
            if std::mem::take(&mut missed) {
                self.all_changed();
            }
            let since = Instant::now();
            tokio::select! {
                () = self.hear_all(&link, &mut stream) => {}
                _ = wanted.changed() => {
                    held = Some(stream);
                    continue;
                }
            }
            missed = true;
            if since.elapsed() >= GOOD {
                backoff.reset();
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    fn agree(&self, round: u64, uris: BTreeSet<Box<str>>) {
        let agreed = Resources { round, uris };
        self.subscriptions.agreed.send_replace(agreed);
    }

    async fn open_subscription(
        self: &Arc<Self>,
        link: &Arc<Link>,
        filter: &Raw,
    ) -> Result<(Events, BTreeSet<Box<str>>), NoStream> {
        let opening = self.ask_subscription(link, filter);
        let opened = tokio::time::timeout(ACKNOWLEDGMENT, opening).await;
        opened.unwrap_or(Err(NoStream::Later))
    }

    async fn ask_subscription(
        self: &Arc<Self>,
        link: &Arc<Link>,
        filter: &Raw,
    ) -> Result<(Events, BTreeSet<Box<str>>), NoStream> {
        let who = self.standing(None).await.map_err(|_| NoStream::Never)?;
        if !link.belongs_to(who.as_ref()) {
            return Err(NoStream::Never);
        }
        let id = self.next_id();
        let exchange = Exchange {
            inner: self,
            link,
            bearer: self.bearer(who.as_ref()),
            id,
            asides: None,
        };
        let params = Raw::empty_object().with("notifications", filter);
        let params = stateless::on_terms(&params, self.abilities().as_raw(), None);
        let repeated = Repeated {
            method: method::LISTEN,
            params: None,
            mirrors: &[],
        };
        let body = frame::request(id, method::LISTEN, Some(&params));
        let response = match exchange.post(None, Some(repeated), body).await {
            Ok(response) => response,
            Err(error @ UpstreamError::Unreachable(_)) => return Err(NoStream::Away(error)),
            Err(_) => return Err(NoStream::Later),
        };
        match response.status() {
            StatusCode::OK if head::kind(response.headers()) == Kind::Events => {}
            StatusCode::UNAUTHORIZED => {
                let error = UpstreamError::Stopping;
                let renewed = self.renewed(who.as_ref(), error).await;
                return Err(renewed.map_or(NoStream::Never, |_| NoStream::Later));
            }
            StatusCode::TOO_MANY_REQUESTS => return Err(NoStream::Later),
            status if status.is_server_error() => return Err(NoStream::Later),
            _ => return Err(NoStream::Never),
        }
        let mut events = Events::new(response);
        let uris = acknowledged(&mut events, id).await?;
        Ok((events, uris))
    }

    /// Takes what comes until the stream ends, however it does.
    async fn hear_all(self: &Arc<Self>, link: &Arc<Link>, events: &mut Events) {
        while let Ok(Some(data)) = events.next().await {
            self.hear_subscribed(link, &data);
        }
    }

    fn hear_subscribed(self: &Arc<Self>, link: &Arc<Link>, data: &[u8]) {
        match Message::parse(data) {
            // The end, told in order; the stream closes.
            Ok(Message::Response(_)) => {}
            Ok(Message::Notification(notice)) => {
                let notice = Message::Notification(stateless::untagged(notice));
                self.heard(link, None, notice, None);
            }
            Ok(Message::Request(_)) | Err(_) => self.count_stray(),
        }
    }
}

/// The resources that the server takes on, of what is asked of it.
async fn acknowledged(events: &mut Events, id: u64) -> Result<BTreeSet<Box<str>>, NoStream> {
    loop {
        let Ok(Some(data)) = events.next().await else {
            return Err(NoStream::Later);
        };
        let notice = match Message::parse(&data) {
            Ok(Message::Notification(notice)) if *notice.method == *method::ACKNOWLEDGED => notice,
            Ok(Message::Response(reply))
                if reply
                    .id
                    .as_ref()
                    .is_none_or(|its| its.as_number() == Some(id)) =>
            {
                return Err(reply.outcome.map_or(NoStream::Never, |_| NoStream::Later));
            }
            _ => continue,
        };
        let taken = notice.params.and_then(|params| {
            let params = Object::of(&params, &[]).ok()?;
            let agreed = Object::of(params.get("notifications")?, &[]).ok()?;
            serde_json::from_str(agreed.get("resourceSubscriptions")?.get()).ok()
        });
        return Ok(taken.unwrap_or_default());
    }
}

/// What the server is asked to tell; `None` if there is nothing that it could.
fn filter(link: &Link, uris: &BTreeSet<Box<str>>) -> Option<Raw> {
    let capabilities = link.capabilities.as_ref()?;
    let capabilities = Object::of(capabilities, &[]).ok()?;
    let tells = |name, of| {
        let offered = capabilities.get(name);
        let offered = offered.and_then(|offered| Object::of(offered, &[]).ok());
        offered.is_some_and(|offered| offered.get(of).is_some_and(|it| it.get() == "true"))
    };
    let mut filter = serde_json::Map::new();
    for (name, key) in [
        ("tools", "toolsListChanged"),
        ("prompts", "promptsListChanged"),
        ("resources", "resourcesListChanged"),
    ] {
        if tells(name, "listChanged") {
            filter.insert(key.to_owned(), json!(true));
        }
    }
    if !uris.is_empty() {
        filter.insert("resourceSubscriptions".to_owned(), json!(uris));
    }
    (!filter.is_empty())
        .then(|| Raw::of(&filter).ok())
        .flatten()
}
