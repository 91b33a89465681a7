//! A delivery as a signed request.

use bytes::Bytes;
use deed_notify::signature::http::{Parts, Unsigned, content_digest};
use deed_notify::signature::standard;
use deed_store::webhooks::{ClaimedWebhook, PendingDelivery, SecretSealer, SigningAlg};
use deed_store::{Error, Store};
use http::{Request, header};
use http_body_util::Full;

const USER_AGENT: &str = concat!("Deed/", env!("CARGO_PKG_VERSION"));

/// Signs an attempt; the time is that of the attempt, the id that of the event.
///
/// # Errors
/// [`Error::Unfit`] when the secret cannot be opened, or the URL cannot be requested.
pub(super) fn build(
    store: &Store,
    sealer: &SecretSealer,
    webhook: &ClaimedWebhook,
    delivery: &PendingDelivery,
) -> Result<Request<Full<Bytes>>, Error> {
    let (id, timestamp) = (delivery.event_id.to_string(), store.clock().now().timestamp());
    let content_type = webhook.format.content_type();
    let mut request = Request::post(&webhook.url)
        .header(header::CONTENT_TYPE, content_type)
        .header(header::USER_AGENT, USER_AGENT)
        .header("webhook-id", &id)
        .header("webhook-timestamp", timestamp);
    match webhook.signing_alg {
        SigningAlg::Hmac => {
            let opened = webhook.secrets.iter().map(|sealed| sealer.open(webhook.held.id, sealed));
            let secrets = opened.collect::<Result<Vec<_>, _>>()?;
            let value = standard::signatures(&secrets, &id, timestamp, &delivery.body);
            request = request.header("webhook-signature", value);
        }
        SigningAlg::Ed25519 => {
            let (digest, signer) = (content_digest(&delivery.body), store.signer());
            let unsigned = Unsigned::new(&Parts {
                target_uri: &webhook.url,
                content_type,
                content_digest: &digest,
                id: &id,
                timestamp,
                key_id: &signer.thumbprint().kid(),
            });
            let signature = signer.sign_http(&unsigned);
            let (input, signature) = unsigned.finish(&signature);
            request = request
                .header("content-digest", digest)
                .header("signature-input", input)
                .header("signature", signature);
        }
    }
    request
        .body(Full::from(delivery.body.clone()))
        .map_err(|error| Error::Unfit(format!("the URL cannot be requested: {error}")))
}
