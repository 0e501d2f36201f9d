// The terminals: an emulator and a tab each, over a socket each.
import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import { socket } from './api.js'
import { $, element, icon, iconButton } from './dom.js'

const dark = matchMedia('(prefers-color-scheme: dark)')
const colors = 'black red green yellow blue magenta cyan white'.split(' ')

export class Terminals {
  /** { id?, title, view, fit, holder, connection } in the order of the tabs. */
  #all = []
  #current

  constructor() {
    $('#new-terminal').append(icon('plus'))
    $('#new-terminal').addEventListener('click', () => this.#start('sh'))
    dark.addEventListener('change', () => {
      for (const { view } of this.#all) view.options.theme = theme()
    })
  }

  /** Those that run in the guest, as they are now; a shell where there is none. */
  async show(running) {
    for (const one of [...this.#all]) this.#drop(one)
    // The font's size must be known before the first screen is measured.
    await document.fonts.load('13px "JetBrains Mono Variable"')
    for (const { id, title } of running) this.#attach(this.#make(title), { id })
    if (running.length === 0) this.#start('sh')
  }

  /** Starts the project, in place of the run before. */
  run() {
    const last = this.#all.find(({ title }) => title === 'run')
    if (last) this.#drop(last)
    this.#start('run', { run: '' })
  }

  fit() {
    this.#current?.fit.fit()
  }

  #start(title, parameters = {}) {
    this.#attach(this.#make(title), parameters)
  }

  #make(title) {
    const view = new Terminal({
      fontFamily: '"JetBrains Mono Variable", monospace',
      fontSize: 13,
      lineHeight: 1.25,
      scrollback: 5_000,
      theme: theme(),
    })
    const fit = new FitAddon()
    const holder = element('div', { class: 'holder' })
    const made = { title, view, fit, holder }
    view.loadAddon(fit)
    $('#terminals').append(holder)
    this.#all.push(made)
    this.#show(made)
    view.open(holder)
    fit.fit()
    view.focus()
    return made
  }

  #attach(one, parameters) {
    const { view } = one
    const connection = socket('/terminal', { cols: view.cols, rows: view.rows, ...parameters })
    const typed = new TextEncoder()
    const send = (message) => connection.readyState === WebSocket.OPEN && connection.send(message)
    one.connection = connection
    view.onData((text) => send(typed.encode(text)))
    view.onBinary((text) => send(Uint8Array.from(text, (character) => character.charCodeAt(0))))
    view.onResize(({ cols, rows }) => send(JSON.stringify({ type: 'resize', cols, rows })))
    connection.addEventListener('message', ({ data }) => {
      if (typeof data !== 'string') return view.write(new Uint8Array(data))
      const event = JSON.parse(data)
      if (event.type === 'attached') one.id = event.id
      if (event.type === 'ended') this.#ended(one, event.exitCode)
    })
    connection.addEventListener('close', ({ code, reason }) => {
      if (code === 1011) view.write(`\r\n\x1b[31m${reason}\x1b[0m\r\n`)
    })
  }

  #ended(one, exitCode) {
    one.over = true
    one.view.options.cursorBlink = false
    one.view.write(`\r\n\x1b[2m── ended${exitCode ? ` with ${exitCode}` : ''} ──\x1b[0m\x1b[?25l`)
    this.#draw()
  }

  #drop(one) {
    one.connection?.close()
    one.view.dispose()
    one.holder.remove()
    this.#all = this.#all.filter((other) => other !== one)
    if (one === this.#current) this.#show(this.#all.at(-1))
    else this.#draw()
  }

  /** What a terminal that is closed sends: its programs end. */
  #close(one) {
    if (!one.over && one.connection.readyState === WebSocket.OPEN) one.connection.send(JSON.stringify({ type: 'hangup' }))
    this.#drop(one)
  }

  #show(one) {
    this.#current = one
    for (const { holder } of this.#all) holder.hidden = holder !== one?.holder
    this.#draw()
    if (one === undefined || one.view.element === undefined) return
    one.fit.fit()
    one.view.focus()
  }

  #draw() {
    $('#terminal-tabs').replaceChildren(
      ...this.#all.map((one) =>
        element(
          'div',
          {
            class: `tab${one === this.#current ? ' current' : ''}${one.over ? ' over' : ''}`,
            role: 'tab',
            'aria-selected': String(one === this.#current),
            onclick: () => this.#show(one),
          },
          icon(one.title === 'run' ? 'run' : 'terminal'),
          element('span', {}, one.title),
          iconButton('close', 'End this terminal', (event) => {
            event.stopPropagation()
            this.#close(one)
          }),
        ),
      ),
    )
  }
}

/** The style sheet's colours as values, which is what the emulator takes. */
function theme() {
  const probe = element('i')
  document.body.append(probe)
  const value = (name) => {
    probe.style.color = `var(--${name})`
    return getComputedStyle(probe).color
  }
  const bright = (name) => `bright${name[0].toUpperCase()}${name.slice(1)}`
  const ansi = colors.flatMap((name) => [name, bright(name)].map((one) => [one, value(`ansi-${name}`)]))
  const found = {
    background: value('surface'),
    foreground: value('text'),
    cursor: value('accent'),
    cursorAccent: value('surface'),
    selectionBackground: value('selection'),
    ...Object.fromEntries(ansi),
    brightBlack: value('muted'),
  }
  probe.remove()
  return found
}
