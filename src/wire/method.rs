//! Method names, spelled once.

/// Opens a session (revisions up to 2025-11-25).
pub const INITIALIZE: &str = "initialize";
/// Says that the session is open.
pub const INITIALIZED: &str = "notifications/initialized";
/// Asks what a server of the 2026-07-28 revision offers.
pub const DISCOVER: &str = "server/discover";
/// Asks for a sign of life.
pub const PING: &str = "ping";
/// Lists tools.
pub const TOOLS_LIST: &str = "tools/list";
/// Calls a tool.
pub const TOOLS_CALL: &str = "tools/call";
/// Lists resources.
pub const RESOURCES_LIST: &str = "resources/list";
/// Lists resource templates.
pub const TEMPLATES_LIST: &str = "resources/templates/list";
/// Reads a resource.
pub const RESOURCES_READ: &str = "resources/read";
/// Asks for notices of a resource's changes.
pub const SUBSCRIBE: &str = "resources/subscribe";
/// Ends such notices.
pub const UNSUBSCRIBE: &str = "resources/unsubscribe";
/// Lists prompts.
pub const PROMPTS_LIST: &str = "prompts/list";
/// Fills a prompt.
pub const PROMPTS_GET: &str = "prompts/get";
/// Completes an argument.
pub const COMPLETE: &str = "completion/complete";
/// Sets the level of log notifications.
pub const SET_LEVEL: &str = "logging/setLevel";
/// Opens a stream of notices (2026-07-28).
pub const LISTEN: &str = "subscriptions/listen";
/// Says which notices such a stream brings.
pub const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
/// Asks the person something (a server of a client).
pub const ELICIT: &str = "elicitation/create";
/// Asks the host's model (a server of a client).
pub const SAMPLE: &str = "sampling/createMessage";
/// Asks which directories the host works on (a server of a client).
pub const ROOTS: &str = "roots/list";
/// Asks how a task stands (extension `io.modelcontextprotocol/tasks`).
pub const TASKS_GET: &str = "tasks/get";
/// Brings what a task asks for.
pub const TASKS_UPDATE: &str = "tasks/update";
/// Withdraws a task.
pub const TASKS_CANCEL: &str = "tasks/cancel";
/// Withdraws a request.
pub const CANCELLED: &str = "notifications/cancelled";
/// Tells how far a request is.
pub const PROGRESS: &str = "notifications/progress";
/// A log message.
pub const MESSAGE: &str = "notifications/message";
/// The tools have changed.
pub const TOOLS_CHANGED: &str = "notifications/tools/list_changed";
/// The resources have changed.
pub const RESOURCES_CHANGED: &str = "notifications/resources/list_changed";
/// The prompts have changed.
pub const PROMPTS_CHANGED: &str = "notifications/prompts/list_changed";
/// One resource has changed.
pub const RESOURCE_UPDATED: &str = "notifications/resources/updated";
/// The roots have changed (a client to a server).
pub const ROOTS_CHANGED: &str = "notifications/roots/list_changed";

/// Whether a request is about a task.
#[must_use]
pub fn is_of_tasks(asked: &str) -> bool {
    matches!(asked, TASKS_GET | TASKS_UPDATE | TASKS_CANCEL)
}

/// Whether a request of a host changes nothing at the server, or belongs to what was begun before.
#[must_use]
pub fn changes_nothing(asked: &str) -> bool {
    let reads = [
        RESOURCES_READ,
        SUBSCRIBE,
        UNSUBSCRIBE,
        PROMPTS_GET,
        COMPLETE,
    ];
    reads.contains(&asked) || asked == SET_LEVEL || is_of_tasks(asked)
}

/// What servers ask of clients, with the capability that it takes.
pub const OF_SERVERS: [(&str, &str); 3] = [
    (ELICIT, "elicitation"),
    (SAMPLE, "sampling"),
    (ROOTS, "roots"),
];

/// The capability that a request of a server takes; `None` if servers ask no such thing.
#[must_use]
pub fn ability(method: &str) -> Option<&'static str> {
    let mut known = OF_SERVERS.into_iter();
    known.find_map(|(asked, ability)| (asked == method).then_some(ability))
}
