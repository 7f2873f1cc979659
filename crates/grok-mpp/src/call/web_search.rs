//! `POST /grok/web-search`: an answer for which the model searches the web.

use serde_json::{Map, Value, json};

use super::{Call, Dialogue, sealed};
use crate::error::RequestError;

/// An answer from the web, with its sources as [`citations`](crate::answer::Answer::citations).
#[derive(Clone, Debug)]
pub struct WebSearch {
    dialogue: Dialogue,
    allowed: Vec<String>,
    excluded: Vec<String>,
}

impl WebSearch {
    pub(crate) fn new(dialogue: Dialogue) -> Self {
        WebSearch { dialogue, allowed: Vec::new(), excluded: Vec::new() }
    }
}

impl Call<'_, WebSearch> {
    /// Adds a domain, such as `rust-lang.org`, to the at most five that alone are searched.
    pub fn allow_domain(self, domain: impl Into<String>) -> Self {
        self.with(|search| search.allowed.push(domain.into()))
    }

    /// Adds a domain to the at most five that are not searched.
    pub fn exclude_domain(self, domain: impl Into<String>) -> Self {
        self.with(|search| search.excluded.push(domain.into()))
    }
}

impl sealed::Encode for WebSearch {
    fn route(&self) -> &str {
        "/grok/web-search"
    }

    fn fields(&self) -> &'static [&'static str] {
        &["model", "messages", "temperature", "max_tokens", "search_parameters", "stream"]
    }

    fn encode(&self, body: &mut Map<String, Value>) -> Result<(), RequestError> {
        self.dialogue.encode_with_tools(body)?;
        let domains = self.allowed.len().max(self.excluded.len());
        let (name, domains) = match (&*self.allowed, &*self.excluded) {
            ([], []) => return Ok(()),
            _ if domains > MAX_DOMAINS => return Err(RequestError::Domains),
            (allowed, []) => ("allowed_domains", allowed),
            ([], excluded) => ("excluded_domains", excluded),
            _ => return Err(RequestError::Domains),
        };
        body.insert("search_parameters".to_owned(), json!({ name: domains }));
        Ok(())
    }
}

impl sealed::Talk for WebSearch {
    fn dialogue(&mut self) -> &mut Dialogue {
        &mut self.dialogue
    }
}

const MAX_DOMAINS: usize = 5;
