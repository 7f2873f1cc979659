//! `POST` of any JSON object to any route: for what the other capabilities have no settings for.

use serde_json::{Map, Value};

use super::{Call, sealed};
use crate::error::{Error, RequestError};
use crate::stream::AnswerStream;

/// A request whose body is the caller's own, sent as it is. Nothing of it is checked but its size.
#[derive(Clone, Debug)]
pub struct Raw {
    route: String,
    body: Map<String, Value>,
}

impl Raw {
    pub(crate) fn new(route: String, body: Map<String, Value>) -> Self {
        Raw { route, body }
    }
}

impl Call<'_, Raw> {
    /// Asks as [`send`](Call::send) does, and reads the answer piece by piece if it comes so, for which the body usually
    /// has to say `"stream": true`.
    ///
    /// # Errors
    /// See [`Error`]; its [`money`](Error::money) says what became of the money.
    pub async fn stream(self) -> Result<AnswerStream, Error> {
        self.grok.stream(&self.capability.route, self.body()?).await
    }
}

impl sealed::Encode for Raw {
    fn route(&self) -> &str {
        &self.route
    }

    fn fields(&self) -> &'static [&'static str] {
        &[]
    }

    fn body_limit(&self) -> usize {
        16 << 20
    }

    fn encode(&self, body: &mut Map<String, Value>) -> Result<(), RequestError> {
        body.extend(self.body.clone());
        Ok(())
    }
}
