//! The policy document, without which nothing is allowed.

use std::path::Path;

use super::InitArgs;
use super::dialogue::yes;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::codes::Code;
use crate::config::{Config, PolicyDocument, ScopeNames, Trust, read_document};
use crate::paths;
use crate::policy::{Policy, PolicyError};

/// What is to be written, if anything.
pub(super) struct Rules {
    text: Option<String>,
}

impl Rules {
    /// Finds out where the rules come from: they are there, or given, or announced, or everything is to
    /// be allowed, which nobody is taken to want who has not said so.
    pub(super) fn find(
        args: &InitArgs,
        config: &Config,
        announced: Option<&PolicyDocument>,
        asks: bool,
        console: &mut Console,
    ) -> Result<Self, Failure> {
        let file = config.policy_file.as_path();
        let given = args.policy.as_deref().map(given).transpose()?;
        if file.exists() {
            return there(config, given.as_deref(), console);
        }
        let text = match (given, announced) {
            (Some(text), _) => Some(text),
            (None, Some(document)) => Some(of_document(document)?),
            (None, None) if config.policy_trust == Trust::Administrator => {
                let file = file.display();
                console.note(&format!(
                    "note: the administrator's policy {file} is not there yet; nothing is allowed until it is"
                ));
                None
            }
            (None, None) if args.allow_all || (asks && permitted(config, console)?) => {
                Some(everything(config))
            }
            (None, None) => absent(file, asks, console)?,
        };
        if let Some(text) = &text {
            let scopes = config.identity.as_ref();
            let scopes =
                scopes.map_or_else(ScopeNames::default, |identity| identity.scope_names.clone());
            Policy::parse(text, scopes).map_err(|error| unusable(&error))?;
        }
        Ok(Self { text })
    }

    /// Writes it beside the configuration, or wherever that says.
    pub(super) fn write(&self, config: &Config, console: &mut Console) -> Result<(), Failure> {
        let Some(text) = &self.text else {
            return Ok(());
        };
        write(&config.policy_file, text)?;
        console.say(&format!("Written: {}", config.policy_file.display()))
    }
}

/// Writes a file that is not there yet, with its directory.
pub(super) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let missing = file.parent().filter(|dir| !dir.exists());
    let made = missing.map_or(Ok(()), paths::private_dir);
    let written = made.and_then(|()| paths::create_private(file, text.as_bytes()));
    written.map_err(|error| {
        let text = format!("{} cannot be written: {error}", file.display());
        Failure::new(Code::Output, text)
    })
}

fn unusable(error: &PolicyError) -> Failure {
    let problems = error.problems.iter();
    let problems: Vec<String> = problems.map(|problem| format!("\n  {problem}")).collect();
    let text = format!(
        "the policy cannot be used, and nothing was written:{}",
        problems.concat()
    );
    Failure::new(Code::PolicyInvalid, text)
}

fn given(file: &Path) -> Result<String, Failure> {
    read_document(file, Trust::Account).map_err(|error| {
        let text = format!("{} {error}", file.display());
        Failure::new(Code::Input, text)
    })
}

fn there(config: &Config, given: Option<&str>, console: &mut Console) -> Result<Rules, Failure> {
    let file = &config.policy_file;
    let same =
        |given: &str| read_document(file, config.policy_trust).is_ok_and(|text| text == given);
    if given.is_some_and(|given| !same(given)) {
        let text = format!(
            "there is another policy already ({}), and it is left as it is. Replace it yourself, or leave \
             --policy out",
            file.display()
        );
        return Err(Failure::new(Code::Usage, text));
    }
    console.say(&format!("There is a policy already: {}", file.display()))?;
    Ok(Rules { text: None })
}

fn of_document(document: &PolicyDocument) -> Result<String, Failure> {
    // Every JSON document is one of YAML 1.2.
    let text = serde_json::to_string_pretty(document);
    let text = text.map_err(|error| Failure::of(Code::Input, &error))?;
    Ok(format!(
        "# Written by `chaperone init`, as the company announces it.\n{text}\n"
    ))
}

fn permitted(config: &Config, console: &mut Console) -> Result<bool, Failure> {
    let file = config.policy_file.display();
    let question = format!(
        "There is no policy yet ({file}), and nothing is allowed without one. Allow every person every \
         tool of these servers, as far as they and their gateway do?"
    );
    console.note("");
    yes(&question, false, console)
}

fn absent(file: &Path, asks: bool, console: &mut Console) -> Result<Option<String>, Failure> {
    let file = file.display();
    if asks {
        console.note(&format!(
            "note: nothing is allowed until there is a policy: {file}"
        ));
        return Ok(None);
    }
    let text = format!(
        "there is no policy ({file}), and nothing is allowed without one. Name the company's with --policy \
         FILE, or allow every person every tool of these servers with --allow-all"
    );
    Err(Failure::new(Code::Usage, text))
}

fn everything(config: &Config) -> String {
    let names = config.servers.iter();
    let names: Vec<String> = names.map(|server| format!("\"{}\"", server.name)).collect();
    format!(
        "# Written by `chaperone init`: every person who is signed in may use every tool of these servers, as
# far as they and their gateway allow it. `chaperone policy check` says what is wrong with a change,
# `chaperone policy explain TOOL` how a decision comes about.
version: \"1.0\"
policies:
  - name: \"everything\"
    servers: [{}]
    roles: [\"*\"]
",
        names.join(", ")
    )
}
