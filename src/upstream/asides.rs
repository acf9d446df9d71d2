//! What a server tells about a request before it answers.

use tokio::sync::mpsc;

use super::question::Question;
use crate::wire::level::Level;
use crate::wire::{Object, Raw};

/// Something told on the way.
#[derive(Debug, Clone, PartialEq)]
pub enum Aside {
    /// How far it is: the parameters of `notifications/progress`, as they came.
    Progress(Raw),
    /// A log message: the parameters of `notifications/message`, as they came.
    Message(Raw),
}

/// Where it is told; clones tell the same listener.
#[derive(Debug, Clone)]
pub struct Asides {
    sink: mpsc::UnboundedSender<Aside>,
    level: Option<Level>,
    /// Who hears what the server asks, if it is asked on behalf of this request alone.
    asked: Option<mpsc::UnboundedSender<Question>>,
}

impl Asides {
    /// A listener; with a level, log messages of the request from there on are for it.
    #[must_use]
    pub fn new(level: Option<Level>) -> (Self, mpsc::UnboundedReceiver<Aside>) {
        let (sink, told) = mpsc::unbounded_channel();
        let asked = None;
        (Self { sink, level, asked }, told)
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
        // Nobody listens any more, which is for the listener to decide.
        let _gone = self.sink.send(Aside::Progress(params));
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
            let _gone = self.sink.send(Aside::Message(params));
        }
        Ok(())
    }
}
