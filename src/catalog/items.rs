//! One server's definitions, read as far as names and places need it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::bounds::{DEFINITION, DESCRIPTION, EXPRESSIONS, URI};
use crate::name::{ExposedName, ServerName, ToolName};
use crate::wire::mirror::{self, Mirror};
use crate::wire::{Object, Raw};

use super::pins::Held;
use super::{Lists, RawLists, texts};

/// How much of the name of something that cannot be shown is shown, in characters.
const NAME_SHOWN: usize = 80;

/// Where a template is written.
const TEMPLATE: &str = "uriTemplate";

/// A tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// The server's own name for it.
    pub name: ToolName,
    /// The name that hosts see.
    pub exposed: ExposedName,
    /// The whole definition under the exposed name; every other byte is the server's.
    pub definition: Raw,
    /// The server's description, for searching.
    pub description: Box<str>,
    /// The parameters that the server wants repeated in the head of a request.
    pub mirrors: Arc<[Mirror]>,
    /// Why it is held back until somebody accepts its definition, if it is.
    pub held: Option<Held>,
}

/// A prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// The server's own name for it.
    pub name: ToolName,
    /// The name that hosts see.
    pub exposed: ExposedName,
    /// The whole definition under the exposed name.
    pub definition: Raw,
}

/// A resource or a template.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its URI (or URI template) at the server.
    pub uri: Box<str>,
    /// The whole definition as the server gave it.
    pub definition: Raw,
}

/// Something that a server offers and that cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Dropped {
    /// What it is called, with invisible characters escaped.
    pub name: Box<str>,
    /// Why it is not shown.
    pub reason: Box<str>,
}

/// Reads all lists of a server.
pub(super) fn read(server: &ServerName, raw: &RawLists, limit: usize) -> Lists {
    let (mut dropped, mut cleaned) = (Vec::new(), 0);
    let raw = RawLists {
        tools: visible(&raw.tools, &mut dropped, &mut cleaned),
        prompts: visible(&raw.prompts, &mut dropped, &mut cleaned),
        resources: visible(&raw.resources, &mut dropped, &mut cleaned),
        templates: visible(&raw.templates, &mut dropped, &mut cleaned),
        alone: raw.alone,
    };
    let tools = raw.tools.iter();
    let tools = tools.map(|tool| read_tool(server, tool, limit, raw.alone));
    let tools = tools.filter_map(|tool| keep(tool, &mut dropped)).collect();
    let prompts = raw.prompts.iter();
    let prompts = prompts.map(|prompt| read_prompt(server, prompt, limit));
    let prompts = prompts
        .filter_map(|prompt| keep(prompt, &mut dropped))
        .collect();
    let mut placed = |raws: &[Raw], key| -> Arc<[Resource]> {
        raws.iter()
            .filter_map(|raw| keep(read_placed(raw, key), &mut dropped))
            .collect()
    };
    let resources = placed(&raw.resources, "uri");
    let templates = placed(&raw.templates, TEMPLATE);
    Lists {
        tools,
        prompts,
        resources,
        templates,
        dropped: dropped.into(),
        cleaned,
    }
}

/// The definitions as they may be shown; those that cannot be are dropped. A name with hidden
/// characters is left as it is, because without them it would be another, and is refused as such.
fn visible(raws: &[Raw], dropped: &mut Vec<Dropped>, cleaned: &mut usize) -> Vec<Raw> {
    let mut seen = Vec::with_capacity(raws.len());
    for raw in raws {
        match texts::cleaned(raw) {
            Ok(None) => seen.push(raw.clone()),
            Ok(Some(_)) if names_something_hidden(raw) => seen.push(raw.clone()),
            Ok(Some(plain)) => {
                *cleaned += 1;
                seen.push(plain);
            }
            Err(texts::HiddenKey) => {
                let name = Object::of(raw, &[]).ok();
                let name = name.and_then(|raw| raw.string("name").ok().flatten().map(Into::into));
                let name: String = name.unwrap_or_else(|| "(unnamed)".into());
                let why = "a key of the definition holds characters that cannot be seen";
                dropped.push(drop_it(&name, why));
            }
        }
    }
    seen
}

/// Whether what it is called by holds characters that cannot be seen.
fn names_something_hidden(raw: &Raw) -> bool {
    let Ok(object) = Object::of(raw, &[]) else {
        return false;
    };
    ["name", "uri", "uriTemplate"].into_iter().any(|key| {
        let name = object.string(key).ok().flatten();
        name.is_some_and(|name| name.chars().any(crate::wording::is_invisible))
    })
}

fn keep<T>(item: Result<T, Dropped>, dropped: &mut Vec<Dropped>) -> Option<T> {
    item.map_err(|reason| dropped.push(reason)).ok()
}

/// Where requests stand alone, a tool whose headers cannot be sent cannot be called.
fn read_tool(server: &ServerName, raw: &Raw, limit: usize, alone: bool) -> Result<Tool, Dropped> {
    let object = open(raw)?;
    let (name, exposed) = read_name(server, &object, limit)?;
    let mirrors = match mirror::of(raw) {
        Ok(mirrors) => mirrors,
        Err(why) if alone => return Err(drop_it(name.as_str(), &why.to_string())),
        Err(_) => Vec::new(),
    };
    let description = object.string("description").ok().flatten();
    Ok(Tool {
        definition: object.with("name", Some(&Raw::string(exposed.as_str()))),
        description: description.unwrap_or_default().into(),
        mirrors: mirrors.into(),
        held: None,
        name,
        exposed,
    })
}

fn read_prompt(server: &ServerName, raw: &Raw, limit: usize) -> Result<Prompt, Dropped> {
    let object = open(raw)?;
    let (name, exposed) = read_name(server, &object, limit)?;
    Ok(Prompt {
        definition: object.with("name", Some(&Raw::string(exposed.as_str()))),
        name,
        exposed,
    })
}

fn read_name(
    server: &ServerName,
    object: &Object<'_>,
    limit: usize,
) -> Result<(ToolName, ExposedName), Dropped> {
    let name = text(object, "name")?;
    let tool = ToolName::parse(&name).map_err(|error| drop_it(&name, &error.to_string()))?;
    let exposed = ExposedName::join(server, &tool, limit);
    Ok((tool, exposed))
}

fn read_placed(raw: &Raw, key: &'static str) -> Result<Resource, Dropped> {
    let object = open(raw)?;
    let uri = text(&object, key)?;
    if uri.is_empty() || uri.chars().any(crate::wording::is_invisible) {
        return Err(drop_it(
            &uri,
            "the URI is empty or holds invisible characters",
        ));
    }
    if uri.len() > URI || (key == TEMPLATE && uri.matches('{').count() > EXPRESSIONS) {
        let why = format!(
            "the URI is longer than {URI} bytes, or has more than {EXPRESSIONS} expressions"
        );
        return Err(drop_it(&uri, &why));
    }
    Ok(Resource {
        uri: uri.into(),
        definition: raw.clone(),
    })
}

fn open(raw: &Raw) -> Result<Object<'_>, Dropped> {
    let object = Object::of(
        raw,
        &["name", "uri", "uriTemplate", "description", "inputSchema"],
    );
    let object = object.map_err(|error| drop_it("(unreadable)", &error.to_string()))?;
    let size = |part: Option<&Raw>| part.map_or(0, |part| part.get().len());
    for (what, size, limit) in [
        ("definition", raw.get().len(), DEFINITION),
        ("description", size(object.get("description")), DESCRIPTION),
    ] {
        if size > limit {
            let mut names = ["name", "uri", "uriTemplate"].into_iter();
            let name = names.find_map(|key| object.string(key).ok().flatten());
            let why = format!("its {what} is longer than {limit} bytes");
            return Err(drop_it(&name.unwrap_or_default(), &why));
        }
    }
    Ok(object)
}

fn text<'a>(object: &Object<'a>, key: &'static str) -> Result<Cow<'a, str>, Dropped> {
    match object.string(key) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(drop_it(
            "(unnamed)",
            &format!("the definition has no {key:?}"),
        )),
        Err(error) => Err(drop_it("(unnamed)", &error.to_string())),
    }
}

fn drop_it(name: &str, reason: &str) -> Dropped {
    Dropped {
        name: name
            .chars()
            .take(NAME_SHOWN)
            .collect::<String>()
            .escape_debug()
            .to_string()
            .into(),
        reason: reason.into(),
    }
}
