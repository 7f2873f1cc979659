//! What a payment would be, for people: every number and every recipient a policy looked at.

use std::fmt;

use alloy_primitives::Address;

use crate::amount::Amount;
use crate::challenge::Challenge;
use crate::charge::{ChargeError, ChargeRequest, Transfer};
use crate::printable::printable;
use crate::tempo::token_name;
use crate::time;

/// The terms of one payment. Printed, it is several lines without a final newline.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quote {
    /// The challenge it is about.
    pub challenge_id: String,
    /// Who asks.
    pub realm: String,
    /// The total, in base units of `token`.
    pub amount: Amount,
    /// The TIP-20 token.
    pub token: Address,
    /// Every recipient with its share.
    pub transfers: Vec<Transfer>,
    /// The chain.
    pub chain_id: u64,
    /// When the challenge expires, in Unix seconds.
    pub expires_at: Option<u64>,
    /// The most the transaction can cost in fees, in base units; the chain takes only what it uses. Zero when the
    /// payee sponsors it.
    pub fee_ceiling: Amount,
    /// Whether the payee pays the fee.
    pub sponsored: bool,
    /// What the payee says it is for. Not to be relied on.
    pub description: Option<String>,
}

impl Quote {
    /// Reads the terms off a challenge that was approved before, given the chain and the fee ceiling, in base units, it was
    /// approved with.
    ///
    /// # Errors
    /// When what it asks for cannot be read.
    pub fn read(challenge: &Challenge, chain_id: u64, fee_ceiling: Amount) -> Result<Self, ChargeError> {
        let charge = ChargeRequest::from_challenge(challenge)?;
        Ok(Quote::new(challenge, &charge, chain_id, fee_ceiling))
    }

    pub(crate) fn new(
        challenge: &Challenge,
        charge: &ChargeRequest,
        chain_id: u64,
        fee_ceiling: Amount,
    ) -> Self {
        Quote {
            challenge_id: challenge.id().to_owned(),
            realm: challenge.realm().to_owned(),
            amount: charge.amount(),
            token: charge.currency(),
            transfers: charge.transfers(),
            chain_id,
            expires_at: challenge.expires_at(),
            fee_ceiling,
            sponsored: charge.fee_payer(),
            description: challenge.description().map(str::to_owned),
        }
    }
}

impl fmt::Display for Quote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "price      ${} ({} base units)", self.amount, self.amount.base_units())?;
        match token_name(self.token, self.chain_id) {
            Some(name) => writeln!(formatter, "token      {name}, {}", self.token)?,
            None => writeln!(formatter, "token      {}", self.token)?,
        }
        writeln!(formatter, "chain      {}", self.chain_id)?;
        for Transfer { to, amount, memo } in &self.transfers {
            write!(formatter, "recipient  {to} gets ${amount}")?;
            match memo {
                Some(memo) => writeln!(formatter, " with memo {memo}")?,
                None => writeln!(formatter)?,
            }
        }
        match self.sponsored {
            true => writeln!(formatter, "fee        paid by the payee")?,
            false => writeln!(formatter, "fee        at most ${}", self.fee_ceiling)?,
        }
        if let Some(expires_at) = self.expires_at {
            writeln!(formatter, "expires    {}", time::format_rfc3339(expires_at))?;
        }
        write!(formatter, "realm      {}", printable(&self.realm, MAX_TEXT))?;
        match &self.description {
            Some(description) => write!(formatter, "\nsays       {}", printable(description, MAX_TEXT)),
            None => Ok(()),
        }
    }
}

/// Longest part of a stranger's text that is shown, in characters: no line of his pushes the price out of sight.
pub(crate) const MAX_TEXT: usize = 200;
