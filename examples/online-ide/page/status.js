// The bar at the bottom: which microVM this is, how it came, and what it uses.
import { $, element } from './dom.js'

const mib = (bytes) => (bytes / 1024 / 1024).toFixed(bytes < 10 * 1024 * 1024 ? 1 : 0)

export class Status {
  #dot = element('span', { class: 'dot' })
  #state = element('span', {}, 'starting')
  #facts = element('span', { class: 'facts' })
  #usage = element('span', { class: 'usage' })
  #last

  constructor() {
    $('#status').append(element('span', { class: 'state' }, this.#dot, this.#state), this.#facts, this.#usage)
  }

  show({ id, origin, createMs, isolation }) {
    this.#last = undefined
    this.#set('running', 'running')
    this.#facts.replaceChildren(
      element('span', { title: 'The sandbox', id: 'sandbox-id' }, id),
      element(
        'span',
        { class: `chip ${origin}`, title: 'Where the microVM came from, and how long it took' },
        `${origin} · ${createMs.toFixed(createMs < 10 ? 1 : 0)} ms`,
      ),
      element(
        'span',
        {
          class: `chip ${isolation}`,
          title: isolation === 'emulated' ? 'No security boundary: for development' : 'A virtual machine of the processor',
        },
        isolation,
      ),
    )
  }

  usage(usage) {
    const cpu = this.#last && (100 * (usage.cpuMs - this.#last.cpuMs)) / (usage.uptimeMs - this.#last.uptimeMs)
    this.#last = usage
    this.#usage.replaceChildren(
      meter('cpu', cpu / 100, cpu === undefined ? '–' : `${Math.max(0, cpu).toFixed(0)} %`),
      meter(
        'memory',
        usage.memoryBytes / usage.memoryLimitBytes,
        `${mib(usage.memoryBytes)} / ${mib(usage.memoryLimitBytes)} MiB`,
      ),
      meter('disk', usage.diskBytes / usage.diskLimitBytes, `${mib(usage.diskBytes)} / ${mib(usage.diskLimitBytes)} MiB`),
      element('span', {}, element('span', { class: 'muted' }, 'tasks '), String(usage.processes)),
    )
  }

  ended(reason) {
    this.#set('ended', `ended: ${reason}`)
  }

  #set(kind, text) {
    this.#dot.className = `dot ${kind}`
    this.#state.textContent = text
  }
}

function meter(name, share, text) {
  const full = Math.min(Math.max(share || 0, 0), 1)
  const bar = element(
    'span',
    { class: full > 0.85 ? 'meter high' : 'meter' },
    element('i', { style: `width: ${(full * 100).toFixed(1)}%` }),
  )
  return element('span', { class: 'gauge', 'data-gauge': name }, element('span', { class: 'muted' }, name), bar, text)
}
