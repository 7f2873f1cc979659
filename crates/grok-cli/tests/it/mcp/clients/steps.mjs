// What the two JavaScript clients share: the server and the steps come as one JSON argument, and what every step came to goes
// out as one JSON line.
export const { server, steps } = JSON.parse(process.argv[2])

export const walk = async (client, call) => {
  const { tools } = await client.listTools()
  const ended = []
  for (const step of steps) {
    const stop = new AbortController()
    const progress = []
    const onprogress = told => {
      progress.push(told)
      if (step.cancel_at && told.message.startsWith(step.cancel_at)) stop.abort('seen enough')
    }
    const options = { onprogress, signal: stop.signal, timeout: 60000, resetTimeoutOnProgress: true }
    const ending = await call({ name: step.tool, arguments: step.arguments }, options).then(
      result => ({ result }), error => ({ error: String(error) }))
    ended.push({ ...ending, progress })
  }
  await client.close()
  process.stdout.write(`${JSON.stringify({ server: client.getServerVersion(), tools, ended })}\n`)
}

export const headers = server.token ? { Authorization: `Bearer ${server.token}` } : {}
