//! The demonstration company, on this machine only: an identity provider with two people, two MCP
//! servers, the published policy, and the program between them and a host.
//!
//! ```text
//! cargo run --example demo                 the demonstration signs people in by itself
//! cargo run --example demo -- --browser    you do, in your browser
//! cargo run --example demo -- --stay       afterwards it stays, so that your own host can use it
//! ```
//!
//! Everything lies in one directory under `target/`, which the next run replaces.

#![expect(clippy::print_stdout, reason = "it is a demonstration: it talks")]

mod browser;
mod people;
mod program;
mod provider;
mod servers;
mod session;
mod token;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chaperone::stop::Tasks;
use serde_json::json;
use tokio::net::TcpListener;

use crate::people::{ANA, DEV, Person};
use crate::program::{Program, SignIn};
use crate::provider::Provider;
use crate::servers::{Company, DATABASE, DEPLOY};
use crate::session::Session;
use crate::token::Keys;

/// What can go wrong ends the demonstration, and says so.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Where the company's parts listen.
struct Addresses {
    issuer: String,
    database: String,
    deploy: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wants = |name: &str| arguments.iter().any(|argument| argument == name);
    let program = Program::build(wants("--browser"))?;
    let tasks = Tasks::new();
    let company = open_company(&tasks).await?;
    program.configure(&company)?;

    heading("The company");
    println!("  identity provider  {}", company.issuer);
    println!("  server database    {}", company.database);
    println!("  server deploy      {}", company.deploy);
    let sign_in = program.sign_in_way(ANA).await?;
    println!("  {sign_in}");

    analyst(&program, sign_in).await?;
    operator(&program, sign_in).await?;
    record(&program).await?;
    next_steps(&program, wants("--stay"));
    if wants("--stay") {
        tokio::signal::ctrl_c().await?;
    }
    tasks.finish(Duration::from_secs(2)).await;
    Ok(())
}

async fn open_company(tasks: &Tasks) -> Outcome<Addresses> {
    let keys = Arc::new(Keys::generate()?);
    let (provider, issuer) = bind().await?;
    serve(
        tasks,
        provider,
        Provider::new(&issuer, keys.clone()).router(),
    );
    let database = open_server(tasks, DATABASE, &keys).await?;
    let deploy = open_server(tasks, DEPLOY, &keys).await?;
    Ok(Addresses {
        issuer,
        database,
        deploy,
    })
}

async fn open_server(tasks: &Tasks, server: Company, keys: &Arc<Keys>) -> Outcome<String> {
    let (listener, origin) = bind().await?;
    let url = format!("{origin}/mcp");
    serve(tasks, listener, server.router(&url, keys.clone()));
    Ok(url)
}

async fn bind() -> Outcome<(TcpListener, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    Ok((listener, origin))
}

fn serve(tasks: &Tasks, listener: TcpListener, router: Router) {
    tasks.spawn_until_stop(async move {
        // It ends when the demonstration does; until then, accepting goes on after an error.
        let _ended = axum::serve(listener, router).await;
    });
}

/// Ana analyses data: three tools of five, and no deployment.
async fn analyst(program: &Program, sign_in: SignIn) -> Outcome {
    heading("Ana (data-analyst), through a host");
    let mut session = start(program, sign_in, ANA).await?;
    session.show_tools().await?;
    let query = json!({ "sql": "select * from orders", "password": "not-in-the-record" });
    session.show_call("database__query_database", query).await?;
    session
        .show_call("database__drop_table", json!({ "table": "orders" }))
        .await?;
    session
        .show_call("deploy__deploy_staging", json!({ "version": "1.1" }))
        .await?;
    session.close().await?;
    if sign_in == SignIn::Kept {
        program.show(&["logout"]).await?;
        program.sign_in(DEV).await?;
    }
    Ok(())
}

/// Dev deploys: to staging at once, to production only with an approval.
async fn operator(program: &Program, sign_in: SignIn) -> Outcome {
    heading("Dev (admin, devops), through a host");
    let mut session = start(program, sign_in, DEV).await?;
    session.show_tools().await?;
    session
        .show_call("deploy__deploy_staging", json!({ "version": "1.1" }))
        .await?;
    session
        .show_call("deploy__deploy_production", json!({ "version": "1.1" }))
        .await?;
    session.close().await
}

async fn start(program: &Program, sign_in: SignIn, person: Person) -> Outcome<Session> {
    let mut session = Session::start(program).await?;
    if sign_in == SignIn::InEachProcess {
        session.sign_in(program, person).await?;
    }
    Ok(session)
}

async fn record(program: &Program) -> Outcome {
    heading("The record");
    program.show(&["audit", "list"]).await?;
    program.show(&["audit", "verify"]).await?;
    heading("Why Ana cannot drop a table");
    program
        .show(&[
            "policy",
            "explain",
            "database__drop_table",
            "--as-roles",
            "data-analyst",
        ])
        .await
}

fn next_steps(program: &Program, stays: bool) {
    heading("What to look at next");
    println!("  configuration  {}", program.config_file().display());
    println!("  policy         {}", program.policy_file().display());
    println!("  one record     {}", program.line(&["audit", "show", "1"]));
    println!("\n  The entry for a host (Claude Desktop, Claude Code, Cursor and others):\n");
    println!("{}", program.host_entry());
    if stays {
        println!("\n  The company stays open for it. Ctrl-C closes it.");
    } else {
        println!("\n  The company closes now; with `-- --stay` it stays open for your host.");
    }
}

fn heading(text: &str) {
    println!("\n== {text}");
}
