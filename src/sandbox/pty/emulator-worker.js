/**
 * A thread that is one terminal: it is given what a program has printed, answers with what draws the same screen, and ends. In plain JavaScript, for a
 * thread is started from a file, and Node 20 reads no TypeScript.
 */

import { parentPort, workerData } from 'node:worker_threads'
// Both are CommonJS: their names are on the default export.
import serialize from '@xterm/addon-serialize'
import headless from '@xterm/headless'

/** Everything off: whatever the reader's terminal showed before is gone. */
const reset = '\x1bc'

const enterAlternate = '\x1b[?1049h'

/** Private modes that the serializer leaves out: whether the cursor shows, and how the mouse's place is told. */
const leftOut = [25, 1005, 1006, 1015, 1016]

/** Longer titles are cut. */
const titleCharsMax = 256

const { output, cols, rows } = workerData
const terminal = new headless.Terminal({ cols, rows, scrollback: 0, allowProposedApi: true, logLevel: 'off' })
const serializer = new serialize.SerializeAddon()
terminal.loadAddon(serializer)
const extras = watch()
terminal.write(output, () => parentPort.postMessage(new TextEncoder().encode(drawing())))

function drawing() {
  const normal = serializer.serialize({ excludeAltBuffer: true, excludeModes: true })
  const screens = serializer.serialize({ excludeModes: true })
  const modes = serializer.serialize().slice(screens.length)
  // The alternate screen's text begins in plain colours, whatever the normal screen's ended in.
  const alternate = screens.slice(normal.length).replace(enterAlternate, `${enterAlternate}\x1b[m`)
  return `${reset}${normal}${alternate}${modes}${extras()}`
}

/** Listens for what the serializer does not see. Returns what draws it, once all has been written. */
function watch() {
  const modes = new Map()
  let [title, margins, cursorStyle] = ['', '', '']
  const toggles = (on) => (params) => {
    for (const mode of params) modes.set(mode, on)
    return false
  }
  const forget = () => {
    modes.clear()
    margins = ''
    cursorStyle = ''
    return false
  }
  const { parser } = terminal
  parser.registerCsiHandler({ prefix: '?', final: 'h' }, toggles(true))
  parser.registerCsiHandler({ prefix: '?', final: 'l' }, toggles(false))
  parser.registerCsiHandler({ final: 'r' }, ([top, bottom]) => {
    const [first, last] = [top || 1, Math.min(bottom || rows, rows)]
    if (first < last) margins = first === 1 && last === rows ? '' : `\x1b[${first};${last}r`
    return false
  })
  parser.registerCsiHandler({ intermediates: ' ', final: 'q' }, ([style]) => {
    cursorStyle = style ? `\x1b[${style} q` : ''
    return false
  })
  parser.registerEscHandler({ final: 'c' }, forget)
  parser.registerCsiHandler({ intermediates: '!', final: 'p' }, forget)
  terminal.onTitleChange((text) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they would end the sequence
    title = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '').slice(0, titleCharsMax)
  })
  return () => {
    const more = leftOut.filter((mode) => modes.has(mode)).map((mode) => `\x1b[?${mode}${modes.get(mode) ? 'h' : 'l'}`)
    const named = title && `\x1b]2;${title}\x07`
    return `${named}${cursorStyle}${more.join('')}${margins && `${margins}${cursorPosition(margins)}`}`
  }
}

/** Setting margins moves the cursor: it is put back. */
function cursorPosition(margins) {
  const { buffer, modes } = terminal
  const top = modes.originMode ? Number(/\d+/.exec(margins)[0]) - 1 : 0
  return `\x1b[${buffer.active.cursorY - top + 1};${buffer.active.cursorX + 1}H`
}
