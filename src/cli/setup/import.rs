//! Moving a host's remote servers into chaperone's own configuration.

use serde_json::{Map, Value};

use super::Setup;
use super::plan::refused;
use crate::cli::failure::Failure;
use crate::codes::Code;
use crate::config::{self, ConfigError};
use crate::hosts::backup::Change;
use crate::hosts::foreign::{self, Adopted, Fate, Foreign};
use crate::hosts::{Host, HostFile, Location};
use crate::wording::terminal_safe;

/// What has been found to move so far.
pub(super) struct Import<'a> {
    setup: &'a Setup<'a>,
    known: Vec<Adopted>,
    /// How many of those chaperone has already.
    old: usize,
    notes: Vec<String>,
}

impl<'a> Import<'a> {
    pub(super) fn new(setup: &'a Setup<'a>) -> Result<Self, Failure> {
        // Read anew: the host before this one may have brought some.
        let known: Vec<Adopted> = match config::load(setup.paths) {
            Ok(config) => {
                let fixed = |setting: &&config::Setting| {
                    &*setting.key == "allow_user_servers" && &*setting.value == "false"
                };
                if config.values.iter().find(fixed).is_some() {
                    let text = "the administrator allows his own servers only; nothing was moved";
                    return Err(Failure::new(Code::Usage, text));
                }
                let servers = config.servers.iter();
                let known = servers.map(|server| Adopted {
                    name: server.name.clone(),
                    url: server.url.clone(),
                    auth: server.auth,
                });
                known.collect()
            }
            Err(ConfigError::Missing { .. }) => Vec::new(),
            Err(error) => return Err(Failure::from(&error)),
        };
        Ok(Self {
            setup,
            old: known.len(),
            known,
            notes: Vec::new(),
        })
    }

    /// Decides what becomes of a file's servers; returns the names of those that leave it.
    pub(super) fn moved(&mut self, host: Host, servers: &Map<String, Value>) -> Vec<String> {
        let mut moved = Vec::new();
        for (name, entry) in servers {
            let shown = terminal_safe(name).into_owned();
            let fate = match foreign::read(entry) {
                Foreign::Ours | Foreign::Local => continue,
                Foreign::Stays(why) => Fate::Stays(why),
                Foreign::Movable(server) => foreign::fate(name, &server, &self.known),
            };
            self.notes.push(match &fate {
                Fate::Added(server) => added(&shown, server, entry),
                Fate::Known(own) => format!("{shown}: chaperone has it already, as '{own}'"),
                Fate::Stays(why) => {
                    format!("{shown} stays in {}: {why}", host.title())
                }
            });
            match fate {
                Fate::Added(server) => self.known.push(server),
                Fate::Known(_) => {}
                Fate::Stays(_) => continue,
            }
            moved.push(name.clone());
        }
        moved
    }

    /// The change of chaperone's own configuration, if there is one.
    pub(super) fn finish(self) -> Result<(Option<Change>, Vec<String>), Failure> {
        let new = self.known.get(self.old..).unwrap_or_default();
        if new.is_empty() {
            return Ok((None, self.notes));
        }
        let path = self.setup.paths.config_file.as_path();
        let location = Location {
            file: path.to_owned(),
            base: path.parent().unwrap_or(path).to_owned(),
            is_installed: true,
        };
        let file =
            HostFile::read(&location).map_err(|error| Failure::of(Code::HostFile, &error))?;
        let after = foreign::adopt(file.content(), new);
        let after = after.map_err(|why| refused(path, &why))?;
        Ok((Some(Change { file, after }), self.notes))
    }
}

fn added(name: &str, server: &Adopted, entry: &Value) -> String {
    let own = &server.name;
    let token = match server.auth {
        config::ServerAuth::Sso => "gets your token, as its origin does already",
        config::ServerAuth::None => {
            "gets no token; set auth = \"sso\" if the company's sign-in is for it"
        }
    };
    let left = if entry.get("headers").or(entry.get("http_headers")).is_some() || has_header(entry)
    {
        "; its Authorization header was left out"
    } else {
        ""
    };
    format!("{name} is moved to chaperone as '{own}', and {token}{left}")
}

fn has_header(entry: &Value) -> bool {
    let words = entry.get("args").and_then(Value::as_array);
    words.is_some_and(|words| words.iter().any(|word| word == "--header"))
}
