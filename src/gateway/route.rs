//! Reading a request as far as it must be understood: what it names, and what is sent instead.

use std::borrow::Cow;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::pins::Held;
use crate::name::{ServerName, ToolName};
use crate::policy::Target;
use crate::wire::mirror::Mirror;
use crate::wire::object::{Object, ObjectError};
use crate::wire::{Raw, method};

use super::fault::{Fault, Kind};
use super::tasks;

/// Keys of parameters that a decision depends on.
const GUARDED: [&str; 6] = ["name", "arguments", "uri", "ref", "_meta", "cursor"];

/// Where a request goes and what is sent there.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) server: ServerName,
    pub(super) what: What,
    /// The name that the host used.
    pub(super) asked: Box<str>,
    /// The parameters with the server's own names.
    pub(super) params: Raw,
    /// Those that the tool wants repeated in the head.
    pub(super) mirrors: Arc<[Mirror]>,
    /// Why it has to wait until somebody accepts its definition, if it has to.
    pub(super) held: Option<Held>,
}

/// What is used there.
#[derive(Debug, Clone)]
pub(super) enum What {
    Tool(ToolName),
    Prompt(Box<str>),
    Resource(Box<str>),
    Server(Box<str>),
    Question(Box<str>),
}

impl What {
    pub(super) fn target(&self) -> Target<'_> {
        match self {
            Self::Tool(name) => Target::Tool(name),
            Self::Prompt(name) => Target::Prompt(name),
            Self::Resource(uri) => Target::Resource(uri),
            Self::Server(what) => Target::Server(what),
            Self::Question(what) => Target::Question(what),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Tool(_) | Self::Server(_) | Self::Question(_) => Kind::Tool,
            Self::Prompt(_) => Kind::Prompt,
            Self::Resource(_) => Kind::Resource,
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Tool(name) => name.as_str(),
            Self::Prompt(name)
            | Self::Resource(name)
            | Self::Server(name)
            | Self::Question(name) => name,
        }
    }
}

/// Opens parameters strictly.
pub(super) fn open(params: &Raw) -> Result<Object<'_>, Fault> {
    Object::of(params, &GUARDED).map_err(|error| bad(&error))
}

fn bad(error: &ObjectError) -> Fault {
    Fault::BadParams(error.to_string().into())
}

/// The text of a member that must be there.
pub(super) fn required<'a>(object: &Object<'a>, key: &'static str) -> Result<Cow<'a, str>, Fault> {
    let text = object.string(key).map_err(|error| bad(&error))?;
    text.ok_or_else(|| Fault::BadParams(format!("{key:?} is missing").into()))
}

/// Finds the server of a tool call.
pub(super) fn tool(catalog: &Catalog, params: &Object<'_>, asked: &str) -> Result<Route, Fault> {
    if params
        .get("arguments")
        .is_some_and(|arguments| !arguments.is_object())
    {
        return Err(Fault::BadParams("\"arguments\" is not an object".into()));
    }
    let unknown = || Fault::Unknown(Kind::Tool, asked.into());
    let (server, tool) = catalog.tool(asked).ok_or_else(unknown)?;
    Ok(Route {
        server: server.clone(),
        what: What::Tool(tool.name.clone()),
        asked: asked.into(),
        params: params.with("name", Some(&Raw::string(tool.name.as_str()))),
        mirrors: Arc::clone(&tool.mirrors),
        held: tool.held,
    })
}

/// Finds the server of a request that names a prompt or a resource.
pub(super) fn other(catalog: &Catalog, method: &str, params: &Raw) -> Result<Route, Fault> {
    let object = open(params)?;
    match method {
        method::PROMPTS_GET => prompt(catalog, &object),
        method::RESOURCES_READ | method::SUBSCRIBE | method::UNSUBSCRIBE => {
            resource(catalog, &object)
        }
        method::COMPLETE => completion(catalog, &object),
        asked if method::is_of_tasks(asked) => tasks::route(asked, params),
        asked => unknown(catalog, asked, params, &object),
    }
}

/// A method that nobody here knows goes where its parameters lead: to whoever has what they name, else
/// to the only server there is.
fn unknown(
    catalog: &Catalog,
    asked: &str,
    params: &Raw,
    object: &Object<'_>,
) -> Result<Route, Fault> {
    if let Ok(Some(name)) = object.string("name") {
        return tool(catalog, object, &name).or_else(|_| prompt(catalog, object));
    }
    if object.get("uri").is_some() {
        return resource(catalog, object);
    }
    let mut servers = catalog.servers();
    let (Some((only, _)), None) = (servers.next(), servers.next()) else {
        return Err(Fault::UnknownMethod);
    };
    Ok(Route {
        server: only.clone(),
        what: What::Server(asked.into()),
        asked: asked.into(),
        params: params.clone(),
        mirrors: Arc::default(),
        held: None,
    })
}

fn prompt(catalog: &Catalog, params: &Object<'_>) -> Result<Route, Fault> {
    let asked = required(params, "name")?;
    let unknown = || Fault::Unknown(Kind::Prompt, asked.as_ref().into());
    let (server, prompt) = catalog.prompt(&asked).ok_or_else(unknown)?;
    Ok(Route {
        server: server.clone(),
        what: What::Prompt(prompt.name.as_str().into()),
        asked: asked.as_ref().into(),
        params: params.with("name", Some(&Raw::string(prompt.name.as_str()))),
        mirrors: Arc::default(),
        held: None,
    })
}

fn resource(catalog: &Catalog, params: &Object<'_>) -> Result<Route, Fault> {
    let asked = required(params, "uri")?;
    let unknown = || Fault::Unknown(Kind::Resource, asked.as_ref().into());
    let (server, own) = catalog.locate(&asked).ok_or_else(unknown)?;
    let spelled = match params.get("uri") {
        // Another spelling of the same text means the same at the server.
        Some(spelled) if *own == *asked => spelled.clone(),
        Some(_) | None => Raw::string(&own),
    };
    Ok(Route {
        server: server.clone(),
        params: params.with("uri", Some(&spelled)),
        what: What::Resource(own),
        asked: asked.as_ref().into(),
        mirrors: Arc::default(),
        held: None,
    })
}

/// `ref` is `{"type":"ref/prompt","name":…}` or `{"type":"ref/resource","uri":…}`.
fn completion(catalog: &Catalog, params: &Object<'_>) -> Result<Route, Fault> {
    let missing = || Fault::BadParams("\"ref\" is missing".into());
    let reference = open(params.get("ref").ok_or_else(missing)?)?;
    let found = match required(&reference, "type")?.as_ref() {
        "ref/prompt" => prompt(catalog, &reference)?,
        "ref/resource" => resource(catalog, &reference)?,
        other => {
            let why = format!("\"ref\" has the unknown type {other:?}");
            return Err(Fault::BadParams(why.into()));
        }
    };
    Ok(Route {
        params: params.with("ref", Some(&found.params)),
        ..found
    })
}
