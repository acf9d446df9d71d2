//! What may not be done while too much waits to be sent, or while the disk is full.

use crate::audit::RefusalReason;
use crate::login::Grant;
use crate::policy::Permit;
use crate::wire::method;

use super::Gateway;
use super::act::Act;
use super::fault::Fault;
use super::route::What;

impl Gateway {
    /// Refuses what may change something while more records wait than `audit.spool_limit` and
    /// `audit.spool_age` allow.
    pub(super) async fn hold_back(
        &self,
        act: &Act<'_>,
        permit: &Permit,
        grant: &Grant,
    ) -> Result<(), Fault> {
        if changes_nothing(act, permit) {
            return Ok(());
        }
        let Some(overdue) = self.parts.sync.overdue().await else {
            return Ok(());
        };
        let why = overdue.to_string();
        let reason = RefusalReason::SpoolFull {
            policy: permit.policy().into(),
            why: why.as_str().into(),
        };
        self.record_refusal(act, Some(grant), reason).await;
        let text = format!(
            "Not sent: records of earlier calls have not left this machine: {why} (audit.spool_limit, \
             audit.spool_age). Until they have been sent, only tools that the policy names under \
             read_only can be called. Run `chaperone sync --now` to send them; `chaperone status` shows \
             what keeps them. If that does not help, ask your administrator."
        );
        Err(Fault::SpoolFull(text.into()))
    }

    /// A call for whose record there is no room, with the record of that, for which there is.
    pub(super) async fn no_room(&self, act: &Act<'_>, policy: Box<str>, grant: &Grant) -> Fault {
        let reason = RefusalReason::NoRoom { policy };
        self.record_refusal(act, Some(grant), reason).await;
        let text = "Not sent: the disk that holds the audit log is full, and what is kept of it is for \
                    the record of refusals such as this one. Nothing left this machine. Free some space \
                    and try again; `chaperone status` shows the state of the log.";
        Fault::Unrecorded(text.into())
    }
}

/// Of tools the policy knows. Reading resources and getting prompts changes nothing, as the protocol has
/// it; a server's question belongs to a call that was let through; of what nobody here knows the worst is
/// believed.
fn changes_nothing(act: &Act<'_>, permit: &Permit) -> bool {
    match &act.route.what {
        What::Tool(_) => permit.is_read_only(),
        What::Question(_) => true,
        What::Prompt(_) | What::Resource(_) | What::Server(_) => {
            method::changes_nothing(&act.method)
        }
    }
}
