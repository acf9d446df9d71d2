//! A first configuration: from options, an address or answers to a file, with a try in between.

use super::dialogue::{self, Answers, Needs, yes};
use super::rules::{self, Rules};
use super::{Init, announced, live};
use crate::app::App;
use crate::cli::console::{Console, lines_safe};
use crate::cli::failure::Failure;
use crate::cli::with;
use crate::codes::Code;
use crate::config::{self, Config, Draft, PolicyDocument};
use crate::wording::terminal_safe;

/// Providers that need a line or two more, by the end of their hosts' names.
const PARTICULAR: [(&str, &str); 4] = [
    ("login.microsoftonline.com", "Entra ID"),
    (".auth0.com", "Auth0"),
    (".okta.com", "Okta"),
    (".oktapreview.com", "Okta"),
];

/// What somebody decides who was shown that something does not work.
enum Choice {
    Again,
    AllTheSame,
}

impl Init<'_> {
    /// Writes the first configuration, beside what an administrator may have set.
    pub(super) fn begin(&self, console: &mut Console) -> Result<Config, Failure> {
        let mut answers = Answers::of(self.args)?;
        let mut needs = self.needs(&answers);
        loop {
            let (draft, policy) = match &self.args.address {
                Some(address) => {
                    let open = |tasks: &_| App::open(self.paths.clone(), tasks);
                    with(open, async |app| announced::fetch(address, app).await)?
                }
                None => (self.answered(&mut answers, needs, console)?, None),
            };
            if let Some(config) = self.settle(&draft, policy.as_ref(), console)? {
                return Ok(config);
            }
            needs = self.needs(&Answers::default());
        }
    }

    fn answered(
        &self,
        answers: &mut Answers,
        needs: Needs,
        console: &mut Console,
    ) -> Result<Draft, Failure> {
        if self.asks {
            dialogue::complete(answers, needs, console)?;
        } else {
            dialogue::check_complete(needs)?;
        }
        Ok(answers.draft())
    }

    /// What neither the options nor the administrator say.
    fn needs(&self, answers: &Answers) -> Needs {
        let managed = config::load(self.paths).ok();
        let managed = managed.as_ref();
        let has_identity = managed.is_some_and(|config| config.identity.is_some());
        let has_servers = managed.is_some_and(|config| !config.servers.is_empty());
        Needs {
            issuer: !has_identity && answers.issuer.is_none(),
            client_id: !has_identity && answers.client_id.is_none(),
            servers: !has_servers && answers.servers.is_empty(),
        }
    }

    /// Tries a draft and writes it; nothing, if the person wants to answer again.
    fn settle(
        &self,
        draft: &Draft,
        policy: Option<&PolicyDocument>,
        console: &mut Console,
    ) -> Result<Option<Config>, Failure> {
        let text = draft.to_string();
        let config = config::preview(self.paths, &text).map_err(|error| Failure::from(&error))?;
        for note in &config.notes {
            console.note(&format!("note: {}", lines_safe(note)));
        }
        hint(&config, console);
        let place = self.paths.config_file.display();
        console.say(&format!("\n{place}:\n\n{}\n", indented(&text)))?;
        let rules = Rules::find(self.args, &config, policy, self.asks, console)?;
        let (paths, tried) = (self.paths.clone(), config.clone());
        let failure = live::tried(|tasks| App::with(Ok(tried), paths, tasks), console)?;
        if let (Some(failure), false) = (failure, self.args.unchecked) {
            match self.choice(failure, console)? {
                Choice::Again => return Ok(None),
                Choice::AllTheSame => {}
            }
        } else if self.asks && !self.args.dry_run && !yes("Write this?", true, console)? {
            return Err(given_up("you said no"));
        }
        if !self.args.dry_run {
            rules::write(&self.paths.config_file, &text)?;
            console.say(&format!("Written: {place}"))?;
            rules.write(&config, console)?;
        }
        Ok(Some(config))
    }

    fn choice(&self, failure: Failure, console: &mut Console) -> Result<Choice, Failure> {
        if !self.asks || self.args.dry_run {
            return Err(failure);
        }
        let again = match self.args.address {
            Some(_) => "Something does not work. Fetch it anew?",
            None => "Something does not work. Answer anew?",
        };
        if yes(again, true, console)? {
            return Ok(Choice::Again);
        }
        if yes("Write it although something does not work?", false, console)? {
            return Ok(Choice::AllTheSame);
        }
        Err(failure)
    }
}

fn given_up(why: &str) -> Failure {
    Failure::new(Code::Usage, format!("{why}; nothing was written"))
}

/// Points to the recipes where a provider is known to need more than issuer and client id.
fn hint(config: &Config, console: &mut Console) {
    let issuer = config.identity.as_ref().map(|identity| &*identity.issuer);
    let url = issuer.and_then(|issuer| url::Url::parse(issuer).ok());
    let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or("");
    let mut known = PARTICULAR.iter();
    if let Some((_, name)) = known.find(|(end, _)| host.ends_with(end)) {
        console.note(&format!(
            "note: this is {name}, which may need a line or two more: chaperone help providers"
        ));
    }
}

/// The text without what stands above it, as part of something else.
fn indented(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.map(|line| match line {
        "" => "\n".to_owned(),
        line => format!("    {}\n", terminal_safe(line)),
    });
    let lines: String = lines.collect();
    lines.trim_matches('\n').to_owned()
}
