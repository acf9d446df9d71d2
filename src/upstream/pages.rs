//! Whole lists, page by page, with an end even where the server has none.

use std::collections::HashSet;
use std::sync::Arc;

use super::ask::Ask;
use super::deadline::Deadline;
use super::fault::{BadAnswer, BadList, UpstreamError};
use super::head::Trace;
use super::{Along, Inner, Listing, frame};
use crate::bounds::{ANSWER, ITEMS, PAGES};
use crate::login::Grant;
use crate::random;
use crate::wire::{Object, Raw, TraceContext, code, method};

/// What one kind of list is called.
struct Names {
    method: &'static str,
    items: &'static str,
}

fn names(what: Listing) -> Names {
    let (method, items) = match what {
        Listing::Tools => (method::TOOLS_LIST, "tools"),
        Listing::Resources => (method::RESOURCES_LIST, "resources"),
        Listing::Templates => (method::TEMPLATES_LIST, "resourceTemplates"),
        Listing::Prompts => (method::PROMPTS_LIST, "prompts"),
    };
    Names { method, items }
}

/// One page.
#[derive(Default)]
struct Page {
    items: Vec<Raw>,
    /// How long it is; what else stands in it is kept with the items.
    size: usize,
    /// The next one's cursor, as it is sent back.
    next: Option<Raw>,
}

impl Inner {
    /// Reads a whole list, within `list_timeout`.
    pub(super) async fn list(self: &Arc<Self>, what: Listing) -> Result<Vec<Raw>, UpstreamError> {
        let deadline = Deadline::after(self.config.list_timeout);
        let who = deadline.bound_token(self.standing(None)).await?;
        let link = self.link(who.as_ref(), deadline).await?;
        if !link.offers(what) {
            return Ok(Vec::new());
        }
        let mut list = Vec::new();
        let (mut cursors, mut size) = (HashSet::new(), 0);
        let mut cursor = None;
        for _page in 0..PAGES {
            let page = self
                .page(what, cursor.as_ref(), who.clone(), deadline)
                .await?;
            size += page.size;
            list.extend(page.items);
            if size > ANSWER {
                return Err(UpstreamError::TooLarge);
            }
            if list.len() > ITEMS {
                return Err(UpstreamError::BadList(BadList::Items(ITEMS)));
            }
            let Some(next) = page.next else {
                return Ok(list);
            };
            if !cursors.insert(next.get().to_owned()) {
                return Err(UpstreamError::BadList(BadList::Loop));
            }
            cursor = Some(next);
        }
        Err(UpstreamError::BadList(BadList::Pages(PAGES)))
    }

    async fn page(
        self: &Arc<Self>,
        what: Listing,
        cursor: Option<&Raw>,
        who: Option<Arc<Grant>>,
        deadline: Deadline,
    ) -> Result<Page, UpstreamError> {
        let names = names(what);
        let params = cursor.map(|cursor| Raw::empty_object().with("cursor", cursor));
        // Lists are no records; their names are for the gateway's log alone.
        let span = u64::from_be_bytes(random::bytes());
        let ask = Ask {
            method: names.method,
            params: params.as_ref(),
            trace: Trace {
                request_id: &random::uuid().to_string(),
                context: &TraceContext::begin(random::trace_id(), span),
            },
            along: &Along {
                abilities: self.abilities(),
                ..Along::default()
            },
            deadline,
        };
        let refused = match self.ask(ask, who).await.outcome? {
            Ok(result) => return Ok(read(&result, &names)?),
            Err(error) => frame::refused(&error),
        };
        // A server may have resources and no templates, whatever its capabilities say.
        let unknown = i64::from(code::METHOD_NOT_FOUND);
        if matches!(refused, UpstreamError::Refused { code, .. } if code == unknown) {
            return Ok(Page::default());
        }
        Err(refused)
    }
}

fn read(result: &Raw, names: &Names) -> Result<Page, BadAnswer> {
    let lacks = |_| BadAnswer::Lacks(names.items);
    let object = Object::of(result, &["nextCursor"]).map_err(lacks)?;
    let items = object
        .get(names.items)
        .ok_or(BadAnswer::Lacks(names.items))?;
    let next = match object.get("nextCursor") {
        Some(raw) if raw.get() != "null" => {
            let cursor = object.string("nextCursor");
            cursor
                .map_err(|_| BadAnswer::Lacks("nextCursor"))?
                .map(|text| Raw::string(&text))
        }
        Some(_) | None => None,
    };
    Ok(Page {
        items: items
            .items(ITEMS + 1)
            .ok_or(BadAnswer::Lacks(names.items))?,
        size: result.get().len(),
        next,
    })
}
