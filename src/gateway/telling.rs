//! What a host tells of itself: what chaperone knows goes to whom it concerns, and what it does not
//! know to the server that it can only be meant for, decided and recorded like a request.

use crate::audit::OutcomeStatus;
use crate::wire::{Notification, Raw, method};
use crate::wording::chain;

use super::act::{Act, Admission};
use super::{Fault, Gateway, Host, outcome};

/// What hosts tell that concerns chaperone alone, or an exchange that is over.
const OURS: [&str; 3] = [method::INITIALIZED, method::CANCELLED, method::PROGRESS];

impl Gateway {
    /// Hears what a host tells of itself. Nobody waits for what comes of it.
    pub fn told(&self, host: &Host, notice: Notification) {
        if *notice.method == *method::ROOTS_CHANGED {
            for server in &self.parts.servers {
                server.upstream.tell_roots_changed();
            }
        } else if !OURS.contains(&&*notice.method) {
            self.pass_on(host.clone(), notice);
        }
    }

    fn pass_on(&self, host: Host, notice: Notification) {
        let Ok(place) = self.parts.telling.clone().try_acquire_owned() else {
            tracing::debug!(method = &*notice.method, "lost: too much is told at once");
            return;
        };
        let gateway = self.clone();
        self.parts.tasks.spawn_until_stop(async move {
            let Notification { method, params } = notice;
            let params = params.unwrap_or_else(Raw::empty_object);
            if let Err(fault) = gateway.tell_server(&host, &method, &params).await {
                let why = fault.sentence();
                tracing::debug!(method = &*method, why, "not passed on");
            }
            drop(place);
        });
    }

    async fn tell_server(&self, host: &Host, method: &str, params: &Raw) -> Result<(), Fault> {
        let mut act: Act<'_> = self.route(host, method, params).await?;
        for _attempt in 0..2 {
            let server = act.server;
            let grant = self.standing(&act).await?;
            let permit = self.permit(&act, &grant).await?;
            let going = match self.admit(act, permit, &grant).await? {
                Admission::Go(going) => going,
                Admission::Again(same) => {
                    act = same;
                    continue;
                }
            };
            let (admitted, receipt) = going.into_parts();
            let told = server.upstream.tell(admitted, &grant).await;
            let mut how = outcome::blank(match &told {
                Ok(()) => OutcomeStatus::Success,
                Err(error) if error.may_have_run() => OutcomeStatus::Unknown,
                Err(_) => OutcomeStatus::Error,
            });
            how.reason = told.err().map(|error| chain(&error).into());
            if let Err(cause) = self.parts.audit.settle(receipt, how).await {
                tracing::error!(error = chain(cause.as_ref()), "an outcome is not on record");
            }
            return Ok(());
        }
        Err(self.session_lost(act).await)
    }
}
