//! Calls that wait for a host that opens no session (MCP 2026-07-28) while their server, which keeps
//! one, wants to know something.
//!
//! The server's question becomes a result that asks for it (basic/patterns/mrtr). The call goes on in
//! a task of its own; the host's next request, which brings the answer, takes its seat there. The
//! state that the host carries names the call and proves that it belongs to this person, server,
//! method and arguments; it says nothing else.

mod seal;
mod task;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::bounds::PARKED;
use crate::login::Grant;
use crate::name::ServerName;
use crate::upstream::{Along, Asides, Question};
use crate::wire::Raw;
use crate::wire::rounds;

use super::act::Act;
use super::fault::Fault;
use super::{Gateway, Host};

use seal::{Binding, Ticket};
use task::{Seat, Step};

/// The calls that wait for a host, or may come to.
#[derive(Debug, Default)]
pub(super) struct Parking {
    seals: seal::Seals,
    parked: Mutex<HashMap<Ticket, Parked>>,
    running: Mutex<Vec<Running>>,
    last: AtomicU64,
}

/// A call that waits for its host's next request.
#[derive(Debug)]
struct Parked {
    binding: Binding,
    seats: mpsc::Sender<Seat>,
}

/// A call whose server may still ask something.
#[derive(Debug)]
struct Running {
    nth: u64,
    server: ServerName,
    asked: mpsc::UnboundedSender<Question>,
    /// Whether a request of its host waits for it now.
    awaited: Arc<AtomicBool>,
}

impl Parking {
    /// Passes on a question that came on no request's stream to one of the requests that it may belong
    /// to: the newest that its host waits for, else the newest. All are of the same person at the same
    /// server, and the answer goes to the question wherever it was put.
    pub(super) fn pass_on(&self, server: &ServerName, question: Question) {
        let running = lock(&self.running);
        let own = || running.iter().rev().filter(|one| one.server == *server);
        let awaited = own().find(|one| one.awaited.load(Ordering::Relaxed));
        if let Some(found) = awaited.or_else(|| own().next()) {
            // A call that has just ended asks nothing any more.
            let _ended = found.asked.send(question);
        }
    }

    /// Takes note of a call; whether its host waits for it is told through what is returned.
    fn enter(
        &self,
        server: &ServerName,
        asked: mpsc::UnboundedSender<Question>,
    ) -> (u64, Arc<AtomicBool>) {
        let nth = self.last.fetch_add(1, Ordering::Relaxed);
        let awaited = Arc::new(AtomicBool::new(true));
        lock(&self.running).push(Running {
            nth,
            server: server.clone(),
            asked,
            awaited: Arc::clone(&awaited),
        });
        (nth, awaited)
    }

    fn leave(&self, nth: u64) {
        lock(&self.running).retain(|running| running.nth != nth);
    }

    /// Has a call wait; the state that its host is given. `None` if too many wait already.
    fn park(&self, binding: Binding, seats: mpsc::Sender<Seat>) -> Option<String> {
        let mut parked = lock(&self.parked);
        parked.retain(|_, call| !call.seats.is_closed());
        if parked.len() >= PARKED {
            return None;
        }
        let ticket = Ticket::new();
        let state = self.seals.seal(&ticket, &binding);
        parked.insert(ticket, Parked { binding, seats });
        Some(state)
    }

    /// The call that a state names, if it belongs to what is asked now.
    fn take(&self, state: &str, binding: &Binding) -> Option<mpsc::Sender<Seat>> {
        let ticket = self.seals.open(state, binding)?;
        let mut parked = lock(&self.parked);
        let fits = parked
            .get(&ticket)
            .is_some_and(|call| call.binding == *binding);
        fits.then(|| parked.remove(&ticket))
            .flatten()
            .map(|call| call.seats)
    }
}

impl Gateway {
    /// A use for a host that opens no session, at a server that may keep one.
    pub(super) async fn attend(
        &self,
        host: &Host,
        mut act: Act<'_>,
        along: Along,
    ) -> Result<Raw, Fault> {
        let bad = |error: rounds::BadInput| Fault::BadParams(error.to_string().into());
        let Some((brought, rest)) = rounds::brought(&act.route.params).map_err(bad)? else {
            return self.set_out(host, act, along).await;
        };
        act.route.params = rest;
        if brought.state.is_none() {
            // It answers what nobody has asked.
            return self.set_out(host, act, along).await;
        }
        let state = brought.state.as_ref();
        let state = state.and_then(|state| serde_json::from_str::<String>(state.get()).ok());
        let grant = self.standing(&act).await?;
        // Whoever may not do it any more does not go on with it either.
        self.permit(&act, &grant).await?;
        let binding = binding(&act, &grant);
        let seats = state.and_then(|state| self.parts.parking.take(&state, &binding));
        let Some(seats) = seats else {
            let why = "the call that \"requestState\" goes on with does not wait any more; call again \
                       without it";
            return Err(Fault::BadParams(why.into()));
        };
        let token = task::token(&act.route.params);
        let seat = |reply| Seat {
            asides: along.asides,
            token,
            responses: brought.responses,
            reply,
        };
        self.sit_down(seats, binding, seat).await
    }

    /// Begins a call in a task of its own.
    async fn set_out(&self, host: &Host, act: Act<'_>, along: Along) -> Result<Raw, Fault> {
        let grant = self.standing(&act).await?;
        let binding = binding(&act, &grant);
        let (again, server) = (act.again(), act.server.config.name.clone());
        let (seats, arriving) = mpsc::channel(1);
        let (asked, questions) = mpsc::unbounded_channel();
        let (told, heard) = Asides::new(along.asides.as_ref().and_then(Asides::level));
        let (asides, token) = (along.asides.clone(), task::token(&act.route.params));
        let inner = Along {
            asides: Some(told.hearing_everything().asking(asked.clone())),
            ..along
        };
        let (gateway, host) = (self.clone(), host.clone());
        self.parts.tasks.spawn_until_stop(async move {
            let Some(found) = gateway.server(&server) else {
                return;
            };
            let (nth, awaited) = gateway.parts.parking.enter(&server, asked);
            let call = gateway.converse(&host, again.act(found), inner);
            let task = task::Task::new(&gateway, &host, found, (questions, heard), awaited);
            task.run(call, arriving).await;
            gateway.parts.parking.leave(nth);
        });
        let seat = |reply| Seat {
            asides,
            token,
            responses: Vec::new(),
            reply,
        };
        self.sit_down(seats, binding, seat).await
    }

    /// Takes the host's seat at a call until it ends or its server asks something.
    async fn sit_down(
        &self,
        seats: mpsc::Sender<Seat>,
        binding: Binding,
        seat: impl FnOnce(oneshot::Sender<Step>) -> Seat,
    ) -> Result<Raw, Fault> {
        let (reply, step) = oneshot::channel();
        let gone = || Fault::Unavailable("The call has ended, and its result is lost.".into());
        seats.send(seat(reply)).await.map_err(|_| gone())?;
        match step.await.map_err(|_| gone())? {
            Step::Done(outcome) => *outcome,
            Step::Asks(requests) => {
                let Some(state) = self.parts.parking.park(binding, seats) else {
                    let why = "Too many calls wait for answers; answer or abandon some first.";
                    return Err(Fault::Unavailable(why.into()));
                };
                let requests = requests.iter();
                Ok(rounds::asking(
                    requests.map(|one| (&*one.key, &*one.method, one.params.as_ref())),
                    &state,
                ))
            }
        }
    }
}

/// Whose call it is, of what, with what.
fn binding(act: &Act<'_>, grant: &Arc<Grant>) -> Binding {
    let identity = &grant.principal.identity;
    let server = act.server.config.name.as_str();
    let arguments = seal::arguments(&act.route.params);
    Binding::of([
        &*identity.issuer,
        &*identity.subject,
        server,
        &*act.method,
        act.route.what.name(),
        &arguments,
    ])
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
