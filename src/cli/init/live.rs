//! Trying a configuration before it counts.

use crate::app::App;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::with;
use crate::codes::Code;
use crate::doctor::{self, Check, State};
use crate::stop::Tasks;

/// What says nothing of the configuration: nobody can be signed in yet, and a keychain that is locked is
/// told of at the sign-in.
const OF_THE_PERSON: [&str; 2] = ["session.valid", "keychain.usable"];

/// Asks the provider and every server, shows what they say, and returns why that is not good enough.
pub(super) fn tried(
    open: impl FnOnce(&Tasks) -> App,
    console: &mut Console,
) -> Result<Option<Failure>, Failure> {
    console.note("Trying the provider and every server ...");
    let mut checks = with(open, async |app| Ok(doctor::reach(app).await))?;
    checks.retain(|check| !OF_THE_PERSON.contains(&&*check.id));
    let colour = console.colour();
    for check in &checks {
        console.say(&doctor::line(check, colour))?;
    }
    console.say("")?;
    Ok(failure(&checks))
}

fn failure(checks: &[Check]) -> Option<Failure> {
    let failed: Vec<&Check> = checks
        .iter()
        .filter(|check| check.state == State::Failed)
        .collect();
    let code = failed.first()?.code.unwrap_or(Code::Unreachable);
    let names: Vec<&str> = failed.iter().map(|check| &*check.id).collect();
    let text = format!(
        "not as it should be: {}. Nothing was written; mend it, or write it all the same with --unchecked",
        names.join(", ")
    );
    Some(Failure::new(code, text))
}
