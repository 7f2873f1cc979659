//! The commands that buy: what is asked in, what was bought out.

mod buy;
mod input;

use grok_mpp::call::{Call, Conversing, ImageEdit, ImageGeneration};

use crate::args;
use crate::failure::Failure;
use crate::service::Service;
pub(crate) use buy::{Keep, Turn, turn};
use buy::{buy, price, stream};
use input::Input;

pub(crate) async fn run(args: &args::Run) -> Result<(), Failure> {
    let (input, tools) = (Input::read(&args.question)?, input::tools(args.tools.as_deref())?);
    let service = Service::open(&args.purchase).await?;
    let call = input.fill(service.grok.code_execution(&*input.prompt));
    let call = tools.into_iter().fold(call, Call::<grok_mpp::call::CodeExecution>::tool);
    let bought = talk(&service, call, &input, &args.question, &args.purchase).await;
    service.close(bought).await
}

pub(crate) async fn chat(args: &args::Chat) -> Result<(), Failure> {
    let (input, tools) = (Input::read(&args.question)?, input::tools(args.tools.as_deref())?);
    let pictures = args.image.iter().map(|picture| input::picture(picture)).collect::<Result<Vec<_>, _>>()?;
    let service = Service::open(&args.purchase).await?;
    let call = pictures.iter().fold(service.grok.chat(&*input.prompt), |call, it| call.image(it.url()));
    let call = tools.into_iter().fold(input.fill(call), Call::<grok_mpp::call::Chat>::tool);
    let bought = talk(&service, call, &input, &args.question, &args.purchase).await;
    service.close(bought).await
}

pub(crate) async fn web(args: &args::Web) -> Result<(), Failure> {
    let input = Input::read(&args.question)?;
    let service = Service::open(&args.purchase).await?;
    let call = input.fill(service.grok.web_search(&*input.prompt));
    let call = args.allow_domain.iter().fold(call, |call, domain| call.allow_domain(domain));
    let call = args.exclude_domain.iter().fold(call, |call, domain| call.exclude_domain(domain));
    let bought = talk(&service, call, &input, &args.question, &args.purchase).await;
    service.close(bought).await
}

pub(crate) async fn x(args: &args::X) -> Result<(), Failure> {
    let input = Input::read(&args.question)?;
    let service = Service::open(&args.purchase).await?;
    let call = input.fill(service.grok.x_search(&*input.prompt));
    let bought = talk(&service, call, &input, &args.question, &args.purchase).await;
    service.close(bought).await
}

pub(crate) async fn image(args: &args::Image) -> Result<(), Failure> {
    let prompt = input::text(&args.prompt)?;
    let service = Service::open(&args.purchase).await?;
    let args::Pictures { n, model, output } = &args.pictures;
    let call: Call<'_, ImageGeneration> = service.grok.generate_image(&*prompt).as_bytes();
    let call = n.iter().fold(call, |call, n| call.n(*n));
    let call = model.iter().fold(call, |call, model| call.model(model));
    let call = args.aspect_ratio.iter().fold(call, |call, ratio| call.aspect_ratio(ratio));
    let bought = buy(&service, call, &args.purchase, Keep::new(&prompt, output.as_deref())).await;
    service.close(bought).await
}

pub(crate) async fn edit(args: &args::Edit) -> Result<(), Failure> {
    let (picture, prompt) = (input::picture(&args.picture)?, input::text(&args.prompt)?);
    let service = Service::open(&args.purchase).await?;
    let args::Pictures { n, model, output } = &args.pictures;
    let call: Call<'_, ImageEdit> = service.grok.edit_image(&*prompt, picture).as_bytes();
    let call = n.iter().fold(call, |call, n| call.n(*n));
    let call = model.iter().fold(call, |call, model| call.model(model));
    let bought = buy(&service, call, &args.purchase, Keep::new(&prompt, output.as_deref())).await;
    service.close(bought).await
}

pub(crate) async fn speak(args: &args::Speak) -> Result<(), Failure> {
    let text = input::text(&args.text)?;
    let service = Service::open(&args.purchase).await?;
    let call = service.grok.speak(&*text);
    let call = args.voice.iter().fold(call, |call, voice| call.voice(voice));
    let call = args.language.iter().fold(call, |call, language| call.language(language));
    let call = args.codec.iter().fold(call, |call, codec| call.codec(codec));
    let bought = buy(&service, call, &args.purchase, Keep::new(&text, args.output.as_deref())).await;
    service.close(bought).await
}

/// Asks for the price of `run`.
pub(crate) async fn quote(args: &args::Quote) -> Result<(), Failure> {
    let input = Input::read(&args.question)?;
    let service = Service::start(&args.service, &args.config, None).await?;
    let asked = price(input.fill(service.grok.code_execution(&*input.prompt)), args.json).await;
    service.close(asked).await
}

/// Buys an answer to a conversation.
async fn talk<C: Conversing>(
    service: &Service,
    call: Call<'_, C>,
    input: &Input<'_>,
    question: &args::Question,
    purchase: &args::Purchase,
) -> Result<(), Failure> {
    let keep = Keep::new(&input.prompt, None);
    match question.stream && !purchase.dry_run {
        true => stream(service, call, purchase, keep).await,
        false => buy(service, call, purchase, keep).await,
    }
}
