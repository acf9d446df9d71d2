//! What a server tells about a request before it answers.

use tokio::sync::mpsc;

use super::question::Question;
use crate::bounds::WAITING;
use crate::wire::level::Level;
use crate::wire::{Notification, Object, Raw, method};

/// Something told on the way.
#[derive(Debug, Clone, PartialEq)]
pub enum Aside {
    /// How far it is: the parameters of `notifications/progress`, as they came.
    Progress(Raw),
    /// A log message: the parameters of `notifications/message`, as they came.
    Message(Raw),
    /// Anything else, as it came.
    Notice(Notification),
}

/// Where it is told; clones tell the same listener.
#[derive(Debug, Clone)]
pub struct Asides {
    sink: mpsc::Sender<Aside>,
    level: Option<Level>,
    /// Whether what nobody knows is for this listener too.
    everything: bool,
    /// Who hears what the server asks, if it is asked on behalf of this request alone.
    asked: Option<mpsc::UnboundedSender<Question>>,
}

impl Asides {
    /// A listener; with a level, log messages of the request from there on are for it.
    #[must_use]
    pub fn new(level: Option<Level>) -> (Self, mpsc::Receiver<Aside>) {
        let (sink, told) = mpsc::channel(WAITING);
        let asides = Self {
            sink,
            level,
            everything: false,
            asked: None,
        };
        (asides, told)
    }

    /// The same listener, for whom notices of methods are too that nobody knows: of a request that
    /// stands alone, because its host has no session in which it would be told of them.
    #[must_use]
    pub fn hearing_everything(self) -> Self {
        Self {
            everything: true,
            ..self
        }
    }

    /// The same listener, with somebody who hears the questions too.
    #[must_use]
    pub fn asking(self, asked: mpsc::UnboundedSender<Question>) -> Self {
        let asked = Some(asked);
        Self { asked, ..self }
    }

    /// Passes on a question that belongs to the request; gives it back if nobody hears it.
    pub(super) fn question(&self, question: Question) -> Result<(), Question> {
        match &self.asked {
            Some(asked) => asked.send(question).map_err(|unheard| unheard.0),
            None => Err(question),
        }
    }

    /// The level that was asked for with the request.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        self.level
    }

    /// Tells how far the request is.
    pub fn progress(&self, params: Raw) {
        // Nobody listens any more, or not as fast, which is for the listener to decide.
        let _gone = self.sink.try_send(Aside::Progress(params));
    }

    /// Tells what came on the request's stream, if it is for this listener; else gives it back.
    pub(super) fn take(&self, notice: Notification) -> Result<(), Notification> {
        match (&*notice.method, notice.params) {
            (method::MESSAGE, Some(params)) => {
                self.message(params).map_err(|params| Notification {
                    method: method::MESSAGE.into(),
                    params: Some(params),
                })
            }
            (told, params) => {
                let method = told.into();
                self.notice(Notification { method, params })
            }
        }
    }

    /// Tells of something that is no progress and no log message, if everything is for this listener
    /// and it concerns nobody else; else gives it back.
    pub fn notice(&self, notice: Notification) -> Result<(), Notification> {
        if !self.everything || matches!(&*notice.method, method::MESSAGE | method::RESOURCE_UPDATED)
        {
            return Err(notice);
        }
        let _gone = self.sink.try_send(Aside::Notice(notice));
        Ok(())
    }

    /// Tells a log message, if it is for this request's listener; else gives it back.
    pub fn message(&self, params: Raw) -> Result<(), Raw> {
        let Some(wanted) = self.level else {
            return Err(params);
        };
        let level = Object::of(&params, &[]).ok();
        let level = level.and_then(|params| params.string("level").ok().flatten());
        let level = level.and_then(|level| Level::parse(&level));
        if level.is_some_and(|level| level >= wanted) {
            let _gone = self.sink.try_send(Aside::Message(params));
        }
        Ok(())
    }
}
