//! Questions to the person at the terminal. What cannot be used is asked for again.

use url::Url;

use super::InitArgs;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::codes::Code;
use crate::config::{Draft, is_safe_url};
use crate::name::ServerName;
use crate::wording::wrapped;

/// How wide a question is.
const WIDTH: usize = 78;

/// What a person said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) issuer: Option<String>,
    pub(super) client_id: Option<String>,
    /// Names and addresses.
    pub(super) servers: Vec<(String, String)>,
}

/// What has to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) issuer: bool,
    pub(super) client_id: bool,
    pub(super) servers: bool,
}

impl Answers {
    /// What the options say.
    pub(super) fn of(args: &InitArgs) -> Result<Self, Failure> {
        let usable = |text: &String| {
            address(text).map_err(|why| Failure::new(Code::Usage, format!("{text}: {why}")))
        };
        let servers = args.server.iter().map(|server| {
            let (name, url) = match server.split_once('=') {
                Some((name, url)) if !name.contains('/') => (name.to_owned(), url.to_owned()),
                Some(_) | None => (
                    name_of(&address(server).unwrap_or_default()),
                    server.clone(),
                ),
            };
            Ok((name, usable(&url)?))
        });
        Ok(Self {
            issuer: args.issuer.as_ref().map(usable).transpose()?,
            client_id: args.client_id.clone(),
            servers: servers.collect::<Result<_, Failure>>()?,
        })
    }

    /// The configuration that they come to.
    pub(super) fn draft(&self) -> Draft {
        let mut draft = Draft::default();
        if let (Some(issuer), Some(client_id)) = (&self.issuer, &self.client_id) {
            draft.sign_in_with(issuer, client_id);
        }
        for (name, url) in &self.servers {
            draft.add_server(name, url);
        }
        draft
    }
}

/// Says which options are missing where nobody can be asked.
pub(super) fn check_complete(needs: Needs) -> Result<(), Failure> {
    let all = [
        (needs.issuer, "--issuer URL"),
        (needs.client_id, "--client-id ID"),
        (needs.servers, "--server NAME=URL"),
    ];
    let missing: Vec<&str> = all
        .iter()
        .filter(|(is_needed, _)| *is_needed)
        .map(|(_, option)| *option)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!(
        "missing, and nobody is there to be asked: {}. Add that, or name the address at which your company \
         serves its settings: chaperone init https://...",
        missing.join(", ")
    );
    Err(Failure::new(Code::Usage, text))
}

/// Asks for what is needed, and offers what was said before.
pub(super) fn complete(
    answers: &mut Answers,
    needs: Needs,
    console: &mut Console,
) -> Result<(), Failure> {
    if needs.issuer {
        console.note("The company's provider, as in https://sso.example.com/realms/enterprise");
        let known = answers.issuer.take();
        answers.issuer = Some(asked("issuer", known.as_deref(), address, console)?);
    }
    if needs.client_id {
        console.note("The id under which it knows chaperone, as in mcp-desktop");
        let known = answers.client_id.take();
        let some = |text: &str| match text {
            "" => Err("it cannot be empty".to_owned()),
            text => Ok(text.to_owned()),
        };
        answers.client_id = Some(asked("client id", known.as_deref(), some, console)?);
    }
    if needs.servers {
        let known = std::mem::take(&mut answers.servers);
        answers.servers = servers(known, console)?;
    }
    Ok(())
}

fn servers(
    known: Vec<(String, String)>,
    console: &mut Console,
) -> Result<Vec<(String, String)>, Failure> {
    let mut servers: Vec<(String, String)> = Vec::new();
    let mut known = known.into_iter();
    loop {
        let offered = known.next();
        console.note(if servers.is_empty() {
            "A server, as in https://gateway.example.com/mcp/database"
        } else {
            "Another server, or nothing if that is all"
        });
        let is_first = servers.is_empty();
        let or_nothing = |text: &str| match text {
            "" if !is_first => Ok(String::new()),
            text => address(text),
        };
        let offer = offered.as_ref().map(|(_, url)| url.as_str());
        let url = asked("address", offer, or_nothing, console)?;
        if url.is_empty() {
            return Ok(servers);
        }
        let offer = offered.map_or_else(|| name_of(&url), |(name, _)| name);
        let new_name = |text: &str| match ServerName::parse(text) {
            Err(error) => Err(error.to_string()),
            Ok(_) if servers.iter().any(|(name, _)| name == text) => {
                Err("another server has that name".to_owned())
            }
            Ok(_) => Ok(text.to_owned()),
        };
        let offer = new_name(&offer).ok();
        let name = asked("name", offer.as_deref(), new_name, console)?;
        servers.push((name, url));
    }
}

/// Asks until the answer can be used; nothing but Enter is what was offered.
fn asked(
    what: &str,
    offer: Option<&str>,
    read: impl Fn(&str) -> Result<String, String>,
    console: &mut Console,
) -> Result<String, Failure> {
    let offered = offer.map(|offer| format!(" [{offer}]")).unwrap_or_default();
    loop {
        let answer = line(&format!("  {what}{offered}:"), console)?;
        let answer = match (answer.as_str(), offer) {
            ("", Some(offer)) => offer,
            (answer, _) => answer,
        };
        match read(answer) {
            Ok(answer) => return Ok(answer),
            Err(why) => console.note(&format!("  {why}")),
        }
    }
}

/// Asks for a yes or a no, one of which is usual.
pub(super) fn yes(question: &str, usual: bool, console: &mut Console) -> Result<bool, Failure> {
    let choice = if usual { "[Y/n]" } else { "[y/N]" };
    let question = wrapped(&format!("{question} {choice}"), WIDTH, "");
    loop {
        match line(&question, console)?.to_lowercase().as_str() {
            "" => return Ok(usual),
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => console.note("  please answer y or n"),
        }
    }
}

fn line(question: &str, console: &mut Console) -> Result<String, Failure> {
    console.ask(question)?.ok_or_else(|| {
        let text =
            "the input ended before everything was answered; run chaperone init again to go on";
        Failure::new(Code::Input, text)
    })
}

/// An address that can be in the configuration, with its scheme.
pub(super) fn address(text: &str) -> Result<String, String> {
    let whole = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let url = Url::parse(&whole).map_err(|error| format!("this is no address: {error}"))?;
    if !is_safe_url(&url) {
        return Err("it has to be an https address without user, password and fragment".to_owned());
    }
    Ok(whole)
}

/// What a server would be called by its address: the last part of the path that can be a name, else the
/// first of the host.
pub(super) fn name_of(url: &str) -> String {
    let Ok(url) = Url::parse(url) else {
        return String::new();
    };
    let path: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    let host = url.domain().and_then(|host| host.split('.').next());
    let candidates = path.into_iter().rev().chain(host);
    let is_telling = |name: &&str| {
        let is_name = ServerName::parse(name).is_ok();
        is_name && !["mcp", "sse", "api", "v1"].contains(name)
    };
    let mut telling = candidates.filter(is_telling);
    telling.next().unwrap_or("server").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Needs = Needs {
        issuer: true,
        client_id: true,
        servers: true,
    };
    const NONE: Needs = Needs {
        issuer: false,
        client_id: false,
        servers: false,
    };

    #[test]
    fn addresses_get_their_scheme_and_names_come_from_them() {
        assert_eq!(
            address("sso.example.com/realms/x").as_deref(),
            Ok("https://sso.example.com/realms/x")
        );
        assert_eq!(
            address("http://127.0.0.1:1/mcp").as_deref(),
            Ok("http://127.0.0.1:1/mcp")
        );
        for wrong in [
            "",
            "http://example.com",
            "https://a:b@example.com",
            "ftp://x",
            "https://x/#a",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
        for (url, name) in [
            ("https://gateway.example.com/mcp/database", "database"),
            ("https://gateway.example.com/database/mcp/", "database"),
            ("https://deploy.example.com/mcp", "deploy"),
            ("http://127.0.0.1:1/mcp", "server"),
        ] {
            assert_eq!(name_of(url), name, "{url}");
        }
    }

    #[test]
    fn what_is_known_is_not_asked_for_and_what_is_wrong_is_asked_for_again() {
        let said = "ftp://x\nsso.example.com\n\nmcp-desktop\nhttps://g.example.com/mcp/database\n\n\
                    https://g.example.com/mcp/database\ndatabase\nother\n\n";
        let (mut console, told) = Console::of_test(said);
        let mut answers = Answers::default();
        complete(&mut answers, ALL, &mut console).unwrap();
        assert_eq!(answers.issuer.as_deref(), Some("https://sso.example.com"));
        assert_eq!(answers.client_id.as_deref(), Some("mcp-desktop"));
        let url = "https://g.example.com/mcp/database".to_owned();
        let expected = [
            ("database".to_owned(), url.clone()),
            ("other".to_owned(), url),
        ];
        assert_eq!(answers.servers, expected);
        let told = told.text();
        for word in [
            "[database]",
            "another server has that name",
            "cannot be empty",
        ] {
            assert!(told.contains(word), "{word}: {told}");
        }

        let (mut console, told) = Console::of_test("");
        complete(&mut answers, NONE, &mut console).unwrap();
        assert_eq!(told.text(), "", "everything is known");
        let (mut console, told) = Console::of_test("\n\n\n\n\n\n\n");
        let before = answers.clone();
        complete(&mut answers, ALL, &mut console).unwrap();
        assert_eq!(answers, before, "what was said is offered again");
        assert!(told.text().contains("[https://sso.example.com]"));

        let (mut console, _) = Console::of_test("");
        let ended = complete(&mut Answers::default(), ALL, &mut console).unwrap_err();
        assert!(ended.text().contains("input ended"), "{}", ended.text());
    }
}
