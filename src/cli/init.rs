//! `chaperone init`: from nothing to a host that can use the company's tools, in one go.
//!
//! Each step begins with what is there already, so that it can be run again after whatever went wrong:
//! what is written is not asked for, who is signed in is not asked to sign in, and a host that has the
//! entry keeps it.

mod announced;
mod beginning;
mod dialogue;
mod live;
mod rules;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::console::Console;
use super::failure::{Failure, exit};
use super::setup;
use super::{login, report, within};
use crate::app::App;
use crate::codes::Code;
use crate::config::{self, Config};
use crate::hosts::Host;
use crate::login::keychain::KeychainError;
use crate::paths::Paths;
use crate::wording::wrapped;

use dialogue::yes;
use rules::Rules;

/// Begin: write the configuration, sign in, and give the hosts their entry.
///
/// Asks for the provider's issuer, the client id and the servers, or takes them from an address at which
/// the company serves them. Each is tried before anything is written. What is there already is kept, so
/// it can be run again at any time.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct InitArgs {
    /// Where the company serves the settings as JSON (https).
    #[arg(value_name = "ADDRESS", conflicts_with_all = ["issuer", "client_id", "server"])]
    address: Option<String>,
    /// The provider's issuer.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// How the program is known to the provider.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// A server, with the name that its tools begin with; once for each.
    #[arg(long, value_name = "NAME=URL")]
    server: Vec<String>,
    /// The policy document, to be put beside the configuration.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Without a policy document: write one that allows every person every tool of these servers.
    #[arg(long, conflicts_with = "policy")]
    allow_all: bool,
    /// Only this host gets the entry; once for each. Otherwise all that are installed.
    #[arg(long, value_parser = setup::host(), value_name = "HOST", conflicts_with = "no_setup")]
    host: Vec<Host>,
    /// Leave the hosts alone.
    #[arg(long)]
    no_setup: bool,
    /// Do not sign in.
    #[arg(long)]
    no_login: bool,
    /// Print the link to sign in with, and wait.
    #[arg(long, conflicts_with = "no_login")]
    no_browser: bool,
    /// Write it even if the provider or a server does not answer as it should.
    #[arg(long)]
    unchecked: bool,
    /// Ask nothing.
    #[arg(long)]
    yes: bool,
    /// Try everything, show what would be written, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

const AFTER_HELP: &str = "\
At the address lies JSON with the keys of the configuration, and if the company likes its policy document:
  {\"identity\": {\"issuer\": \"https://sso.example.com\", \"client_id\": \"mcp-desktop\"},
   \"server\": [{\"name\": \"database\", \"url\": \"https://gateway.example.com/mcp/database\"}],
   \"policy\": {\"version\": \"1.0\", \"policies\": [...]}}

Examples:
  chaperone init
  chaperone init https://www.example.com/chaperone.json
  chaperone init --issuer https://sso.example.com/realms/enterprise --client-id mcp-desktop \\
      --server database=https://gateway.example.com/mcp/database --policy mcp-policies.yaml --yes

Exit codes:
  0 done                      4 nobody signed in in time
  1 failed, as it says        5 a server or the provider cannot be reached; nothing was written
  2 wrong use, or a configuration that cannot be used";

/// How long is waited to see whether there is a keychain.
const LOOK: Duration = Duration::from_secs(5);
/// How wide text is.
const WIDTH: usize = 78;
const NO_KEYCHAIN: &str = "note: this session has no keychain, so nobody can be signed in for good here: each \
    process signs in for itself when it has to. `chaperone help CHP-KEYCHAIN-ABSENT` says more.";

/// What the steps have in common.
struct Init<'a> {
    args: &'a InitArgs,
    paths: &'a Paths,
    /// Whether a person answers questions.
    asks: bool,
}

/// Runs the command.
pub fn run(args: &InitArgs, paths: &Paths, console: &mut Console) -> Result<u8, Failure> {
    let init = Init {
        args,
        paths,
        asks: console.can_ask() && !args.yes,
    };
    let config = match config::load(paths) {
        Ok(config) if init.is_whole(&config) => init.kept(config, console)?,
        Ok(_) | Err(config::ConfigError::Missing { .. }) => init.begin(console)?,
        Err(error) => return Err(Failure::from(&error)),
    };
    if args.dry_run {
        console.say("Nothing was changed.")?;
        return Ok(exit::DONE);
    }
    let person = init.sign_in(console)?;
    let hosts = init.hosts(console)?;
    console.say(&last_word(&config, person, &hosts))?;
    Ok(exit::DONE)
}

impl Init<'_> {
    /// Whether nothing is left to be asked: a file of the person's own, or an administrator's that says
    /// who and where.
    fn is_whole(&self, config: &Config) -> bool {
        let says_all = config.identity.is_some() && !config.servers.is_empty();
        self.paths.config_file.exists() || says_all
    }

    /// Goes on with the configuration that is there.
    fn kept(&self, config: Config, console: &mut Console) -> Result<Config, Failure> {
        let given = [&self.args.address, &self.args.issuer, &self.args.client_id];
        let place = self.paths.config_file.display();
        if given.iter().any(|given| given.is_some()) || !self.args.server.is_empty() {
            let text = format!(
                "there is a configuration already ({place}), and it is left as it is. Change it there, or \
                 move it away and begin anew; without these options init goes on with it"
            );
            return Err(Failure::new(Code::Usage, text));
        }
        if self.paths.config_file.exists() {
            console.say(&format!("There is a configuration already: {place}"))?;
        } else {
            console.say("The administrator has set what is needed; nothing has to be written.")?;
        }
        let rules = Rules::find(self.args, &config, None, self.asks, console)?;
        let tried = live::tried(|tasks| App::open(self.paths.clone(), tasks), console)?;
        if let (Some(failure), false) = (tried, self.args.unchecked) {
            return Err(failure);
        }
        if !self.args.dry_run {
            rules.write(&config, console)?;
        }
        Ok(config)
    }

    /// Signs in, unless somebody is; whether somebody is then.
    fn sign_in(&self, console: &mut Console) -> Result<bool, Failure> {
        if self.args.no_login {
            return Ok(false);
        }
        let args = login::LoginArgs::of_person(self.args.no_browser);
        let told = async |app: &App| {
            if has_no_keychain(app).await {
                console.note(&wrapped(NO_KEYCHAIN, WIDTH, ""));
                return Ok(exit::NOT_SIGNED_IN);
            }
            if let Ok(grant) = app.session.anyone().await {
                let who = grant.principal.identity.display().to_owned();
                console.say(&format!("Signed in already: {who}"))?;
            } else {
                if self.args.no_browser {
                    console.note("Open this link to sign in:");
                }
                login::run(&args, app, console).await?;
            }
            report::servers(&report::ReportArgs::in_words(), app, console).await
        };
        let code = within(self.paths.clone(), told);
        let code = code.map_err(|failure| {
            failure
                .adding("\nThe configuration is written, and `chaperone init` goes on from here.")
        })?;
        Ok(code == exit::DONE)
    }

    /// Gives hosts the entry; which have it then.
    fn hosts(&self, console: &mut Console) -> Result<Vec<Host>, Failure> {
        if self.args.no_setup {
            return Ok(Vec::new());
        }
        let hosts = match &self.args.host[..] {
            [] => setup::installed(self.paths)?,
            named => named.to_vec(),
        };
        if hosts.is_empty() {
            console.note(
                "note: no host that setup knows is installed; `chaperone setup cursor --print` shows the entry",
            );
            return Ok(hosts);
        }
        let titles = titles(&hosts);
        let question = format!("Give {titles} the entry that starts chaperone?");
        if self.asks && self.args.host.is_empty() && !yes(&question, true, console)? {
            return Ok(Vec::new());
        }
        let code = setup::give(&hosts, self.paths, console)?;
        // Why, has been said of each.
        Ok(if code == exit::DONE {
            hosts
        } else {
            Vec::new()
        })
    }
}

/// Whether a sign-in would end with this process. One that shows a dialogue is there.
async fn has_no_keychain(app: &App) -> bool {
    let probed = tokio::time::timeout(LOOK, app.session.probe()).await;
    matches!(probed, Ok(Err(KeychainError::Absent(_))))
}

fn titles(hosts: &[Host]) -> String {
    let titles: Vec<&str> = hosts.iter().map(|host| host.title()).collect();
    match titles.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        Some((last, _)) => (*last).to_owned(),
        None => String::new(),
    }
}

/// What to do now, in one sentence.
fn last_word(config: &Config, is_signed_in: bool, hosts: &[Host]) -> String {
    let begin = match hosts.first() {
        Some(host) => format!("Start {} anew", host.title()),
        None => "Once your host has the entry, start it".to_owned(),
    };
    let sign_in = if is_signed_in {
        ""
    } else {
        ", sign in with the link that it shows,"
    };
    let ask = match config.servers.first() {
        Some(server) => format!("Which tools of {} may I use?", server.name),
        None => "Which tools does chaperone offer me?".to_owned(),
    };
    format!("\nDone. {begin}{sign_in} and type: {ask}")
}
