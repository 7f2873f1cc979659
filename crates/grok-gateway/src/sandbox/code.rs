//! Answers a code-execution request as Grok would, in the shape of a Responses object, without being Grok.
//!
//! In: the request's JSON. Out: the answer's JSON, whose text is what the program printed or why it failed. A failed
//! program is an answer; refused are only requests without a program, and a machine that cannot run one.

use serde_json::{Value, json};

use super::prompt::{PromptError, program};
use super::response::response;
use super::runner::{Ending, Limits, Python, Run, RunError};

/// Runs the program that a request body holds and returns the answer's body.
///
/// # Errors
/// [`UpstreamError::Prompt`] or [`UpstreamError::Run`].
pub async fn code_execution(python: &Python, body: &Value, limits: &Limits) -> Result<Value, UpstreamError> {
    let code = program(body)?;
    let run = python.run(&code, limits).await?;
    Ok(answer(body, &code, &run))
}

/// Why the sandbox has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The request holds no program.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The program could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
}

fn answer(body: &Value, code: &str, run: &Run) -> Value {
    let logs = logs(run);
    let text = text(run, &logs);
    let call_status = match run.ending {
        Ending::Exited(0) => "completed",
        Ending::Exited(_) => "failed",
        _ => "incomplete",
    };
    let call = json!({
        "type": "code_interpreter_call",
        "status": call_status,
        "code": code,
        "outputs": [{"type": "logs", "logs": logs}],
    });
    response(body, NOTE, ("code_interpreter_calls", call), (&text, Vec::new()))
}

/// Both outputs, one after the other, with a word where one was cut.
fn logs(run: &Run) -> String {
    let mut logs = String::new();
    for (name, output) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
        if !logs.is_empty() && !logs.ends_with('\n') {
            logs.push('\n');
        }
        logs.push_str(&output.text());
        if output.truncated {
            logs.push_str(&format!("\n[{name} cut after {} bytes]\n", output.bytes.len()));
        }
    }
    logs
}

fn text(run: &Run, logs: &str) -> String {
    let said = |text: &str| text.trim_matches('\n').trim_end().to_owned();
    match (run.ending, said(logs)) {
        (Ending::Exited(0), _) => match said(&run.stdout.text()) {
            printed if printed.is_empty() => "the program ended well and printed nothing".to_owned(),
            printed if run.stdout.truncated => {
                format!("{printed}\n[cut after {} bytes]", run.stdout.bytes.len())
            }
            printed => printed,
        },
        (ending, logs) if logs.is_empty() => format!("{ending} and printed nothing"),
        (ending, logs) => format!("{ending}:\n{logs}"),
    }
}

const NOTE: &str = "from a local sandbox without a language model: it ran the Python in the prompt; token counts are \
                    estimates";
