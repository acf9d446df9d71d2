//! `subscriptions/listen` (MCP 2026-07-28, basic/patterns/subscriptions): one stream of notices of all
//! servers, as long as the host wants it.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;

use crate::bounds::SUBSCRIPTIONS;
use crate::gateway::Host;
use crate::gateway::host::Filter;
use crate::wire::object::ObjectError;
use crate::wire::{Id, Message, Notification, Object, Raw, method, stateless};

use super::running::Place;
use super::session::Session;
use super::{Backend, reply};

/// What a subscription asks for.
pub(super) fn filter(params: &Raw) -> Result<Filter, String> {
    let unreadable = |why: ObjectError| format!("the parameters cannot be used: {why}");
    let params = Object::of(params, &["notifications"]).map_err(unreadable)?;
    let wanted = params.get("notifications");
    let wanted = wanted.ok_or("\"notifications\" is missing")?;
    let wanted = Object::of(wanted, &[]).map_err(unreadable)?;
    let has = |key| wanted.get(key).is_some_and(|flag| flag.get() == "true");
    let uris = match wanted.get("resourceSubscriptions") {
        None => Vec::new(),
        Some(list) => serde_json::from_str(list.get())
            .map_err(|_| "\"resourceSubscriptions\" is no list of texts")?,
    };
    if uris.len() > SUBSCRIPTIONS {
        return Err(format!(
            "more than {SUBSCRIPTIONS} resources in one subscription"
        ));
    }
    Ok(Filter {
        tools: has("toolsListChanged"),
        prompts: has("promptsListChanged"),
        resources: has("resourcesListChanged"),
        uris: uris.into_iter().collect(),
    })
}

impl<B: Backend> Session<B> {
    /// Holds a subscription until the session ends. Dropping the future ends it without an answer.
    pub(super) async fn hold(self: Arc<Self>, host: Host, id: Id, asked: Filter, place: Place) {
        let backend = self.backend_when_built().await;
        let agreed = self.agree(&backend, &host, asked).await;
        let Ok(slot) = self.outbox().reserve().await else {
            return;
        };
        let acknowledged = Message::Notification(Notification {
            method: method::ACKNOWLEDGED.into(),
            params: Some(acknowledgment(&id, &agreed)),
        });
        let listening = host.listen(&id, agreed, || slot.send(acknowledged));
        self.ending().await;
        drop(listening);
        let gone = Message::Notification(Notification {
            method: method::CANCELLED.into(),
            params: Some(reply::raw(&json!({
                "requestId": id.as_value(),
                "reason": "chaperone is ending",
            }))),
        });
        let end = json!({
            "resultType": "complete",
            "_meta": {stateless::SUBSCRIPTION: id.as_value()},
        });
        let end = Message::Response(reply::result(id, reply::raw(&end)));
        for message in [gone, end] {
            // When the host has closed its end, nobody hears it.
            let _closed = self.outbox().send(message).await;
        }
        drop(place);
    }

    /// Tells the servers that nobody listens to these resources any more. A host that has a session
    /// too may have asked for them there.
    pub(super) async fn let_go(&self, host: &Host, uris: BTreeSet<Box<str>>) {
        let backend = self.backend_when_built().await;
        let unheard = uris.into_iter().filter(|uri| !host.hears_of(uri));
        let telling = unheard.map(async |uri| {
            let params = Raw::empty_object().with("uri", &Raw::string(&uri));
            // A server that cannot be told sends notices that nobody passes on.
            let _told = backend
                .answer(host, method::UNSUBSCRIBE, &params, None)
                .await;
        });
        tokio::select! {
            _all = join_all(telling) => {}
            () = self.ending() => {}
        }
    }

    /// What is served of a subscription: lists always, resources whose servers take it on.
    async fn agree(&self, backend: &B, host: &Host, asked: Filter) -> Filter {
        let subscribing = asked.uris.into_iter().map(async |uri| {
            let params = Raw::empty_object().with("uri", &Raw::string(&uri));
            let taken = backend.answer(host, method::SUBSCRIBE, &params, None).await;
            taken.is_ok().then_some(uri)
        });
        let uris = join_all(subscribing).await;
        Filter {
            uris: uris.into_iter().flatten().collect(),
            ..asked
        }
    }
}

fn acknowledgment(id: &Id, agreed: &Filter) -> Raw {
    let mut notifications = serde_json::Map::new();
    for (key, wanted) in [
        ("toolsListChanged", agreed.tools),
        ("promptsListChanged", agreed.prompts),
        ("resourcesListChanged", agreed.resources),
    ] {
        if wanted {
            notifications.insert(key.to_owned(), json!(true));
        }
    }
    if !agreed.uris.is_empty() {
        notifications.insert("resourceSubscriptions".to_owned(), json!(agreed.uris));
    }
    reply::raw(&json!({
        "_meta": {stateless::SUBSCRIPTION: id.as_value()},
        "notifications": notifications,
    }))
}
