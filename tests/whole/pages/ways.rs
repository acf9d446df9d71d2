//! How each command line of the documentation is run: what stands for its placeholders, what it ends with,
//! and what runs those that cannot run here.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::world::repository;

/// What stands for a placeholder, wherever it is written so.
const PLACEHOLDERS: [(&str, &str); 9] = [
    ("alice@example.com", "alice@example.test"),
    ("<host>", "cursor"),
    ("<tool>", "database__list_tables"),
    ("<record>", "17"),
    ("<shell>", "bash"),
    ("<command or code>", "audit"),
    ("[server]", "database"),
    ("[json]", ""),
    ("[file]", ""),
];

/// What stands for a word that is a placeholder.
const WORDS: [(&str, &str); 5] = [
    ("COMMAND", "audit"),
    ("KEY", "\"$(cat key.txt)\""),
    ("HOST", "cursor"),
    ("TOOL", "database__list_tables"),
    ("CODE", "CHP-LOG-KEY"),
];

/// What does not end with 0, and why; `*` at the end is for all that begins so.
const EXITS: [(&str, &[i32], &str); 7] = [
    (
        "chaperone doctor*",
        &[0, 1],
        "other copies that run on this machine are a warning",
    ),
    ("chaperone setup", &[2], "it says that it needs a host"),
    (
        "chaperone audit verify copy-of-audit.db --key \"$(cat key.txt)\"",
        &[7],
        "no head is given",
    ),
    ("chaperone audit match -", &[1], NOT_USED),
    (
        "printf %s 'the value' | chaperone audit match -",
        &[1],
        NOT_USED,
    ),
    (
        "read -rs secret; printf %s \"$secret\" | chaperone audit match -",
        &[1],
        NOT_USED,
    ),
    (
        "wl-paste | chaperone audit match - --since 2026-01-01 --json",
        &[1],
        NOT_USED,
    ),
];
const NOT_USED: &str = "nobody has used this value";

/// What needs something around it.
const SPECIAL: [(&str, Way); 19] = [
    (
        "chaperone init https://www.example.com/chaperone.json",
        Way::Begins,
    ),
    (
        "chaperone init --issuer https://sso.example.com/realms/enterprise --client-id mcp-desktop --server database=https://gateway.example.com/mcp/database --policy mcp-policies.yaml --yes",
        Way::Begins,
    ),
    ("chaperone pins", Way::WithMore),
    ("chaperone pins accept database", Way::WithMore),
    ("chaperone pins accept database__list_tables", Way::WithMore),
    ("chaperone pins accept --all", Way::WithMore),
    (
        "chaperone pins --json | jq -r 'select(.state == \"changed\") | .name'",
        Way::WithMore,
    ),
    ("chaperone headers-helper [server]", Way::WithMore),
    ("chaperone headers-helper database", Way::WithMore),
    ("chaperone login", Way::SignsIn),
    ("chaperone login --no-browser", Way::SignsIn),
    ("chaperone login --no-browser > link.txt &", Way::SignsIn),
    ("chaperone logout", Way::SignsOut),
    ("chaperone audit tail -f --outcome denied", Way::Follows),
    ("chaperone sync secret splunk < token.txt", Way::WithMore),
    ("chaperone sync secret --key siem < key.pem", Way::WithMore),
    ("chaperone audit match -", Way::WithInput),
    (
        "read -rs secret; printf %s \"$secret\" | chaperone audit match -",
        Way::WithInput,
    ),
    (
        "dbus-run-session -- bash -c 'printf %s \"$PASSWORD\" | gnome-keyring-daemon --unlock --components=secrets; exec bash'",
        Way::Plain,
    ),
];

/// First words of what does not run here, the file that runs it (or something that does the same, by this
/// word), and why it does not run here.
const ELSEWHERE: [(&str, &str, &str, &str); 9] = [
    (
        "cargo",
        "tests/run",
        "cargo",
        "it builds the program that is tested",
    ),
    ("tests/run", "tests/run", "--install", "it runs this test"),
    (
        "installers/release",
        ".github/workflows/release.yml",
        "installers/release",
        "it builds for minutes",
    ),
    (
        "installers/check",
        "tests/run",
        "installers/check",
        "it installs packages",
    ),
    (
        "msiexec",
        "installers/check",
        "msiexec",
        "Windows; Wine runs it there",
    ),
    (
        "icacls",
        "src/config/file.rs",
        "icacls",
        "Windows, and Wine's access lists take nothing away",
    ),
    (
        "apt",
        "installers/check",
        "dpkg",
        "it needs the administrator's rights",
    ),
    (
        "dnf",
        "installers/check",
        "rpm",
        "it needs the administrator's rights",
    ),
    (
        "installer",
        ".github/workflows/release.yml",
        "installer",
        "macOS",
    ),
];

/// How a command is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To its end.
    Plain,
    /// A person signs in meanwhile.
    SignsIn,
    /// A person signs in afterwards.
    SignsOut,
    /// Until it has printed a line, which takes a refusal meanwhile.
    Follows,
    /// With more in the configuration: sinks that take a secret, consent to definitions, an open server.
    WithMore,
    /// Where there is no configuration yet.
    Begins,
    /// With something on standard input.
    WithInput,
    /// Not here.
    Elsewhere,
}

/// Whether this is a command line, and not the name of something.
pub fn is_command(text: &str) -> bool {
    let first = text.split(' ').next().unwrap_or_default();
    (first == "chaperone" && text.contains(' ')) || is_elsewhere(text)
}

fn is_elsewhere(text: &str) -> bool {
    let first = text.split(' ').next().unwrap_or_default();
    let known = ELSEWHERE.iter().any(|(word, ..)| *word == first);
    known && (text.contains(' ') || first.contains('/'))
}

/// The tables, and which of their entries something has used.
#[derive(Debug, Default)]
pub struct Tables {
    used: RefCell<BTreeSet<&'static str>>,
}

impl Tables {
    /// The line with something in place of each placeholder.
    pub fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in PLACEHOLDERS {
            if text.contains(name) {
                self.using(name);
                text = text.replace(name, value);
            }
        }
        let word = |word: &str| match WORDS.iter().find(|(name, _)| *name == word) {
            Some((name, value)) => {
                self.using(name);
                (*value).to_owned()
            }
            None => word.to_owned(),
        };
        let words: Vec<String> = text.split(' ').map(word).collect();
        words.join(" ").trim().to_owned()
    }

    /// How the line is run.
    pub fn way(&self, text: &str) -> Way {
        if let Some((line, way)) = SPECIAL.iter().find(|(line, _)| *line == text) {
            self.using(line);
            return *way;
        }
        if is_elsewhere(text) {
            for part in text.split(" && ") {
                self.check_elsewhere(part);
            }
            return Way::Elsewhere;
        }
        assert!(
            text.split(&[' ', '|', ';', '\''])
                .any(|word| word == "chaperone"),
            "nothing here knows how to run this: {text}"
        );
        Way::Plain
    }

    /// What it may end with.
    pub fn exits(&self, text: &str) -> &'static [i32] {
        let known = EXITS
            .iter()
            .find(|(line, ..)| match line.strip_suffix('*') {
                Some(begin) => text.starts_with(begin),
                None => *line == text,
            });
        known.map_or(&[0], |(line, codes, _)| {
            self.using(line);
            *codes
        })
    }

    /// That who is said to run it names it, that the script is there, and that it has these options.
    fn check_elsewhere(&self, text: &str) {
        let mut words = text.split(' ');
        let first = words.next().unwrap_or_default();
        let entry = ELSEWHERE.iter().find(|(word, ..)| *word == first);
        let (word, runner, named, _) = entry.expect("an entry");
        self.using(word);
        let runner = fs::read_to_string(repository(runner)).expect("who runs it");
        assert!(
            runner.contains(named),
            "{text}: its runner does not name it"
        );
        if first.contains('/') {
            let script = repository(first);
            let mode = fs::metadata(&script).expect("a script").permissions();
            assert!(mode.mode() & 0o111 != 0, "{text}");
            let script = fs::read_to_string(script).expect("a script");
            for option in words.clone().filter(|word| word.starts_with("--")) {
                assert!(script.contains(option), "{text}: {option}");
            }
        }
        let manifest = fs::read_to_string(repository("Cargo.toml")).expect("a manifest");
        while let Some(word) = words.next() {
            if first == "cargo" && matches!(word, "--example" | "--bench") {
                let name = format!("name = \"{}\"", words.next().unwrap_or_default());
                assert!(manifest.contains(&name), "{text}");
            }
        }
    }

    fn using(&self, entry: &'static str) {
        self.used.borrow_mut().insert(entry);
    }

    /// That no entry stands here for nothing.
    pub fn assert_all_used(&self) {
        let used = self.used.borrow();
        let entries = PLACEHOLDERS.iter().map(|(name, _)| *name);
        let entries = entries.chain(WORDS.iter().map(|(name, _)| *name));
        let entries = entries.chain(EXITS.iter().map(|(line, ..)| *line));
        let entries = entries.chain(SPECIAL.iter().map(|(line, _)| *line));
        let entries = entries.chain(ELSEWHERE.iter().map(|(word, ..)| *word));
        let unused: Vec<&str> = entries.filter(|entry| !used.contains(entry)).collect();
        assert_eq!(unused, [""; 0], "no document has these");
    }
}
