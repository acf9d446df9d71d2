//! chaperone's own tools: they are always listed, so that a host that asks for the list only once
//! can use everything after the first sign-in.

use std::sync::OnceLock;

use memchr::memmem;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::json;

use crate::catalog::search;
use crate::name::ExposedName;
use crate::upstream::Asides;
use crate::wire::raw::List;
use crate::wire::{Object, Raw, method};

use super::fault::Fault;
use super::route::{open, required};
use super::{Gateway, Host};

/// What all of our names begin with.
const PREFIX: &[u8] = b"chaperone__";
/// How many tools are found when nobody says.
const FOUND: usize = 10;
/// The most that are ever returned at once.
const FOUND_LIMIT: usize = 50;

/// A call of one of chaperone's own tools.
#[derive(Debug)]
pub(super) enum OwnCall {
    SignIn,
    Status,
    FindTools { query: Box<str>, limit: usize },
    CallTool { params: Raw },
}

impl OwnCall {
    /// Reads a call of a tool; `None` if the tool is not one of these.
    pub(super) fn read(params: &Raw) -> Result<Option<Self>, Fault> {
        // Large parameters of other tools are not read for this; nobody spells our names otherwise.
        if memmem::find(params.get().as_bytes(), PREFIX).is_none() {
            return Ok(None);
        }
        let object = open(params)?;
        let name = required(&object, "name")?;
        let Some(own) = Own::ALL.iter().find(|own| own.exposed().as_str() == name) else {
            return Ok(None);
        };
        let none = Raw::empty_object();
        let arguments = open(object.get("arguments").unwrap_or(&none))?;
        Ok(Some(match own {
            Own::SignIn => Self::SignIn,
            Own::Status => Self::Status,
            Own::FindTools => Self::FindTools {
                query: required(&arguments, "query").unwrap_or_default().into(),
                limit: limit(&arguments)?,
            },
            Own::CallTool => Self::CallTool {
                params: inner(&object, &arguments)?,
            },
        }))
    }
}

fn limit(arguments: &Object<'_>) -> Result<usize, Fault> {
    let Some(limit) = arguments.get("limit") else {
        return Ok(FOUND);
    };
    let limit: usize = limit
        .get()
        .parse()
        .map_err(|_| bad("\"limit\" is not a number"))?;
    Ok(limit.clamp(1, FOUND_LIMIT))
}

/// The parameters of the call inside; what the host put beside `arguments` goes along.
fn inner(outer: &Object<'_>, arguments: &Object<'_>) -> Result<Raw, Fault> {
    let name = required(arguments, "name")?;
    if Own::ALL.iter().any(|own| own.exposed().as_str() == name) {
        return Err(bad("chaperone's own tools are called directly"));
    }
    let none = Raw::empty_object();
    let given = arguments.get("arguments").unwrap_or(&none);
    let renamed = outer.with("name", Some(&Raw::string(&name)));
    Ok(renamed.with("arguments", given))
}

fn bad(why: &str) -> Fault {
    Fault::BadParams(why.into())
}

impl Gateway {
    pub(super) async fn own_tool(
        &self,
        host: &Host,
        call: OwnCall,
        asides: Option<Asides>,
    ) -> Result<Raw, Fault> {
        match call {
            OwnCall::SignIn => Ok(text(&self.sign_in().await)),
            OwnCall::Status => {
                let report = self.report(self.parts.list_budget).await;
                Ok(text(&report.to_string()))
            }
            OwnCall::FindTools { query, limit } => self.find_tools(host, &query, limit).await,
            OwnCall::CallTool { params } => {
                self.call(host, method::TOOLS_CALL, &params, asides).await
            }
        }
    }

    async fn sign_in(&self) -> String {
        match self.parts.session.anyone().await {
            Ok(grant) => {
                let who = grant
                    .principal
                    .identity
                    .display()
                    .escape_debug()
                    .to_string();
                format!("Signed in as {who}. To sign in as somebody else, run `chaperone logout`.")
            }
            Err(error) if error.needs_sign_in() => self.invitation().await,
            Err(error) => Fault::from(&error).sentence(),
        }
    }

    /// The definitions of the tools that fit best, which count as shown from then on.
    async fn find_tools(&self, host: &Host, query: &str, limit: usize) -> Result<Raw, Fault> {
        let Some(viewer) = self.viewing().await else {
            return Err(Fault::NotSignedIn(self.invitation().await.into()));
        };
        let definitions = self.catalog(|catalog| {
            let tools = catalog
                .known()
                .flat_map(|(name, lists)| self.tools_for(&viewer, name, lists));
            let found = search::rank(&tools.collect::<Vec<_>>(), query, limit);
            host.show(found.iter().map(|tool| &tool.exposed));
            found
                .iter()
                .map(|tool| tool.definition.clone())
                .collect::<Vec<_>>()
        });
        if definitions.is_empty() {
            return Ok(text(
                "No tool fits. Try other words, or none for all tools; `chaperone__status` says \
                 which servers are missing and why.",
            ));
        }
        let head = "Call these with chaperone__call_tool {\"name\": ..., \"arguments\": {...}}:";
        let definitions: Vec<&str> = definitions.iter().map(Raw::get).collect();
        Ok(text(&format!("{head}\n{}", definitions.join("\n"))))
    }
}

/// A result of one text.
fn text(text: &str) -> Raw {
    let block = Raw::empty_object().with("type", &Raw::string("text"));
    let block = block.with("text", &Raw::string(text));
    let mut content = List::of("content");
    content.add(&block);
    content.done()
}

/// The definitions as hosts are shown them.
pub(super) fn definitions() -> &'static [Raw] {
    static DEFINITIONS: OnceLock<Vec<Raw>> = OnceLock::new();
    DEFINITIONS.get_or_init(|| {
        let tools = Own::ALL.iter().map(|own| Raw::of(&own.tool()));
        tools.filter_map(Result::ok).collect()
    })
}

#[derive(Debug, Clone, Copy)]
enum Own {
    SignIn,
    Status,
    FindTools,
    CallTool,
}

impl Own {
    const ALL: [Self; 4] = [Self::SignIn, Self::Status, Self::FindTools, Self::CallTool];

    fn exposed(self) -> ExposedName {
        ExposedName::own(match self {
            Self::SignIn => "sign_in",
            Self::Status => "status",
            Self::FindTools => "find_tools",
            Self::CallTool => "call_tool",
        })
    }

    fn tool(self) -> Tool {
        let name = self.exposed().as_str().to_owned();
        let tool = Tool::new(name, self.description(), self.schema());
        tool.with_annotations(ToolAnnotations::from_raw(
            Some(self.title().to_owned()),
            Some(matches!(self, Self::Status | Self::FindTools)),
            Some(matches!(self, Self::CallTool)),
            Some(!matches!(self, Self::CallTool)),
            Some(matches!(self, Self::CallTool)),
        ))
    }

    fn title(self) -> &'static str {
        match self {
            Self::SignIn => "Sign in",
            Self::Status => "Status",
            Self::FindTools => "Find tools",
            Self::CallTool => "Call a tool",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::SignIn => {
                "Signs the person in at the company's identity provider: returns a link to open \
                 in the browser, or says who is signed in."
            }
            Self::Status => {
                "Says who is signed in, which servers can be reached, what the policy leaves of \
                 them, and what to do about whatever is wrong."
            }
            Self::FindTools => {
                "Finds tools of the company's servers by words. Use it when a tool that you need \
                 is not in your list; call what it finds with chaperone__call_tool."
            }
            Self::CallTool => {
                "Calls a tool of the company's servers by the name that the list or \
                 chaperone__find_tools gave."
            }
        }
    }

    fn schema(self) -> JsonObject {
        let properties = match self {
            Self::SignIn | Self::Status => json!({}),
            Self::FindTools => json!({
                "query": {"type": "string", "description": "Words of the name or the description."},
                "limit": {"type": "integer", "minimum": 1, "maximum": FOUND_LIMIT},
            }),
            Self::CallTool => json!({
                "name": {"type": "string", "description": "The tool's name, such as server__tool."},
                "arguments": {"type": "object", "description": "The tool's own arguments."},
            }),
        };
        let required: &[&str] = match self {
            Self::SignIn | Self::Status => &[],
            Self::FindTools => &["query"],
            Self::CallTool => &["name"],
        };
        let mut schema = JsonObject::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), properties);
        schema.insert("required".to_owned(), json!(required));
        schema
    }
}
