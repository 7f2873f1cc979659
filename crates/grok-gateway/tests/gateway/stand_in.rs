//! A stand-in for xAI's API, which cannot be reached from here: a server on loopback that answers each path in the
//! shape that xAI documents for it, and fails in the ways that services fail. What it is asked it remembers.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

type Reply = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// A service that answers whole requests.
pub(crate) struct StandIn {
    pub(crate) url: String,
    asked: Memory,
}

type Memory = Arc<Mutex<Vec<Asked>>>;

impl StandIn {
    /// One that does what it is asked.
    pub(crate) async fn open() -> Self {
        StandIn::with(|path| {
            let kind = if path.ends_with("/tts") || path.ends_with("/speech") {
                "audio/mpeg"
            } else {
                "application/json; charset=utf-8"
            };
            (200, vec![("content-type", kind.to_owned())], answer(path))
        })
        .await
    }

    /// One that says the same to everything.
    pub(crate) async fn saying(
        status: u16,
        headers: &[(&'static str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Self {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let body = body.into();
        StandIn::with(move |_| (status, headers.clone(), body.clone())).await
    }

    async fn with(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let asked = Memory::default();
        let state = (Arc::clone(&asked), Arc::new(reply));
        let router = Router::new().fallback(take).with_state(state);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        StandIn { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn take<F: Fn(&str) -> Reply + Send + Sync>(
    State((asked, reply)): State<(Memory, Arc<F>)>,
    uri: Uri,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response<Body> {
    let path = uri.path().to_owned();
    let (status, fields, answer) = reply(&path);
    asked.lock().unwrap().push(Asked { path, headers, body: serde_json::from_slice(&body).unwrap() });
    let response = Response::builder().status(status);
    let response = fields.iter().fold(response, |response, (name, value)| response.header(*name, value));
    response.body(answer.into()).unwrap()
}

/// What is behind each path, down to the usage with its cost in ticks.
pub(crate) fn answer(path: &str) -> Vec<u8> {
    let usage = json!({"input_tokens": 210, "output_tokens": 96, "total_tokens": 306,
        "output_tokens_details": {"reasoning_tokens": 40}, "num_server_side_tools_used": 1,
        "server_side_tool_usage_details": {"code_interpreter_calls": 1}, "cost_in_usd_ticks": 37_756_000});
    let body = match path {
        "/v1/responses" => json!({
            "id": "resp_1", "object": "response", "status": "completed", "model": "grok-4.3", "store": false,
            "output": [
                {"id": "rs_1", "type": "reasoning", "status": "completed", "summary": []},
                {"id": "ci_1", "type": "code_interpreter_call", "status": "completed",
                    "arguments": "{\"code\":\"print(6*7)\"}"},
                {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": "42", "annotations": [], "logprobs": null}]},
            ],
            "usage": usage,
        }),
        "/v1/chat/completions" | "/chat/completions" => json!({
            "id": "c_1", "object": "chat.completion", "created": 1_790_000_000, "model": "grok-4.6",
            "choices": [{"index": 0, "finish_reason": "stop", "message":
                {"role": "assistant", "content": "42", "reasoning_content": "six times seven", "refusal": null}}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 5, "cost_in_usd_ticks": 540_000},
        }),
        "/v1/images/generations" | "/v1/images/edits" | "/images/generations" => json!({
            "data": [{"url": "https://a.example/1.jpg", "revised_prompt": "a red hat", "respect_moderation": true}],
            "usage": {"cost_in_usd_ticks": 200_000_000},
        }),
        "/v1/tts" | "/audio/speech" => return b"\xff\xfbaudio\0".to_vec(),
        other => panic!("xAI has no {other}"),
    };
    body.to_string().into_bytes()
}

/// A service that says what the test says, when it says it: to one connection after the other.
pub(crate) struct Feed {
    pub(crate) url: String,
    said: UnboundedSender<Option<Vec<u8>>>,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Feed {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (said, mut says) = unbounded_channel();
        let asked = Arc::<Mutex<Vec<Value>>>::default();
        let memory = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                repeat(stream, &mut says, &memory).await;
            }
        });
        Feed { url, said, asked }
    }

    /// A whole answer without a body.
    pub(crate) fn refuse(&self, status: u16, headers: &str) {
        self.say(format!("HTTP/1.1 {status} No\r\nconnection: close\r\ncontent-length: 0\r\n{headers}\r\n"));
        self.close();
    }

    /// The beginning of a stream.
    pub(crate) fn begin(&self) {
        let fields = "connection: close\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked";
        self.say(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n"));
    }

    pub(crate) fn chunk(&self, text: &str) {
        self.say(format!("{:x}\r\n{text}\r\n", text.len()));
    }

    /// The end of a stream as it should be.
    pub(crate) fn end(&self) {
        self.say("0\r\n\r\n".to_owned());
        self.close();
    }

    /// The end of the connection.
    pub(crate) fn close(&self) {
        self.said.send(None).unwrap();
    }

    fn say(&self, text: String) {
        self.said.send(Some(text.into_bytes())).unwrap();
    }

    pub(crate) fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().clone()
    }
}

async fn repeat(
    mut stream: TcpStream,
    says: &mut UnboundedReceiver<Option<Vec<u8>>>,
    asked: &Mutex<Vec<Value>>,
) {
    let mut request = Vec::new();
    let body = loop {
        stream.read_buf(&mut request).await.unwrap();
        let head = request.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if let Some(body) = head.and_then(|end| serde_json::from_slice(&request[end + 4..]).ok()) {
            break body;
        }
    };
    asked.lock().unwrap().push(body);
    while let Some(Some(bytes)) = says.recv().await {
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// How a service fails that does not get as far as an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rude {
    /// Nothing, for ever.
    Hangs,
    /// A beginning of an answer, and nothing more, for ever.
    Stalls,
    /// A beginning of an answer, and the end of the connection.
    Cuts,
    /// The end of the connection.
    Closes,
    /// 100 MB.
    Floods,
}

/// A service that fails so; what it counts are connections.
pub(crate) async fn rude(manner: Rude) -> (String, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            *counter.lock().unwrap() += 1;
            tokio::spawn(offend(stream, manner));
        }
    });
    (url, connections)
}

async fn offend(mut stream: TcpStream, manner: Rude) {
    // The whole request, or the end of the connection would be a reset.
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        match stream.read_buf(&mut request).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    let head = |length: usize| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{{\"id\":"
        )
    };
    match manner {
        Rude::Hangs | Rude::Closes => {}
        Rude::Stalls | Rude::Cuts => stream.write_all(head(1000).as_bytes()).await.unwrap(),
        Rude::Floods => {
            stream.write_all(head(100 << 20).as_bytes()).await.unwrap();
            let spaces = vec![b' '; 1 << 20];
            let mut written = 0;
            while written < 100 && stream.write_all(&spaces).await.is_ok() {
                written += 1;
            }
            assert!(written < 100, "all of it was read");
        }
    }
    if matches!(manner, Rude::Hangs | Rude::Stalls) {
        std::future::pending::<()>().await;
    }
}
