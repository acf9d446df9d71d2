//! The report in words, for the tool `chaperone__status` and for `chaperone status`.

use std::fmt::{self, Display, Formatter};

use crate::sync::{Lag, Sight};

use super::{AuditReport, Person, PolicyReport, Report, ServerReport};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "chaperone {}", self.version)?;
        if let Some(problem) = &self.problem {
            writeln!(
                f,
                "\nThe configuration cannot be used, so everything is refused.\n{problem}"
            )?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        match (&self.person, &self.not_signed_in) {
            (Some(person), _) => write!(f, "\n{person}")?,
            (None, Some(why)) => writeln!(f, "\n{}", why.sentence())?,
            (None, None) => {}
        }
        write!(f, "\n{}", self.policy)?;
        if !self.servers.is_empty() {
            writeln!(f, "\nServers")?;
        }
        for server in &self.servers {
            write!(f, "{server}")?;
        }
        write!(f, "\n{}", self.audit)
    }
}

impl Display for Person {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Signed in as {} at {}",
            clean(&self.user),
            clean(&self.issuer)
        )?;
        writeln!(f, "  roles   {}", listed(&self.roles))?;
        for token in &self.tokens {
            let (audience, scopes) = (clean(&token.audience), listed(&token.scopes));
            writeln!(
                f,
                "  token   {audience}: {scopes} (until {})",
                token.expires
            )?;
        }
        let kept_in = match self.kept_in {
            "memory" => "in the memory of this process: it ends with it",
            "unsaved" => "in the keychain, except for the newest token",
            _ => "in the system's keychain",
        };
        writeln!(f, "  kept    {kept_in}")?;
        match &self.keychain_problem {
            Some(problem) => writeln!(f, "          {problem}"),
            None => Ok(()),
        }
    }
}

impl Display for PolicyReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Policy {}", self.file)?;
        match &self.problem {
            Some(problem) => writeln!(f, "  everything is refused: {problem}")?,
            None => writeln!(f, "  {}", self.digest)?,
        }
        self.warnings
            .iter()
            .try_for_each(|warning| writeln!(f, "  warning: {warning}"))
    }
}

impl Display for ServerReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (name, state) = (&self.name, self.state);
        write!(f, "  {name:<24} {state:<7}")?;
        match (self.tools_total, &self.reason) {
            (Some(total), _) => write!(f, " {} of {total} tools", self.tools_shown)?,
            (None, None) => write!(f, " its tools are not known")?,
            (None, Some(_)) => {}
        }
        if let Some(reason) = &self.reason {
            write!(f, " {}", clean(reason))?;
        }
        if let Some(millis) = self.retry_in_ms {
            write!(f, "; next try in {} s", millis.div_ceil(1000))?;
        }
        if self.cleaned > 0 {
            write!(
                f,
                " ({} definitions held hidden characters, which were taken out)",
                self.cleaned
            )?;
        }
        if self.strays > 0 {
            write!(f, " ({} messages that nobody asked for)", self.strays)?;
        }
        writeln!(f)
    }
}

impl Display for AuditReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Log {}", self.file)?;
        if let Some(problem) = &self.problem {
            return writeln!(
                f,
                "  calls are refused, because nothing can be recorded: {problem}"
            );
        }
        write!(
            f,
            "  {} records, {} durability",
            self.records, self.durability
        )?;
        match self.key {
            Some(key) => writeln!(f, ", signed with a key in the {}", place(key))?,
            None => writeln!(f)?,
        }
        self.sinks.iter().try_for_each(|lag| sent(f, lag))?;
        if self.sinks.iter().any(|lag| lag.over_limit) {
            writeln!(
                f,
                "  more waits than audit.spool_limit or audit.spool_age allow: until it has been sent, only \
                 tools that the policy names under read_only can be called"
            )?;
        }
        self.witnesses
            .iter()
            .try_for_each(|sight| cosigned(f, sight))
    }
}

fn sent(f: &mut Formatter<'_>, lag: &Lag) -> fmt::Result {
    write!(f, "  sent to {}: {} records", lag.sink, lag.sent)?;
    match (lag.waiting, &lag.waiting_since) {
        (0, _) => {}
        (waiting, Some(since)) => write!(f, ", {waiting} wait since {since}")?,
        (waiting, None) => write!(f, ", {waiting} wait")?,
    }
    if let Some(problem) = &lag.problem {
        write!(f, ": {}", clean(problem))?;
    }
    writeln!(f)
}

fn cosigned(f: &mut Formatter<'_>, sight: &Sight) -> fmt::Result {
    write!(f, "  witnessed by {}: ", sight.witness)?;
    match &sight.time {
        Some(time) => write!(f, "{} records, {time}", sight.seen)?,
        None => f.write_str("nothing yet")?,
    }
    if let Some(problem) = &sight.problem {
        write!(f, ": {}", clean(problem))?;
    }
    writeln!(f)
}

fn place(key: &str) -> &'static str {
    match key {
        "file" => "data directory (there was no keychain when the log began)",
        _ => "keychain",
    }
}

fn listed(words: &[Box<str>]) -> String {
    if words.is_empty() {
        return "none".to_owned();
    }
    let words: Vec<String> = words.iter().map(|word| clean(word)).collect();
    words.join(", ")
}

/// What comes from outside cannot move the cursor or reorder a line.
fn clean(text: &str) -> String {
    text.chars().map(crate::wording::visible).collect()
}
