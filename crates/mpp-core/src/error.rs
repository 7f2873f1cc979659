//! Every step's error, and their union for callers that walk all steps with one `?`. Those of a whole exchange are
//! [there](crate::exchange).

pub use crate::amount::AmountError;
pub use crate::challenge::{ChallengeError, Fault};
pub use crate::charge::ChargeError;
pub use crate::credential::CredentialError;
pub use crate::policy::Refusal;
pub use crate::receipt::ReceiptError;
pub use crate::tempo::key_status::KeyRefusal;
pub use crate::tempo::signer::{KeyError, SignatureError, SignerError};
pub use crate::tempo::sponsor::SponsorRefusal;
pub use crate::tempo::transaction::TransactionError;
pub use crate::tempo::verify::VerifyError;

use crate::exchange::NotPaid;

/// An error of any step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An amount could not be read.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// A challenge could not be read.
    #[error(transparent)]
    Challenge(#[from] ChallengeError),
    /// A charge could not be read.
    #[error(transparent)]
    Charge(#[from] ChargeError),
    /// A challenge was not approved.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// A `402` was not paid.
    #[error(transparent)]
    NotPaid(#[from] NotPaid),
    /// A key could not be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The signer did not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// A remote signer's signature is wrong.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The chain does not let an access key make a payment.
    #[error(transparent)]
    AccessKey(#[from] KeyRefusal),
    /// A credential could not be read.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// Bytes are not a payment's transaction.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// A credential does not pay its challenge.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A sponsor did not sign.
    #[error(transparent)]
    Sponsor(#[from] SponsorRefusal),
    /// A receipt could not be read, or is not for the payment made.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
}
