//! The browser, played: opens the link, presses a person's button, follows to the end.

use crate::Outcome;
use crate::people::Person;

/// Signs a person in at the provider's page.
pub async fn sign_in(link: &str, person: Person) -> Outcome {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let page = client.get(link).send().await?.error_for_status()?;
    let choose = page.url().join("/choose")?;
    let text = page.text().await?;
    let request = text
        .split_once("name=\"request\" value=\"")
        .and_then(|(_, rest)| rest.split('"').next());
    let request = request.ok_or("the provider showed no sign-in page")?;
    let form = format!("request={request}&person={}", person.id);
    let post = client
        .post(choose)
        .header("content-type", "application/x-www-form-urlencoded");
    post.body(form).send().await?.error_for_status()?;
    Ok(())
}
