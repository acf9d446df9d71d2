//! The person and the provider: keychain, metadata, session.

use super::{Check, silence, within};
use crate::app::App;
use crate::audit::glance::glance;
use crate::codes::Code;
use crate::config::Config;
use crate::login::keychain::KeychainError;
use crate::login::provider::ProviderError;
use crate::login::{Fit, NoGrant, UnfitError};
use crate::wording::chain;

const LOGIN: &str = "chaperone login";

/// Whether secrets can be kept, by keeping one and forgetting it again.
pub(super) async fn keychain(app: &App) -> Check {
    const ID: &str = "keychain.usable";
    match within(app.session.probe()).await {
        Some(Ok(())) => Check::ok(ID, "a secret was written, read and deleted"),
        // Sign-ins work, for as long as a process.
        Some(Err(error @ KeychainError::Absent(_))) => {
            Check::warning(ID, error.code(), &chain(&error), error.next_step())
        }
        Some(Err(error)) => Check::failed(ID, error.code(), &chain(&error), error.next_step()),
        None => {
            let fix = "it may be showing a dialogue: answer it, then try again";
            Check::failed(ID, Code::KeychainLocked, &silence(), fix)
        }
    }
}

/// Whether the provider answers, and whether what it says of itself fits.
pub(super) async fn provider(app: &App, config: &Config) -> [Check; 2] {
    const REACHABLE: &str = "provider.reachable";
    const METADATA: &str = "provider.metadata";
    let Some(identity) = &config.identity else {
        let detail = "the configuration has no [identity], so nobody can sign in";
        let fix = "add issuer and client_id under [identity]";
        return [
            Check::failed(REACHABLE, Code::ConfigInvalid, detail, fix),
            Check::skipped(METADATA, "no provider is configured"),
        ];
    };
    let issuer = &identity.issuer;
    let unreachable = |why: &str| {
        let fix = "open the issuer's address in a browser here; compare network.proxy";
        let detail = format!("{issuer}: {why}");
        [
            Check::failed(REACHABLE, Code::ProviderUnreachable, &detail, fix),
            Check::skipped(METADATA, "the provider does not answer"),
        ]
    };
    let answers = Check::ok(REACHABLE, &format!("{issuer} answers"));
    match within(app.session.provider_fit()).await {
        None => unreachable(&silence()),
        Some(None) => [
            answers,
            Check::skipped(METADATA, "no provider is configured"),
        ],
        Some(Some(Ok(fit))) => [answers, fitting(&fit)],
        Some(Some(Err(UnfitError::Provider(error)))) if !error.is_unreachable() => {
            [answers, unfit(&error)]
        }
        Some(Some(Err(error))) => unreachable(&chain(&error)),
    }
}

fn unfit(error: &ProviderError) -> Check {
    let fix =
        "compare `issuer` with the provider's own spelling; the rest its administrator can change";
    Check::failed("provider.metadata", Code::ProviderUnfit, &chain(error), fix)
}

fn fitting(fit: &Fit) -> Check {
    const ID: &str = "provider.metadata";
    let yes = |has: bool| if has { "yes" } else { "no" };
    let detail = format!(
        "PKCE with S256: {}, `iss` in answers: {}, revocation: {}",
        yes(fit.pkce),
        yes(fit.iss),
        yes(fit.revocation)
    );
    if !fit.pkce {
        let fix = "have the provider advertise PKCE; allow_unadvertised_pkce is set meanwhile";
        return Check::warning(ID, Code::ProviderUnfit, &detail, fix);
    }
    if !fit.unlisted_scopes.is_empty() {
        let scopes = fit.unlisted_scopes.join(", ");
        return Check::note(
            ID,
            &format!("{detail}; it does not list the scopes {scopes}"),
        );
    }
    Check::ok(ID, &detail)
}

/// What was found of the session.
pub(super) struct Found {
    pub(super) check: Check,
    /// Whether servers can be asked on its word.
    pub(super) is_there: bool,
}

impl Found {
    fn none(check: Check) -> Self {
        Self {
            check,
            is_there: false,
        }
    }
}

/// Whether somebody is signed in whose token the provider renews.
pub(super) async fn session(app: &App, keychain: &Check) -> Found {
    const ID: &str = "session.valid";
    match keychain.code {
        None => {}
        Some(Code::KeychainAbsent) => {
            let why = "without a keychain a session lives in the process that signed in alone";
            return Found::none(Check::skipped(ID, why));
        }
        Some(_) => return Found::none(Check::skipped(ID, "the keychain cannot be read")),
    }
    let asked = async {
        let grant = app.session.anyone().await?;
        Ok((grant, app.session.who().await?))
    };
    let failed = |code, detail: &str, fix| Found::none(Check::failed(ID, code, detail, fix));
    let (grant, who) = match within(asked).await {
        Some(Ok(found)) => found,
        None => {
            return failed(
                Code::ProviderUnreachable,
                &silence(),
                "see provider.reachable",
            );
        }
        Some(Err(error)) => return failed_because(&error),
    };
    let log = app.paths.audit_db();
    let current = app.tasks.blocking(move || glance(&log, None));
    // A log that cannot be read is told of by the log's own check.
    let ended = match within(current).await {
        Some(Ok(found)) => found.session != Some(grant.principal.generation.0),
        Some(Err(_)) | None => false,
    };
    if ended {
        let detail = "it was ended elsewhere; the keychain still holds it";
        return failed(Code::NotSignedIn, detail, LOGIN);
    }
    let roles: Vec<&str> = grant.principal.roles.iter().collect();
    let user = grant.principal.identity.display().to_owned();
    let until = who.map(|who| format!(", verified until {}", who.verified_until));
    let detail = format!(
        "{user}, roles {}{}",
        roles.join(", "),
        until.unwrap_or_default()
    );
    Found {
        check: Check::ok(ID, &detail),
        is_there: true,
    }
}

fn failed_because(error: &NoGrant) -> Found {
    let (code, fix) = match error {
        NoGrant::NotSignedIn | NoGrant::Ended => (Code::NotSignedIn, LOGIN),
        NoGrant::Unreachable(_) => (Code::ProviderUnreachable, "see provider.reachable"),
        NoGrant::Keychain(error) => (error.code(), error.next_step()),
        NoGrant::Refused(_) => (Code::ProviderRefused, LOGIN),
    };
    Found::none(Check::failed("session.valid", code, &chain(error), fix))
}
