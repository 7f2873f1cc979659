// Runs a Tempo node on a free loopback port; prints {"port":N} once it listens.
// Options: chainId.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { endWithParent, options, tell } from './lifeline.mjs'

const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch]
const pkg = `@foundry-rs/anvil-${process.platform}-${arch}`
const binary = () => {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${pkg}/package.json`)), 'bin', 'anvil')
  } catch {
    console.error(`no Tempo node for this platform: package-lock.json does not hold ${pkg}`)
    process.exit(1)
  }
}

// T4 is the first hardfork with expiring nonces. Blocks come every second although transactions are mined at once,
// because servers simulate at the latest block's time.
const node = spawn(
  binary(),
  ['--network', 'tempo', '--hardfork', 'T4', '--block-time', '1', '--mixed-mining', '--port', '0', '--chain-id', options.chainId],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
node.on('exit', (code) => process.exit(code ?? 1))
endWithParent(() => node.kill('SIGKILL'))

createInterface({ input: node.stdout }).on('line', (line) => {
  const port = /^Listening on 127\.0\.0\.1:(\d+)$/.exec(line)?.[1]
  if (port) tell({ port: Number(port) })
})
