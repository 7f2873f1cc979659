//! The Machine Payments Protocol without I/O: everything between the bytes of a `402` and the bytes that pay it.
//!
//! A server that wants money answers `402` with a `WWW-Authenticate: Payment` challenge. The client decides, signs a
//! transfer of dollars on the Tempo chain, and repeats the request with an `Authorization: Payment` credential. This
//! crate does the deciding, the signing, and, for the payee, the checking. It opens no socket, reads no clock, draws no
//! random number: those are arguments.
//!
//! The files are in the order of the walk, and so is this example:
//!
//! ```
//! use mpp_core::tempo::{self, LocalSigner};
//! use mpp_core::{Challenge, Policy};
//!
//! // 1. bytes → Challenge. A 402 can carry several, and other schemes beside them.
//! let field = br#"Payment id="Nj-GLXw3oMT93iz6wt7pDR7-SRWicOc-ggLTARwNRJk", realm="weather.example", method="tempo", intent="charge", request="eyJhbW91bnQiOiI2MDAwIiwiY3VycmVuY3kiOiIweDIwYzAwMDAwMDAwMDAwMDAwMDAwMDAwMGI5NTM3ZDExYzYwZThiNTAiLCJtZXRob2REZXRhaWxzIjp7ImNoYWluSWQiOjQyMTd9LCJyZWNpcGllbnQiOiIweDA2MGIwZkIwQmU5ZDkwNTU3NTc3QjNBRUU0ODA3MTEwNjcxNDlGZjAifQ", expires="2026-09-28T07:06:32.217Z""#;
//! let challenge = Challenge::parse_all([field]).remove(0)?;
//!
//! // 2. Challenge → ChargeRequest → Approval. The policy names chain, tokens and cap; it is the only maker of approvals.
//! let now = 1_790_579_100; // 2026-09-28T07:05:00Z
//! let policy = Policy::new(tempo::MAINNET, [tempo::PATH_USD, tempo::USDC_E], "0.50".parse()?);
//! let approval = policy.approve(challenge, b"", now)?;
//! assert_eq!(approval.quote().amount.to_string(), "0.006");
//!
//! // 3. Approval → SignedPayment: a transaction built without asking a node, signed, its hash known before it is sent.
//! let signer = LocalSigner::from_hex("0x1111111111111111111111111111111111111111111111111111111111111111")?;
//! let unsigned = approval.prepare(signer.address(), now, 0x5eed);
//! let signature = signer.sign(&unsigned);
//! let payment = unsigned.signed(&signature);
//! assert!(payment.hash().is_some());
//!
//! // 4. SignedPayment → Credential → bytes, for the same request once more.
//! let credential = payment.credential();
//! assert_eq!(credential.header_name(), "Authorization");
//! assert!(credential.header_value().starts_with("Payment eyJ"));
//!
//! // 5. bytes → Receipt, checked against what was signed.
//! let outcome = payment.answered(200, None);
//! assert_eq!(outcome, mpp_core::exchange::Outcome::Accepted);
//! # Ok::<(), mpp_core::error::Error>(())
//! ```
//!
//! `now` is the clock's and `salt` a random number, both the caller's to give: with one salt, two payments of the same
//! terms are one transaction. Beside the price, [`Policy::max_fee`] bounds what the chain may take. `Accepted` is an answer
//! without a receipt, which the drafts allow.
//!
//! [`exchange`] strings these steps into the whole conversation; what is left to whoever drives it is to record a payment
//! before it is sent, and to send it to nobody but who asked. Steps fail by errors of their own, whose union is
//! [`error::Error`]; a refusal by policy shows both numbers, what was asked and what is allowed. Until a payment is
//! signed no money can have moved; after, [`exchange::Outcome`] says what an answer means.
//!
//! A payee walks the other way: [`Challenge::issue`],
//! [`Credential::parse`], [`Challenge::is_bound_by`], [`Credential::verify`], [`Receipt::new`]. Between the last two lies
//! the chain. A payment whose fee the payee pays goes through [`payee::Sponsor::cosign`] before it is broadcast; one that
//! the payer broadcast goes through [`Credential::paid_by`] with the logs found. What could not be delivered is given
//! back by a [`payee::Refund`].
//!
//! The crate has no features.

// In reading order, which rustfmt keeps within a group.
mod auth_param;
mod base64url;
mod json;
mod printable;
mod time;

mod challenge;
mod issue;

mod amount;
mod charge;
mod digest;

mod policy;
mod quote;

pub mod tempo;

mod credential;
mod receipt;

mod accept;
mod problem;

pub mod exchange;

pub mod error;

/// What only the side that is paid needs.
pub mod payee {
    pub use crate::accept::accept_quality;
    pub use crate::digest::{BodyDigest, body_digest};
    pub use crate::issue::Offer;
    pub use crate::problem::ProblemType;
    pub use crate::tempo::logs::TransferLog;
    pub use crate::tempo::refund::Refund;
    pub use crate::tempo::sponsor::{Sponsor, SponsorLimits};
}

pub use amount::Amount;
pub use challenge::Challenge;
pub use charge::{ChargeRequest, Transfer};
pub use credential::Credential;
pub use policy::{Approval, Decision, Policy};
pub use printable::printable;
pub use problem::Problem;
pub use quote::Quote;
pub use receipt::Receipt;
