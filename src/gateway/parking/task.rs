//! One call whose host comes and goes.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::bounds::PATIENCE;
use crate::gateway::fault::Fault;
use crate::gateway::host::NoAnswer;
use crate::gateway::questions::{Allowed, as_error, usable};
use crate::gateway::{Gateway, Host, Server};
use crate::upstream::{Aside, Asides, Question};
use crate::wire::rounds::InputRequest;
use crate::wire::{Abilities, Object, Raw, method};

/// The member that names whose progress it is.
const TOKEN: &str = "progressToken";

/// A request of the host that waits for what comes next.
#[derive(Debug)]
pub(super) struct Seat {
    /// Who hears what is told on the way.
    pub(super) asides: Option<Asides>,
    /// Under which token he hears of progress; the server knows that of the first request.
    pub(super) token: Option<Raw>,
    /// The answers that it brings.
    pub(super) responses: Vec<(Box<str>, Raw)>,
    /// Where it hears what comes next.
    pub(super) reply: oneshot::Sender<Step>,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Step {
    /// The end.
    Done(Box<Result<Raw, Fault>>),
    /// The server wants to know this first.
    Asks(Vec<InputRequest>),
}

/// A question that the host has not answered yet.
struct Open {
    key: Box<str>,
    question: Question,
    allowed: Allowed,
}

/// The call.
pub(super) struct Task<'a> {
    gateway: &'a Gateway,
    host: &'a Host,
    server: &'a Server,
    questions: mpsc::UnboundedReceiver<Question>,
    told: mpsc::Receiver<Aside>,
    open: Vec<Open>,
    count: u64,
    seat: Option<Seat>,
    /// Whether somebody sits there, for those outside.
    awaited: Arc<AtomicBool>,
    /// What the host can do, as it said with the request that began the call.
    abilities: Abilities,
    /// What the server has asked for that the host cannot do.
    beyond: Option<&'static str>,
    /// Until when it waits for somebody to take the seat.
    until: Instant,
}

impl<'a> Task<'a> {
    pub(super) fn new(
        gateway: &'a Gateway,
        host: &'a Host,
        server: &'a Server,
        (questions, told): (mpsc::UnboundedReceiver<Question>, mpsc::Receiver<Aside>),
        awaited: Arc<AtomicBool>,
    ) -> Self {
        Self {
            gateway,
            host,
            server,
            questions,
            told,
            open: Vec::new(),
            count: 0,
            seat: None,
            awaited,
            abilities: host.abilities(),
            beyond: None,
            until: Instant::now() + PATIENCE,
        }
    }

    /// Runs the call to its end, or until nobody comes for it any more.
    pub(super) async fn run(
        mut self,
        call: impl Future<Output = Result<Raw, Fault>>,
        mut seats: mpsc::Receiver<Seat>,
    ) {
        let mut call = pin!(call);
        let mut outcome = None;
        loop {
            if let Some(ability) = self.beyond.take_if(|_| self.seat.is_some()) {
                // What the server does without an answer is of no use to this host.
                return self.finish(Err(Fault::Incapable(ability)));
            }
            if let Some(done) = outcome.take_if(|_| self.seat.is_some()) {
                return self.finish(done);
            }
            let has_seat = self.seat.is_some();
            self.awaited.store(has_seat, Ordering::Relaxed);
            tokio::select! {
                biased;
                Some(aside) = self.told.recv() => self.pass_on(aside),
                done = &mut call, if outcome.is_none() => outcome = Some(done),
                Some(question) = self.questions.recv() => self.take(question).await,
                seat = seats.recv(), if !has_seat => match seat {
                    Some(seat) => self.sit(seat).await,
                    // The host has given the call up.
                    None => return,
                },
                () = left(self.seat.as_mut()), if has_seat => return,
                () = tokio::time::sleep_until(self.until), if !has_seat => return,
            }
        }
    }

    fn finish(&mut self, done: Result<Raw, Fault>) {
        while let Ok(aside) = self.told.try_recv() {
            self.pass_on(aside);
        }
        if let Some(seat) = self.seat.take() {
            // Whoever left has given up the result too.
            let _left = seat.reply.send(Step::Done(Box::new(done)));
        }
    }

    fn pass_on(&self, aside: Aside) {
        let Some(asides) = self.seat.as_ref().and_then(|seat| seat.asides.as_ref()) else {
            return;
        };
        match aside {
            Aside::Progress(params) => {
                let token = self.seat.as_ref().and_then(|seat| seat.token.as_ref());
                let renamed = token.map(|token| params.with(TOKEN, token));
                asides.progress(renamed.unwrap_or(params));
            }
            Aside::Message(params) => {
                // It was asked for with the same level.
                let _unwanted = asides.message(params);
            }
            Aside::Notice(notice) => {
                // Whoever sits there hears everything too.
                let _unwanted = asides.notice(notice);
            }
        }
    }

    /// Takes a question, and all that came with it; asks the host, if somebody sits there.
    async fn take(&mut self, question: Question) {
        self.consider(question).await;
        while let Ok(question) = self.questions.try_recv() {
            self.consider(question).await;
        }
        self.ask();
    }

    async fn consider(&mut self, question: Question) {
        let (asked, params) = (&question.method, question.params.clone());
        if !self.abilities.allow(asked, params.as_ref()) {
            self.beyond = method::ability(asked);
            return question.answer(Err(as_error(&NoAnswer::Cannot)));
        }
        match self
            .gateway
            .allow(self.host, self.server, asked, params)
            .await
        {
            Ok(allowed) => {
                self.count += 1;
                self.open.push(Open {
                    key: self.count.to_string().into(),
                    question,
                    allowed,
                });
            }
            Err(why) => question.answer(Err(as_error(&why))),
        }
    }

    /// Somebody takes the seat, with answers.
    async fn sit(&mut self, mut seat: Seat) {
        let responses = std::mem::take(&mut seat.responses);
        self.seat = Some(seat);
        for open in std::mem::take(&mut self.open) {
            let mut brought = responses.iter();
            match brought.find(|(key, _)| *key == open.key) {
                Some((_, response)) => {
                    let answer = usable(response.clone());
                    let settled = self.gateway.settle(open.allowed, &answer).await;
                    let answer = settled.and(answer);
                    open.question.answer(answer.map_err(|why| as_error(&why)));
                }
                None => self.open.push(open),
            }
        }
        self.ask();
    }

    /// Asks the host what is open, which ends its request.
    fn ask(&mut self) {
        self.open.retain(|open| !open.question.is_withdrawn());
        if self.open.is_empty() {
            return;
        }
        let Some(seat) = self.seat.take() else {
            return;
        };
        let requests = self.open.iter().map(|open| InputRequest {
            key: open.key.clone(),
            method: open.question.method.clone(),
            params: open.allowed.params(),
        });
        self.until = Instant::now() + PATIENCE;
        // Whoever left comes back no more, and the call ends when its time is up.
        let _left = seat.reply.send(Step::Asks(requests.collect()));
    }
}

/// Under which token a request wants to hear of progress.
pub(super) fn token(params: &Raw) -> Option<Raw> {
    let params = Object::of(params, &[]).ok()?;
    let meta = Object::of(params.get("_meta")?, &[]).ok()?;
    meta.get(TOKEN).cloned()
}

/// Resolves when the one who sits there has left.
async fn left(seat: Option<&mut Seat>) {
    match seat {
        Some(seat) => seat.reply.closed().await,
        None => std::future::pending().await,
    }
}
