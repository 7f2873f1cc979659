//! What a run or a quote came to: for people, answer on standard output and the rest on standard error; for programs, one
//! JSON object on standard output. What comes from a service is made fit for a terminal before it gets there.

use std::io::{self, Write};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grok_mpp::answer::{Answer, Execution};
use mpp_core::printable;
use mpp_http::ledger::Standing;
use mpp_http::{Money, Payment, Quoted};
use serde_json::{Map, Value, json};

use crate::ask::Keep;
use crate::failure::Failure;
use crate::output::{
    fact, instant, laid_out, note, print_answer, print_facts, print_json, print_text, set_apart, title, told,
};
use crate::payment::{paid, standing};
use crate::terminal::{Kind, Look, Saved, highlight, look, save, show_image};

/// What was bought: text as text, and what is no text in files, whose names are printed.
pub(crate) fn answer(answer: &Answer, keep: &Keep<'_>) -> io::Result<()> {
    let files = files(answer, keep)?;
    if !answer.text().is_empty() {
        print_answer(answer.text())?;
    }
    for (image, file) in answer.images().iter().zip(&files.images) {
        match (file, image.url()) {
            (Some(file), _) => print_text(&file.display().to_string())?,
            (None, Some(url)) => print_text(url)?,
            (None, None) if image.respects_moderation == Some(false) => {
                note("a picture is held back by the service; it was paid for all the same")?;
            }
            (None, None) => note("a picture came that cannot be read; --json shows all of it")?,
        }
        if let Some(bytes) = image.bytes() {
            show_image(&bytes)?;
        }
    }
    files.audio.iter().try_for_each(|file| print_text(&file.display().to_string()))
}

/// Puts the text of an answer into a file, as it could not be printed: nothing that was bought is lost for that.
pub(crate) fn keep_text(answer: &Answer, keep: &Keep<'_>) -> io::Result<()> {
    if answer.text().is_empty() {
        return Ok(());
    }
    let Saved { path, .. } = save(answer.text().as_bytes(), Kind::Text, &keep.stem, None)?;
    note(&format!("the answer is kept in {}", path.display()))
}

/// Where what is no text was put.
struct Files {
    /// One for each picture that came with the answer.
    images: Vec<Option<PathBuf>>,
    audio: Option<PathBuf>,
}

fn files(answer: &Answer, keep: &Keep<'_>) -> io::Result<Files> {
    let save = |bytes: Vec<u8>, kind: Kind| {
        let Saved { path, instead } = save(&bytes, kind, &keep.stem, keep.output)?;
        if let Some(error) = instead {
            note(&format!("kept in {} instead: {error}", path.display()))?;
        }
        Ok::<PathBuf, io::Error>(path)
    };
    let image = |bytes: Vec<u8>| {
        let kind = Kind::of(&bytes);
        save(bytes, kind)
    };
    let images = answer.images().iter().map(|it| it.bytes().map(image).transpose());
    let audio = answer.audio().map(|audio| save(audio.bytes.clone(), Kind::of(&audio.bytes)));
    Ok(Files { images: images.collect::<io::Result<_>>()?, audio: audio.transpose()? })
}

/// An answer as one JSON object.
pub(crate) fn answer_json(
    answer: &Answer,
    payment: Option<&Payment>,
    left: &[Standing],
    keep: &Keep<'_>,
) -> io::Result<()> {
    let files = files(answer, keep)?;
    let images = answer.images().iter().zip(files.images).map(
        |(image, file)| json!({ "file": file, "url": image.url(), "revised_prompt": image.revised_prompt }),
    );
    let calls = answer.function_calls().iter();
    let calls = calls.map(|it| json!({ "id": it.id, "name": it.name, "arguments": it.arguments }));
    let mut object = in_words(answer);
    object.insert("function_calls".to_owned(), calls.collect());
    object.insert("images".to_owned(), images.collect());
    let audio = answer.audio().map(|it| json!({ "file": files.audio, "content_type": it.content_type }));
    object.insert("audio".to_owned(), audio.into());
    object.insert("payment".to_owned(), payment.map(Payment::evidence).into());
    object.insert("budget".to_owned(), left.iter().map(standing).collect());
    object.insert("raw".to_owned(), answer.raw().clone());
    print_json(&object.into())
}

/// What an answer says in words, and how it came about.
pub(crate) fn in_words(answer: &Answer) -> Map<String, Value> {
    let usage = answer.usage().map(|usage| {
        json!({
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
        })
    });
    let members: [(&str, Value); 6] = [
        ("text", answer.text().into()),
        ("executions", answer.executions().iter().map(execution).collect()),
        ("citations", answer.citations().into()),
        ("model", answer.model().into()),
        ("finish", answer.finish().into()),
        ("usage", usage.into()),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What there is to say of an answer beside its text, and of its payment.
pub(crate) fn notes(
    answer: &Answer,
    payment: Option<&Payment>,
    left: &[Standing],
    keep: &Keep<'_>,
) -> io::Result<()> {
    aside(answer, keep)?;
    let mut notes = io::stderr().lock();
    match payment {
        None => fact(&mut notes, "price", "free")?,
        Some(payment) => paid(&mut notes, payment, left)?,
    }
    if let Some(usage) = answer.usage() {
        let count = |tokens: Option<u64>| tokens.map_or("?".to_owned(), |tokens| tokens.to_string());
        fact(
            &mut notes,
            "tokens",
            format_args!("{} in, {} out", count(usage.input_tokens), count(usage.output_tokens)),
        )?;
    }
    Ok(())
}

/// What there is to say of an answer beside its text: what ran for it, and where it is from.
pub(crate) fn aside(answer: &Answer, keep: &Keep<'_>) -> io::Result<()> {
    let mut notes = io::stderr().lock();
    let kept = answer.audio().is_some() || !answer.images().is_empty();
    if answer.text().is_empty() && answer.function_calls().is_empty() && !kept {
        told(&mut notes, "the answer holds no text; --json shows all of it")?;
    }
    for run in answer.executions() {
        title(&mut notes, "ran")?;
        code(&mut notes, &run.code)?;
        if !run.output.is_empty() {
            title(&mut notes, "printed")?;
            indent(&mut notes, &run.output)?;
        }
        for image in &run.images {
            made(&mut notes, image, keep)?;
        }
    }
    for call in answer.function_calls() {
        let (name, arguments) = (printable(&call.name, 100), printable(&call.arguments, 1000));
        let id = printable(&call.id, 100);
        fact(&mut notes, "wants called", format_args!("{name}({arguments}), as {id}"))?;
    }
    set_apart(&mut notes)?;
    for citation in answer.citations() {
        fact(&mut notes, "source", format_args!("{}", printable(citation, 300)))?;
    }
    match ended_early(answer) {
        None => Ok(()),
        Some(finish) => fact(&mut notes, "ended early", format_args!("{finish}; --max-tokens allows more")),
    }
}

/// Why an answer ended before it was whole, if it did.
pub(crate) fn ended_early(answer: &Answer) -> Option<String> {
    let finish = answer.finish().filter(|finish| !ENDED_WELL.contains(finish))?;
    Some(printable(finish, 100))
}

/// A picture that a program made: where it is, or where it is kept from now on.
fn made(notes: &mut impl Write, image: &str, keep: &Keep<'_>) -> io::Result<()> {
    let base64 = image.strip_prefix("data:").map_or(Some(image), |url| Some(url.split_once(";base64,")?.1));
    let Some(bytes) = base64.and_then(|base64| STANDARD.decode(base64).ok()) else {
        return fact(notes, "picture", printable(image, 300));
    };
    let Saved { path, .. } = save(&bytes, Kind::of(&bytes), &keep.stem, keep.output)?;
    fact(notes, "picture", path.display())?;
    show_image(&bytes)
}

/// A price.
pub(crate) fn quote(quoted: Option<&Quoted>, as_json: bool) -> io::Result<()> {
    let refusal = quoted.and_then(|quoted| quoted.refusal.as_ref()).map(ToString::to_string);
    if as_json {
        return print_json(&json!({ "quote": quoted.map(terms), "refusal": refusal }));
    }
    match quoted {
        None => print_text("free: the service answered without asking for payment")?,
        Some(quoted) => print_facts(&quoted.quote.to_string())?,
    }
    if let Some(refusal) = refusal {
        let _ = note(&format!("run would refuse it: {refusal}"));
    }
    Ok(())
}

/// A run that bought nothing: what became of the money, then what went wrong.
pub(crate) fn failure(failure: &Failure, as_json: bool) -> io::Result<()> {
    let payment = failure.payment.as_deref();
    let body = failure.body.as_ref().map(|body| String::from_utf8_lossy(body));
    if as_json {
        print_json(&json!({
            "error": {
                "message": failure.message,
                "exit_code": failure.code,
                "payment": payment.map(Payment::evidence),
                "budget": failure.left.iter().map(standing).collect::<Vec<_>>(),
                "body": body,
            }
        }))?;
    } else if let Some(body) = body.filter(|_| payment.is_some_and(|it| it.money() == Money::Paid)) {
        // It was paid for, whatever it is.
        print_text(&body)?;
    }
    let mut notes = io::stderr().lock();
    told(&mut notes, &format!("grok-mpp: {}", failure.message))?;
    let Some(payment) = payment else { return Ok(()) };
    paid(&mut notes, payment, &failure.left)?;
    match payment.money() {
        Money::NotMoved => Ok(()),
        Money::Paid => {
            let id = payment.id();
            told(&mut notes, &format!("grok-mpp evidence {id} prints what can be shown to claim it back"))
        }
        Money::Unknown => {
            let id = payment.id();
            told(&mut notes, &format!("grok-mpp evidence {id} prints all that is known of it"))?;
            let end = payment.valid_before().map(|end| format!("; it can happen until {}", instant(end)));
            let end = end.unwrap_or_default();
            told(&mut notes, &format!("do not ask again before you know: grok-mpp reconcile finds out{end}"))
        }
    }
}

/// The terms of an offer: those that a payment's evidence has, and what else there is to say before paying.
pub(crate) fn terms(quoted: &Quoted) -> Value {
    let (quote, mut terms) = (&quoted.quote, quoted.terms());
    if let Some(terms) = terms.as_object_mut() {
        terms.insert("dollars".to_owned(), quote.amount.to_string().into());
        terms.insert("expires_at".to_owned(), quote.expires_at.into());
        terms.insert("description".to_owned(), quote.description.clone().into());
    }
    terms
}

fn execution(run: &Execution) -> Value {
    json!({ "code": run.code, "output": run.output, "images": run.images, "status": run.status })
}

/// Python, in colour on a terminal.
fn code(notes: &mut impl Write, code: &str) -> io::Result<()> {
    match look(&io::stderr()) {
        Look::Styled => highlight(code, "python").iter().try_for_each(|line| writeln!(notes, "    {line}")),
        Look::Raw | Look::Plain => indent(notes, code),
    }
}

fn indent(notes: &mut impl Write, text: &str) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(notes, "    {}", laid_out(&printable(line, usize::MAX), 4)))
}

/// How an answer ends that is whole, by the word of one service or another.
const ENDED_WELL: [&str; 4] = ["completed", "stop", "end_turn", "tool_calls"];
