//! What: the lists of all servers, merged under names that hosts accept.
//!
//! The catalogue knows what servers offer, not what anybody may use: `gateway` filters it with the
//! same decision that calls ask. It waits for nothing and touches nothing; [`cache`] alone keeps it
//! on disk.

pub mod cache;
pub mod items;
pub mod pins;
pub mod search;
pub mod texts;
pub mod uris;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::name::{ExposedName, ServerName};
use crate::wire::Raw;

use pins::Pins;

pub use items::{Dropped, Prompt, Resource, Tool};

/// The lists of one server, as it gave them, ready to be shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lists {
    /// Its tools.
    pub tools: Arc<[Tool]>,
    /// Its prompts.
    pub prompts: Arc<[Prompt]>,
    /// Its resources.
    pub resources: Arc<[Resource]>,
    /// Its resource templates, whose URI is the template.
    pub templates: Arc<[Resource]>,
    /// What it offers that cannot be shown, with the reason.
    pub dropped: Arc<[Dropped]>,
    /// How many definitions had characters in their texts that cannot be seen, and have lost them.
    pub cleaned: usize,
}

/// The lists of one server as raw definitions: what was fetched, and what the cache keeps.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct RawLists {
    /// `tools/list`
    pub tools: Vec<Raw>,
    /// `prompts/list`
    pub prompts: Vec<Raw>,
    /// `resources/list`
    pub resources: Vec<Raw>,
    /// `resources/templates/list`
    pub templates: Vec<Raw>,
    /// Whether the server takes requests that stand alone, with heads that repeat parameters.
    #[serde(default)]
    pub alone: bool,
}

/// Which lists are other than before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changed {
    /// The tools.
    pub tools: bool,
    /// The prompts.
    pub prompts: bool,
    /// The resources or the templates, of which hosts are told together.
    pub resources: bool,
}

impl Changed {
    /// All of them.
    pub const ALL: Self = Self {
        tools: true,
        prompts: true,
        resources: true,
    };

    fn between(before: &Lists, after: &Lists) -> Self {
        Self {
            tools: before.tools != after.tools,
            prompts: before.prompts != after.prompts,
            resources: before.resources != after.resources || before.templates != after.templates,
        }
    }

    /// Whether there is any.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

/// The lists of all servers, in the order of the configuration.
#[derive(Debug)]
pub struct Catalog {
    name_limit: usize,
    servers: Vec<(ServerName, Option<Lists>)>,
    tools: HashMap<ExposedName, (usize, usize)>,
    prompts: HashMap<ExposedName, (usize, usize)>,
    uris: uris::Uris,
    /// What has been accepted, where definitions have to be.
    pins: Option<Arc<Pins>>,
}

impl Catalog {
    /// An empty catalogue of these servers.
    #[must_use]
    pub fn new(servers: impl IntoIterator<Item = ServerName>, name_limit: usize) -> Self {
        Self {
            name_limit,
            servers: servers.into_iter().map(|name| (name, None)).collect(),
            tools: HashMap::new(),
            prompts: HashMap::new(),
            uris: uris::Uris::default(),
            pins: None,
        }
    }

    /// From now on holds back every tool whose definition is not among these; says what changes.
    pub fn hold_to(&mut self, pins: Arc<Pins>) -> Changed {
        let mut changed = Changed::default();
        for (server, lists) in &mut self.servers {
            let Some(lists) = lists else { continue };
            let marked = pins.mark(server, &lists.tools);
            changed.tools |= marked != lists.tools;
            lists.tools = marked;
        }
        self.pins = Some(pins);
        changed
    }

    /// What has been accepted.
    #[must_use]
    pub fn pins(&self) -> Arc<Pins> {
        self.pins.clone().unwrap_or_default()
    }

    /// What is known of a server.
    #[must_use]
    pub fn lists(&self, server: &ServerName) -> Option<&Lists> {
        let mut known = self.known();
        Some(known.find(|(name, _)| *name == server)?.1)
    }

    /// Replaces one server's lists, and says what is other than before; a server that is not in the
    /// configuration is ignored.
    pub fn set(&mut self, server: &ServerName, raw: &RawLists) -> Changed {
        let changed = self.put(server, raw);
        if changed.any() {
            self.index();
        }
        changed
    }

    /// Takes what is remembered of several servers, unless something newer has come meanwhile.
    pub fn fill(&mut self, remembered: &[(ServerName, RawLists)]) {
        for (server, raw) in remembered {
            let is_known =
                |(name, lists): &(ServerName, Option<Lists>)| name == server && lists.is_some();
            if !self.servers.iter().any(is_known) {
                self.put(server, raw);
            }
        }
        self.index();
    }

    fn put(&mut self, server: &ServerName, raw: &RawLists) -> Changed {
        let limit = self.name_limit;
        let Some(entry) = self.servers.iter_mut().find(|(name, _)| name == server) else {
            return Changed::default();
        };
        let mut lists = items::read(server, raw, limit);
        if let Some(pins) = &self.pins {
            lists.tools = pins.mark(server, &lists.tools);
        }
        let before = entry.1.replace(lists.clone());
        before.map_or(Changed::ALL, |before| Changed::between(&before, &lists))
    }

    /// Forgets all lists, as when somebody else signs in.
    pub fn clear(&mut self) {
        for (_, lists) in &mut self.servers {
            *lists = None;
        }
        self.index();
    }

    /// The servers with what is known of each.
    pub fn servers(&self) -> impl Iterator<Item = (&ServerName, Option<&Lists>)> {
        self.servers
            .iter()
            .map(|(name, lists)| (name, lists.as_ref()))
    }

    /// The servers whose lists are known.
    pub fn known(&self) -> impl Iterator<Item = (&ServerName, &Lists)> {
        let servers = self.servers.iter();
        servers.filter_map(|(name, lists)| Some((name, lists.as_ref()?)))
    }

    /// How many definitions of a server have lost characters that cannot be seen.
    #[must_use]
    pub fn cleaned(&self, server: &ServerName) -> usize {
        self.lists(server).map_or(0, |lists| lists.cleaned)
    }

    /// The servers of which nothing is known yet.
    #[must_use]
    pub fn unknown(&self) -> Vec<ServerName> {
        let blank = self.servers.iter().filter(|(_, lists)| lists.is_none());
        blank.map(|(name, _)| name.clone()).collect()
    }

    /// The tool of an exposed name.
    #[must_use]
    pub fn tool(&self, exposed: &str) -> Option<(&ServerName, &Tool)> {
        let (server, at) = *self.tools.get(exposed)?;
        let (name, lists) = self.servers.get(server)?;
        Some((name, lists.as_ref()?.tools.get(at)?))
    }

    /// The prompt of an exposed name.
    #[must_use]
    pub fn prompt(&self, exposed: &str) -> Option<(&ServerName, &Prompt)> {
        let (server, at) = *self.prompts.get(exposed)?;
        let (name, lists) = self.servers.get(server)?;
        Some((name, lists.as_ref()?.prompts.get(at)?))
    }

    /// Which server a URI belongs to, and what that server calls it.
    #[must_use]
    pub fn locate(&self, uri: &str) -> Option<(&ServerName, Box<str>)> {
        let (server, own) = self.uris.locate(uri)?;
        Some((&self.servers.get(server)?.0, own))
    }

    /// What hosts call a server's URI.
    #[must_use]
    pub fn exposed_uri<'a>(&self, server: &ServerName, uri: &'a str) -> Cow<'a, str> {
        match self.place(server) {
            Some(place) => self.uris.exposed(place, uri),
            None => uri.into(),
        }
    }

    /// What hosts call a server's URI template.
    #[must_use]
    pub fn exposed_template<'a>(&self, server: &ServerName, template: &'a str) -> Cow<'a, str> {
        match self.place(server) {
            Some(place) => self.uris.exposed_template(place, template),
            None => template.into(),
        }
    }

    /// Whether some URI may be shown under another name.
    #[must_use]
    pub fn has_aliases(&self) -> bool {
        self.uris.has_aliases()
    }

    fn place(&self, server: &ServerName) -> Option<usize> {
        self.servers.iter().position(|(name, _)| name == server)
    }

    /// Exposed names are injective, so no entry hides another of a different server; a server that
    /// repeats a name of its own keeps the first.
    fn index(&mut self) {
        self.tools.clear();
        self.prompts.clear();
        let known = self.servers.iter().enumerate();
        for (place, lists) in known.filter_map(|(at, (_, lists))| Some((at, lists.as_ref()?))) {
            for (at, tool) in lists.tools.iter().enumerate() {
                self.tools
                    .entry(tool.exposed.clone())
                    .or_insert((place, at));
            }
            for (at, prompt) in lists.prompts.iter().enumerate() {
                self.prompts
                    .entry(prompt.exposed.clone())
                    .or_insert((place, at));
            }
        }
        self.uris = uris::Uris::of(&self.servers);
    }
}

#[cfg(test)]
mod tests;
