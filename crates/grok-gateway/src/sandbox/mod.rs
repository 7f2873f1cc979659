//! The sandbox: what answers in place of Grok when the gateway runs locally. It holds no language model; it runs the
//! Python that a prompt contains and says so in every answer.
//!
//! In reading order: the program in the prompt, its run, the answer.

mod prompt;
mod runner;
mod upstream;

pub use prompt::{PromptError, program};
pub use runner::{Ending, Limits, Output, Python, Run, RunError};
pub use upstream::{UpstreamError, code_execution};
