//! What is sold, one entry a route: the server, its checks and its documents are all made from this table.

use crate::request::{Field, Kind};

/// A route that is paid for; its method is `POST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Route {
    /// An answer for which the model may run code on the server.
    CodeExecution,
    /// An answer.
    Chat,
    /// An answer for which the model may search the web.
    WebSearch,
    /// An answer for which the model may search X.
    XSearch,
    /// Images from a prompt.
    ImageGenerate,
    /// Images from an image and a prompt.
    ImageEdit,
    /// A text, spoken.
    Speech,
}

/// What a price is counted in.
pub(crate) enum Unit {
    Tokens,
    Images,
    Characters,
}

impl Route {
    /// Every route.
    pub const ALL: [Route; 7] = [
        Route::CodeExecution,
        Route::Chat,
        Route::WebSearch,
        Route::XSearch,
        Route::ImageGenerate,
        Route::ImageEdit,
        Route::Speech,
    ];

    /// Where it is, such as `/grok/chat`.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Route::CodeExecution => "/grok/code-execution",
            Route::Chat => "/grok/chat",
            Route::WebSearch => "/grok/web-search",
            Route::XSearch => "/grok/x-search",
            Route::ImageGenerate => "/grok/image-generate",
            Route::ImageEdit => "/grok/image-edit",
            Route::Speech => "/grok/tts",
        }
    }

    pub(crate) fn of(path: &str) -> Option<Self> {
        Route::ALL.into_iter().find(|route| route.path() == path)
    }

    /// What it is called, in a challenge and in the documents.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Route::CodeExecution => "code execution",
            Route::Chat => "chat",
            Route::WebSearch => "web search",
            Route::XSearch => "X search",
            Route::ImageGenerate => "image generation",
            Route::ImageEdit => "image editing",
            Route::Speech => "text to speech",
        }
    }

    /// What it does, in a sentence.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Route::CodeExecution => "Answers messages; the model may write Python and run it on the server.",
            Route::Chat => "Answers messages.",
            Route::WebSearch => "Answers messages; the model may search the web and read what it finds.",
            Route::XSearch => "Answers messages; the model may search posts on X.",
            Route::ImageGenerate => "Makes images from a prompt.",
            Route::ImageEdit => "Makes images from an image and a prompt that says what to change.",
            Route::Speech => "Speaks a text; the audio comes as base64.",
        }
    }

    pub(crate) fn unit(self) -> Unit {
        match self {
            Route::CodeExecution | Route::Chat | Route::WebSearch | Route::XSearch => Unit::Tokens,
            Route::ImageGenerate | Route::ImageEdit => Unit::Images,
            Route::Speech => Unit::Characters,
        }
    }

    /// The fields that are checked; whatever else a request holds is handed on as it is.
    pub(crate) fn fields(self) -> &'static [Field] {
        match self {
            Route::CodeExecution => &CODE_EXECUTION,
            Route::Chat => &CHAT,
            Route::WebSearch => &WEB_SEARCH,
            Route::XSearch => &X_SEARCH,
            Route::ImageGenerate => &IMAGE_GENERATE,
            Route::ImageEdit => &IMAGE_EDIT,
            Route::Speech => &SPEECH,
        }
    }

    /// The most bytes of a request: a picture may come with it only where one is asked for.
    pub(crate) fn body_limit(self) -> usize {
        if self == Route::ImageEdit { 16 << 20 } else { 1 << 20 }
    }
}

const FAMILY: Field = Field::required("model", Kind::Family);
const MODEL: Field = Field::required("model", Kind::Text { longest: 200 });
const IMAGE_MODEL: Field = Field::optional("model", Kind::Text { longest: 200 });
const MESSAGES: Field = Field::required("messages", Kind::Messages);
const TEMPERATURE: Field = Field::optional("temperature", Kind::Number(0, 2));
const MAX_TOKENS: Field = Field::optional("max_tokens", Kind::Whole(1, u64::MAX));
const STREAM: Field = Field::optional("stream", Kind::Boolean);
const STREAM_OPTIONS: Field = Field::optional("stream_options", Kind::Object);
const PROMPT: Field = Field::required("prompt", Kind::Text { longest: 100_000 });
const IMAGES: Field = Field::optional("n", Kind::Whole(1, 10));
const IMAGE_FORMAT: Field = Field::optional("response_format", Kind::OneOf(&["url", "b64_json"]));

const CODE_EXECUTION: [Field; 7] =
    [FAMILY, MESSAGES, TEMPERATURE, MAX_TOKENS, Field::optional("tools", Kind::List), STREAM, STREAM_OPTIONS];
const CHAT: [Field; 11] = [
    MODEL,
    MESSAGES,
    TEMPERATURE,
    MAX_TOKENS,
    Field::optional("top_p", Kind::Number(0, 1)),
    Field::optional("stop", Kind::Stop),
    Field::optional("frequency_penalty", Kind::Number(-2, 2)),
    Field::optional("presence_penalty", Kind::Number(-2, 2)),
    Field::optional("n", Kind::Whole(1, 128)),
    STREAM,
    STREAM_OPTIONS,
];
const WEB_SEARCH: [Field; 7] = [
    FAMILY,
    MESSAGES,
    TEMPERATURE,
    MAX_TOKENS,
    Field::optional("search_parameters", Kind::Domains),
    STREAM,
    STREAM_OPTIONS,
];
const X_SEARCH: [Field; 6] = [FAMILY, MESSAGES, TEMPERATURE, MAX_TOKENS, STREAM, STREAM_OPTIONS];
const IMAGE_GENERATE: [Field; 5] = [
    PROMPT,
    IMAGE_MODEL,
    IMAGES,
    Field::optional("aspect_ratio", Kind::OneOf(&["1:1", "16:9", "9:16", "4:3", "3:2", "auto"])),
    IMAGE_FORMAT,
];
const IMAGE_EDIT: [Field; 5] =
    [PROMPT, Field::required("image", Kind::Picture), IMAGE_MODEL, IMAGES, IMAGE_FORMAT];
const SPEECH: [Field; 4] = [
    Field::required("text", Kind::Text { longest: 15_000 }),
    Field::required("language", Kind::Language),
    Field::optional("voice_id", Kind::Text { longest: 64 }),
    Field::optional("output_format", Kind::AudioFormat),
];
