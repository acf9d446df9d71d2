//! `chaperone headers-helper`: the person's token for a host that speaks to a server by itself.

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::console::Console;
use super::failure::{Failure, exit};
use crate::app::App;
use crate::codes::Code;
use crate::config::{Config, ServerAuth, ServerConfig};
use crate::gateway;
use crate::login::NoGrant;
use crate::wording::chain;

/// Hosts wait ten to thirty seconds for it.
const PATIENCE: Duration = Duration::from_secs(8);

/// Print the headers with which a host's own connector reaches a server.
///
/// One JSON object on standard output, {"Authorization": "Bearer ..."}, for `headersHelper` of Claude
/// Code and Claude Desktop, which run it when they connect and after a 401 or 403. Nothing is printed
/// there unless it succeeds, and nothing on a terminal. It never opens a browser: a person signs in
/// with `chaperone login`.
///
/// What a host does with the token is neither shown to the policy nor recorded by chaperone, so a
/// server has to be opened to it: `headers_helper = true` in its table `[[server]]`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct HeadersArgs {
    /// The server, as the configuration names it; needed if more than one is open to this.
    server: Option<Box<str>>,
}

const AFTER_HELP: &str = "\
Example, in a host's configuration:
  \"database\": {\"type\": \"http\", \"url\": \"https://gateway.example.com/mcp/database\",
               \"headersHelper\": \"/usr/bin/chaperone headers-helper database\"}

Exit codes:
  0 printed                   4 not signed in: chaperone login
  1 failed                    5 the provider cannot be reached, or not in time
  2 wrong use, configuration  3 refused, by the configuration or the provider";

/// Prints the headers.
pub async fn run(args: &HeadersArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    let server = chosen(args.server.as_deref(), app.config.as_ref()?)?;
    if std::io::stdout().is_terminal() {
        let text =
            "the headers hold a secret, which is not printed on a terminal; a host reads them";
        return Err(Failure::new(Code::Usage, text));
    }
    let audience = gateway::audience(server);
    let granting = tokio::time::timeout(PATIENCE, app.session.grant(&audience));
    let Ok(granted) = granting.await else {
        let text = format!("no token within {} s", PATIENCE.as_secs());
        return Err(Failure::new(Code::Unreachable, text));
    };
    let grant = granted.map_err(|why| failure(&why))?;
    let session = app.audit.current_session().await;
    let session = session.map_err(|error| Failure::of(Code::LogUnusable, &error))?;
    // A session that was ended elsewhere is over, whatever the keychain still holds.
    if session.is_none_or(|(_, generation)| generation != grant.principal.generation) {
        return Err(failure(&NoGrant::Ended));
    }
    let bearer = format!("Bearer {}", grant.token().expose());
    console.json(&json!({"Authorization": bearer}))?;
    Ok(exit::DONE)
}

/// The server that is meant, if it is open to this.
fn chosen<'c>(name: Option<&str>, config: &'c Config) -> Result<&'c ServerConfig, Failure> {
    let refused = |text: String| Err(Failure::new(Code::ServerClosed, text));
    let usage = |text: &str| Err(Failure::new(Code::Usage, text));
    let is_open = |server: &&ServerConfig| server.headers_helper && server.auth == ServerAuth::Sso;
    let mut open = config.servers.iter().filter(is_open);
    let Some(name) = name else {
        return match (open.next(), open.next()) {
            (Some(server), None) => Ok(server),
            (Some(_), Some(_)) => usage("more than one server is open to this; name one"),
            (None, _) => refused(closed("any server")),
        };
    };
    let known = config
        .servers
        .iter()
        .find(|server| server.name.as_str() == name);
    let Some(server) = known else {
        return usage(&format!("no server is called {name:?}"));
    };
    if server.auth == ServerAuth::None {
        return usage(&format!("{name:?} gets no token; it has auth = \"none\""));
    }
    if !server.headers_helper {
        return refused(closed(&format!("{name:?}")));
    }
    Ok(server)
}

fn closed(what: &str) -> String {
    format!(
        "the configuration does not open {what} to hosts' own connectors, of which chaperone keeps no \
         record; headers_helper = true in a [[server]] does"
    )
}

fn failure(why: &NoGrant) -> Failure {
    let text = chain(why);
    match why {
        NoGrant::NotSignedIn | NoGrant::Ended => Failure::new(
            Code::NotSignedIn,
            format!("{text}; sign in with: chaperone login"),
        ),
        NoGrant::Unreachable(_) => Failure::new(Code::Unreachable, text),
        NoGrant::Keychain(error) => {
            Failure::new(error.code(), format!("{text}. {}", error.next_step()))
        }
        NoGrant::Refused(_) => Failure::new(Code::ProviderRefused, text),
    }
}
