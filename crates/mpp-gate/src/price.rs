//! The seller's part: a request in, its cost out.

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use mpp_core::{Amount, Transfer};

/// What a request costs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cost {
    /// Nothing; it goes through as it is.
    Free,
    /// Money, or for an amount of zero a proof of who asks.
    Charge(Charge),
    /// Not to be had at any price, because of what this answer says.
    Refused(Box<Response<Bytes>>),
}

/// What is asked for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    pub(crate) amount: Amount,
    pub(crate) description: Option<String>,
    pub(crate) splits: Vec<Transfer>,
}

impl Charge {
    /// A charge of `amount` base units of the payee's token.
    #[must_use]
    pub fn new(amount: Amount) -> Self {
        Charge { amount, description: None, splits: Vec::new() }
    }

    /// What for, for people, in one line; it counts towards the 8 KiB that a challenge should stay below.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Parts of the amount that go to others, at most ten; the payee keeps the rest, which has to be something. A refund
    /// gives back the whole amount at the payee's expense.
    #[must_use]
    pub fn splits(mut self, splits: Vec<Transfer>) -> Self {
        self.splits = splits;
        self
    }
}

/// Says what requests cost. Whatever the service behind the gate would refuse is best refused here, before payment.
pub trait Price: Send + Sync {
    /// The cost of a request. It may depend on anything in it, and may change over time.
    fn cost(&self, request: &Parts, body: &Bytes) -> Cost;
}

impl<F: Fn(&Parts, &Bytes) -> Cost + Send + Sync> Price for F {
    fn cost(&self, request: &Parts, body: &Bytes) -> Cost {
        self(request, body)
    }
}
