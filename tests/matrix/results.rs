//! What became of each feature on both ways, as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::runs::{HOSTS, Host, SERVERS};

const FEATURES: [(&str, &str); 16] = [
    ("list", "list"),
    ("call", "call"),
    ("structured", "structured"),
    ("image", "image"),
    ("link", "link"),
    ("progress", "progress"),
    ("cancel", "cancel"),
    ("elicit", "elicitation"),
    ("sample", "sampling"),
    ("roots", "roots"),
    ("log", "logging"),
    ("resource", "resources"),
    ("template", "templates"),
    ("prompt", "prompts"),
    ("complete", "completion"),
    ("change", "changes"),
];

const HEAD: &str = "# Hosts and servers

What hosts can do at servers through chaperone: ✓ it works, ✗ it does not, · the host or the server does
not have it. The result straight from the host to the server stands beside it where it differs; ∅ says that
the two share no revision of the protocol. Every cell is a run of `cargo test --test matrix`, which fails
when a cell is worse through chaperone than without it, and when this table is not what it found.

server-everything logs on the stream of its session, not of the call that began it; a host without a session
has no such stream.

";

/// How one feature went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Works,
    Fails,
    Absent,
    /// The two share no revision.
    NoRevision,
}

impl Status {
    fn mark(self) -> char {
        match self {
            Self::Works => '✓',
            Self::Fails => '✗',
            Self::Absent => '·',
            Self::NoRevision => '∅',
        }
    }
}

/// Host, server, feature.
type Place = (String, String, String);

#[derive(Debug, Default)]
pub struct Results {
    through: BTreeMap<Place, (Status, String)>,
    direct: BTreeMap<Place, (Status, String)>,
}

impl Results {
    /// Takes what a host reported through the program.
    pub fn take(&mut self, host: &str, reports: Vec<Value>) {
        read(&mut self.through, host, reports);
    }

    /// Takes what it reported without it.
    pub fn take_direct(&mut self, host: &str, reports: Vec<Value>) {
        read(&mut self.direct, host, reports);
    }

    /// One row for each host at each server.
    pub fn table(&self) -> String {
        let names: Vec<_> = FEATURES.iter().map(|(_, name)| *name).collect();
        let mut table = format!("{HEAD}| host | server | {} |\n", names.join(" | "));
        table += &"| --- ".repeat(names.len() + 2);
        table += "|\n";
        for host in &HOSTS {
            for (server, described) in SERVERS {
                let cells = FEATURES.map(|(feature, _)| self.cell(host.name, server, feature));
                let cells = cells.join(" | ");
                writeln!(table, "| {} | {described} | {cells} |", host.name).expect("a text");
            }
        }
        table
    }

    fn cell(&self, host: &str, server: &str, feature: &str) -> String {
        let through = self.through(host, server, feature).0;
        let direct = self.direct(host, server, feature).0;
        if through == direct || (through == Status::Absent && direct == Status::NoRevision) {
            return through.mark().into();
        }
        format!("{} {}", through.mark(), direct.mark())
    }

    /// What is worse through the program, with what was said about it.
    pub fn worse(&self) -> Vec<String> {
        let mut worse = Vec::new();
        for (host, server, feature) in places() {
            let (through, why) = self.through(host.name, server, feature);
            let fails = matches!(through, Status::Fails | Status::NoRevision);
            let worked = self.direct(host.name, server, feature).0 != Status::Fails;
            if fails && worked && !cannot_work(host, server, feature) {
                worse.push(format!("{}, {server}, {feature}: {why}", host.name));
            }
        }
        worse
    }

    fn through(&self, host: &str, server: &str, feature: &str) -> (Status, String) {
        found(&self.through, host, server, feature)
    }

    fn direct(&self, host: &str, server: &str, feature: &str) -> (Status, String) {
        found(&self.direct, host, server, feature)
    }
}

/// server-everything logs on the stream of its session, not of a request: a host without a session has
/// no stream for that.
fn cannot_work(host: &Host, server: &str, feature: &str) -> bool {
    (server, feature) == ("everything", "log") && !host.keeps_sessions()
}

fn places() -> impl Iterator<Item = (&'static Host, &'static str, &'static str)> {
    let rows = HOSTS
        .iter()
        .flat_map(|host| SERVERS.map(|(server, _)| (host, server)));
    rows.flat_map(|(host, server)| FEATURES.map(|(feature, _)| (host, server, feature)))
}

fn read(into: &mut BTreeMap<Place, (Status, String)>, host: &str, reports: Vec<Value>) {
    for report in reports {
        let text = |key: &str| report[key].as_str().expect("a text").to_owned();
        let status = match text("status").as_str() {
            "ok" => Status::Works,
            "failed" => Status::Fails,
            _ => Status::Absent,
        };
        let place = (host.to_owned(), text("server"), text("feature"));
        into.insert(place, (status, text("why")));
    }
}

/// What was reported; a host that could not begin says so once for everything.
fn found(
    results: &BTreeMap<Place, (Status, String)>,
    host: &str,
    server: &str,
    feature: &str,
) -> (Status, String) {
    let place = |feature: &str| (host.to_owned(), server.to_owned(), feature.to_owned());
    if let Some((_, why)) = results.get(&place("connect")) {
        return (Status::NoRevision, why.clone());
    }
    let nothing = (Status::Fails, "it was not tried".to_owned());
    results.get(&place(feature)).cloned().unwrap_or(nothing)
}
