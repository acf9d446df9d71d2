//! Revocation (RFC 7009), by hand because `oauth2` revokes over https only, also on this machine.

use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};
use oauth2::basic::BasicErrorResponse;
use oauth2::{HttpRequest, RequestTokenError};
use url::form_urlencoded;

use super::channel::DOCUMENT_LIMIT;
use super::error::{AnswerError, MetadataError, ProviderError};
use super::refusal::transport_error;
use super::{Provider, RefreshToken};

impl Provider {
    /// RFC 7009; `Ok(false)` when the provider has no revocation endpoint.
    pub async fn revoke(&self, token: &RefreshToken) -> Result<bool, ProviderError> {
        let extras = self.known().await?.metadata.additional_metadata();
        let Some(url) = &extras.revocation_endpoint else {
            return Ok(false);
        };
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", &token.0)
            .append_pair("token_type_hint", "refresh_token")
            .append_pair("client_id", &self.shared.identity.client_id)
            .finish();
        let mut request = HttpRequest::new(form.into_bytes());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.as_str().parse().map_err(MetadataError::Revocation)?;
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form_type);
        let answer = self.shared.http.send(request, DOCUMENT_LIMIT).await;
        let answer = answer.map_err(|error| transport_error::<BasicErrorResponse>(error.into()))?;
        if answer.status().is_success() {
            return Ok(true);
        }
        match serde_json::from_slice::<BasicErrorResponse>(answer.body()) {
            Ok(error) => Err(self
                .asked(&[&token.0])
                .token_error(RequestTokenError::ServerResponse(error))),
            // The cause may quote what was sent.
            Err(_) => Err(AnswerError::NotJson.into()),
        }
    }
}
