//! What a host is shown: the catalogue, filtered by the decision that calls ask too.

use std::borrow::Cow;
use std::sync::Arc;

use tokio::time::Instant;

use crate::catalog::{Catalog, Lists, Resource, Tool};
use crate::login::Snapshot;
use crate::name::ServerName;
use crate::policy::{Decision, Policy, Standing, Target, decide};
use crate::principal::Scopes;
use crate::wire::raw::List;
use crate::wire::{Object, Raw, method};
use crate::wording::chain;

use super::fault::Fault;
use super::{Gateway, Host, own};

/// Where the two kinds of thing that have a URI keep it.
const URI: &str = "uri";
const TEMPLATE: &str = "uriTemplate";

/// The person to whom something is shown, with the policy that counts for him.
pub(super) struct Viewer {
    snapshot: Snapshot,
    policy: Arc<Policy>,
}

impl Viewer {
    pub(super) fn new(snapshot: Snapshot, policy: Arc<Policy>) -> Self {
        Self { snapshot, policy }
    }

    /// Whether lists show a thing of a server.
    pub(super) fn sees(&self, gateway: &Gateway, server: &ServerName, what: Target<'_>) -> bool {
        self.judge(gateway, server, what).is_listed()
    }

    pub(super) fn judge(
        &self,
        gateway: &Gateway,
        server: &ServerName,
        what: Target<'_>,
    ) -> Decision {
        let audience = gateway.server(server).map(|server| &server.audience.id);
        let scopes = audience.and_then(|id| self.snapshot.scopes.get(id));
        let none = Scopes::default();
        let who = Standing {
            roles: &self.snapshot.roles,
            scopes: scopes.unwrap_or(&none),
        };
        decide(&self.policy, who, server, what)
    }
}

impl Gateway {
    pub(super) async fn list_tools(&self, host: &Host) -> Result<Raw, Fault> {
        let viewer = self.viewing().await;
        let mut list = List::of("tools");
        for tool in own::definitions() {
            list.add(tool);
        }
        if let Some(viewer) = viewer {
            self.catalog(|catalog| {
                for (server, lists) in catalog.known() {
                    let tools = self.tools_for(&viewer, server, lists);
                    host.show(tools.iter().map(|tool| &tool.exposed));
                    for tool in tools {
                        list.add(&tool.definition);
                    }
                }
            });
        }
        Ok(list.done())
    }

    pub(super) async fn list_prompts(&self, host: &Host) -> Result<Raw, Fault> {
        let mut list = List::of("prompts");
        if let Some(viewer) = self.viewing().await {
            self.catalog(|catalog| {
                for (server, lists) in catalog.known() {
                    for prompt in &*lists.prompts {
                        if viewer.sees(self, server, Target::Prompt(prompt.name.as_str())) {
                            host.show([&prompt.exposed]);
                            list.add(&prompt.definition);
                        }
                    }
                }
            });
        }
        Ok(list.done())
    }

    pub(super) async fn list_resources(&self) -> Result<Raw, Fault> {
        self.list_placed(
            "resources",
            URI,
            |lists| &lists.resources,
            Catalog::exposed_uri,
        )
        .await
    }

    pub(super) async fn list_templates(&self) -> Result<Raw, Fault> {
        self.list_placed(
            "resourceTemplates",
            TEMPLATE,
            |lists| &lists.templates,
            Catalog::exposed_template,
        )
        .await
    }

    async fn list_placed(
        &self,
        key: &'static str,
        place: &'static str,
        of: impl Fn(&Lists) -> &[Resource],
        exposed: impl for<'a> Fn(&Catalog, &ServerName, &'a str) -> Cow<'a, str>,
    ) -> Result<Raw, Fault> {
        let mut list = List::of(key);
        if let Some(viewer) = self.viewing().await {
            self.catalog(|catalog| {
                for (server, lists) in catalog.known() {
                    for item in of(lists) {
                        if !viewer.sees(self, server, Target::Resource(&item.uri)) {
                            continue;
                        }
                        let exposed = exposed(catalog, server, &item.uri);
                        list.add(&placed(&item.definition, place, &item.uri, &exposed));
                    }
                }
            });
        }
        Ok(list.done())
    }

    /// The tools of a server that lists show.
    pub(super) fn tools_for<'a>(
        &self,
        viewer: &Viewer,
        server: &ServerName,
        lists: &'a Lists,
    ) -> Vec<&'a Tool> {
        let mut tools = self.permitted(viewer, server, lists);
        tools.retain(|tool| tool.held.is_none());
        tools
    }

    /// The tools of a server that the policy shows.
    pub(super) fn permitted<'a>(
        &self,
        viewer: &Viewer,
        server: &ServerName,
        lists: &'a Lists,
    ) -> Vec<&'a Tool> {
        let tools = lists.tools.iter();
        tools
            .filter(|tool| viewer.sees(self, server, Target::Tool(&tool.name)))
            .collect()
    }

    /// Who looks, with the lists as complete as the budget allows; nobody, if nobody is signed in.
    pub(super) async fn viewing(&self) -> Option<Viewer> {
        let deadline = Instant::now() + self.parts.list_budget;
        self.viewing_until(deadline).await
    }

    pub(super) async fn viewing_until(&self, deadline: Instant) -> Option<Viewer> {
        self.follow_pins();
        let snapshot = self.ready_lists(deadline).await?;
        self.shown_to(&snapshot);
        let policy = self.policy_to_show_by();
        Some(Viewer::new(snapshot, policy))
    }

    /// A result with the URIs that hosts know, where they differ from the server's.
    pub(super) fn name_for_host(&self, server: &ServerName, method: &str, result: Raw) -> Raw {
        if method == method::COMPLETE || !self.catalog(|catalog| catalog.has_aliases()) {
            return result;
        }
        let renamed = self.catalog(|catalog| {
            super::uris::rename(result.get(), |uri| catalog.exposed_uri(server, uri))
        });
        match renamed.map(|text| Raw::parse(&text)) {
            Some(Ok(renamed)) => renamed,
            Some(Err(error)) => {
                tracing::error!(error = chain(&error), "a result could not be renamed");
                result
            }
            None => result,
        }
    }
}

/// A definition under the URI that hosts know.
fn placed(definition: &Raw, key: &'static str, own: &str, exposed: &str) -> Raw {
    match Object::of(definition, &[]) {
        Ok(object) if own != exposed => object.with(key, Some(&Raw::string(exposed))),
        // The catalogue keeps objects only.
        Ok(_) | Err(_) => definition.clone(),
    }
}
