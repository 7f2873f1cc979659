//! The seller's part: a request in, its cost out.

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use mpp_core::Amount;

/// What a request costs.
#[derive(Debug)]
pub enum Cost {
    /// Nothing; it goes through as it is.
    Free,
    /// Money, or for an amount of zero a proof of who asks.
    Charge {
        /// How much, in base units of the payee's token.
        amount: Amount,
        /// What for, for people, in one line; it counts towards the 8 KiB that a challenge should stay below.
        description: Option<String>,
    },
    /// Not to be had at any price, because of what this answer says.
    Refused(Box<Response<Bytes>>),
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
