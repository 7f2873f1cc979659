// What every script here shares with the test that starts it: its options come as one JSON argument, its answer goes out
// as one JSON line, and it ends when its standard input closes, which happens however the test ends.
export const options = JSON.parse(process.argv[2] ?? '{}')

export const tell = (answer, then) => process.stdout.write(`${JSON.stringify(answer)}\n`, then)

export const endWithParent = (end = () => process.exit()) => process.stdin.on('end', end).on('error', end).resume()
