//! A payee's terms for one request: a challenge out; a credential for such a challenge in, and whether it pays this
//! request (draft-httpauth-payment §5.1.2.1, §5.1.3). Nothing is looked up, so nothing is changed.

use std::fmt;

use alloy_primitives::Address;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use mpp_core::error::{ChallengeError, ChargeError, VerifyError};
use mpp_core::payee::{Offer, ProblemType, body_digest};
use mpp_core::tempo::{Transaction, Verified};
use mpp_core::{Amount, Challenge, ChargeRequest, Credential};
use zeroize::Zeroizing;

use crate::BoxError;
use crate::gate::Gate;
use crate::price::Charge;

/// Who is paid, and in what.
#[derive(Clone, Debug)]
pub struct Payee {
    /// The protection space, usually the host name; never empty.
    pub realm: String,
    /// The TIP-20 dollar token asked for.
    pub currency: Address,
    /// Who receives it.
    pub recipient: Address,
}

/// What binds challenges to who issued them: the key of the HMAC in their ids, wiped when dropped. It prints as nothing.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// A secret that was kept, of at least 32 random bytes; `None` for fewer.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        let bytes = Zeroizing::new(bytes);
        (bytes.len() >= SECRET_BYTES).then_some(Secret(bytes))
    }

    pub(crate) fn random() -> Result<Self, NoRandomness> {
        let mut bytes = Zeroizing::new(vec![0; SECRET_BYTES]);
        fill(&mut bytes)?;
        Ok(Secret(bytes))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// The operating system gave no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random numbers")]
pub struct NoRandomness(#[source] BoxError);

/// What a challenge and a credential have to be bound to.
pub(crate) struct Request {
    digest: Option<String>,
    resource: String,
}

impl Request {
    pub(crate) fn new(request: &Parts, body: &[u8]) -> Self {
        let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
        Request {
            digest: (!body.is_empty()).then(|| body_digest(body)),
            // A digest, as a target may be longer than a challenge should be.
            resource: body_digest(format!("{} {target}", request.method).as_bytes()),
        }
    }

    /// A digest of both.
    pub(crate) fn id(&self) -> String {
        body_digest(format!("{} {}", self.resource, self.digest.as_deref().unwrap_or_default()).as_bytes())
    }
}

/// What one request costs.
pub(crate) struct Terms<'a> {
    gate: &'a Gate,
    request: &'a Request,
    charge: &'a Charge,
}

impl<'a> Terms<'a> {
    pub(crate) fn new(gate: &'a Gate, request: &'a Request, charge: &'a Charge) -> Self {
        Terms { gate, request, charge }
    }

    /// The request they are for.
    pub(crate) fn of(&self) -> &Request {
        self.request
    }

    /// A new challenge: no two are alike, even of one request in one moment.
    pub(crate) fn challenge(&self, expires_at: u64) -> Result<Challenge, NoChallenge> {
        let mut salt = [0; 16];
        fill(&mut salt)?;
        let salt = URL_SAFE_NO_PAD.encode(salt);
        // One line of text is all a challenge can carry.
        let description = self.charge.description.as_ref().map(|text| text.replace(char::is_control, " "));
        let sponsored = self.gate.sponsorship.as_ref().is_some_and(|it| it.is_offered());
        let offer = Offer {
            realm: &self.gate.payee.realm,
            request: &self.request(self.charge.amount, sponsored)?,
            expires_at: Some(expires_at),
            digest: self.request.digest.as_deref(),
            description: description.as_deref(),
            opaque: [(RESOURCE, self.request.resource.as_str()), ("salt", &salt)].into(),
        };
        let secret = self.gate.secrets.first().ok_or(NoChallenge::Secret)?;
        Ok(Challenge::issue(&secret.0, &offer)?)
    }

    /// What a credential for this request pays at `now`, in Unix seconds, and how. A price that went up since its
    /// challenge was issued is not paid by it; one that went down is.
    pub(crate) fn check(
        &self,
        credential: &Credential,
        now: u64,
    ) -> Result<(ChargeRequest, Verified), Fault> {
        let invalid = |why: &str| Fault::new(ProblemType::InvalidChallenge, why);
        let challenge = credential.challenge();
        if challenge.method() != "tempo" || challenge.intent() != "charge" {
            return Err(Fault::new(
                ProblemType::MethodUnsupported,
                "only the tempo method's charge is taken",
            ));
        }
        if !self.gate.issued(challenge) {
            return Err(invalid("the challenge was not issued here, or was changed or forgotten since"));
        }
        if challenge.expires_at().is_none_or(|expires_at| expires_at <= now) {
            return Err(Fault::new(ProblemType::PaymentExpired, "the challenge has expired"));
        }
        if challenge.digest() != self.request.digest.as_deref()
            || opaque(challenge, RESOURCE).as_deref() != Some(&self.request.resource)
        {
            return Err(invalid(
                "the challenge is for another request: method, target and body must be the same",
            ));
        }
        let charge = ChargeRequest::from_challenge(challenge).map_err(|error| invalid(&error.to_string()))?;
        if charge.amount() < self.charge.amount {
            let detail = format!(
                "the request costs {} base units by now, the challenge was for {}",
                self.charge.amount.base_units(),
                charge.amount().base_units()
            );
            return Err(Fault::new(ProblemType::PaymentInsufficient, detail));
        }
        let sponsored = charge.fee_payer() && self.gate.sponsorship.is_some();
        if self.request(charge.amount(), sponsored).ok().as_ref() != Some(&charge) {
            return Err(invalid(
                "the challenge names another chain, token or recipient than this payee takes by now",
            ));
        }
        let verified = credential.verify(self.gate.chain.chain_id(), now).map_err(Fault::from)?;
        match &verified {
            Verified::Transaction { transaction, .. } if cannot_be_mined(transaction, now) => {
                let detail = "a transaction with an expiring nonce may be valid for 30 seconds at most";
                Err(Fault::new(ProblemType::VerificationFailed, detail))
            }
            _ => Ok((charge, verified)),
        }
    }

    fn request(&self, amount: Amount, sponsored: bool) -> Result<ChargeRequest, ChargeError> {
        let Payee { currency, recipient, .. } = self.gate.payee.as_ref();
        let request = ChargeRequest::new(amount, *currency, *recipient, self.gate.chain.chain_id());
        let request = request.with_modes(self.gate.modes).split(self.charge.splits.clone())?;
        // What is free has no fee.
        Ok(if sponsored && !amount.is_zero() { request.sponsored() } else { request })
    }
}

impl Gate {
    /// Whether a challenge is one of this gate's, by any of its secrets.
    pub(crate) fn issued(&self, challenge: &Challenge) -> bool {
        challenge.realm() == self.payee.realm
            && self.secrets.iter().any(|secret| challenge.is_bound_by(&secret.0))
    }
}

/// A node keeps such a transaction and lets its sender wait (TIP-1009 `MAX_EXPIRY_SECS`).
fn cannot_be_mined(transaction: &Transaction, now: u64) -> bool {
    let latest = now.saturating_add(30);
    transaction.nonce_key == alloy_primitives::U256::MAX
        && transaction.valid_before.is_none_or(|end| end > latest)
}

/// A member of the challenge's correlation data; nothing when it is not as [`Terms::challenge`] writes it.
fn opaque(challenge: &Challenge, member: &str) -> Option<String> {
    let json = URL_SAFE_NO_PAD.decode(challenge.opaque()?).ok()?;
    let object: serde_json::Value = serde_json::from_slice(&json).ok()?;
    object.get(member)?.as_str().map(str::to_owned)
}

fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    getrandom::fill(bytes).map_err(|error| NoRandomness(error.into()))
}

const RESOURCE: &str = "resource";
/// As long as the HMAC's output; more adds nothing.
const SECRET_BYTES: usize = 32;

/// Why a credential does not pay, in the drafts' terms.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) kind: ProblemType,
    pub(crate) detail: String,
}

impl Fault {
    pub(crate) fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Fault { kind, detail: detail.into() }
    }
}

impl From<VerifyError> for Fault {
    fn from(error: VerifyError) -> Self {
        let kind = match &error {
            VerifyError::Expired { .. } => ProblemType::PaymentExpired,
            VerifyError::Window { valid_before: Some(end), now } if end <= now => ProblemType::PaymentExpired,
            _ => ProblemType::VerificationFailed,
        };
        Fault::new(kind, error.to_string())
    }
}

/// Why no challenge could be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoChallenge {
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error("the gate has no secret")]
    Secret,
    #[error("the payee's terms make no challenge")]
    Terms(#[from] ChallengeError),
    #[error("the payee's terms make no charge")]
    Charge(#[from] ChargeError),
}
