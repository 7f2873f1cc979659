//! The decision to pay: a challenge and what the caller allows in, an [`Approval`] or a [`Refusal`] out. Nothing else
//! in this crate makes an `Approval`, and nothing is signed without one.

use std::fmt;
use std::sync::Arc;

use alloy_primitives::Address;

use crate::amount::Amount;
use crate::challenge::Challenge;
use crate::charge::{ChargeError, ChargeRequest, Modes};
use crate::digest;
use crate::printable::printable;
use crate::quote::{MAX_TEXT, Quote};
use crate::tempo::Fees;

/// What may be paid without asking anyone again. There is no permissive default: chain, tokens and the most one call
/// may cost are given when a policy is made.
///
/// ```
/// use mpp_core::{Policy, tempo};
///
/// let policy = Policy::new(tempo::MAINNET, [tempo::PATH_USD, tempo::USDC_E], "0.50".parse()?)
///     .realms(["grok.mpp.paywithlocus.com"]);
/// # Ok::<(), mpp_core::error::AmountError>(())
/// ```
#[derive(Clone)]
pub struct Policy {
    chain_id: u64,
    tokens: Vec<Address>,
    max_amount: Amount,
    fees: Fees,
    max_fee: Amount,
    max_validity: u64,
    recipients: Option<Vec<Address>>,
    realms: Option<Vec<String>>,
    push: bool,
    ask: Option<Arc<Ask>>,
}

type Ask = dyn Fn(&Quote) -> Decision + Send + Sync;

/// What a caller's own check says of a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Pay it.
    Approve,
    /// Sign nothing.
    Decline,
}

impl Policy {
    /// Payments on chain `chain_id`, in one of `tokens`, of at most `max_amount` a call (fee not included).
    ///
    /// The transaction's fee may be up to 0.10 dollars at its ceiling and its validity up to 25 seconds, unless
    /// [`max_fee`](Policy::max_fee) and [`max_validity`](Policy::max_validity) say otherwise.
    #[must_use]
    pub fn new(chain_id: u64, tokens: impl IntoIterator<Item = Address>, max_amount: Amount) -> Self {
        Policy {
            chain_id,
            tokens: tokens.into_iter().collect(),
            max_amount,
            fees: Fees::default(),
            max_fee: DEFAULT_MAX_FEE,
            max_validity: DEFAULT_VALIDITY,
            recipients: None,
            realms: None,
            push: false,
            ask: None,
        }
    }

    /// Lowers the most that a call may cost, in base units, fee not included; a higher amount than the policy has changes
    /// nothing.
    #[must_use]
    pub fn at_most(mut self, amount: Amount) -> Self {
        self.max_amount = self.max_amount.min(amount);
        self
    }

    /// Refuses a payment whose transaction could cost more than this in fees, in base units of the fee token.
    #[must_use]
    pub fn max_fee(mut self, max_fee: Amount) -> Self {
        self.max_fee = max_fee;
        self
    }

    /// Sets gas limits and prices of the transactions to sign.
    #[must_use]
    pub fn fees(mut self, fees: Fees) -> Self {
        self.fees = fees;
        self
    }

    /// Signs nothing that stays valid longer than this many seconds; the chain allows 30 (TIP-1009).
    #[must_use]
    pub fn max_validity(mut self, seconds: u64) -> Self {
        self.max_validity = seconds.clamp(1, MAX_VALIDITY);
        self
    }

    /// Pays only these addresses, splits included.
    #[must_use]
    pub fn recipients(mut self, recipients: impl IntoIterator<Item = Address>) -> Self {
        self.recipients = Some(recipients.into_iter().collect());
        self
    }

    /// Pays only challenges of these realms. A proof of identity, asked for by a charge of nothing, is signed only for a
    /// realm listed here. A realm is what a server says of itself: a policy for one server is best not used with others.
    #[must_use]
    pub fn realms<R: Into<String>>(mut self, realms: impl IntoIterator<Item = R>) -> Self {
        self.realms = Some(realms.into_iter().map(Into::into).collect());
        self
    }

    /// Whether to accept charges that can only be pushed: the payer broadcasts the transaction itself, and the payee is
    /// shown no more than its hash, of a payment that it can no longer turn down. Not unless given.
    ///
    /// A policy broadcasts nothing. `mpp-http`'s client does, on the node that it is given, and without one accepts no such
    /// charge whatever is said here; who drives the exchange himself has to, before the credential is sent.
    #[must_use]
    pub fn push(mut self, accepted: bool) -> Self {
        self.push = accepted;
        self
    }

    /// Whether charges that can only be pushed are accepted.
    #[must_use]
    pub fn accepts_push(&self) -> bool {
        self.push
    }

    /// Asks `ask` last, about a quote that passed everything else. Only [`Decision::Approve`] pays; a panic in it
    /// leaves nothing signed. It is called where the decision is made, on an executor's thread say, and holds that up.
    #[must_use]
    pub fn ask(mut self, ask: impl Fn(&Quote) -> Decision + Send + Sync + 'static) -> Self {
        self.ask = Some(Arc::new(ask));
        self
    }

    /// Decides about one challenge for the request whose body is `body`, at `now` in Unix seconds.
    ///
    /// # Errors
    /// The first reason not to pay.
    pub fn approve(&self, challenge: Challenge, body: &[u8], now: u64) -> Result<Approval, Refusal> {
        let approval = self.check(challenge, body, now)?;
        match &self.ask {
            Some(ask) if ask(&approval.quote) != Decision::Approve => Err(Refusal::Declined),
            _ => Ok(approval),
        }
    }

    /// Reads what a challenge would cost at `now`, in Unix seconds, and why it would not be approved if it would not be;
    /// asks nobody.
    ///
    /// # Errors
    /// When what it asks for cannot be read.
    pub fn appraise(
        &self,
        challenge: Challenge,
        body: &[u8],
        now: u64,
    ) -> Result<(Quote, Option<Refusal>), ChargeError> {
        let charge = ChargeRequest::from_challenge(&challenge)?;
        let chain_id = charge.chain_id().unwrap_or(self.chain_id);
        let quote = Quote::new(&challenge, &charge, chain_id, self.fee_ceiling(&charge));
        Ok((quote, self.check(challenge, body, now).err()))
    }

    /// The most the payer can lose in fees, in base units.
    fn fee_ceiling(&self, charge: &ChargeRequest) -> Amount {
        let pays_fee = !charge.fee_payer() && !charge.amount().is_zero();
        if pays_fee { self.fees.ceiling(charge.transfers().len()) } else { Amount::ZERO }
    }

    /// All of [`approve`](Policy::approve) but the caller's own check.
    fn check(&self, challenge: Challenge, body: &[u8], now: u64) -> Result<Approval, Refusal> {
        let charge = ChargeRequest::from_challenge(&challenge).map_err(Refusal::Charge)?;
        let chain_id = charge.chain_id().unwrap_or(self.chain_id);
        if chain_id != self.chain_id {
            return Err(Refusal::Chain { asked: chain_id, allowed: self.chain_id });
        }
        if !self.tokens.contains(&charge.currency()) {
            return Err(Refusal::Token { asked: charge.currency() });
        }
        if charge.amount() > self.max_amount {
            return Err(Refusal::OverCap { asked: charge.amount(), allowed: self.max_amount });
        }
        let transfers = charge.transfers();
        if let Some(allowed) = &self.recipients
            && let Some(stranger) = transfers.iter().find(|transfer| !allowed.contains(&transfer.to))
        {
            return Err(Refusal::Recipient { asked: stranger.to });
        }
        // A proof is worth what its realm gives for it, so a realm nobody spoke of gets none.
        let any_realm = self.realms.is_none() && !charge.amount().is_zero();
        if !any_realm && !self.realms.iter().flatten().any(|realm| realm == challenge.realm()) {
            return Err(Refusal::Realm { asked: challenge.realm().to_owned() });
        }
        if let Some(expires_at) = challenge.expires_at()
            && expires_at < now.saturating_add(MIN_REMAINING)
        {
            return Err(Refusal::Expired { expires_at, now });
        }
        if challenge.digest().is_some_and(|digest| !digest::matches(digest, body)) {
            return Err(Refusal::Digest);
        }
        let length = challenge.parameters().map(|(_, value)| value.len()).sum();
        if length > MAX_ECHO {
            return Err(Refusal::TooLong { length, limit: MAX_ECHO });
        }
        let fee_ceiling = self.fee_ceiling(&charge);
        if fee_ceiling > self.max_fee {
            return Err(Refusal::Fee { ceiling: fee_ceiling, allowed: self.max_fee });
        }
        if charge.modes() == Modes::Push && !charge.amount().is_zero() && (!self.push || charge.fee_payer()) {
            return Err(Refusal::PushOnly);
        }
        let quote = Quote::new(&challenge, &charge, chain_id, fee_ceiling);
        Ok(Approval { challenge, charge, quote, fees: self.fees, max_validity: self.max_validity })
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Policy")
            .field("chain_id", &self.chain_id)
            .field("tokens", &self.tokens)
            .field("max_amount", &self.max_amount)
            .field("max_fee", &self.max_fee)
            .field("recipients", &self.recipients)
            .field("realms", &self.realms)
            .finish_non_exhaustive()
    }
}

/// Leave to pay one challenge once. It owns the challenge it speaks of and is used up by signing; only
/// [`Policy::approve`] makes one.
#[derive(Debug)]
pub struct Approval {
    pub(crate) challenge: Challenge,
    pub(crate) charge: ChargeRequest,
    pub(crate) quote: Quote,
    pub(crate) fees: Fees,
    pub(crate) max_validity: u64,
}

impl Approval {
    /// What was approved, for people.
    #[must_use]
    pub fn quote(&self) -> &Quote {
        &self.quote
    }

    /// The challenge that was approved.
    #[must_use]
    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// What it asks for.
    #[must_use]
    pub fn charge(&self) -> &ChargeRequest {
        &self.charge
    }
}

const DEFAULT_MAX_FEE: Amount = Amount::from_base_units(100_000);
/// Seconds for which a transaction is valid, if nobody says otherwise: what the chain allows less a clock's error.
pub(crate) const DEFAULT_VALIDITY: u64 = 25;
/// TIP-1009 `MAX_EXPIRY_SECS`.
const MAX_VALIDITY: u64 = 30;
/// A challenge with fewer seconds left than this can't be paid in time: a node takes no transaction that ends within
/// three.
const MIN_REMAINING: u64 = 5;

/// Longest challenge answered, in bytes: the credential repeats it, and one of 64 KiB is read by nobody.
const MAX_ECHO: usize = 32 * 1024;

/// Why a challenge was not approved. Nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// What is asked for could not be read.
    #[error(transparent)]
    Charge(ChargeError),
    /// To be paid on another chain.
    #[error("asks for payment on chain {asked}, the policy allows chain {allowed}")]
    Chain {
        /// The challenge's chain.
        asked: u64,
        /// The policy's chain.
        allowed: u64,
    },
    /// To be paid in a token the policy does not list.
    #[error("asks for token {asked}, which the policy does not list")]
    Token {
        /// The challenge's token.
        asked: Address,
    },
    /// Above the cap per call.
    #[error("asks for {asked} dollars, the policy allows {allowed} a call")]
    OverCap {
        /// The challenge's amount.
        asked: Amount,
        /// The policy's cap.
        allowed: Amount,
    },
    /// The transaction could cost more in fees than allowed.
    #[error("could cost {ceiling} dollars in fees, the policy allows {allowed}")]
    Fee {
        /// Gas limit times the highest fee.
        ceiling: Amount,
        /// The policy's ceiling.
        allowed: Amount,
    },
    /// Pays, at least in part, an address that the policy does not list.
    #[error("would pay {asked}, which the policy does not list")]
    Recipient {
        /// The first such address.
        asked: Address,
    },
    /// Comes from a realm that the policy does not list.
    #[error("comes from realm \"{}\", which the policy does not list", printable(.asked, MAX_TEXT))]
    Realm {
        /// The challenge's realm.
        asked: String,
    },
    /// Expired, or about to.
    #[error("expired or about to: valid until {expires_at}, now {now} (Unix seconds)")]
    Expired {
        /// When the challenge ends, in Unix seconds.
        expires_at: u64,
        /// The time given, in Unix seconds.
        now: u64,
    },
    /// Made for another request body than the one to be sent.
    #[error("is for another request body: the digest does not match")]
    Digest,
    /// So long that no server would read a credential that repeats it.
    #[error("is {length} bytes long, and a credential that repeats more than {limit} is read by no server")]
    TooLong {
        /// Bytes in its parameters.
        length: usize,
        /// Bytes answered.
        limit: usize,
    },
    /// Can only be paid by broadcasting a transaction, which the policy does not say the caller does, or is to be sponsored
    /// at the same time, which nobody can pay.
    #[error(
        "can only be paid by push, which takes a policy that accepts it, a node to broadcast on, and no sponsor"
    )]
    PushOnly,
    /// The caller's own check said no.
    #[error("declined by the approval hook")]
    Declined,
}
