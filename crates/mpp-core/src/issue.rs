//! The payee's side of a challenge: an offer and a secret in, a challenge out whose id binds every parameter
//! (draft-httpauth-payment §5.1.2.1.1).

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::challenge::{AUTHORIZATION, Challenge, ChallengeError, MAX_REQUEST};
use crate::charge::ChargeRequest;
use crate::{base64url, time};

/// What a payee asks for; everything but the id, which [`Challenge::issue`] computes.
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// The protection space, usually the host name.
    pub realm: &'a str,
    /// The charge.
    pub request: &'a ChargeRequest,
    /// When the offer ends, in Unix seconds.
    pub expires_at: Option<u64>,
    /// The digest of the request body, from [`body_digest`](crate::payee::body_digest).
    pub digest: Option<&'a str>,
    /// Shown to people; bound to nothing.
    pub description: Option<&'a str>,
    /// Correlation data. A random value in it keeps two equal offers of one millisecond apart.
    pub opaque: BTreeMap<&'a str, &'a str>,
}

impl Challenge {
    /// Makes a `tempo` `charge` challenge whose id binds all it says, but the description, to `secret`.
    ///
    /// # Errors
    /// When a parameter is one that clients refuse, such as an empty realm.
    pub fn issue(secret: &[u8], offer: &Offer<'_>) -> Result<Challenge, ChallengeError> {
        let request = offer.request.encode();
        let expires = offer.expires_at.map(time::format_rfc3339);
        let opaque = serde_json::to_vec(&offer.opaque).unwrap_or_default();
        let opaque = (!offer.opaque.is_empty()).then(|| base64url::encode(opaque));
        let mut challenge = Challenge::from_parameters(|name| {
            let value = match name {
                "id" => "-",
                "realm" => offer.realm,
                "method" => "tempo",
                "intent" => "charge",
                "request" => request.as_str(),
                "expires" => expires.as_deref()?,
                "digest" => offer.digest?,
                "description" => offer.description?,
                "opaque" => opaque.as_deref()?,
                _ => return None,
            };
            Some((value, None))
        })
        .map_err(|fault| ChallengeError { field: 0, fault })?;
        challenge.id = base64url::encode(challenge.mac(secret).finalize().into_bytes());
        Ok(challenge)
    }

    /// Whether `secret` made this id for exactly these parameters; every wrong id takes the same time. An id spelt
    /// otherwise, padded say, is wrong: who remembers used ids would not know it again.
    #[must_use]
    pub fn is_bound_by(&self, secret: &[u8]) -> bool {
        base64url::decode(&self.id, MAX_REQUEST)
            .is_ok_and(|id| self.mac(secret).verify_slice(&id).is_ok() && base64url::encode(id) == self.id)
    }

    /// HMAC-SHA256 over `realm|method|intent|request|expires|digest|[header|]opaque`, absent slots empty; a header
    /// other than `Authorization` has a slot, as deployed.
    fn mac(&self, secret: &[u8]) -> Hmac<Sha256> {
        let text = |slot: &Option<String>| slot.clone().unwrap_or_default();
        let header = self.header.clone().filter(|name| !name.eq_ignore_ascii_case(AUTHORIZATION));
        let slots = [&self.realm, &self.method, &self.intent, &self.request].map(String::clone);
        let slots = slots.into_iter().chain([text(&self.expires), text(&self.digest)]);
        let slots: Vec<String> = slots.chain(header).chain([text(&self.opaque)]).collect();
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104 §3)")]
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length");
        mac.update(slots.join("|").as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Two of the vectors have an `opaque` or `digest` that `parse_all` refuses, so the challenges are made by hand.
    #[test]
    fn ids_are_those_of_the_sdks() {
        let vectors: Value = serde_json::from_str(include_str!("../testdata/core.json")).expect("JSON");
        let vectors = vectors["challenge_id"]["vectors"].as_array().expect("an array");
        assert_eq!(vectors.len(), 31);
        for vector in vectors {
            let optional = |name: &str| vector[name].as_str().map(str::to_owned);
            let required = |name: &str| optional(name).expect(name);
            let challenge = Challenge {
                id: required("expected"),
                realm: required("realm"),
                method: required("method"),
                intent: required("intent"),
                // serde_json sorts the members of a `Value`: this is the canonical form.
                request: base64url::encode(vector["request"].to_string()),
                expires: optional("expires"),
                expires_at: None,
                digest: optional("digest"),
                description: Some(String::from("not bound")),
                opaque: optional("opaque"),
                header: optional("header"),
            };
            assert!(challenge.is_bound_by(required("secretKey").as_bytes()), "{vector}");
        }
    }
}
