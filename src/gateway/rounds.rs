//! Servers that answer with a question (MCP 2026-07-28, basic/patterns/mrtr): a host that has a
//! session is asked, and the request is sent again with what it said; any other host does that
//! itself.

use serde_json::json;
use std::sync::Arc;
use tokio::time::Instant;

use crate::bounds::{CONVERSATION, ROUNDS};
use crate::name::ServerName;
use crate::upstream::{Along, Listing};
use crate::wire::rounds::{self, InputRequest, InputRequired};
use crate::wire::{Object, Raw, code, method};

use super::act::{Act, Again, Done};
use super::fault::Fault;
use super::host::NoAnswer;
use super::lane::Wanted;
use super::{Gateway, Host, Server};

impl Gateway {
    /// One use, with all that the server asks in between.
    pub(super) async fn converse(
        &self,
        host: &Host,
        act: Act<'_>,
        along: Along,
    ) -> Result<Raw, Fault> {
        let (server, method) = (act.server, act.method.clone());
        let may_go_on = along.abilities.any() || server.upstream.is_alone();
        let again = may_go_on.then(|| (act.again(), along.clone()));
        let done = match (self.once(act, along).await, &again) {
            (Err(Fault::Upstream(error)), Some((again, along))) if is_about_headers(&error) => {
                Box::pin(self.with_other_headers(server, again, along, error)).await
            }
            (done, _) => done,
        }?;
        let Some(required) = required(server, &method, &done)? else {
            return Ok(done.for_host(host));
        };
        if host.is_alone() {
            let shown = Box::pin(self.let_ask(host, server, &required)).await?;
            return Ok(rounds::asking_this(
                &done.result,
                &required.requests,
                &shown,
            ));
        }
        let Some((again, along)) = again.filter(|(_, along)| along.abilities.any()) else {
            return Err(cannot(&server.config.name, &required));
        };
        let talking = Box::pin(self.go_on(host, server, (&again, along), required));
        let talked = tokio::time::timeout(CONVERSATION, talking).await;
        talked.unwrap_or_else(|_late| {
            let why = "answering its questions took too long";
            Err(unfinished(&server.config.name, why))
        })
    }

    /// Brings a server what it asks for, until it asks for nothing more.
    async fn go_on(
        &self,
        host: &Host,
        server: &Server,
        (again, along): (&Again, Along),
        mut required: InputRequired,
    ) -> Result<Raw, Fault> {
        for _round in 0..ROUNDS {
            let responses = self.gather(host, server, &required).await?;
            let mut act = again.act(server);
            let params = &act.route.params;
            act.route.params = rounds::bringing(params, &responses, required.state.as_ref());
            let done = self.once(act, along.clone()).await?;
            match self::required(server, again.method(), &done)? {
                None => return Ok(done.for_host(host)),
                Some(more) => required = more,
            }
        }
        let why = format!("it asked more than {ROUNDS} times");
        Err(unfinished(&server.config.name, &why))
    }

    /// Sends a call again whose head repeated other parameters than its tool wants by now (MCP
    /// 2026-07-28, basic/transports/streamable-http, client behavior). It was not carried out.
    async fn with_other_headers(
        &self,
        server: &Server,
        again: &Again,
        along: &Along,
        error: Raw,
    ) -> Result<Done, Fault> {
        let name = &server.config.name;
        self.fetch(name, Wanted::one(Listing::Tools));
        let deadline = Instant::now() + server.config.list_timeout;
        self.await_server(name, deadline).await;
        let mirrors = self.catalog(|catalog| {
            let (_, tool) = catalog.tool(again.asked())?;
            let is_held = tool.held.is_some();
            (!is_held).then(|| Arc::clone(&tool.mirrors))
        });
        match mirrors.filter(|mirrors| *mirrors != along.mirrors) {
            Some(mirrors) => {
                let along = Along {
                    mirrors,
                    ..along.clone()
                };
                self.once(again.act(server), along).await
            }
            None => Err(Fault::Upstream(error)),
        }
    }

    /// Asks the host one thing after the other, so that a person sees one at a time.
    async fn gather(
        &self,
        host: &Host,
        server: &Server,
        required: &InputRequired,
    ) -> Result<Vec<(Box<str>, Raw)>, Fault> {
        let mut responses = Vec::with_capacity(required.requests.len());
        for request in &required.requests {
            let asked = self.ask(host, server, &request.method, request.params.clone());
            let answer = match asked.await {
                Ok(answer) => answer,
                // Whoever is asked may say nothing.
                Err(NoAnswer::Error(_) | NoAnswer::Silent)
                    if *request.method == *method::ELICIT =>
                {
                    let nothing = json!({"action": "cancel"});
                    Raw::of(&nothing).unwrap_or_else(|_| Raw::empty_object())
                }
                Err(why) => {
                    let why = format!("it asks for {}, and {why}", request.method);
                    return Err(unfinished(&server.config.name, &why));
                }
            };
            responses.push((request.key.clone(), answer));
        }
        Ok(responses)
    }

    /// Lets a host answer by itself what the policy allows the server to ask, and records that it
    /// was asked; the requests as they may be shown.
    async fn let_ask(
        &self,
        host: &Host,
        server: &Server,
        required: &InputRequired,
    ) -> Result<Vec<InputRequest>, Fault> {
        let mut shown = Vec::with_capacity(required.requests.len());
        for request in &required.requests {
            let (method, params) = (&request.method, request.params.clone());
            let passed_on = async {
                let allowed = self.allow(host, server, method, params).await?;
                let params = allowed.params();
                self.settle_passed_on(allowed).await?;
                Ok::<_, NoAnswer>(params)
            };
            let params = passed_on.await.map_err(|why| {
                let why = format!("it asks for {method}, and {why}");
                unfinished(&server.config.name, &why)
            })?;
            shown.push(InputRequest {
                params,
                ..request.clone()
            });
        }
        Ok(shown)
    }
}

fn is_about_headers(error: &Raw) -> bool {
    let code = Object::of(error, &[]).ok();
    let code = code.and_then(|error| error.get("code")?.get().parse().ok());
    code == Some(code::HEADER_MISMATCH)
}

fn required(server: &Server, method: &str, done: &Done) -> Result<Option<InputRequired>, Fault> {
    if !done.alone || !rounds::may_ask(method) {
        return Ok(None);
    }
    InputRequired::of(&done.result).map_err(|bad| unfinished(&server.config.name, &bad.to_string()))
}

fn cannot(server: &ServerName, required: &InputRequired) -> Fault {
    let asked: Vec<&str> = required.requests.iter().map(|one| &*one.method).collect();
    let asked = asked.join(", ");
    unfinished(
        server,
        &format!("it asks for {asked}, which this host cannot answer"),
    )
}

fn unfinished(server: &ServerName, why: &str) -> Fault {
    let text = format!(
        "The server \"{server}\" did not finish: {why}. What it had begun may have taken effect; check \
         before you repeat the call."
    );
    Fault::Unavailable(text.into())
}
