//! Amounts of money: whole base units, and the only code that reads or prints them as dollars.

use std::fmt;
use std::str::FromStr;

/// An amount of a TIP-20 dollar token in base units; 1,000,000 base units are one dollar.
///
/// ```
/// use mpp_core::Amount;
///
/// let cap: Amount = "0.50".parse()?;
/// assert_eq!(cap.base_units(), 500_000);
/// assert_eq!(Amount::from_base_units(6_000).to_string(), "0.006");
/// # Ok::<(), mpp_core::error::AmountError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u128);

impl Amount {
    /// No money.
    pub const ZERO: Amount = Amount(0);

    /// An amount of that many base units.
    #[must_use]
    pub const fn from_base_units(units: u128) -> Self {
        Amount(units)
    }

    /// The number of base units.
    #[must_use]
    pub const fn base_units(self) -> u128 {
        self.0
    }

    /// Whether this is no money at all.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or `None` past 2^128 base units.
    #[must_use]
    pub const fn checked_add(self, other: Amount) -> Option<Amount> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Amount(sum)),
            None => None,
        }
    }

    /// The difference, or `None` below zero.
    #[must_use]
    pub const fn checked_sub(self, other: Amount) -> Option<Amount> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Amount(difference)),
            None => None,
        }
    }

    /// Reads the drafts' spelling: a base-10 integer without sign, point, exponent, white space or leading zero.
    pub(crate) fn from_integer(text: &str) -> Result<Self, AmountError> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || (text.len() > 1 && text.starts_with('0')) {
            return Err(AmountError::NotAnInteger);
        }
        text.parse().map(Amount).map_err(|_| AmountError::TooLarge)
    }
}

/// Reads dollars: `"0.5"`, `"12"`, `"0.000001"`; at most six decimals, no sign, no exponent.
impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) {
            return Err(AmountError::NotDollars);
        }
        if fraction.len() > DECIMALS {
            return Err(AmountError::TooFine);
        }
        let units = |part: &str| part.parse::<u128>().map_err(|_| AmountError::TooLarge);
        let fraction = units(&format!("{fraction:0<DECIMALS$}"))?;
        let whole = units(whole)?.checked_mul(ONE_DOLLAR).ok_or(AmountError::TooLarge)?;
        whole.checked_add(fraction).map(Amount).ok_or(AmountError::TooLarge)
    }
}

/// Prints dollars with two to six decimals: `0.006`, `1.00`.
impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:0DECIMALS$}", self.0 % ONE_DOLLAR);
        let (cents, finer) = fraction.split_at_checked(2).unwrap_or((&fraction, ""));
        write!(formatter, "{}.{cents}{}", self.0 / ONE_DOLLAR, finer.trim_end_matches('0'))
    }
}

/// Decimals of every TIP-20 dollar token.
const DECIMALS: usize = 6;
const ONE_DOLLAR: u128 = 1_000_000;

/// Why a text is no [`Amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AmountError {
    /// Not the drafts' base-10 integer of base units.
    #[error("must be a base-10 integer of base units, without sign, point or leading zero")]
    NotAnInteger,
    /// Not a decimal number of dollars.
    #[error("must be dollars such as 0.50, without sign or exponent")]
    NotDollars,
    /// More decimals than a base unit has.
    #[error("has more than six decimals, less than one base unit")]
    TooFine,
    /// Above 2^128 - 1 base units.
    #[error("is above 2^128 - 1 base units")]
    TooLarge,
}
