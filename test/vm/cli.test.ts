/** The command line behaves as if the command ran here. Needs the build in dist/. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Scratch } from '../support/scratch.ts'
import { eventually, vmProcesses } from './vm.ts'

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

interface Outcome {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

function start(args: string[], env: NodeJS.ProcessEnv = { WARMCELL_ISOLATION: 'emulated' }) {
  const child = spawn(process.execPath, [cli, ...args], { env: { ...process.env, ...env } })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk
  })
  child.stdin.on('error', () => {})
  const ended: Promise<Outcome> = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }))
  return { child, ended, stdout: () => stdout }
}

function warmcell(args: string[], input = '', env?: NodeJS.ProcessEnv): Promise<Outcome> {
  const { child, ended } = start(args, env)
  child.stdin.end(input)
  return ended
}

describe('warmcell run', () => {
  it('streams both outputs, feeds stdin and exits with the command’s code', async () => {
    const outcome = await warmcell(['run', '--', 'sh', '-c', 'cat; echo oops >&2; exit 7'], 'through the pipe\n')
    expect(outcome).toEqual({ code: 7, signal: null, stdout: 'through the pipe\n', stderr: 'oops\n' })
  })

  it('passes options of the command on untouched, and variables in', async () => {
    const outcome = await warmcell(
      ['run', '--env', 'A=1', '-e', 'FROM_HERE', '--', 'sh', '-c', 'echo $A $FROM_HERE "$@"', 'x', '--env', '-q'],
      '',
      {
        WARMCELL_ISOLATION: 'emulated',
        FROM_HERE: 'here',
      },
    )
    expect(outcome).toMatchObject({ code: 0, stdout: '1 here --env -q\n' })
  })

  it('forwards signals: Ctrl-C reaches the command, and nothing is left', async () => {
    const { child, ended, stdout } = start([
      'run',
      '--',
      'sh',
      '-c',
      'trap "echo caught; exit 9" INT; echo ready; while :; do sleep 0.1; done',
    ])
    expect(await eventually(() => stdout().includes('ready'), 60_000)).toBe(true)
    child.kill('SIGINT')
    expect(await ended).toMatchObject({ code: 9, stdout: 'ready\ncaught\n' })
    expect(vmProcesses()).toEqual([])
  })

  it('ends cleanly when interrupted before the command runs', async () => {
    const { child, ended } = start(['run', '--', 'true'])
    expect(await eventually(() => vmProcesses().length > 0, 20_000)).toBe(true)
    child.kill('SIGINT')
    expect(await ended).toMatchObject({ code: 130 })
    expect(vmProcesses()).toEqual([])
  })

  it('ends a command that takes too long with the exit code of timeout(1)', async () => {
    expect(await warmcell(['run', '--timeout', '0.5', '--', 'sh', '-c', 'echo begun; sleep 60'])).toMatchObject({
      code: 124,
      stdout: 'begun\n',
    })
  })

  it('ends a command whose reader has gone away, as a pipe does', async () => {
    const { child, ended } = start(['run', '--', 'yes'])
    child.stdout.once('data', () => child.stdout.destroy())
    expect(await ended).toMatchObject({ code: 141, stderr: '' })
  })

  it('does not mind a reader that goes away when nothing more is printed', async () => {
    const { child, ended } = start(['run', '--', 'sh', '-c', 'echo first; sleep 1; exit 3'])
    child.stdout.once('data', () => child.stdout.destroy())
    expect((await ended).code).toBe(3)
  })

  it('says that its output was lost on a full disk, and does not exit with 0', async () => {
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [cli, 'run', '--', 'echo', 'all of it'], {
      env: { ...process.env, WARMCELL_ISOLATION: 'emulated' },
      stdio: ['ignore', full, 'pipe'],
    })
    closeSync(full)
    let stderr = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk
    })
    const [code] = await once(child, 'close')
    expect([code, stderr]).toEqual([125, expect.stringContaining('ENOSPC')])
  })

  it('says in one line what is wrong, and exits with 125', async () => {
    const missing = await warmcell(['run', '--', 'no-such-program'])
    expect(missing.code).toBe(125)
    expect(missing.stderr).toMatch(/^warmcell: .*no-such-program.*\[SPAWN_FAILED\]\n$/)
    expect(await warmcell(['run', '--timeout', 'soon', '--', 'true'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--timeout'),
    })
    const template = await warmcell(['run', '--file', '/no/spec.json', '--', 'true'])
    expect(template).toMatchObject({ code: 125, stderr: expect.stringContaining('--file /no/spec.json') })
  })

  it('takes what it is made of from a file', async () => {
    using scratch = new Scratch()
    const spec = { resources: { memoryMib: 128 }, setup: ['echo prepared > /srv/note'] }
    const file = scratch.file('spec.json', JSON.stringify(spec))
    expect(await warmcell(['run', '--file', file, '--', 'cat', '/srv/note'])).toMatchObject({ code: 0, stdout: 'prepared\n' })
  })
})

describe('files', () => {
  it('go in before the command and come out after it, also where it failed', async () => {
    using scratch = new Scratch()
    scratch.file('in/name', 'warmcell')
    const outcome = await warmcell([
      'run',
      ...['--upload', `${scratch.join('in')}:work`],
      ...['--download', `work/made:${scratch.join('made')}`, '--download', `work:${scratch.hostPath}/`],
      ...['--', 'sh', '-c', 'cd work && ln -s /etc out && echo "made by $(cat name)" > made && exit 3'],
    ])
    expect(outcome).toMatchObject({ code: 3, stderr: 'left out out: a symbolic link to an absolute path\n' })
    expect(readFileSync(scratch.join('made'), 'utf8')).toBe('made by warmcell\n')
    expect(readdirSync(scratch.join('work')).sort()).toEqual(['made', 'name'])
  })

  it('that are not there make a success a failure', async () => {
    using scratch = new Scratch()
    const outcome = await warmcell(['run', '--download', `/no:${scratch.join('out')}`, '--', 'true'])
    expect(outcome).toMatchObject({ code: 125, stderr: expect.stringContaining('[FILE]') })
    expect(await warmcell(['run', '--upload', 'no-colon', '--', 'true'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--upload'),
    })
    expect(readdirSync(scratch.hostPath)).toEqual([])
  })

  it('of a template come out with cp', async () => {
    using scratch = new Scratch()
    const file = scratch.file('spec.json', JSON.stringify({ setup: ['mkdir /srv/made && echo built > /srv/made/it'] }))
    expect(await warmcell(['cp', '--file', file, 'guest:/srv/made', scratch.join('made')])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: '',
    })
    expect(readFileSync(scratch.join('made/it'), 'utf8')).toBe('built\n')
    expect(await warmcell(['cp', scratch.join('made'), 'guest:/srv'])).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('--upload'),
    })
  })
})

describe('the rest', () => {
  it('warmcell --help and --version', async () => {
    expect(await warmcell(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('doctor') })
    expect((await warmcell(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect((await warmcell(['frobnicate'])).code).not.toBe(0)
  })

  it('warmcell doctor --json is a report', async () => {
    const { code, stdout } = await warmcell(['doctor', '--json'])
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({
      ok: true,
      checks: expect.arrayContaining([expect.objectContaining({ name: 'hypervisor', status: 'pass' })]),
    })
    expect(code).toBe(0)
  })
})
