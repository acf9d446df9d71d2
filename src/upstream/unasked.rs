//! What a server says unasked, on whichever stream: notices, progress, requests of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::link::Link;
use super::scrub::Scrubber;
use super::{Asides, Inner, Listing, Notice, frame};
use crate::bounds::NOTICE;
use crate::login::Grant;
use crate::wire::{Message, Notification, Raw, Request, method};

/// The lists of a server, in the order in which they are told to have changed.
const LISTINGS: [Listing; 4] = [
    Listing::Tools,
    Listing::Resources,
    Listing::Templates,
    Listing::Prompts,
];

impl Inner {
    /// Takes a message that is not the answer to the request whose stream it came on.
    pub(super) fn heard(
        self: &Arc<Self>,
        link: &Arc<Link>,
        bearer: Option<&Arc<Grant>>,
        message: Message,
        asides: Option<&Asides>,
    ) {
        match message {
            Message::Notification(notice) => self.told(bearer, notice, asides),
            Message::Request(request) => self.asked(link, bearer, request, asides),
            Message::Response(_) => self.count_stray(),
        }
    }

    /// Says that all lists may have changed, because the server was away.
    pub(super) fn all_changed(&self) {
        self.changed(&LISTINGS);
    }

    pub(super) fn tell_roots_changed(self: &Arc<Self>) {
        let link = self.current();
        let Some(link) = link.filter(|link| !link.is_alone() && link.was_told_of_roots()) else {
            return;
        };
        let inner = Arc::clone(self);
        self.aside(async move {
            let Ok(who) = inner.standing(None).await else {
                return;
            };
            if link.belongs_to(who.as_ref()) {
                let notice = frame::notification(method::ROOTS_CHANGED, None);
                inner.tell_aside(&link, inner.bearer(who.as_ref()), notice, ());
            }
        });
    }

    /// Counts an answer that nobody waits for, or a message that nobody can read.
    pub(super) fn count_stray(&self) {
        let count = self.strays.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::debug!(server = %self.config.name, count, "a message that belongs to nothing");
    }

    fn told(&self, bearer: Option<&Arc<Grant>>, notice: Notification, asides: Option<&Asides>) {
        let size = notice
            .params
            .as_ref()
            .map_or(0, |params| params.get().len());
        if size > NOTICE {
            return self.count_stray();
        }
        match &*notice.method {
            method::PROGRESS => {
                if let (Some(asides), Some(params)) = (asides, notice.params) {
                    asides.progress(scrubbed(bearer, params));
                }
            }
            method::TOOLS_CHANGED => self.changed(&[Listing::Tools]),
            method::RESOURCES_CHANGED => {
                self.changed(&[Listing::Resources, Listing::Templates]);
            }
            method::PROMPTS_CHANGED => self.changed(&[Listing::Prompts]),
            method::CANCELLED => {
                if let Some(params) = &notice.params {
                    self.questions.withdraw(params);
                }
            }
            _ => {
                let params = notice.params.map(|params| scrubbed(bearer, params));
                let notice = Notification { params, ..notice };
                let unheard = match asides {
                    Some(asides) => asides.take(notice),
                    None => Err(notice),
                };
                let Err(notice) = unheard else { return };
                self.notify(Notice::Told {
                    server: self.config.name.clone(),
                    method: notice.method,
                    params: notice.params,
                });
            }
        }
    }

    fn changed(&self, listings: &[Listing]) {
        for listing in listings {
            self.notify(Notice::Changed(self.config.name.clone(), *listing));
        }
    }

    pub(super) fn notify(&self, notice: Notice) {
        // The receiver ends before the connections do, when chaperone stops.
        let _gone = self.notices.send(notice);
    }

    fn asked(
        self: &Arc<Self>,
        link: &Arc<Link>,
        bearer: Option<&Arc<Grant>>,
        request: Request,
        asides: Option<&Asides>,
    ) {
        if link.is_alone() {
            // This revision has no such requests, and no way to answer them.
            return self.count_stray();
        }
        let Ok(place) = Arc::clone(&self.replies).try_acquire_owned() else {
            // A flood.
            return self.count_stray();
        };
        if link.was_told_of(&request) && self.questions.take_turn() {
            let params = request.params.map(|params| scrubbed(bearer, params));
            let request = Request { params, ..request };
            return self.put(link, bearer, request, asides, place);
        }
        let body = frame::reply(&request.id, &request.method);
        self.tell_aside(link, bearer, body, place);
    }
}

fn scrubbed(bearer: Option<&Arc<Grant>>, params: Raw) -> Raw {
    Scrubber::new(bearer.cloned()).raw(params)
}
