//! The answer to `initialize`, from memory.

use std::sync::Arc;

use rmcp::model::{
    Implementation, InitializeResult, PromptsCapability, ProtocolVersion, ResourcesCapability,
    ServerCapabilities, ToolsCapability,
};

use crate::audit::Agent;
use crate::bounds::AGENT;
use crate::gateway::Fault;
use crate::gateway::host::Sender;
use crate::wire::object::ObjectError;
use crate::wire::{Abilities, Object, Raw, revision};
use crate::wording::visible;

use super::reply;

pub(super) const INSTRUCTIONS: &str = "chaperone stands in front of your company's MCP servers; tools are \
    named server__tool. If a tool says that nobody is signed in, call chaperone__sign_in and give \
    the person its link. chaperone__status says what is wrong and what to do. \
    chaperone__find_tools finds tools that are not in your list, and chaperone__call_tool calls them.";

/// What a host says of itself when it opens the session.
#[derive(Debug)]
pub(super) struct Hello {
    revision: &'static str,
    /// What it says of itself.
    pub(super) host: Sender,
}

impl Hello {
    /// Reads the parameters of `initialize`. A host that names no revision gets the newest.
    pub(super) fn read(params: &Raw) -> Result<Self, Fault> {
        let unreadable = |error: ObjectError| Fault::BadParams(error.to_string().into());
        let params = Object::of(params, &["protocolVersion", "clientInfo", "capabilities"]);
        let params = params.map_err(unreadable)?;
        let asked = params.string("protocolVersion").map_err(unreadable)?;
        Ok(Self {
            revision: revision::negotiate(&asked.unwrap_or_default()),
            host: sender(params.get("clientInfo"), params.get("capabilities")),
        })
    }

    /// The answer.
    pub(super) fn answer(&self) -> Raw {
        let mut known = ProtocolVersion::KNOWN_VERSIONS.iter();
        let mut answer = InitializeResult::new(offer()).with_instructions(INSTRUCTIONS);
        answer.protocol_version = known
            .find(|known| known.as_str() == self.revision)
            .cloned()
            .unwrap_or(ProtocolVersion::V_2025_11_25);
        answer.server_info = implementation();
        reply::raw(&answer)
    }
}

/// All that may ever be served, whatever is there now.
pub(super) fn offer() -> ServerCapabilities {
    let mut offer = ServerCapabilities::default();
    offer.tools = Some(tools());
    offer.resources = Some(resources());
    offer.prompts = Some(prompts());
    offer.completions = Some(serde_json::Map::new());
    offer.logging = Some(serde_json::Map::new());
    offer
}

/// What this program calls itself.
pub(super) fn implementation() -> Implementation {
    let mut itself = Implementation::new("chaperone", env!("CARGO_PKG_VERSION"));
    itself.title = Some("Chaperone".to_owned());
    itself
}

fn tools() -> ToolsCapability {
    let mut tools = ToolsCapability::default();
    tools.list_changed = Some(true);
    tools
}

fn resources() -> ResourcesCapability {
    let mut resources = ResourcesCapability::default();
    resources.subscribe = Some(true);
    resources.list_changed = Some(true);
    resources
}

fn prompts() -> PromptsCapability {
    let mut prompts = PromptsCapability::default();
    prompts.list_changed = Some(true);
    prompts
}

/// What a host says of itself, in a session or with one request.
pub(super) fn sender(client: Option<&Raw>, capabilities: Option<&Raw>) -> Sender {
    Sender {
        agent: Arc::new(client.and_then(agent).unwrap_or_default()),
        abilities: capabilities.map(Abilities::of).unwrap_or_default(),
    }
}

/// `name/version` of `clientInfo`, fit to be recorded and shown. What cannot be read is left out:
/// it is said by the host of itself and proves nothing.
fn agent(host: &Raw) -> Option<Agent> {
    let host = Object::of(host, &["name", "version"]).ok()?;
    let name = host.string("name").ok()??;
    let version = host.string("version").ok().flatten();
    let version = version.iter().flat_map(|version| ["/", version]);
    let spelled = std::iter::once(&*name).chain(version).flat_map(str::chars);
    let name: String = spelled.map(visible).take(AGENT).collect();
    Some(Agent { name: name.into() })
}
