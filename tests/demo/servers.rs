//! The company's two MCP servers, made with an independent implementation of the protocol. Each takes
//! tokens for itself only.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;

use crate::token::Keys;

/// A tool: its name, what it says it does, its one argument, and its answer to that.
type Job = (&'static str, &'static str, &'static str, fn(&str) -> String);

/// A server and its tools.
#[derive(Clone, Copy)]
pub struct Company {
    name: &'static str,
    jobs: &'static [Job],
}

/// The tools of the published policy's first entry.
pub const DATABASE: Company = Company {
    name: "database",
    jobs: &[
        ("query_database", "Runs a query.", "sql", |sql| {
            format!("3 rows for: {sql}")
        }),
        ("list_tables", "Lists the tables.", "schema", |_| {
            "orders, customers".to_owned()
        }),
        ("describe_table", "Describes a table.", "table", |table| {
            format!("{table}: id, name, total")
        }),
        ("drop_table", "Drops a table.", "table", |table| {
            format!("{table} is gone")
        }),
        ("truncate", "Empties a table.", "table", |table| {
            format!("{table} is empty")
        }),
    ],
};

/// The tools of its second.
pub const DEPLOY: Company = Company {
    name: "deploy",
    jobs: &[
        (
            "deploy_staging",
            "Deploys to staging.",
            "version",
            |version| format!("{version} is on staging"),
        ),
        (
            "rollback",
            "Goes back to a version.",
            "version",
            |version| format!("back to {version}"),
        ),
        (
            "deploy_production",
            "Deploys to production.",
            "version",
            |version| format!("{version} is live"),
        ),
    ],
};

impl Company {
    /// The server's endpoint at `/mcp`, for tokens whose audience is `audience`.
    pub fn router(self, audience: &str, keys: Arc<Keys>) -> Router {
        let sessions = Arc::new(LocalSessionManager::default());
        let service = StreamableHttpService::new(
            move || Ok(self),
            sessions,
            StreamableHttpServerConfig::default(),
        );
        let door: Door = (audience.into(), keys);
        Router::new()
            .nest_service("/mcp", service)
            .layer(from_fn_with_state(door, check))
    }
}

type Door = (Arc<str>, Arc<Keys>);

async fn check(State((audience, keys)): State<Door>, request: Request, next: Next) -> Response {
    let bearer = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|value| value.strip_prefix("Bearer "));
    if token
        .and_then(|token| keys.check(token, &audience))
        .is_some()
    {
        return next.run(request).await;
    }
    let challenge = [(WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")];
    (StatusCode::UNAUTHORIZED, challenge).into_response()
}

impl ServerHandler for Company {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(self.name, "1"))
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, rmcp::ErrorData> {
        Ok(ListToolsResult::with_all_items(
            self.jobs.iter().map(tool).collect(),
        ))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, rmcp::ErrorData> {
        let Some((_, _, argument, answer)) =
            self.jobs.iter().find(|(name, ..)| *name == request.name)
        else {
            return Err(rmcp::ErrorData::invalid_params("unknown tool", None));
        };
        let given = request
            .arguments
            .as_ref()
            .and_then(|given| given.get(*argument)?.as_str());
        let text = answer(given.unwrap_or_default());
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

fn tool(&(name, description, argument, _): &Job) -> Tool {
    let schema = json!({ "type": "object", "properties": { argument: { "type": "string" } } });
    let schema = schema.as_object().cloned().unwrap_or_default();
    Tool::new(name, description, schema)
}
