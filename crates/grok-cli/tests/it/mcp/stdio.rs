//! Over standard input and output: what the tools are, what they say of the money, and how the server ends.

use std::io::Write as _;
use std::net::TcpListener;

use e2e::{Anvil, PATH_USD, RECIPIENT};
use serde_json::{Value, json};

use super::{Host, assert_error, text};
use crate::node::{Knows, node};
use crate::support::{Home, Shop, answer, assert_ended, challenge, failed, read_request, stderr, stdout};

/// The server in front of a shop that is paid on chain 31337.
fn at(home: &Home, shop: &Shop, more: &[&str]) -> Host {
    Host::start(home, &[&["--base-url", &shop.url, "--chain-id", "31337"], more].concat())
}

fn ask() -> Value {
    json!({"prompt": "Two and two?"})
}

#[test]
fn tools_say_what_they_cost_and_which_do_not() {
    let (home, shop) = (Home::new(), Shop::open([]));
    let mut host = at(&home, &shop, &["--max-cost", "0.25"]);
    let id = host.ask("tools/list", &json!({}));
    let tools = host.answer(id).0["result"]["tools"].take();
    let tools = tools.as_array().expect("tools");
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().expect("a name")).collect();
    let paying = ["run_python_with_grok", "ask_grok", "search_web", "search_x", "generate_image"];
    assert_eq!(names, [&paying[..], &["quote", "budget"]].concat());
    for tool in tools {
        let (name, hints) = (tool["name"].as_str().expect("a name"), &tool["annotations"]);
        let pays = paying.contains(&name);
        assert_eq!(hints["readOnlyHint"], !pays, "{name}");
        assert_eq!(
            [&hints["destructiveHint"], &hints["idempotentHint"]],
            [false, !pays].map(Value::from).each_ref()
        );
        assert_eq!(hints["openWorldHint"], name != "budget", "{name}");
        let about = tool["description"].as_str().expect("a description");
        assert_eq!(about.contains("spends real money"), pays, "{about}");
        assert_eq!(about.contains("No call costs more than $0.25"), pays, "{about}");
        assert!(about.contains("Pays nothing") || pays, "{about}");
        assert_eq!(tool["outputSchema"]["type"], "object");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false);
        for (argument, schema) in tool["inputSchema"]["properties"].as_object().expect("properties") {
            assert!(schema["description"].is_string() || argument == "model", "{name} {argument}");
        }
    }
    let (last, output) = host.close();
    assert!(last.is_empty());
    assert_ended(&output, 0, "");
    assert_eq!(stderr(&output), "");
}

#[test]
fn every_argument_is_read_and_no_other_is_taken() {
    let (home, shop) = (Home::new(), Shop::open([]));
    let mut host = at(&home, &shop, &[]);
    let id = host.ask("tools/list", &json!({}));
    let tools = host.answer(id).0["result"]["tools"].take();
    for tool in tools.as_array().expect("tools").iter().filter(|tool| tool["name"] != "quote") {
        let name = tool["name"].as_str().expect("a name");
        let properties = tool["inputSchema"]["properties"].as_object().expect("properties");
        for argument in properties.keys().map(String::as_str).chain(["promt"]) {
            // No argument is an object, so that whoever reads it refuses it.
            let result = host.call(name, &json!({"prompt": "x", argument: {"no": 1}}));
            assert_eq!(result["isError"], true, "{name} does not read {argument}: {result}");
        }
    }
    let result =
        host.call("search_web", &json!({"prompt": "x", "allowed_domains": ["a", "b", "c", "d", "e", "f"]}));
    assert_error(&result, "Nothing was paid: a search takes at most 5 domains", &[]);
    let result = host.call("search_x", &json!({"prompt": "x", "model": "grok-3"}));
    assert_error(&result, "Nothing was paid: ", &["grok-4 family"]);
    let id = host.ask("tools/call", &json!({"name": "gamble", "arguments": {}}));
    assert_eq!(host.answer(id).0["error"]["code"], -32602);
    assert!(shop.credentials().is_empty());
}

#[test]
fn an_answer_comes_as_text_and_as_data_with_what_it_cost() {
    let home = Home::new();
    let mut host = Host::start(&home, &["--sandbox", "--max-per-day", "1"]);
    let files = json!([{"name": "product.py", "text": "print(6 * 7)\n"}]);
    let id = host.start_call("run_python_with_grok", &json!({"prompt": "Run it.", "files": files}));
    let (answer, told) = host.answer(id);
    let result = &answer["result"];
    assert_eq!(told[0], "asking the price");
    assert!(told[1].starts_with("paying $0.00") && told[1].ends_with(" as #1"), "{told:?}");
    let content = &result["structuredContent"];
    assert_eq!(content["executions"][0]["code"], "print(6 * 7)\n");
    assert_eq!(content["executions"][0]["output"], "42\n");
    let cost = &content["cost"];
    assert_eq!([&cost["payment_id"], &cost["state"]], [&json!(1), &json!("delivered")]);
    assert_eq!(cost["fee_at_most_usd"], "0.025");
    assert!(cost["price_usd"].as_str().is_some_and(|price| price.starts_with("0.00")), "{cost}");
    assert!(cost["transaction"].as_str().is_some_and(|hash| hash.len() == 66), "{cost}");
    assert_eq!(content["budget"][0]["window"], "day");
    let text = text(result);
    for part in [
        "42",
        "Ran:\nprint(6 * 7)",
        "Printed:\n42",
        "Paid $0.00",
        "as payment #1, transaction 0x",
        "Left: $0.9",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert_ended(&host.close().1, 0, "paying       0x");
}

#[tokio::test]
async fn a_cost_is_what_a_real_chain_took() {
    let (home, node) = (Home::new(), Anvil::shared().await);
    let before = node.balance_of(PATH_USD, RECIPIENT.address).await;
    let mut command = home.grok_mpp();
    command.args(["mcp", "--sandbox", "--rpc", &node.url()]).env("GROK_MPP_PRIVATE_KEY", RECIPIENT.key);
    let result = Host::connect(&mut command).call("ask_grok", &ask());
    let cost = &result["structuredContent"]["cost"];
    let units = |name: &str| cost[name].as_str().expect("settled").parse::<u128>().expect("a number");
    let after = node.balance_of(PATH_USD, RECIPIENT.address).await;
    assert_eq!(units("price") + units("fee"), before - after);
    let hash = cost["transaction"].as_str().expect("a hash").parse().expect("a hash");
    assert!(node.transaction(hash).await.is_some());
}

#[test]
fn a_refusal_names_both_numbers_and_pays_nothing() {
    let home = Home::new();
    let mut host = Host::start(&home, &["--sandbox", "--max-cost", "0.03", "--max-per-day", "0.031"]);
    let mut asked = ask();
    asked["max_cost_usd"] = json!("0.001");
    let over = ["dollars, the policy allows 0.001 a call", "max_cost_usd, up to the configured cap of $0.03"];
    assert_error(&host.call("ask_grok", &asked), "Nothing was paid: payment refused: asks for 0.00", &over);
    // The caller's cap only lowers the configured one.
    let dear = json!({"prompt": "x", "n": 2, "max_cost_usd": "5"});
    assert_error(
        &host.call("generate_image", &dear),
        "Nothing was paid: ",
        &["asks for 0.046 dollars", "allows 0.03 a"],
    );
    let wrong = json!({"prompt": "x", "max_cost_usd": 0.1});
    assert_error(&host.call("ask_grok", &wrong), "Nothing was paid: max_cost_usd must be", &[]);
    assert_eq!(home.json(&["history", "--json"]), json!([]));

    assert_eq!(host.call("ask_grok", &ask())["isError"], false);
    let over = ["0.031", "Call budget to see what is left"];
    assert_error(&host.call("ask_grok", &ask()), "Nothing was paid: payment refused: ", &over);
    let quoted = host.call("quote", &json!({"tool": "ask_grok", "arguments": asked}));
    assert_eq!(quoted["structuredContent"]["free"], false);
    assert!(text(&quoted).contains("Nothing was paid. The call would be refused: asks for 0.00"), "{quoted}");
    let budget = host.call("budget", &json!({}));
    assert_eq!(budget["structuredContent"]["cap_per_call_usd"], "0.03");
    let tokens = budget["structuredContent"]["tokens"].as_array().expect("tokens");
    assert!(tokens.iter().any(|token| token["chain_id"] == 31337 && token["limits"][0]["left"] != "31000"));
    assert_eq!(home.json(&["history", "--json"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn an_unknown_outcome_says_not_to_call_again_until_budget_knows() {
    let (home, shop) = (Home::new(), Shop::open([challenge(31337), failed()]));
    let mut host = at(&home, &shop, &[]);
    let result = host.call("ask_grok", &ask());
    let says = [
        "It is payment #1",
        "Do not make this call again now",
        "budget with payment_id 1",
        "grok-mpp reconcile",
    ];
    assert_error(&result, "it is unknown whether 0.001 dollars were paid: the service answered 502", &says);
    let budget = host.call("budget", &json!({"payment_id": 1}));
    assert_eq!(budget["structuredContent"]["payment"]["money"], "unknown");
    assert_eq!(budget["structuredContent"]["unknown"][0]["payment_id"], 1);
    assert!(text(&budget).contains("Do not repeat its call"), "{budget}");
    assert_error(&host.call("budget", &json!({"payment_id": 7})), "the ledger holds no payment 7", &[]);
}

#[test]
fn an_unknown_payment_is_looked_up_on_the_chain_meanwhile() {
    for (knows, money) in [(Knows::Happened, "paid"), (Knows::Absent, "not_moved")] {
        let (home, shop) = (Home::new(), Shop::open([challenge(31337), failed()]));
        let mut host = at(&home, &shop, &["--rpc", &node(31337, knows)]);
        assert_error(&host.call("ask_grok", &ask()), "it is unknown whether ", &[]);
        let known = loop {
            let budget = host.call("budget", &json!({"payment_id": 1}));
            let payment = budget["structuredContent"]["payment"].clone();
            if payment["money"] != "unknown" {
                break payment;
            }
        };
        assert_eq!(known["money"], money);
    }
}

#[test]
fn what_was_paid_and_lost_is_told_with_what_came_instead() {
    let (home, shop) = (Home::new(), Shop::open([challenge(31337), answer("200 OK", "<html>no</html>")]));
    let mut host = at(&home, &shop, &[]);
    let says = ["It is payment #1", "Do not make this call again", "grok-mpp evidence 1", "<html>no</html>"];
    assert_error(
        &host.call("ask_grok", &ask()),
        "0.001 dollars were paid, but the answer failed or is lost: ",
        &says,
    );
    assert_eq!(shop.credentials().len(), 1);
}

#[test]
fn an_answer_without_what_was_asked_for_keeps_its_shape_and_is_shown_whole() {
    let odd = || answer("200 OK", r#"{"odd":"but paid"}"#);
    let (home, shop) = (Home::new(), Shop::open([challenge(31337), odd(), challenge(31337), odd()]));
    let mut host = at(&home, &shop, &[]);
    let empty = [("generate_image", "images", json!([])), ("ask_grok", "text", json!(""))];
    for (tool, field, value) in empty {
        let result = host.call(tool, &ask());
        assert_eq!(result["structuredContent"][field], value, "{result}");
        assert!(text(&result).contains(r#"The answer holds no text: {"odd":"but paid"}"#), "{result}");
        assert!(text(&result).contains("Paid $0.001"), "{result}");
    }
}

#[test]
fn a_call_that_is_cancelled_before_it_pays_never_does() {
    let (home, shop) = (Home::new(), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let url = format!("http://{}", shop.local_addr().expect("bound"));
    let mut host = Host::start(&home, &["--base-url", &url, "--chain-id", "31337"]);
    let id = host.start_call("ask_grok", &ask());
    let (mut stream, _) = shop.accept().expect("the price is asked for");
    assert_eq!(read_request(&stream).0, None);
    host.tell("notifications/cancelled", &json!({"requestId": id}));
    // Once this is answered, the cancellation was heard. Only then the price comes.
    assert!(text(&host.call("budget", &json!({}))).contains("No limit over time"));
    stream.write_all(challenge(31337).as_bytes()).expect("written");
    shop.set_nonblocking(true).expect("set");
    while home.json(&["history", "--json"])[0]["state"] != "not_paid" {
        assert!(shop.accept().is_err(), "no credential is sent");
    }
    let (last, output) = host.close();
    assert!(last.is_empty(), "a cancelled call is not answered: {last:?}");
    assert_ended(&output, 0, "");
    assert!(shop.accept().is_err(), "no credential is sent");
}

#[test]
fn a_call_that_is_cancelled_after_it_paid_reaches_the_ledger() {
    let home = Home::new();
    let mut host = Host::start(&home, &["--sandbox"]);
    let id = host.start_call("run_python_with_grok", &json!({"prompt": "`import time; time.sleep(2)`"}));
    host.until("paying");
    host.tell("notifications/cancelled", &json!({"requestId": id}));
    let (last, output) = host.close();
    assert!(last.is_empty(), "a cancelled call is not answered: {last:?}");
    assert_ended(&output, 0, "cancelled    #1 is paid already");
    let history = home.json(&["history", "--json"]);
    assert_eq!(history[0]["state"], "delivered", "{history}");
}

#[test]
fn after_the_end_of_input_what_was_paid_is_answered_and_nothing_more_is_paid() {
    let home = Home::new();
    let mut host = Host::start(&home, &["--sandbox"]);
    // Longer than the protocol's library waits for answers by itself.
    let paid = host
        .start_call("run_python_with_grok", &json!({"prompt": "`import time; time.sleep(6); print(42)`"}));
    host.until("paying");
    let unpaid = host.start_call("ask_grok", &ask());
    let (last, output) = host.close();
    assert_ended(&output, 0, "");
    let of = |id: u64| last.iter().find(|message| message["id"] == id).expect("an answer");
    assert_eq!(of(paid)["result"]["structuredContent"]["text"].as_str().map(str::trim), Some("42"));
    assert_error(&of(unpaid)["result"], "Nothing was paid: the call was stopped before", &[]);
    let history = home.json(&["history", "--json"]);
    let states = history.as_array().expect("payments").iter().map(|payment| &payment["state"]);
    // The other may have been set aside already, and was given back.
    assert_eq!(states.filter(|state| *state != "not_paid").collect::<Vec<_>>(), ["delivered"], "{history}");
}

#[test]
fn a_start_that_fails_says_why_on_stderr() {
    let home = Home::new();
    let output = home.grok_mpp().arg("mcp").env_remove("GROK_MPP_PRIVATE_KEY").output().expect("starts");
    assert_ended(&output, 2, "no wallet: ");
    assert_eq!(stdout(&output), "");
    let (last, output) = Host::spawn(home.grok_mpp().args(["mcp", "--sandbox"])).close();
    assert!(last.is_empty());
    assert_ended(&output, 0, "");
}
