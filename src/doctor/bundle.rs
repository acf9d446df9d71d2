//! The support archive: what somebody who cannot see this machine needs to know, and nothing secret.
//!
//! Everything in it is chosen, not copied: settings with their sources, what doctor found, names of tools,
//! the newest records without what was asked and answered. Neither the keychain nor the environment is
//! read for it. What is chosen goes through [`Veil`] on its way, which takes out what looks like a secret,
//! and who the person is. The archive's own `README.txt` says to its reader what is in it and what is not.

mod hosts;
mod records;
mod system;
mod veil;

use std::io::{self, Cursor};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Around, Examination, within};
use crate::app::App;
use crate::audit::bundle::Archive;
use crate::config::{self, Setting};
use crate::policy::digest_of;

use veil::Veil;

const README: &str = "\
This archive was made by `chaperone doctor --bundle`, for whoever helps with chaperone.

  doctor.json    what was found: checks with id, state, detail, fix and code
  system.json    version, system, and the files of the data directory with size and mode
  config.json    every setting with the file and line that it came from
  policy.json    the policy's digest; its text is not here
  hosts.json     how chaperone stands in the configuration of each host; of other servers
                 in those files only how many there are
  tools.json     the names of the servers' tools
  sync.json      how far records have been sent, and what witnesses have seen
  records.jsonl  the newest records of the audit log: what was called when, what the policy
                 said and how it ended; without arguments, answers, reasons and addresses

Not in it: tokens, passwords and keys, whatever the environment and the keychain hold, the
text of the policy, anything that was sent to a tool or came from one. In addresses, users and
queries are left out. Persons appear as person-…, the same one under the same name within this
archive and under another in the next; the home directory is written as ~.

No program can know every secret: look through it before you send it.
";

/// Makes the archive.
///
/// # Errors
/// When it cannot be put together.
pub async fn make(app: &App, around: &Around, found: &Examination) -> io::Result<Vec<u8>> {
    let log = app.paths.audit_db();
    let records = app.tasks.blocking(move || records::newest(&log));
    let records = within(records).await.unwrap_or_default();
    let (paths, program) = (app.paths.clone(), around.program.clone());
    let system = app.tasks.blocking(move || system::of(&paths, &program));
    let system = within(system).await.unwrap_or_default();
    let hosts = around.hosts.clone();
    let hosts = app.tasks.blocking(move || hosts::of(&hosts));
    let hosts = within(hosts).await.unwrap_or_default();
    let sync = app.sync.clone();
    let sync = app.tasks.blocking(move || {
        let (sinks, witnesses) = (sync.lags(), sync.sights());
        json!({"sinks": sinks, "witnesses": witnesses})
    });
    let sync = within(sync).await.unwrap_or_default();

    let mut veil = Veil::new(&around.hosts.around.home)?;
    if let Some(Ok(Some(signed_in))) = within(app.session.who()).await {
        veil.hide(&signed_in.who.identity.subject);
    }
    for record in &records {
        record.persons().for_each(|person| veil.hide(person));
    }
    let mut out = Cursor::new(Vec::new());
    let mut archive = Archive::new(&mut out);
    archive.file("README.txt", README.as_bytes())?;
    for (name, value) in [
        ("doctor.json", json!({"checks": found.checks})),
        ("system.json", system),
        ("config.json", settings(app)),
        ("policy.json", policy(app)),
        ("hosts.json", hosts),
        ("tools.json", tools(found)),
        ("sync.json", sync),
    ] {
        let mut text = serde_json::to_vec_pretty(&veil.over(value))?;
        text.push(b'\n');
        archive.file(name, &text)?;
    }
    let mut lines = Vec::new();
    for record in &records {
        let line = veil.over(serde_json::to_value(record)?);
        serde_json::to_writer(&mut lines, &line)?;
        lines.push(b'\n');
    }
    archive.file("records.jsonl", &lines)?;
    archive.finish()?;
    Ok(out.into_inner())
}

fn settings(app: &App) -> Value {
    let Ok(config) = &app.config else {
        return json!({"settings": [], "notes": []});
    };
    let lines: Vec<Value> = config.values.iter().map(Setting::to_json).collect();
    json!({"settings": lines, "notes": config.notes})
}

fn policy(app: &App) -> Value {
    let Ok(config) = &app.config else {
        return Value::Null;
    };
    let text = config::read_document(&config.policy_file, config.policy_trust);
    let text = text.ok();
    json!({
        "file": config.policy_file.display().to_string(),
        "digest": text.as_ref().map(|text| digest_of(text.as_bytes())),
        "bytes": text.as_ref().map(String::len),
    })
}

fn tools(found: &Examination) -> Value {
    #[derive(Serialize)]
    struct Listed<'a> {
        server: &'a str,
        tools: &'a [Box<str>],
    }
    let listed = found.tools.iter().map(|(server, tools)| {
        json!(Listed {
            server: server.as_str(),
            tools,
        })
    });
    listed.collect()
}
