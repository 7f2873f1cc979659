"""The official client for Python: takes the base URL, a timeout in milliseconds and names of steps; prints a line for every
request that it sends, and one for what every step came to."""

import base64
import io
import json
import sys

import openai

url, timeout, *names = sys.argv[1:]
model = "grok-4.3"
messages = [{"role": "user", "content": 'say `add({"a":6})`'}]
parameters = {"type": "object", "properties": {"a": {"type": "integer"}}}


def tell(line):
    print(json.dumps(line), flush=True)


def sent(request):
    tell({"sent": request.url.path, "retry": request.headers["x-stainless-retry-count"]})


client = openai.OpenAI(
    base_url=url,
    api_key="none",
    timeout=int(timeout) / 1000,
    http_client=openai.DefaultHttpxClient(event_hooks={"request": [sent]}),
)


def strict(made):
    """What came, once it is seen to hold all that its type promises, which the client itself does not look at."""
    type(made).model_validate(made.to_dict())
    return made


def models():
    ids = [strict(model).id for model in client.models.list()]
    return {"ids": ids, "one": client.models.retrieve(ids[0]).id}


def chat():
    raw = client.chat.completions.with_raw_response.create(model=model, messages=messages)
    made = strict(raw.parse())
    return {
        "text": made.choices[0].message.content,
        "finish": made.choices[0].finish_reason,
        "tokens": made.usage.total_tokens,
        "amount": raw.headers["x-mpp-amount"],
    }


def chat_stream():
    text, finish, tokens = "", None, None
    options = {"include_usage": True}
    stream = client.chat.completions.create(model=model, messages=messages, stream=True, stream_options=options)
    for chunk in map(strict, stream):
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
            finish = chunk.choices[0].finish_reason or finish
        tokens = chunk.usage.total_tokens if chunk.usage else tokens
    return {"text": text, "finish": finish, "tokens": tokens}


def function_call():
    tools = [{"type": "function", "function": {"name": "add", "parameters": parameters}}]
    made = strict(client.chat.completions.create(model=model, messages=messages, tools=tools))
    call = made.choices[0].message.tool_calls[0].function
    with client.chat.completions.stream(model=model, messages=messages, tools=tools) as stream:
        streamed = stream.get_final_completion().choices[0].message.tool_calls[0].function
    return {"name": call.name, "arguments": call.arguments, "streamed": streamed.arguments}


def responses():
    made = strict(client.responses.create(model=model, instructions="Be brief.", input="hello"))
    return {"text": made.output_text, "status": made.status, "tokens": made.usage.total_tokens}


def code():
    tools = [{"type": "code_interpreter", "container": {"type": "auto"}}]
    made = strict(client.responses.create(model=model, input="`print(6 * 7)`", tools=tools))
    return {"text": made.output_text, "types": [item.type for item in made.output]}


def search_stream():
    tools = [{"type": "web_search", "filters": {"allowed_domains": ["rust-lang.org"]}}]
    with client.responses.stream(model=model, input="Rust", tools=tools) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        whole = strict(stream.get_final_response())
    return {"same": text == whole.output_text, "url": whole.output[-1].content[0].annotations[0].url}


def responses_stream():
    text, last = "", None
    for event in map(strict, client.responses.create(model=model, input="hello", stream=True)):
        text += event.delta if event.type == "response.output_text.delta" else ""
        last = event
    return {"text": text, "last": last.type, "same": last.response.output_text == text}


def images():
    made = strict(client.images.generate(prompt="a hat", n=2, size="1024x1024", response_format="b64_json"))
    return {"count": len(made.data), "start": base64.b64decode(made.data[0].b64_json)[1:4].decode()}


def edit():
    image = ("hat.png", io.BytesIO(bytes.fromhex("89504e470d0a1a0a")), "image/png")
    return {"count": len(client.images.edit(image=image, prompt="make it red").data)}


def speech():
    made = client.audio.speech.create(model="tts-1", voice="nova", input="hello", response_format="wav")
    return {"start": made.content[:4].decode(), "type": made.response.headers["content-type"]}


for name in names:
    try:
        tell({"step": name, **globals()[name]()})
    except openai.OpenAIError as error:
        told = {key: getattr(error, key, None) for key in ["code", "type", "message"]}
        tell({"step": name, "error": type(error).__name__, "status": getattr(error, "status_code", None), **told})
