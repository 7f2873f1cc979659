//! `repl`: a conversation, each answer of which is bought.

mod lines;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use grok_mpp::Conversation;
use grok_mpp::call::{Call, Conversing};
use mpp_core::Amount;
use mpp_http::{Money, Payment};
use serde_json::json;

use crate::args::{self, Tool};
use crate::ask::{Keep, Turn, turn};
use crate::failure::{Failure, chain};
use crate::output::{fact, note};
use crate::payment::left_of;
use crate::report;
use crate::service::Service;
use crate::terminal::is_told_to_end;
use lines::{Lines, Said};

pub(crate) async fn repl(args: &args::Repl) -> Result<(), Failure> {
    if args.purchase.json || args.purchase.dry_run {
        return Err(Failure::usage("a conversation has neither --json nor --dry-run"));
    }
    let service = Service::open(&args.purchase).await?;
    let lines = Lines::open().map_err(|error| Failure::unpaid(chain(&error)));
    let ended = match lines {
        Ok(lines) => Repl::new(args, &service).converse(lines).await,
        Err(failure) => Err(failure),
    };
    service.close(ended).await
}

/// A conversation under way.
struct Repl<'a> {
    args: &'a args::Repl,
    service: &'a Service,
    model: String,
    tool: Tool,
    talk: Conversation,
    /// What was bought, with what was asked.
    turns: Vec<(String, Turn)>,
    /// What was paid, or may have been, and brought no answer.
    lost: Vec<Payment>,
}

impl<'a> Repl<'a> {
    fn new(args: &'a args::Repl, service: &'a Service) -> Self {
        let (model, tool) = (args.model.clone(), args.with);
        Repl { args, service, model, tool, talk: Conversation::new(), turns: Vec::new(), lost: Vec::new() }
    }

    async fn converse(mut self, mut lines: Lines) -> Result<(), Failure> {
        // Nobody has to hear any of it for the conversation to go on.
        let _ = note(&format!("talking with {}; /help tells the commands, ctrl-D ends it", self.model));
        loop {
            let line = match lines.next("> ").await {
                Said::Line(line) => line,
                Said::Nothing => continue,
                Said::End => break,
            };
            let told = match line.trim() {
                "" => continue,
                "/quit" | "/exit" => break,
                command if command.starts_with('/') => self.command(command),
                question => {
                    let asked = self.ask(question).await;
                    // Whoever sent the rest of the questions does not want their answers any more.
                    if is_told_to_end() {
                        asked?;
                        break;
                    }
                    if let Err(failure) = asked {
                        let payment = failure.payment.as_deref().cloned();
                        self.lost.extend(payment.filter(|payment| payment.money() != Money::NotMoved));
                        let _ = report::failure(&failure.of_a_run(), false);
                    }
                    continue;
                }
            };
            let _ = note(&told);
        }
        let _ = note(&self.cost());
        Ok(())
    }

    /// Buys an answer. A question without one is forgotten.
    async fn ask(&mut self, question: &str) -> Result<(), Failure> {
        let mut talk = self.talk.clone();
        talk.ask(question);
        let grok = &self.service.grok;
        let bought = match self.tool {
            Tool::Chat => self.turn(grok.chat(&talk), question).await,
            Tool::Run => self.turn(grok.code_execution(&talk), question).await,
            Tool::Web => self.turn(grok.web_search(&talk), question).await,
            Tool::X => self.turn(grok.x_search(&talk), question).await,
        }?;
        talk.append(&bought.answer);
        self.talk = talk;
        let _ = report::aside(&bought.answer, &Keep::new(question, None));
        let _ = fact(&mut io::stderr(), "paid", paid(&bought));
        self.turns.push((question.to_owned(), bought));
        Ok(())
    }

    async fn turn<C: Conversing>(&self, call: Call<'_, C>, question: &str) -> Result<Turn, Failure> {
        let call = call.model(&self.model).max_tokens(self.args.max_tokens);
        let call = self.args.system.iter().fold(call, |call, system| call.system(system));
        turn(self.service, call, &self.args.purchase, Keep::new(question, None)).await
    }

    /// Does what a command says, and tells what came of it.
    fn command(&mut self, line: &str) -> String {
        let (command, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match (command, argument.trim()) {
            ("/help", _) => HELP.to_owned(),
            ("/cost", _) => self.cost(),
            ("/model", "") => self.model.clone(),
            ("/model", model) => {
                self.model = model.to_owned();
                format!("from now on {model} answers")
            }
            ("/with", tool) => match <Tool as clap::ValueEnum>::from_str(tool, false) {
                Ok(tool) => {
                    self.tool = tool;
                    let may = match tool {
                        Tool::Chat => "uses nothing",
                        Tool::Run => "may run Python",
                        Tool::Web => "may search the web",
                        Tool::X => "may search X",
                    };
                    format!("from now on Grok {may}")
                }
                Err(_) => "there are chat, run, web and x, such as in /with run".to_owned(),
            },
            ("/new", _) => {
                self.talk = Conversation::new();
                "all that was said is forgotten; what it cost is not".to_owned()
            }
            ("/save", "") => "say where, such as in /save talk.md, or talk.json".to_owned(),
            ("/save", path) => match self.save(Path::new(path)) {
                Ok(()) => format!("saved in {path}"),
                Err(error) => format!("cannot save in {path}: {error}"),
            },
            (other, _) => format!("there is no {other}\n{HELP}"),
        }
    }

    /// What the conversation took so far.
    fn cost(&self) -> String {
        let payments = || self.turns.iter().filter_map(|(_, turn)| turn.payment.as_ref());
        let prices = sum(payments().map(|payment| payment.quote().amount));
        let fees = sum(payments().filter_map(|payment| Some(payment.settled()?.fee)));
        let answers = self.turns.len();
        let left = self.turns.last().map(|(_, turn)| turn.left.iter().map(left_of).collect::<Vec<_>>());
        let left = left
            .filter(|left| !left.is_empty())
            .map_or(String::new(), |left| format!("; left: {}", left.join(", ")));
        let known = if payments().all(|payment| payment.settled().is_some()) { "" } else { " known so far" };
        let lost = match sum(self.lost.iter().map(|payment| payment.quote().amount)) {
            Amount::ZERO => String::new(),
            lost => format!("; ${lost} paid, or perhaps, without an answer: grok-mpp history lists it"),
        };
        match answers {
            0 => format!("nothing was bought{lost}"),
            1 => format!("1 answer for ${prices} and ${fees} in fees{known}{lost}{left}"),
            _ => format!("{answers} answers for ${prices} and ${fees} in fees{known}{lost}{left}"),
        }
    }

    /// Writes what was asked and answered to a file that is not there yet: as JSON by that ending, else as Markdown.
    fn save(&self, path: &Path) -> io::Result<()> {
        let mut file = File::create_new(path)?;
        if path.extension().is_some_and(|ending| ending == "json") {
            let turns = self.turns.iter().map(|(question, turn)| {
                let payment = turn.payment.as_ref().map(Payment::evidence);
                json!({"question": question, "answer": turn.answer.text(), "payment": payment})
            });
            return writeln!(file, "{:#}", turns.collect::<serde_json::Value>());
        }
        for (question, turn) in &self.turns {
            writeln!(file, "**{question}**\n\n{}\n\n*{}*\n", turn.answer.text().trim_end(), paid(turn))?;
        }
        file.sync_all()
    }
}

/// Of no more than fits.
fn sum(amounts: impl Iterator<Item = Amount>) -> Amount {
    amounts.fold(Amount::ZERO, |sum, amount| sum.checked_add(amount).unwrap_or(sum))
}

/// What an answer took.
fn paid(turn: &Turn) -> String {
    match &turn.payment {
        None => "free".to_owned(),
        Some(payment) => {
            let fee =
                payment.settled().map_or(String::new(), |settled| format!(" and a fee of ${}", settled.fee));
            format!("${}{fee}, payment #{}", payment.quote().amount, payment.id())
        }
    }
}

const HELP: &str = "\
/cost         what the conversation took so far
/model ID     which Grok answers from now on
/with TOOL    what it may use: chat (nothing), run (Python), web, or x
/new          begin anew
/save FILE    keep what was said, as Markdown or, by that ending, as JSON
/quit         end; ctrl-D does too";
