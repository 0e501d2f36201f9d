// What the project serves on a port, in a frame of another origin.
import { waitForPort } from './api.js'
import { $, element, icon } from './dom.js'

export class Preview {
  /** Where a port is shown: an address with `{port}` in it. */
  template = ''
  #waiting
  #shown = false

  constructor() {
    $('#preview-reload').append(icon('reload'))
    $('#preview-open').append(icon('open'))
    $('#preview-form').addEventListener('submit', (event) => {
      event.preventDefault()
      this.show()
    })
    this.#say('Press Run, or serve something on the port.')
  }

  get #url() {
    const path = $('#preview-path').value
    return this.template.replace('{port}', Number($('#preview-port').value)) + (path.startsWith('/') ? path : `/${path}`)
  }

  /** Waits until something listens on the port, then shows it. */
  async show() {
    this.#waiting?.abort()
    this.#waiting = new AbortController()
    const { signal } = this.#waiting
    const port = Number($('#preview-port').value)
    this.#say(`Waiting for port ${port} …`, true)
    try {
      await waitForPort(port, signal)
    } catch (error) {
      if (!signal.aborted) this.#say(error.code === 'TIMEOUT' ? `Nothing listens on port ${port}.` : error.message)
      return
    }
    if (signal.aborted) return
    this.#shown = true
    $('#preview-open').href = this.#url
    // Its scripts run, as on any site of another origin; it cannot lead this page elsewhere.
    const sandbox = 'allow-scripts allow-same-origin allow-forms allow-modals allow-popups allow-downloads'
    $('#preview').replaceChildren(element('iframe', { src: this.#url, sandbox, title: 'Preview' }))
  }

  /** A file has been saved. */
  refresh() {
    const frame = $('#preview iframe')
    if (this.#shown && frame) frame.src = this.#url
  }

  #say(text, busy = false) {
    this.#shown = false
    $('#preview').replaceChildren(element('div', { class: 'empty' }, busy ? element('div', { class: 'spinner' }) : '', text))
  }
}
