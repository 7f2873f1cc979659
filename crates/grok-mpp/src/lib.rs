//! Grok chat with server-side code execution, bought per call.

mod answer;
mod request;

pub use answer::{Answer, AnswerError, Execution, ServiceError, Usage};
pub use request::{
    CodeExecutionRequest, DEFAULT_MAX_TOKENS, DEFAULT_MODEL, MAX_BODY_BYTES, Message, RequestError,
};
