//! What servers ask of the host: decided and recorded like a call, in the other direction.

use std::sync::Arc;

use serde_json::json;

use crate::audit::{Outcome, OutcomeStatus, Receipt, RefusalReason};
use crate::login::Grant;
use crate::name::ServerName;
use crate::upstream::Question;
use crate::wire::{Raw, code};
use crate::wording::chain;

use super::act::{Act, Admission};
use super::fault::Fault;
use super::fit::{self, Unfit};
use super::host::NoAnswer;
use super::route::{Route, What};
use super::{Gateway, Host, Server, outcome};

/// A question that may be asked, and is on record.
#[derive(Debug)]
pub(super) struct Allowed {
    receipt: Receipt,
    params: Option<Raw>,
}

impl Allowed {
    /// The parameters as they may be shown.
    pub(super) fn params(&self) -> Option<Raw> {
        self.params.clone()
    }
}

impl Gateway {
    /// A question that came on no request's stream: of whichever host can answer it.
    pub(super) fn asked(&self, server: &ServerName, question: Question) {
        let hosts = self.hosts().clone();
        let mut able = hosts.into_iter().filter(|host| {
            let abilities = host.abilities();
            host.has_session() && abilities.allow(&question.method, question.params.as_ref())
        });
        let Some(host) = able.next() else {
            self.parts.parking.pass_on(server, question);
            return;
        };
        let (gateway, name) = (self.clone(), server.clone());
        self.parts.tasks.spawn_until_stop(async move {
            if let Some(server) = gateway.server(&name) {
                gateway.put(&host, server, question).await;
            }
        });
    }

    /// Puts a server's question to a host that has a session.
    async fn put(&self, host: &Host, server: &Server, mut question: Question) {
        let (asked, params) = (question.method.clone(), question.params.clone());
        let outcome = tokio::select! {
            outcome = self.ask(host, server, &asked, params) => outcome,
            () = question.withdrawn() => return,
        };
        question.answer(outcome.map_err(|why| as_error(&why)));
    }

    /// Asks a host with a session what a server wants to know.
    pub(super) async fn ask(
        &self,
        host: &Host,
        server: &Server,
        method: &str,
        params: Option<Raw>,
    ) -> Result<Raw, NoAnswer> {
        let abilities = host.abilities();
        if !host.has_session() || !abilities.allow(method, params.as_ref()) {
            return Err(NoAnswer::Cannot);
        }
        let allowed = self.allow(host, server, method, params).await?;
        let answer = host.ask(method, allowed.params()).await;
        let answer = answer.and_then(usable);
        self.settle(allowed, &answer).await?;
        answer
    }

    /// Writes down that the host answers by itself.
    pub(super) async fn settle_passed_on(&self, allowed: Allowed) -> Result<(), NoAnswer> {
        let outcome = Outcome {
            reason: Some("passed on to the host, which answers with its next request".into()),
            ..outcome::blank(OutcomeStatus::Success)
        };
        self.write(allowed, outcome).await
    }

    /// May the server ask this: the one decision, on record before anybody is asked.
    pub(super) async fn allow(
        &self,
        host: &Host,
        server: &Server,
        method: &str,
        params: Option<Raw>,
    ) -> Result<Allowed, NoAnswer> {
        let what = What::Question(method.into());
        let fit = params.as_ref().map(|params| fit::question(method, params));
        let (fit, unfit) = match fit.transpose() {
            Ok(fit) => (fit, None),
            Err(unfit) => (params, Some(unfit)),
        };
        let route = Route {
            server: server.config.name.clone(),
            asked: what.name().into(),
            what,
            params: fit.clone().unwrap_or_else(Raw::empty_object),
            mirrors: Arc::default(),
            held: None,
        };
        let act = Act::new(server, route, method, host, false);
        match self.admit_question(act, unfit).await {
            Ok(receipt) => Ok(Allowed {
                receipt,
                params: fit,
            }),
            Err(fault) => {
                let (name, why) = (server.config.name.as_str(), fault.sentence());
                tracing::info!(server = name, method, why, "a server may not ask this");
                Err(NoAnswer::Cannot)
            }
        }
    }

    async fn admit_question(
        &self,
        mut act: Act<'_>,
        unfit: Option<Unfit>,
    ) -> Result<Receipt, Fault> {
        for _attempt in 0..2 {
            let grant: Arc<Grant> = self.standing(&act).await?;
            if let Some(unfit) = &unfit {
                let why: Box<str> = chain(unfit).into();
                let reason = RefusalReason::Other(why.clone());
                self.record_refusal(&act, Some(&grant), reason).await;
                return Err(Fault::BadParams(why));
            }
            let permit = self.permit(&act, &grant).await?;
            match self.admit(act, permit, &grant).await? {
                Admission::Go(going) => return Ok(going.into_receipt()),
                Admission::Again(same) => act = same,
            }
        }
        Err(Fault::NotSignedIn("the session has ended".into()))
    }

    /// Writes down what the host answered before the server sees it.
    pub(super) async fn settle(
        &self,
        allowed: Allowed,
        answer: &Result<Raw, NoAnswer>,
    ) -> Result<(), NoAnswer> {
        let (status, response, reason) = match answer {
            Ok(result) => (OutcomeStatus::Success, Some(result.get()), None),
            Err(NoAnswer::Error(error)) => (OutcomeStatus::Error, Some(error.get()), None),
            Err(why) => (OutcomeStatus::Error, None, Some(chain(why).into())),
        };
        let outcome = Outcome {
            response,
            reason,
            ..outcome::blank(status)
        };
        self.write(allowed, outcome).await
    }

    async fn write(&self, allowed: Allowed, outcome: Outcome<'_>) -> Result<(), NoAnswer> {
        let settled = self.parts.audit.settle(allowed.receipt, outcome).await;
        settled.map_err(|cause| {
            tracing::error!(error = chain(cause.as_ref()), "an answer is withheld");
            NoAnswer::Silent
        })
    }
}

/// An answer as servers expect one: an object.
pub(super) fn usable(answer: Raw) -> Result<Raw, NoAnswer> {
    if answer.is_object() {
        Ok(answer)
    } else {
        Err(NoAnswer::Unusable)
    }
}

/// What a server is told that gets no answer; of the reasons it learns nothing.
pub(super) fn as_error(why: &NoAnswer) -> Raw {
    match why {
        NoAnswer::Error(error) => error.clone(),
        NoAnswer::Cannot | NoAnswer::Busy | NoAnswer::Unusable | NoAnswer::Silent => {
            let code = code::METHOD_NOT_FOUND;
            let error = json!({"code": code, "message": "this is not answered"});
            Raw::of(&error).unwrap_or_else(|_| Raw::empty_object())
        }
    }
}
