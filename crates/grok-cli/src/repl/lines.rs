//! Lines from a person, or from a pipe: read beside the runtime, so that a signal that ends the program is heard meanwhile.

use std::sync::mpsc;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc as replies;

use crate::terminal::unless_told_to_end;

/// Where lines come from.
#[derive(Debug)]
pub(super) struct Lines {
    ask: mpsc::Sender<&'static str>,
    said: replies::UnboundedReceiver<Said>,
    terminal: Option<Termios>,
}

/// What came.
#[derive(Debug)]
pub(super) enum Said {
    Line(String),
    /// Ctrl-C, which throws a line away.
    Nothing,
    /// There is no more.
    End,
}

impl Lines {
    pub(super) fn open() -> Result<Self, ReadlineError> {
        // The editor puts back what it found for ctrl-C: were that not ours, it would end the program in a later payment.
        let _ = signal(SignalKind::interrupt())?;
        let mut editor = DefaultEditor::new()?;
        let (ask, asked) = mpsc::channel::<&'static str>();
        let (say, said) = replies::unbounded_channel();
        std::thread::spawn(move || {
            while let Ok(prompt) = asked.recv() {
                let line = match editor.readline(prompt) {
                    Ok(line) => {
                        // Without room to remember it, it is not remembered.
                        let _ = editor.add_history_entry(&line);
                        Said::Line(line)
                    }
                    Err(ReadlineError::Interrupted) => Said::Nothing,
                    Err(_) => Said::End,
                };
                if say.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Lines { ask, said, terminal: tcgetattr(std::io::stdin()).ok() })
    }

    /// The next line.
    pub(super) async fn next(&mut self, prompt: &'static str) -> Said {
        if self.ask.send(prompt).is_err() {
            return Said::End;
        }
        let said = unless_told_to_end(self.said.recv()).await;
        if said.is_none() {
            self.put_back();
        }
        said.flatten().unwrap_or(Said::End)
    }

    /// The terminal as it was before: whoever reads still has it for itself.
    fn put_back(&self) {
        if let Some(terminal) = &self.terminal {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, terminal);
        }
    }
}
