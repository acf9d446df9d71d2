//! `chaperone policy check` and `chaperone policy explain`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::console::Console;
use super::failure::{Failure, exit};
use crate::app::App;
use crate::codes::Code;
use crate::config::{self, Config, ServerAuth};
use crate::gateway::{Fault, audience};
use crate::name::{ExposedName, ServerName, ToolName};
use crate::policy::{Policy, Problem, Standing, Target, digest_of};
use crate::principal::{Roles, Scopes};
use crate::wording::chain;

/// Check the policy document, or ask what it says of a tool.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chaperone policy check\n  chaperone policy explain deploy__rollback"
)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Read a policy document and say everything that is wrong with it
    #[command(after_help = "Example:\n  chaperone policy check mcp-policies.yaml")]
    Check {
        /// The document; without it the configured one.
        file: Option<PathBuf>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Say which policy decides about a tool, and why
    #[command(
        after_help = "Example:\n  chaperone policy explain deploy__deploy_production --as-roles devops"
    )]
    Explain {
        /// The tool as `chaperone tools` lists it: `server__tool`.
        tool: String,
        /// For somebody with these roles and all scopes that are asked for at sign-in.
        #[arg(long, value_name = "ROLES", value_delimiter = ',')]
        as_roles: Option<Vec<String>>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub async fn run(args: &PolicyArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    match &args.command {
        PolicyCommand::Check {
            file: Some(file),
            json,
        } => {
            let config = app.config.as_ref().ok();
            check(file, &any(file)?, config, *json, console)
        }
        PolicyCommand::Check { file: None, json } => {
            let config = app.config.as_ref()?;
            let text = configured(config)?;
            check(&config.policy_file, &text, Some(config), *json, console)
        }
        PolicyCommand::Explain {
            tool,
            as_roles,
            json,
        } => explain(tool, as_roles.as_deref(), *json, app, console).await,
    }
}

fn check(
    file: &Path,
    text: &str,
    config: Option<&Config>,
    json: bool,
    console: &mut Console,
) -> Result<u8, Failure> {
    let names = config.and_then(|config| config.identity.as_ref());
    let names = names
        .map(|identity| identity.scope_names.clone())
        .unwrap_or_default();
    let (problems, warnings) = match Policy::parse(text, names) {
        Ok(policy) => (Vec::new(), policy.warnings()),
        Err(error) => (error.problems, Vec::new()),
    };
    let good = problems.is_empty();
    if json {
        console.json(&json!({
            "file": file.display().to_string(),
            "ok": good,
            "digest": digest_of(text.as_bytes()),
            "problems": problems.iter().map(object).collect::<Vec<_>>(),
            "warnings": warnings.iter().map(object).collect::<Vec<_>>(),
        }))?;
    } else {
        for (word, found) in [("", &problems), ("warning: ", &warnings)] {
            for problem in found {
                console.say(&format!(
                    "{}:{}:{}: {word}{}",
                    file.display(),
                    problem.line,
                    problem.column,
                    problem.message
                ))?;
            }
        }
        if good {
            console.say(&format!(
                "{} loads ({})",
                file.display(),
                digest_of(text.as_bytes())
            ))?;
        }
    }
    Ok(if good { exit::DONE } else { exit::USAGE })
}

fn object(problem: &Problem) -> serde_json::Value {
    json!({"line": problem.line, "column": problem.column, "message": problem.message})
}

fn unreadable(file: &Path, error: &dyn std::error::Error) -> Failure {
    let text = format!(
        "the policy {} cannot be read: {}",
        file.display(),
        chain(error)
    );
    Failure::new(Code::PolicyInvalid, text)
}

/// A file that is only looked at.
fn any(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))
}

/// The file that decides; one that others can write is no policy.
fn configured(config: &Config) -> Result<String, Failure> {
    let file = &config.policy_file;
    let text = config::read_document(file, config.policy_trust);
    text.map_err(|error| unreadable(file, &error))
}

async fn explain(
    tool: &str,
    as_roles: Option<&[String]>,
    json: bool,
    app: &App,
    console: &mut Console,
) -> Result<u8, Failure> {
    let config = app.config.as_ref()?;
    let (server, tool) = match app.gateway.named(tool).await {
        Some(known) => known,
        None => named(config, tool)?,
    };
    let names = config
        .identity
        .as_ref()
        .map(|identity| identity.scope_names.clone());
    let policy = Policy::parse(&configured(config)?, names.unwrap_or_default());
    let policy = policy.map_err(|_| {
        Failure::new(
            Code::PolicyInvalid,
            "the policy does not load; `chaperone policy check` says why",
        )
    })?;
    let (roles, scopes) = match as_roles {
        Some(roles) => (
            roles.iter().map(String::as_str).collect(),
            asked_for(config, &server),
        ),
        None => standing(app, config, &server).await?,
    };
    let who = Standing {
        roles: &roles,
        scopes: &scopes,
    };
    let explanation = policy.explain(who, &server, Target::Tool(&tool));
    if json {
        console.json(&explanation)?;
    } else {
        console.say(&explanation.to_string())?;
    }
    Ok(exit::DONE)
}

fn named(config: &Config, tool: &str) -> Result<(ServerName, ToolName), Failure> {
    let names: Vec<ServerName> = config
        .servers
        .iter()
        .map(|server| server.name.clone())
        .collect();
    ExposedName::parts(tool, &names).ok_or_else(|| {
        let known: Vec<&str> = names.iter().map(ServerName::as_str).collect();
        let text = format!(
            "{tool:?} names no tool that is known: write server__tool, with one of the servers {}; \
             a name that was rewritten (`chaperone tools` shows them) is known once its server has \
             been asked",
            known.join(", ")
        );
        Failure::new(Code::Usage, text)
    })
}

/// What the sign-in asks for.
fn asked_for(config: &Config, server: &ServerName) -> Scopes {
    let general = config.identity.iter().flat_map(|identity| &identity.scopes);
    let own = config.servers.iter().filter(|known| known.name == *server);
    general
        .chain(own.flat_map(|server| &server.scopes))
        .map(|scope| &**scope)
        .collect()
}

/// What the person has who is signed in.
async fn standing(
    app: &App,
    config: &Config,
    server: &ServerName,
) -> Result<(Roles, Scopes), Failure> {
    let server = config.servers.iter().find(|known| known.name == *server);
    let grant = match server {
        Some(server) if server.auth == ServerAuth::Sso => {
            app.session.grant(&audience(server)).await
        }
        Some(_) | None => app.session.anyone().await,
    };
    let grant = grant.map_err(|error| {
        let failure = Failure::from(Fault::from(&error));
        failure.adding(" Or say for whom with --as-roles.")
    })?;
    Ok((
        grant.principal.roles.clone(),
        grant.principal.scopes.clone(),
    ))
}
