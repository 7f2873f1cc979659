//! The sandbox as the service behind: each route answered and paid, whole and as a stream, the same every time.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grok_gateway::Route;
use grok_gateway::sandbox::{Python, Runner};
use serde_json::{Value, json};

use crate::documents::response;
use crate::orders::orders;
use crate::support::Scene;

const CHAT: &str = "/grok/chat";

async fn open() -> Scene {
    Scene::of(Runner::new(Python::find("python3").await.unwrap())).await
}

fn says(prompt: &str) -> Value {
    json!({"model": "grok-4.3", "messages": [{"role": "user", "content": prompt}]})
}

fn with(mut body: Value, members: Value) -> Value {
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

/// What the events carry; of a response also what each is called.
async fn events(scene: &Scene, path: &str, body: Value) -> Vec<Value> {
    let (_, answer) = scene.buy(path, &with(body, json!({"stream": true}))).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
    let data = |event: &str| event.rsplit_once("data: ").unwrap().1.to_owned();
    let mut events: Vec<String> = answer.body.split_terminator("\n\n").map(data).collect();
    if path == CHAT {
        assert_eq!(events.pop().unwrap(), "[DONE]");
    }
    events.iter().map(|event| serde_json::from_str(event).unwrap()).collect()
}

#[tokio::test]
async fn every_route_is_sold_as_it_is_described_and_says_that_it_is_no_model() {
    let scene = open().await;
    let (document, text) = (scene.get("/openapi.json").await.json(), scene.get("/llms.txt").await.body);
    let mut earned = 0;
    for (route, mut body, price, ..) in orders() {
        if route == Route::CodeExecution {
            // As long as the message that the price is for.
            body["messages"][0]["content"] = json!("`6`.");
        }
        assert!(text.contains(route.path()) && document["paths"][route.path()].is_object(), "{route:?}");
        let data = scene.bought(route.path(), &body).await;
        earned += price;
        assert_eq!(scene.earned(), earned, "{route:?}");
        assert_eq!(data["sandbox"], true, "{data}");
        assert!(data["note"].as_str().unwrap().contains("without a "), "{data}");
        let answer = json!({"success": true, "data": data});
        let schema = response(&document, route, "200", "application/json");
        assert!(schema.is_valid(&answer), "{route:?} {answer}");
    }
}

#[tokio::test]
async fn what_grok_refuses_its_sandbox_refuses_before_payment_too() {
    let scene = open().await;
    let order = |route| orders().into_iter().find(|order| order.0 == route).unwrap().1;
    for (route, members, error) in [
        (Route::CodeExecution, json!({}), "no_program"),
        (Route::CodeExecution, json!({"background": true}), "invalid_background"),
        (Route::Chat, json!({"tools": "all"}), "invalid_tools"),
        (Route::XSearch, json!({"previous_response_id": "resp_1"}), "invalid_previous_response_id"),
        (Route::ImageGenerate, json!({"stream": true}), "invalid_stream"),
        (Route::Speech, json!({"voice_id": "alloy"}), "invalid_voice_id"),
        (Route::Speech, json!({"output_format": "mp3"}), "invalid_output_format"),
        (Route::Speech, json!({"output_format": {"codec": "mulaw"}}), "invalid_output_format"),
        (
            Route::Speech,
            json!({"output_format": {"codec": "wav", "sample_rate": 44100}}),
            "invalid_output_format",
        ),
    ] {
        scene.post(route.path(), &with(order(route), members)).await.is_refused(400, error);
    }
}

#[tokio::test]
async fn a_chat_says_how_far_it_is_and_what_was_said_last() {
    let scene = open().await;
    let body = json!({"model": "grok-4.3", "n": 2, "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "I am Ada."},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": [
            {"type": "text", "text": "Who am I? `print(1)`"},
            {"type": "image_url", "image_url": {"url": "https://a.example/1.png"}},
        ]},
    ]});
    let first = scene.bought(CHAT, &body).await;
    let text = "This sandbox holds no language model. Messages so far: 4. The last one says: Who am I? `print(1)`\n\
                [image_url]";
    let choices = first["choices"].as_array().unwrap();
    assert_eq!(choices.len(), 2);
    for (index, choice) in choices.iter().enumerate() {
        let message = json!({"role": "assistant", "content": text});
        assert_eq!(choice, &json!({"index": index, "finish_reason": "stop", "message": message}));
    }
    assert_eq!((&first["object"], &first["model"]), (&json!("chat.completion"), &json!("grok-4.3")));
    let answered = u64::try_from(text.len().div_ceil(4) * 2).unwrap();
    assert_eq!(first["usage"]["completion_tokens"], answered);
    assert!(first["created"].as_u64().unwrap() > 0);
    let again = scene.bought(CHAT, &body).await;
    assert_eq!((&again["choices"], &again["usage"]), (&first["choices"], &first["usage"]));
    assert_ne!(again["id"], first["id"]);

    let cut = scene.bought(CHAT, &with(says("é"), json!({"max_tokens": 2}))).await;
    assert_eq!(
        (&cut["choices"][0]["message"]["content"], &cut["choices"][0]["finish_reason"]),
        (&json!("This san"), &json!("length"))
    );
}

#[tokio::test]
async fn functions_that_a_prompt_names_are_called_and_their_answers_said() {
    let scene = open().await;
    let tools = json!({"tools": [
        {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}},
        {"type": "function", "function": {"name": "now"}},
    ]});
    let prompt = "What is `add({\"a\": 6, \"b\": [7]})`, `now` and `subtract`?";
    let body = with(says(prompt), tools.clone());
    let data = scene.bought(CHAT, &body).await;
    let (message, finish) = (&data["choices"][0]["message"], &data["choices"][0]["finish_reason"]);
    assert_eq!((&message["content"], finish), (&json!(null), &json!("tool_calls")));
    let calls = message["tool_calls"].as_array().unwrap();
    let functions: Vec<&Value> = calls.iter().map(|call| &call["function"]).collect();
    assert_eq!(
        functions,
        [
            &json!({"name": "add", "arguments": "{\"a\": 6, \"b\": [7]}"}),
            &json!({"name": "now", "arguments": "{}"})
        ]
    );
    assert_eq!(calls[0]["type"], "function");
    assert_ne!(calls[0]["id"], calls[1]["id"]);

    let said = json!([body["messages"][0], message,
        {"role": "tool", "tool_call_id": calls[0]["id"], "content": "13"},
        {"role": "tool", "tool_call_id": calls[1]["id"], "content": [{"type": "text", "text": "noon"}]}]);
    let data = scene.bought(CHAT, &with(body.clone(), json!({"messages": said}))).await;
    let choice = &data["choices"][0];
    assert_eq!(
        (&choice["message"]["content"], &choice["finish_reason"]),
        (&json!("13\nnoon"), &json!("stop"))
    );

    for silent in
        [says(prompt), with(body, json!({"tool_choice": "none"})), with(says("Just add."), tools.clone())]
    {
        assert_eq!(scene.bought(CHAT, &silent).await["choices"][0]["finish_reason"], "stop", "{silent}");
    }
    let many = "`now` ".repeat(1000);
    for wrong in ["`add(6, 7)`", "`add([6])`", "`add({\"a\":6}`", "`now` and `now(x)`", &many] {
        scene.post(CHAT, &with(says(wrong), tools.clone())).await.is_refused(400, "invalid_call");
    }
}

#[tokio::test]
async fn the_chunks_of_a_chat_make_up_what_it_says_whole() {
    let scene = open().await;
    let body = with(says("one two three"), json!({"n": 2}));
    let whole = scene.bought(CHAT, &body).await;
    let chunks = events(&scene, CHAT, body.clone()).await;
    for index in 0..2 {
        let of: Vec<&Value> = chunks
            .iter()
            .map(|chunk| &chunk["choices"][0])
            .filter(|choice| choice["index"] == index)
            .collect();
        let texts: Vec<&str> = of.iter().filter_map(|choice| choice["delta"]["content"].as_str()).collect();
        assert_eq!(texts.last_chunk(), Some(&["one ", "two ", "three"]));
        assert_eq!(texts.concat(), whole["choices"][index]["message"]["content"].as_str().unwrap());
        assert_eq!(of[0]["delta"]["role"], "assistant");
        let finishes: Vec<&Value> = of.iter().map(|choice| &choice["finish_reason"]).collect();
        assert!(finishes.iter().rev().skip(1).all(|finish| finish.is_null()));
        assert_eq!(*finishes[finishes.len() - 1], "stop");
    }
    for chunk in &chunks {
        assert_eq!((&chunk["object"], &chunk["sandbox"]), (&json!("chat.completion.chunk"), &json!(true)));
        assert_eq!(chunk["id"], chunks[0]["id"]);
    }
    let last = chunks.last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &whole["usage"]));
    for (options, told) in [(json!({"include_usage": true}), true), (json!({"include_usage": false}), false)]
    {
        let chunks = events(&scene, CHAT, with(says("x"), json!({"stream_options": options}))).await;
        assert_eq!(chunks.last().unwrap()["usage"].is_object(), told);
    }

    let tools = json!([{"type": "function", "function": {"name": "add"}}]);
    let chunks = events(&scene, CHAT, with(says("`add({\"a\":6})`"), json!({"tools": tools}))).await;
    let deltas: Vec<&Value> = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]).collect();
    assert_eq!(deltas[1]["tool_calls"][0]["function"], json!({"name": "add", "arguments": ""}));
    assert_eq!(deltas[2]["tool_calls"], json!([{"index": 0, "function": {"arguments": "{\"a\":6}"}}]));
    assert_eq!(chunks[3]["choices"][0]["finish_reason"], "tool_calls");
}

#[tokio::test]
async fn a_search_cites_pages_that_cannot_exist_where_the_text_says_so() {
    let scene = open().await;
    let allowed = json!({"search_parameters": {"allowed_domains": ["docs.rs", "x/../y"]}});
    for (path, members, kind, hosts) in [
        ("/grok/web-search", json!({}), "web_search_call", ["one", "two"]),
        ("/grok/web-search", allowed, "web_search_call", ["docs.rs", "x-..-y"]),
        ("/grok/x-search", json!({}), "x_search_call", ["one.x", "two.x"]),
    ] {
        let body = with(says("Wo liegt Żółw?"), members);
        let data = scene.bought(path, &body).await;
        let call = &data["output"][0];
        assert_eq!((&call["type"], &call["action"]["query"]), (&json!(kind), &json!("Wo liegt Żółw?")));
        assert_eq!(data["usage"]["server_side_tool_usage_details"][format!("{kind}s")], 1);
        let part = &data["output"][1]["content"][0];
        let text: Vec<char> = part["text"].as_str().unwrap().chars().collect();
        assert!(part["text"].as_str().unwrap().contains("searched nothing. It was asked: Wo liegt Żółw?"));
        let cited = part["annotations"].as_array().unwrap();
        assert_eq!(cited.len(), 2);
        for ((annotation, host), number) in cited.iter().zip(hosts).zip(1..) {
            let url = format!("https://{host}.sandbox.example/");
            assert_eq!((&annotation["type"], &annotation["url"]), (&json!("url_citation"), &json!(url)));
            let at = |name: &str| usize::try_from(annotation[name].as_u64().unwrap()).unwrap();
            let link: String = text[at("start_index")..at("end_index")].iter().collect();
            assert_eq!(link, format!("[[{number}]]({url})"));
        }
        is_the_whole_in_pieces(&events(&scene, path, body).await, &data);
    }
}

#[tokio::test]
async fn what_a_program_prints_is_streamed_in_pieces() {
    let scene = open().await;
    let body = says("```\nprint('a b')\nprint('c\\n' * 1000)\n```");
    let data = scene.bought("/grok/code-execution", &body).await;
    let events = events(&scene, "/grok/code-execution", body).await;
    is_the_whole_in_pieces(&events, &data);
    assert!(events.len() < 80, "{}", events.len());
}

/// The events of a response: its text in several, all its annotations, and the response at the end.
fn is_the_whole_in_pieces(events: &[Value], data: &Value) {
    let of = |kind: &'static str| events.iter().filter(move |event| event["type"] == kind);
    let part = &data["output"][1]["content"][0];
    let deltas: Vec<&str> =
        of("response.output_text.delta").map(|event| event["delta"].as_str().unwrap()).collect();
    assert!(deltas.len() > 1);
    assert_eq!(deltas.concat(), part["text"].as_str().unwrap());
    let annotations: Vec<&Value> =
        of("response.output_text.annotation.added").map(|event| &event["annotation"]).collect();
    assert_eq!(annotations, part["annotations"].as_array().unwrap().iter().collect::<Vec<_>>());
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["response"]["sandbox"]), (&json!("response.completed"), &json!(true)));
    assert_eq!(last["response"]["output"][1]["content"], data["output"][1]["content"]);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
}

/// The pixels of a picture, by row, and its palette.
fn drawn(base64: &str) -> ((u32, u32), Vec<u8>, Vec<u8>) {
    let file = STANDARD.decode(base64).unwrap();
    let mut reader = png::Decoder::new(Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    let info = reader.info();
    ((info.width, info.height), pixels, info.palette.clone().unwrap().into_owned())
}

#[tokio::test]
async fn pictures_are_drawn_from_the_request_in_its_proportions() {
    let scene = open().await;
    let generate = "/grok/image-generate";
    for (ratio, width, height) in
        [("1:1", 1, 1), ("auto", 1, 1), ("16:9", 16, 9), ("9:16", 9, 16), ("4:3", 4, 3), ("3:2", 3, 2)]
    {
        let body = json!({"prompt": "a hat", "aspect_ratio": ratio, "response_format": "b64_json"});
        let data = scene.bought(generate, &body).await;
        let (size, pixels, _) = drawn(data["data"][0]["b64_json"].as_str().unwrap());
        assert_eq!(size.0 * height, size.1 * width, "{ratio}");
        assert!(data["data"][0].get("url").is_none());
        let both = [0, 1].map(|colour| pixels.contains(&colour));
        assert_eq!(both, [true, true], "{ratio}");
    }
    let body = json!({"prompt": "a hat", "n": 3});
    let (first, again) = (scene.bought(generate, &body).await, scene.bought(generate, &body).await);
    assert_eq!(first["data"], again["data"]);
    let of = |data: &Value, place: usize| {
        drawn(data["data"][place]["url"].as_str().unwrap().strip_prefix("data:image/png;base64,").unwrap())
    };
    assert_eq!(first["data"].as_array().unwrap().len(), 3);
    assert_ne!(of(&first, 0), of(&first, 1));
    assert_ne!(of(&first, 1), of(&first, 2));
    let other = scene.bought(generate, &json!({"prompt": "a cat"})).await;
    assert_ne!(of(&other, 0).1, of(&first, 0).1, "another pattern");
}

#[tokio::test]
async fn an_edited_picture_keeps_its_pattern_and_changes_its_colours() {
    let scene = open().await;
    let mut pictures = Vec::new();
    for (prompt, image) in [
        ("red", json!("data:image/png;base64,AAAA")),
        ("blue", json!({"url": "data:image/png;base64,AAAA"})),
        ("red", json!("https://a.example/hat.png")),
    ] {
        let body = json!({"prompt": prompt, "image": image, "response_format": "b64_json"});
        let data = scene.bought("/grok/image-edit", &body).await;
        pictures.push(drawn(data["data"][0]["b64_json"].as_str().unwrap()));
    }
    let ((_, first, red), (_, same, blue), (_, other, again)) = (&pictures[0], &pictures[1], &pictures[2]);
    assert_eq!((first, red), (same, again));
    assert_ne!((first, red), (other, blue));
    assert!(first != other && red != blue);
}

#[tokio::test]
async fn a_text_is_spoken_as_a_wav_file_with_a_tone_for_each_character() {
    let scene = open().await;
    let speak = async |members: Value| {
        let data = scene.bought("/grok/tts", &with(json!({"language": "en"}), members)).await;
        (
            data["content_type"].as_str().unwrap().to_owned(),
            STANDARD.decode(data["data"].as_str().unwrap()).unwrap(),
        )
    };
    let (kind, wav) = speak(json!({"text": "hé o"})).await;
    assert_eq!(kind, "audio/wav");
    let number = |at: usize| u32::from_le_bytes(wav[at..at + 4].try_into().unwrap());
    let length = wav.len() - 44;
    assert_eq!((&wav[..4], &wav[8..16], &wav[36..40]), (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..]));
    // PCM and one channel; samples and bytes a second; 2 bytes and 16 bits a sample.
    assert_eq!([16, 20, 24, 28, 32].map(number), [16, 0x1_0001, 8000, 16_000, 0x10_0002]);
    assert_eq!([4, 40].map(number), [length + 36, length].map(|length| u32::try_from(length).unwrap()));
    let letters: Vec<&[u8]> = wav[44..].chunks(320).collect();
    assert_eq!((letters.len(), letters[3].len()), (4, 320));
    assert!(letters[2].iter().all(|byte| *byte == 0), "silence");
    let loudest = letters[0].chunks(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]])).max();
    assert!((7000..=8000).contains(&loudest.unwrap()), "{loudest:?}");
    assert!(letters[0] != letters[1] && letters[1] != letters[3]);

    let (kind, pcm) =
        speak(json!({"text": "hé o", "output_format": {"codec": "pcm", "sample_rate": 8000}})).await;
    assert_eq!((kind.as_str(), pcm.as_slice()), ("audio/pcm;rate=8000", &wav[44..]));
    let mut voices = vec![speak(json!({"text": "h"})).await];
    for voice in ["eve", "ara", "rex", "sal", "leo"] {
        let audio = speak(json!({"text": "h", "voice_id": voice})).await;
        assert!(!voices.contains(&audio), "{voice}");
        voices.push(audio);
    }
}
