//! What a company serves for everybody at one address.

use std::time::Duration;

use url::Url;

use super::dialogue::address;
use crate::app::App;
use crate::cli::failure::Failure;
use crate::codes::Code;
use crate::config::{Draft, NetworkConfig, PolicyDocument};
use crate::upstream::{Http, plainly};
use crate::wording::chain;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// No settings that a person wrote are longer.
const SIZE: usize = 1024 * 1024;

/// Fetches the settings, without a token and with the certificates and proxies that everything else has.
pub(super) async fn fetch(
    text: &str,
    app: &App,
) -> Result<(Draft, Option<PolicyDocument>), Failure> {
    let whole = address(text).map_err(|why| Failure::new(Code::Usage, format!("{text}: {why}")))?;
    let unreachable = |why: &str| {
        let text =
            format!("{whole}: {why}. Nothing was changed; open it in a browser here to compare");
        Failure::new(Code::Unreachable, text)
    };
    let body = match tokio::time::timeout(PATIENCE, get(&whole, app)).await {
        Ok(Ok(body)) => body,
        Ok(Err(why)) => return Err(unreachable(&why)),
        Err(_) => {
            let why = format!("no answer within {} seconds", PATIENCE.as_secs());
            return Err(unreachable(&why));
        }
    };
    Draft::announced(&body).map_err(|error| {
        let text = format!(
            "{whole} does not serve what init reads: {error}. `chaperone init --help` shows how it looks"
        );
        Failure::new(Code::Input, text)
    })
}

async fn get(address: &str, app: &App) -> Result<Vec<u8>, String> {
    let network = app.config.as_ref().map(|config| config.network.clone());
    // Whoever has no configuration has nothing set for the network.
    let network = network.unwrap_or_else(|_| NetworkConfig::default());
    let http = Http::new(&network).map_err(|error| chain(&error))?;
    let url = Url::parse(address).map_err(|error| error.to_string())?;
    let client = http.client_for(&url, PATIENCE, &app.tasks).await;
    let client = client.map_err(|error| chain(&error))?;
    let said = |error: reqwest::Error| {
        let error = error.without_url();
        plainly(&error).unwrap_or_else(|| chain(&error))
    };
    let mut answer = client.get(url).send().await.map_err(said)?;
    if !answer.status().is_success() {
        return Err(format!("the answer is HTTP {}", answer.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(said)? {
        body.extend_from_slice(&part);
        if body.len() > SIZE {
            return Err(format!("it is larger than {} MiB", SIZE / 1024 / 1024));
        }
    }
    Ok(body)
}
