//! The steps of one use: route, permit, admit, perform.

use std::sync::Arc;

use crate::audit::{AdmitError, Admitted, Agent, Call, Event, Receipt, RefusalReason};
use crate::login::Grant;
use crate::name::ServerName;
use crate::policy::{self, Decision, Permit, Refusal, Standing};
use crate::random;
use crate::upstream::{Along, UpstreamError};
use crate::wire::TraceContext;
use crate::wire::{Raw, method};
use crate::wording::chain;

use super::eras;
use super::fault::{Fault, Refused};
use super::fit::{self, Unfit};
use super::late::Asked;
use super::route::{self, Route};
use super::{Gateway, Host, Server, outcome, pins, tasks};

/// One use on its way.
pub(super) struct Act<'a> {
    pub(super) server: &'a Server,
    pub(super) route: Route,
    pub(super) method: Box<str>,
    pub(super) agent: Arc<Agent>,
    /// Whether the host has seen the name.
    pub(super) seen: bool,
    /// Whether the host opens no session.
    alone: bool,
    pub(super) request_id: Box<str>,
    pub(super) trace: TraceContext,
}

impl<'a> Act<'a> {
    pub(super) fn new(
        server: &'a Server,
        mut route: Route,
        method: &str,
        host: &Host,
        seen: bool,
    ) -> Self {
        let span = u64::from_be_bytes(random::bytes());
        let trace = match TraceContext::of(&route.params) {
            Some(hosts) => {
                let ours = hosts.below(span);
                route.params = ours.put_into(&route.params);
                ours
            }
            None => TraceContext::begin(random::trace_id(), span),
        };
        Self {
            server,
            route,
            method: method.into(),
            agent: host.agent(),
            seen,
            alone: host.is_alone(),
            request_id: random::uuid().to_string().into(),
            trace,
        }
    }

    /// What another use of the same thing is made of.
    pub(super) fn again(&self) -> Again {
        Again {
            route: self.route.clone(),
            method: self.method.clone(),
            agent: Arc::clone(&self.agent),
            seen: self.seen,
            alone: self.alone,
            trace: self.trace.clone(),
        }
    }
}

/// What a use goes on with.
pub(super) struct Again {
    route: Route,
    method: Box<str>,
    agent: Arc<Agent>,
    seen: bool,
    alone: bool,
    trace: TraceContext,
}

impl Again {
    /// The method.
    pub(super) fn method(&self) -> &str {
        &self.method
    }

    /// The name that the host used.
    pub(super) fn asked(&self) -> &str {
        &self.route.asked
    }

    /// Another use, with a name of its own in the same trace.
    pub(super) fn act<'a>(&self, server: &'a Server) -> Act<'a> {
        Act {
            server,
            route: self.route.clone(),
            method: self.method.clone(),
            agent: Arc::clone(&self.agent),
            seen: self.seen,
            alone: self.alone,
            request_id: random::uuid().to_string().into(),
            trace: self.trace.clone(),
        }
    }
}

/// What a server answered, on record.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) result: Raw,
    /// Whether the answer is of a request that stood alone.
    pub(super) alone: bool,
}

impl Done {
    /// The result in the words of the host's revision.
    pub(super) fn for_host(self, host: &Host) -> Raw {
        eras::result(self.result, self.alone, host.is_alone())
    }
}

/// What became of an admission.
pub(super) enum Admission<'a> {
    /// It is on record and may leave.
    Go(Box<Going<'a>>),
    /// The session changed meanwhile; the same use, to be tried with the new one.
    Again(Act<'a>),
}

/// A use that is on record.
pub(super) struct Going<'a> {
    server: &'a Server,
    method: Box<str>,
    /// Whether the host opens no session.
    alone: bool,
    admitted: Admitted,
    receipt: Receipt,
}

impl Going<'_> {
    /// What may be sent, and what settles it.
    pub(super) fn into_parts(self) -> (Admitted, Receipt) {
        (self.admitted, self.receipt)
    }

    /// For what does not go to the server.
    pub(super) fn into_receipt(self) -> Receipt {
        self.receipt
    }
}

impl Gateway {
    /// Which server, under which name.
    pub(super) async fn route<'a>(
        &'a self,
        host: &Host,
        method: &str,
        params: &Raw,
    ) -> Result<Act<'a>, Fault> {
        self.follow_pins();
        let found = match self.find(method, params) {
            Err(Fault::Unknown(_, name)) => {
                let asked = Asked {
                    host,
                    method,
                    params,
                    name: &name,
                };
                self.find_later(asked).await?
            }
            other => other?,
        };
        let unknown = || Fault::Unknown(found.what.kind(), found.asked.clone());
        let server = self.server(&found.server).ok_or_else(unknown)?;
        let seen = host.has_seen(&found.asked);
        Ok(Act::new(server, found, method, host, seen))
    }

    /// Which server has the name, as far as the lists are known.
    pub(super) fn find(&self, method: &str, params: &Raw) -> Result<Route, Fault> {
        if method == method::TOOLS_CALL {
            let object = route::open(params)?;
            let asked = route::required(&object, "name")?;
            return self.catalog(|catalog| route::tool(catalog, &object, &asked));
        }
        self.catalog(|catalog| route::other(catalog, method, params))
    }

    /// May they: the one decision, and a record of every refusal.
    pub(super) async fn permit(&self, act: &Act<'_>, grant: &Grant) -> Result<Permit, Fault> {
        let who = Standing {
            roles: &grant.principal.roles,
            scopes: &grant.principal.scopes,
        };
        let name = &act.server.config.name;
        let policy = self.policy().await;
        let (refusal, listed) = match policy::decide(&policy, who, name, act.route.what.target()) {
            Decision::Permit(permit) => match act.route.held {
                None => return Ok(permit),
                Some(held) => (pins::refusal(held, &act.route.asked), true),
            },
            Decision::NeedsApproval(refusal, _) => (refusal, true),
            Decision::NeedsScope(refusal, _) | Decision::Deny(refusal) => (refusal, act.seen),
        };
        self.record_refusal(act, Some(grant), RefusalReason::Policy(refusal.clone()))
            .await;
        Err(Fault::Refused(refused(act, refusal, listed)))
    }

    /// Whether records leave in time, how often, and on record before anything leaves.
    pub(super) async fn admit<'a>(
        &self,
        act: Act<'a>,
        permit: Permit,
        grant: &Grant,
    ) -> Result<Admission<'a>, Fault> {
        self.hold_back(&act, &permit, grant).await?;
        let call = Call {
            request_id: act.request_id.clone(),
            trace: act.trace.clone(),
            method: act.method.clone(),
            params: act.route.params.clone(),
            principal: Arc::clone(&grant.principal),
            agent: Arc::clone(&act.agent),
        };
        match self.parts.audit.admit(permit, call).await {
            Ok((admitted, receipt)) => {
                let (server, method, alone) = (act.server, act.method, act.alone);
                Ok(Admission::Go(Box::new(Going {
                    server,
                    method,
                    alone,
                    admitted,
                    receipt,
                })))
            }
            Err(AdmitError::SessionEnded) => {
                self.parts.session.reload();
                Ok(Admission::Again(act))
            }
            Err(AdmitError::RateLimited {
                policy,
                per_minute,
                retry_after,
            }) => {
                let reason = RefusalReason::RateLimited {
                    policy: Some(policy.clone()),
                };
                self.record_refusal(&act, Some(grant), reason).await;
                Err(Fault::RateLimited {
                    policy,
                    per_minute,
                    retry_after,
                })
            }
            Err(AdmitError::NoRoom { policy }) => Err(self.no_room(&act, policy, grant).await),
            Err(AdmitError::Store(cause)) => Err(Fault::of_log(&cause)),
        }
    }

    /// Do it, and write down how it ended before anybody sees the answer.
    pub(super) async fn perform(
        &self,
        going: Going<'_>,
        grant: Arc<Grant>,
        along: Along,
    ) -> Result<Done, Fault> {
        let upstream = &going.server.upstream;
        let answer = upstream.send(going.admitted, Some(&grant), along).await;
        let settled = self
            .parts
            .audit
            .settle(going.receipt, outcome::of(&answer))
            .await;
        if let Err(cause) = settled {
            let why = chain(cause.as_ref());
            return Err(Fault::Withheld(
                format!(
                    "The call ran, but its outcome could not be recorded ({why}), so its result is \
                     withheld. Do not retry: it may run a second time."
                )
                .into(),
            ));
        }
        let by_itself = answer.alone;
        match answer.outcome {
            Ok(Ok(result)) => {
                let name = &going.server.config.name;
                let result = tasks::for_host(name, &going.method, result);
                let result = self.name_for_host(name, &going.method, result);
                Ok(Done {
                    result,
                    alone: by_itself,
                })
            }
            Ok(Err(error)) => {
                let error = eras::error(error, &going.method, by_itself, going.alone);
                Err(fit::error(error).map_or_else(
                    |unfit| not_shown(&going.server.config.name, &unfit),
                    Fault::Upstream,
                ))
            }
            Err(error) => Err(Fault::Unavailable(
                Self::unavailable(going.server, &error).into(),
            )),
        }
    }

    /// A server without a usable answer: which, why, what to do.
    fn unavailable(server: &Server, error: &UpstreamError) -> String {
        let name = &server.config.name;
        let why = chain(error);
        if error.may_have_run() {
            return format!(
                "The server \"{name}\" gave no usable answer: {why}. The call may have run; check \
                 before you repeat it."
            );
        }
        not_used(name, &why)
    }

    pub(super) async fn record_refusal(
        &self,
        act: &Act<'_>,
        grant: Option<&Grant>,
        reason: RefusalReason,
    ) {
        let event = Event::Refusal {
            server: Some(act.server.config.name.clone()),
            target: act.route.what.name().into(),
            method: act.method.clone(),
            params: Some(act.route.params.clone()),
            refusal: reason,
            policy_digest: Some(self.policy().await.digest().into()),
            principal: grant.map(|grant| Arc::clone(&grant.principal)),
            agent: Arc::clone(&act.agent),
            request_id: act.request_id.clone(),
        };
        self.note(event).await;
    }
}

/// A server that was not reached: why, what did not happen, what to do.
pub(super) fn not_used(server: &ServerName, why: &str) -> String {
    format!(
        "The server \"{server}\" could not be used: {why}. The call did not run; other servers are \
         not affected. Try again later, or ask chaperone__status."
    )
}

/// An error that asks for something that nobody should do.
fn not_shown(server: &ServerName, why: &Unfit) -> Fault {
    let why = chain(why);
    let text = format!(
        "The server \"{server}\" answered with an error that is not shown: {why}. Ask whoever runs it."
    );
    Fault::Unavailable(text.into())
}

fn refused(act: &Act<'_>, refusal: Refusal, shown: bool) -> Refused {
    Refused {
        asked: act.route.asked.clone(),
        kind: act.route.what.kind(),
        refusal,
        shown,
    }
}
