/** The online IDE as its users have it: a browser, two tenants at once, real microVMs. Needs the build in dist/, and Chromium. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually, vmProcesses } from './vm.ts'

const patient = { timeout: 90_000, interval: 200 }
let server: ChildProcess
let origin: string
let browser: Browser
let alice: Page
let bob: Page

beforeAll(async () => {
  const program = fileURLToPath(new URL('../../examples/online-ide/server.mjs', import.meta.url))
  server = spawn(process.execPath, [program], {
    env: { ...process.env, WARMCELL_ISOLATION: 'emulated', PORT: '0', PREVIEW_PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [[line], started] = await Promise.all([
    once(server.stdout as NodeJS.ReadableStream, 'data') as Promise<[Buffer]>,
    chromium.launch({
      executablePath: process.env.WARMCELL_CHROMIUM || '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    }),
  ])
  origin = /http:\S+/.exec(line.toString())?.[0] ?? ''
  browser = started
  ;[alice, bob] = await Promise.all([visitor(), visitor()])
})

afterAll(async () => {
  await browser?.close()
  server?.kill('SIGKILL')
})

/** Somebody in a browser of their own, in front of their workspace. */
async function visitor(): Promise<Page> {
  const page = await (await browser.newContext()).newPage()
  page.setDefaultTimeout(patient.timeout)
  await page.goto(origin)
  await ready(page)
  return page
}

async function ready(page: Page): Promise<void> {
  await page.locator('#curtain').waitFor({ state: 'hidden' })
  await page.locator('.xterm-rows', { hasText: '$' }).first().waitFor()
}

/** What the terminal in front shows. */
const screen = (page: Page) => lines(page, '#terminals .holder:not([hidden]) .xterm-rows > div')

/** What the editor shows. */
const source = (page: Page) => lines(page, '.cm-line')

async function lines(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).allTextContents()).join('\n').replaceAll('\u00a0', ' ')
}

async function type(page: Page, text: string): Promise<void> {
  await page.locator('#terminals .holder:not([hidden]) .xterm-screen').click()
  await page.keyboard.type(`${text}\n`)
}

const row = (page: Page, path: string) => page.locator(`#tree [data-path="${path}"]`)
const sandboxOf = (page: Page) => page.locator('#sandbox-id').textContent()

it('gives each tenant a microVM of their own', async () => {
  expect(await sandboxOf(alice)).not.toBe(await sandboxOf(bob))
  expect(await alice.locator('#status').textContent()).toContain('emulated')
  await expect.poll(() => alice.locator('[data-gauge=memory]').textContent(), patient).toMatch(/MiB/)
})

it('saves what is edited where the terminal finds it', async () => {
  await alice.locator('.cm-line').first().click()
  await alice.keyboard.press('Control+Home')
  await alice.keyboard.insertText('<!-- edited by alice -->\n')
  expect(await alice.locator('#editor-tabs .dirty').count()).toBe(1)
  await alice.keyboard.press('Control+s')
  await expect.poll(() => alice.locator('#editor-tabs .dirty').count(), patient).toBe(0)
  await type(alice, 'head -n 1 public/index.html')
  await expect.poll(() => screen(alice), patient).toContain('\n<!-- edited by alice -->')
})

it('shows in the tree what the terminal does, and does in the guest what the tree is told', async () => {
  await type(alice, 'mkdir notes; echo secret > notes/plan.txt; echo by the terminal > made.txt')
  await row(alice, 'made.txt').waitFor()
  await row(alice, 'notes').click()
  await row(alice, 'notes/plan.txt').waitFor()

  await alice.locator('#new-file').click()
  await alice.locator('.naming').fill('todo.txt')
  await alice.locator('.naming').press('Enter')
  await row(alice, 'notes/todo.txt').waitFor()
  await alice.locator('#tree').focus()
  await alice.keyboard.press('F2')
  await alice.locator('.naming').fill('done.txt')
  await alice.locator('.naming').press('Enter')
  await row(alice, 'notes/done.txt').waitFor()
  await row(alice, 'made.txt').hover()
  await alice.getByRole('button', { name: 'Delete made.txt' }).click()
  await alice.locator('dialog [value=yes]').click()
  await row(alice, 'made.txt').waitFor({ state: 'detached' })
  await type(alice, 'clear; ls made.txt; ls notes | tr "\\n" ,')
  await expect.poll(() => screen(alice), patient).toMatch(/made\.txt: No such file(.|\n)*done\.txt,plan\.txt,/)
})

it('follows in the editor what a program writes', async () => {
  await row(alice, 'README.md').click()
  await expect.poll(() => source(alice), patient).toContain('microVM of your own')
  await type(alice, 'echo "# Written by a program" > README.md')
  await expect.poll(() => source(alice), patient).toBe('# Written by a program\n')
})

it('runs the projects of both at once, each in a preview of its own', async () => {
  await Promise.all([alice.locator('#run').click(), bob.locator('#run').click()])
  for (const page of [alice, bob]) {
    const preview = page.frameLocator('#preview iframe')
    await preview.getByRole('heading', { name: 'Hello from a microVM' }).waitFor()
    // The machine's name comes from a program in the guest.
    await expect.poll(() => preview.locator('dd').first().textContent(), patient).toBe(await sandboxOf(page))
    expect(new URL((await page.locator('#preview iframe').getAttribute('src')) ?? '').origin).not.toBe(origin)
  }
  await row(bob, 'public/index.html').click()
  await bob.locator('.cm-line').first().click()
  await bob.keyboard.press('Control+a')
  await bob.keyboard.insertText('<h1>The page of bob</h1>')
  await bob.keyboard.press('Control+s')
  await bob.frameLocator('#preview iframe').getByRole('heading', { name: 'The page of bob' }).waitFor()
})

it('keeps tenants apart', async () => {
  await row(bob, 'run.sh').waitFor()
  expect(await row(bob, 'notes').count()).toBe(0)
  const statusOf = (path: string) => bob.evaluate(async (asked) => (await fetch(asked)).status, path)
  expect(await statusOf('/api/files/content?path=notes/plan.txt')).toBe(404)
  expect(await statusOf('/api/files/content?path=run.sh')).toBe(200)
  await bob.locator('#terminal-tabs .tab', { hasText: 'sh' }).click()
  await type(bob, 'clear; find / -name plan.txt; find . -name run.sh')
  await expect.poll(() => screen(bob), patient).toContain('./run.sh')
  expect(await screen(bob)).not.toContain('/plan.txt')
})

it('lets nothing but its own page reach it', async () => {
  const cookies = await alice.context().cookies(origin)
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  const host = new URL(origin).host
  const sockets = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  }
  expect(await ask('/api/files', { cookie })).toBe(200)
  expect(await ask('/api/files', { cookie, host: 'evil.example' })).toBe(421)
  expect(await ask('/api/files', { cookie, origin: 'http://evil.example' })).toBe(403)
  expect(await ask('/api/files', {})).toBe(410)
  expect(await ask('/api/files?path=run.sh', { cookie }, 'DELETE')).toBe(403)
  expect(await ask('/api/files/content?path=x', { cookie, origin, 'content-length': String(2 ** 30) }, 'PUT')).toBe(413)
  expect(await ask('/api/events', { cookie, host, origin: 'http://evil.example', ...sockets })).toBe(403)
  expect(await ask('/api/events', { host, origin, ...sockets })).toBe(403)
  // The preview is such another page.
  const inside = alice.frames().find((frame) => frame.url().includes('-8000.'))
  expect(
    await inside?.evaluate(
      (url) =>
        fetch(`${url}/api/files`).then(
          ({ status }) => status,
          () => 'refused',
        ),
      origin,
    ),
  ).toBe('refused')
})

it('carries what speaks another protocol to the port', async () => {
  await type(
    bob,
    'printf "HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: talk\\r\\n\\r\\nhello" > answer',
  )
  await type(bob, 'clear; (cat answer; sleep 60) | nc -l -p 9000')
  const preview = new URL((await bob.locator('#preview iframe').getAttribute('src')) ?? '')
  await bob.evaluate((asked) => fetch(asked, { method: 'POST' }), '/api/workspace/ports/9000')
  const { port, hostname } = preview
  const headers = { host: `${hostname.replace('-8000', '-9000')}:${port}`, connection: 'Upgrade', upgrade: 'talk' }
  const asked = request({ host: '127.0.0.1', port, headers })
  asked.end()
  const [, socket] = (await once(asked, 'upgrade')) as [unknown, Duplex]
  socket.write('from the browser\n')
  await expect.poll(() => screen(bob), patient).toContain('from the browser')
  socket.destroy()
})

/** The status of an answer, to a request such as no browser would send. */
async function ask(path: string, headers: Record<string, string>, method = 'GET'): Promise<number | undefined> {
  const { hostname, port } = new URL(origin)
  const asked = request({ host: hostname, port, path, method, headers: { host: `${hostname}:${port}`, ...headers } })
  asked.end()
  const [answer] = (await once(asked, 'response')) as [{ statusCode?: number }]
  asked.destroy()
  return answer.statusCode
}

it('shows the terminals and the preview again after a reload', async () => {
  const before = await sandboxOf(alice)
  await alice.locator('#new-terminal').click()
  await alice.locator('#terminals .holder:not([hidden]) .xterm-rows', { hasText: '$' }).waitFor()
  await alice.locator('#terminal-tabs .current').getByRole('button').click()
  await alice.locator('#terminal-tabs .tab', { hasText: 'sh' }).click()
  await type(alice, 'clear; echo still $((40 + 2))')
  await expect.poll(() => screen(alice), patient).toContain('still 42')
  await alice.reload()
  await alice.locator('#curtain').waitFor({ state: 'hidden' })
  expect(await sandboxOf(alice)).toBe(before)
  expect(await alice.locator('#terminal-tabs .tab').count()).toBe(2)
  await alice.locator('#terminal-tabs .tab', { hasText: 'sh' }).click()
  await expect.poll(() => screen(alice), patient).toContain('still 42')
  await alice.frameLocator('#preview iframe').getByRole('heading', { name: 'Hello from a microVM' }).waitFor()
})

it('gives the project to take home', async () => {
  const [download] = await Promise.all([alice.waitForEvent('download'), alice.locator('#download').click()])
  expect(download.suggestedFilename()).toBe('project.tar.gz')
  expect(await download.failure()).toBeNull()
})

it('takes a new microVM when somebody starts over', async () => {
  const before = await sandboxOf(bob)
  await bob.locator('#discard').click()
  await bob.locator('dialog [value=yes]').click()
  await bob.getByRole('button', { name: 'Take a new one' }).click()
  await bob.locator('#sandbox-id', { hasNotText: before ?? '' }).waitFor()
  await ready(bob)
  expect(await sandboxOf(bob)).not.toBe(before)
  expect(await source(bob)).toContain('Hello from a microVM')
})

it('says so when a microVM has ended by itself, and gives another', async () => {
  const before = (await sandboxOf(bob)) ?? ''
  for (const pid of vmProcesses(before)) process.kill(pid, 'SIGKILL')
  await bob.locator('#curtain', { hasText: 'It has crashed.' }).waitFor()
  await bob.getByRole('button', { name: 'Take a new one' }).click()
  await bob.locator('#sandbox-id', { hasNotText: before }).waitFor()
  await ready(bob)
})

it('leaves no microVM when it is ended', async () => {
  expect(vmProcesses().length).toBeGreaterThanOrEqual(2)
  const exited = once(server, 'exit')
  server.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
  expect(await eventually(() => vmProcesses().length === 0, 10_000)).toBe(true)
})
