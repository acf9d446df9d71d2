//! The numbers that bound what comes from outside, in one place: how long, how many, how deep.
//!
//! Whatever passes one of them costs its own request, its own definition or its own server, never
//! the process or a neighbour. Deadlines are settings (`connect_timeout`, `list_timeout`,
//! `call_timeout`), and so is `line_limit`; the provider's answers are bounded in `login`, documents
//! that people write in `config` and `policy`. A test holds that nothing is bounded elsewhere.

use std::time::Duration;

// Messages, whoever sends them.

/// The longest line of a host, in bytes, unless `line_limit` says otherwise.
pub const LINE: usize = 16 << 20;
/// The deepest nesting of arrays and objects.
pub const DEPTH: usize = 256;
/// The most members of an object that is looked into; what only passes through may have more.
pub const MEMBERS: usize = 200_000;

// A host.

/// How many of its requests may run at once.
pub const REQUESTS: usize = 256;
/// How many notifications of hosts may be on their way to servers; what comes beyond that is lost.
pub const TELLINGS: usize = 32;
/// How many messages may wait for it to read them.
pub const OUTBOX: usize = 256;
/// How much of its name and version the record keeps, in characters.
pub const AGENT: usize = 200;
/// The most resources that it, or all hosts at one server, may listen to at once.
pub const SUBSCRIPTIONS: usize = 256;

// A server's answers.

/// The largest answer: a body, or one event of a stream, in bytes.
pub const ANSWER: usize = 16 << 20;
/// The most that one stream may carry in all, comments included, in bytes.
pub const STREAM: usize = 128 << 20;
/// How many events are taken in a row before everybody else has a turn.
pub const IN_A_ROW: usize = 16;
/// The longest event identity that is kept, in bytes; it goes back to the server in a header.
pub const EVENT_ID: usize = 1024;
/// Attempts to take a stream up again that bring no further event.
pub const VAIN_RETURNS: u32 = 5;
/// The most that is read of a body that explains a failure, in bytes.
pub const EXPLANATION: usize = 256 << 10;
/// The longest excerpt of it that is shown, in characters.
pub const EXCERPT: usize = 200;
/// The most that is read of an answer's head over HTTP/2, in bytes; over HTTP/1.1 hyper stops at 400
/// KiB and 100 lines.
pub const HEAD: u32 = 256 << 10;
/// The most of a `WWW-Authenticate` header that is read, in bytes.
pub const CHALLENGE: usize = 8 << 10;
/// Redirects that are followed in a row.
pub const HOPS: usize = 5;
/// The longest wait (`Retry-After`) that a server is believed to mean.
pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// How many of the revisions that a server names are read.
pub const REVISIONS: usize = 64;
/// How many URIs of one result are looked up; it takes a search through all templates.
pub const LOOKUPS: usize = 1024;

// What a server says unasked.

/// The longest notice that is passed on, in bytes.
pub const NOTICE: usize = 1 << 20;
/// How much of one request may wait to be heard; what is told beyond that is lost.
pub const WAITING: usize = 256;
/// The shortest time between two fetches of one server's lists: a storm of changes costs one a second.
pub const FETCH_PAUSE: Duration = Duration::from_secs(1);

// A server's lists.

/// Older lists are fetched anew when a host asks for them: not every server tells what changes.
pub const FRESH: Duration = Duration::from_secs(5);

/// The most pages of one list.
pub const PAGES: usize = 100;
/// The most items of one list.
pub const ITEMS: usize = 2000;
/// The longest definition, in bytes: models read them with every conversation, and a server that needs
/// more than this says something other than what a tool does.
pub const DEFINITION: usize = 256 << 10;
/// The longest description in it, in bytes.
pub const DESCRIPTION: usize = 16 << 10;
/// The longest name of a tool or prompt, in bytes.
pub const TOOL_NAME: usize = 256;
/// The longest URI or template, in bytes.
pub const URI: usize = 8 << 10;
/// How many expressions a template may have: each URI in an answer is compared with all of them.
pub const EXPRESSIONS: usize = 16;
/// The most parameters of one tool that are repeated in heads.
pub const MIRRORS: usize = 64;
/// How deep these may lie.
pub const MIRROR_DEPTH: usize = 16;

// A server's questions.

/// Questions of one server that may be open at once, answers to its other requests included; a flood
/// gets none.
pub const REPLIES: usize = 16;
/// How often a server may ask until it is asked something again.
pub const ASKED: usize = 100;
/// How often a server may answer one request with questions.
pub const ROUNDS: usize = 8;
/// The most that one such answer may ask for.
pub const INPUTS: usize = 16;
/// The longest state that is carried for a server, in bytes of JSON.
pub const STATE: usize = 64 << 10;
/// The longest question to a person, in bytes; what a model is asked may hold pictures.
pub const QUESTION: usize = 256 << 10;
/// The most links that one error asks to open.
pub const LINKS: usize = 16;
/// How many questions may be open at a host at once.
pub const QUESTIONS: usize = 64;
/// How many calls may wait at once for the next request of a host without a session.
pub const PARKED: usize = 32;
/// How long a person, or the host's model, may take to answer.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// How long all questions of one request may take.
pub const CONVERSATION: Duration = Duration::from_secs(1200);
/// The longest that a question stays open, whoever has it.
pub const LONGEST_QUESTION: Duration = Duration::from_secs(1800);

// A receiver of records.

/// The most that is read of what it answers, in bytes.
pub const RECEIPT: usize = 64 << 10;
