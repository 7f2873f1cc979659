// The official client for Node: takes the base URL, a timeout in milliseconds and names of steps; prints a line for every
// request that it sends, and one for what every step came to.
import OpenAI from 'openai'

const [url, timeout, ...names] = process.argv.slice(2)
const tell = (line) => console.log(JSON.stringify(line))
const model = 'grok-4.3'
const messages = [{ role: 'user', content: 'say `add({"a":6})`' }]
const parameters = { type: 'object', properties: { a: { type: 'integer' } } }

const client = new OpenAI({
  baseURL: url,
  apiKey: 'none',
  timeout: Number(timeout),
  fetch: (where, init) => {
    tell({ sent: new URL(where).pathname, retry: new Headers(init.headers).get('x-stainless-retry-count') })
    return fetch(where, init)
  },
})

const steps = {
  async models() {
    const ids = []
    for await (const { id } of client.models.list()) ids.push(id)
    return { ids, one: (await client.models.retrieve(ids[0])).id }
  },
  async chat() {
    const { data, response } = await client.chat.completions.create({ model, messages }).withResponse()
    const [{ message, finish_reason }] = data.choices
    return {
      text: message.content,
      finish: finish_reason,
      tokens: data.usage.total_tokens,
      amount: response.headers.get('x-mpp-amount'),
    }
  },
  async chat_stream() {
    let [text, finish, tokens] = ['', null, null]
    const options = { model, messages, stream: true, stream_options: { include_usage: true } }
    for await (const chunk of await client.chat.completions.create(options)) {
      text += chunk.choices[0]?.delta.content ?? ''
      finish = chunk.choices[0]?.finish_reason ?? finish
      tokens = chunk.usage?.total_tokens ?? tokens
    }
    return { text, finish, tokens }
  },
  async function_call() {
    const tools = [{ type: 'function', function: { name: 'add', parameters } }]
    const { choices } = await client.chat.completions.create({ model, messages, tools })
    const stream = client.chat.completions.stream({ model, messages, tools })
    const [call, streamed] = [choices[0], (await stream.finalChatCompletion()).choices[0]].map(
      ({ message }) => message.tool_calls[0].function,
    )
    return { name: call.name, arguments: call.arguments, streamed: streamed.arguments }
  },
  async responses() {
    const made = await client.responses.create({ model, instructions: 'Be brief.', input: 'hello' })
    return { text: made.output_text, status: made.status, tokens: made.usage.total_tokens }
  },
  async code() {
    const tools = [{ type: 'code_interpreter', container: { type: 'auto' } }]
    const made = await client.responses.create({ model, input: '`print(6 * 7)`', tools })
    return { text: made.output_text, types: made.output.map(({ type }) => type) }
  },
  async search_stream() {
    const tools = [{ type: 'web_search', filters: { allowed_domains: ['rust-lang.org'] } }]
    const stream = client.responses.stream({ model, input: 'Rust', tools })
    let text = ''
    for await (const event of stream) if (event.type === 'response.output_text.delta') text += event.delta
    const whole = await stream.finalResponse()
    const [{ url }] = whole.output.at(-1).content[0].annotations
    return { same: text === whole.output_text, url }
  },
  async responses_stream() {
    let [text, last] = ['', null]
    for await (const event of await client.responses.create({ model, input: 'hello', stream: true })) {
      if (event.type === 'response.output_text.delta') text += event.delta
      last = event
    }
    return { text, last: last.type, same: last.response.output[0].content[0].text === text }
  },
  async images() {
    const made = await client.images.generate({ prompt: 'a hat', n: 2, size: '1024x1024', response_format: 'b64_json' })
    return { count: made.data.length, start: Buffer.from(made.data[0].b64_json, 'base64').toString('latin1', 1, 4) }
  },
  async edit() {
    const image = await OpenAI.toFile(Buffer.from('89504e470d0a1a0a', 'hex'), 'hat.png', { type: 'image/png' })
    const made = await client.images.edit({ image, prompt: 'make it red' })
    return { count: made.data.length }
  },
  async speech() {
    const made = await client.audio.speech.create({ model: 'tts-1', voice: 'nova', input: 'hello', response_format: 'wav' })
    return { start: Buffer.from(await made.arrayBuffer()).toString('latin1', 0, 4), type: made.headers.get('content-type') }
  },
}

for (const name of names) {
  try {
    tell({ step: name, ...(await steps[name]()) })
  } catch (error) {
    const { status, code, type, message } = error
    tell({ step: name, error: error.constructor.name, status, code, type, message })
  }
}
