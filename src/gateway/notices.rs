//! What servers tell unasked, and what hosts hear of it.

use tokio::sync::mpsc;

use crate::catalog::Changed;
use crate::name::ServerName;
use crate::policy::Target;
use crate::upstream::Notice;
use crate::wire::{Object, Raw, method};

use super::Gateway;
use super::lane::Wanted;

impl Gateway {
    /// Hears the servers until the gateway stops.
    pub(super) fn listen(&self, mut notices: mpsc::UnboundedReceiver<Notice>) {
        let gateway = self.clone();
        self.parts.tasks.spawn_until_stop(async move {
            while let Some(notice) = notices.recv().await {
                gateway.hear(notice);
            }
        });
    }

    fn hear(&self, notice: Notice) {
        match notice {
            Notice::Changed(server, listing) => self.fetch(&server, Wanted::one(listing)),
            Notice::Told {
                server,
                method,
                params,
            } if *method == *method::RESOURCE_UPDATED => {
                if let Some(params) = params {
                    self.updated(&server, &params);
                }
            }
            Notice::Asked(server, question) => self.asked(&server, question),
            Notice::Told { method, params, .. } => self.tell(&method, params.as_ref()),
        }
    }

    /// A resource changed: hosts hear of it under the URI that they know, if they may see it.
    fn updated(&self, server: &ServerName, params: &Raw) {
        let Ok(object) = Object::of(params, &["uri"]) else {
            return;
        };
        let Ok(Some(uri)) = object.string("uri") else {
            return;
        };
        let Some(snapshot) = self.viewer() else {
            return;
        };
        let viewer = super::lists::Viewer::new(snapshot, self.policy_to_show_by());
        if !viewer.sees(self, server, Target::Resource(&uri)) {
            return;
        }
        let exposed = self.catalog(|catalog| catalog.exposed_uri(server, &uri).into_owned());
        let params = object.with("uri", Some(&Raw::string(&exposed)));
        self.tell(method::RESOURCE_UPDATED, Some(&params));
    }

    /// Tells every host which lists are others now.
    pub(super) fn tell_changed(&self, changed: Changed) {
        for (list, changed) in [
            (method::TOOLS_CHANGED, changed.tools),
            (method::PROMPTS_CHANGED, changed.prompts),
            (method::RESOURCES_CHANGED, changed.resources),
        ] {
            if changed {
                self.tell(list, None);
            }
        }
    }

    fn tell(&self, method: &str, params: Option<&Raw>) {
        for host in &*self.hosts() {
            host.tell(method, params.cloned());
        }
    }
}
