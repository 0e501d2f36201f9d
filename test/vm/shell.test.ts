/** `warmcell shell` at a terminal, which script(1) makes. Needs the build in dist/. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { eventually, vmProcesses } from './vm.ts'

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

/** What a user types at a shell prompt, at a terminal of 30 rows and 100 columns; afterwards the terminal's own settings are shown. */
function atTerminal(line: string): { child: ChildProcess; shown: () => string; ended: Promise<void> } {
  const command = `stty rows 30 cols 100; before=$(stty -g); ${line}; echo "code $?"; [ "$before" = "$(stty -g)" ] && echo 'as before'`
  const env = { ...process.env, WARMCELL_ISOLATION: 'emulated', SHELL: '/bin/sh', CLI: cli, NODE: process.execPath }
  const child = spawn('script', ['-qec', command, '/dev/null'], { env })
  let shown = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    shown += chunk
  })
  child.stdin?.on('error', () => {})
  return { child, shown: () => shown, ended: once(child, 'close').then(() => {}) }
}

it('is a shell in a microVM of the size of this terminal, and exits with its code', async () => {
  const { child, shown, ended } = atTerminal('"$NODE" "$CLI" shell --quiet --env WORD=here --user root')
  expect(await eventually(() => shown().includes('# '), 60_000)).toBe(true)
  child.stdin?.write('stty size; echo $WORD; hostname\r')
  expect(await eventually(() => /30 100\s+here\s+wc-/.test(shown()), 20_000)).toBe(true)
  // Its echo alone would not say that it runs.
  child.stdin?.write('echo be"gun"; sleep 600\r')
  expect(await eventually(() => shown().includes('begun'), 20_000)).toBe(true)
  child.stdin?.write('\x03')
  child.stdin?.write('exit 5\r')
  expect(await eventually(() => shown().includes('as before'), 60_000)).toBe(true)
  expect(shown()).toContain('code 5')
  child.stdin?.end()
  await ended
  expect(vmProcesses()).toEqual([])
})

it('leaves the terminal as it was when it is ended by a signal, out of a program that fills the screen', async () => {
  const { child, shown, ended } = atTerminal('echo $$ is the parent; "$NODE" "$CLI" shell -q -- vi /etc/passwd')
  expect(await eventually(() => shown().includes('root:'), 60_000)).toBe(true)
  const parent = /(\d+) is the parent/.exec(shown())?.[1]
  const [shell] = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').split(' ').map(Number)
  process.kill(shell as number, 'SIGTERM')
  expect(await eventually(() => shown().includes('as before'), 60_000)).toBe(true)
  expect(shown()).toMatch(/\[\?1049l[\s\S]*code 143/)
  child.stdin?.end()
  await ended
  expect(vmProcesses()).toEqual([])
})

it('runs another program when asked to', async () => {
  const { child, shown, ended } = atTerminal('"$NODE" "$CLI" shell -q -- sh -c \'tty; exit 3\'')
  expect(await eventually(() => shown().includes('as before'), 60_000)).toBe(true)
  expect(shown()).toMatch(/\/dev\/pts\/\d+[\s\S]*code 3/)
  child.stdin?.end()
  await ended
})

it('says what it needs where there is no terminal', async () => {
  const child = spawn(process.execPath, [cli, 'shell'], { env: { ...process.env, WARMCELL_ISOLATION: 'emulated' } })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk
  })
  expect(await once(child, 'close')).toEqual([125, null])
  expect(said).toMatch(/needs a terminal.*warmcell run.*\[INVALID_ARGUMENT\]/)
})
