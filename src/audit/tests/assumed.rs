//! Admitted calls for the tests of `upstream`, which has no log.

use std::sync::Arc;

use crate::audit::{Admitted, Agent, Call};
use crate::config::ScopeNames;
use crate::name::ServerName;
use crate::policy::{Decision, Permit, Policy, Standing, Target, decide};
use crate::principal::{Generation, Identity, Principal, Roles, Scopes};

const OPEN: &str = r#"
version: "1.0"
policies:
  - {name: "open", servers: ["*"], roles: ["*"]}
"#;

impl Admitted {
    /// The proof without the log: as if the call were on record.
    pub(crate) fn as_if(server: &ServerName, method: &str, params: &str) -> Self {
        let names = ScopeNames {
            tools_read: None,
            tools_execute: None,
            resources_read: None,
            admin: None,
        };
        let policy = Policy::parse(OPEN, names).unwrap();
        let identity = Identity {
            issuer: "https://idp".into(),
            subject: "subject".into(),
            email: None,
        };
        let principal = Principal {
            identity,
            roles: Roles::default(),
            scopes: Scopes::default(),
            generation: Generation(1),
        };
        let call = Call {
            request_id: "0199-request".into(),
            trace: crate::wire::TraceContext::begin("0af7651916cd43dd8448eb211c80319c".into(), 1),
            method: method.into(),
            params: crate::wire::Raw::parse(params).unwrap(),
            principal: Arc::new(principal),
            agent: Arc::new(Agent::default()),
        };
        Self {
            permit: permit(&policy, &call.principal, server),
            call,
        }
    }
}

fn permit(policy: &Policy, principal: &Principal, server: &ServerName) -> Permit {
    let who = Standing {
        roles: &principal.roles,
        scopes: &principal.scopes,
    };
    let decision = decide(policy, who, server, Target::Server("test"));
    let Decision::Permit(permit) = decision else {
        panic!("{decision:?}")
    };
    permit
}
