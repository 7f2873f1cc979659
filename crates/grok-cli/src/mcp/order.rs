//! The arguments of a tool, as a model writes them, in; a request of the service out. What is not known is refused: a
//! setting that is misspelt would be paid for and not heeded.

use grok_mpp::answer::Answer;
use grok_mpp::call::{Call, Chat, Conversing, ImageGeneration, WebSearch};
use grok_mpp::{Error, Grok};
use mpp_core::Amount;
use mpp_http::Quoted;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::tools::{ASK, RUN, WEB, X, settings as known_settings};

/// What is to be bought, and for how much at most.
#[derive(Clone, Debug)]
pub(super) struct Order {
    what: What,
    /// The caller's own cap.
    pub(super) most: Option<Amount>,
}

#[derive(Clone, Debug)]
enum What {
    Run(Question, Run),
    Ask(Question, Ask),
    Web(Question, Web),
    X(Question),
    Image(Image),
}

/// What all but pictures have in common.
#[derive(Clone, Debug, Deserialize)]
struct Question {
    prompt: String,
    system: Option<String>,
    model: Option<String>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
struct Run {
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    text: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Ask {
    #[serde(default)]
    image_urls: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Web {
    #[serde(default)]
    allowed_domains: Vec<String>,
    #[serde(default)]
    excluded_domains: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Image {
    prompt: String,
    model: Option<String>,
    n: Option<u32>,
    aspect_ratio: Option<String>,
}

impl Order {
    /// Reads the arguments of a tool that buys something; `None` if `tool` is no such.
    pub(super) fn read(tool: &str, mut arguments: Map<String, Value>) -> Option<Result<Self, String>> {
        let known = known_settings(tool)?;
        Some(match arguments.keys().find(|key| !known.contains(&key.as_str())) {
            Some(stranger) => Err(format!(
                "{tool} has no argument {:?}; it has {}",
                mpp_core::printable(stranger, 100),
                known.join(", ")
            )),
            None => cap(arguments.remove("max_cost_usd"))
                .and_then(|most| Ok(Order { what: What::read(tool, arguments)?, most })),
        })
    }

    /// Whether pictures are to be made.
    pub(super) fn is_for_pictures(&self) -> bool {
        matches!(self.what, What::Image(_))
    }

    /// Buys it.
    pub(super) async fn send(self, grok: &Grok) -> Result<Answer, Error> {
        match self.what {
            What::Run(question, run) => run.put(question.ask(grok, Grok::code_execution)).send().await,
            What::Ask(question, ask) => ask.put(question.ask(grok, Grok::chat)).send().await,
            What::Web(question, web) => web.put(question.ask(grok, Grok::web_search)).send().await,
            What::X(question) => question.ask(grok, Grok::x_search).send().await,
            What::Image(image) => image.ask(grok).send().await,
        }
    }

    /// Asks what it would cost.
    pub(super) async fn quote(self, grok: &Grok) -> Result<Option<Quoted>, Error> {
        match self.what {
            What::Run(question, run) => run.put(question.ask(grok, Grok::code_execution)).quote().await,
            What::Ask(question, ask) => ask.put(question.ask(grok, Grok::chat)).quote().await,
            What::Web(question, web) => web.put(question.ask(grok, Grok::web_search)).quote().await,
            What::X(question) => question.ask(grok, Grok::x_search).quote().await,
            What::Image(image) => image.ask(grok).quote().await,
        }
    }
}

impl What {
    fn read(tool: &str, arguments: Map<String, Value>) -> Result<Self, String> {
        Ok(match tool {
            RUN => What::Run(settings(&arguments)?, settings(&arguments)?),
            ASK => What::Ask(settings(&arguments)?, settings(&arguments)?),
            WEB => What::Web(settings(&arguments)?, settings(&arguments)?),
            X => What::X(settings(&arguments)?),
            _ => What::Image(settings(&arguments)?),
        })
    }
}

impl Question {
    fn ask<'g, C: Conversing>(
        self,
        grok: &'g Grok,
        route: impl FnOnce(&'g Grok, String) -> Call<'g, C>,
    ) -> Call<'g, C> {
        let call = route(grok, self.prompt);
        let call = self.system.into_iter().fold(call, Call::system);
        let call = self.model.into_iter().fold(call, Call::<C>::model);
        let call = self.max_tokens.into_iter().fold(call, Call::max_tokens);
        self.temperature.into_iter().fold(call, Call::temperature)
    }
}

impl Run {
    fn put<C: Conversing>(self, call: Call<'_, C>) -> Call<'_, C> {
        self.files.into_iter().fold(call, |call, File { name, text }| call.file(&name, &text))
    }
}

impl Ask {
    fn put(self, call: Call<'_, Chat>) -> Call<'_, Chat> {
        self.image_urls.into_iter().fold(call, Call::image)
    }
}

impl Web {
    fn put(self, call: Call<'_, WebSearch>) -> Call<'_, WebSearch> {
        let call = self.allowed_domains.into_iter().fold(call, Call::allow_domain);
        self.excluded_domains.into_iter().fold(call, Call::exclude_domain)
    }
}

impl Image {
    /// The pictures themselves are asked for: a host has no use for a place that soon is gone.
    fn ask(self, grok: &Grok) -> Call<'_, ImageGeneration> {
        let call = grok.generate_image(self.prompt).as_bytes();
        let call = self.model.into_iter().fold(call, Call::<ImageGeneration>::model);
        let call = self.n.into_iter().fold(call, Call::<ImageGeneration>::n);
        self.aspect_ratio.into_iter().fold(call, Call::aspect_ratio)
    }
}

fn cap(most: Option<Value>) -> Result<Option<Amount>, String> {
    match most {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(dollars)) => {
            dollars.parse().map(Some).map_err(|error| format!("max_cost_usd {error}"))
        }
        Some(_) => Err("max_cost_usd must be dollars in a string, such as \"0.05\"".to_owned()),
    }
}

fn settings<T: DeserializeOwned>(arguments: &Map<String, Value>) -> Result<T, String> {
    T::deserialize(arguments).map_err(|error| error.to_string())
}
