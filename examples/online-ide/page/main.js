// The page: takes the workspace, gives it to the panes, and tells when it is gone.
import '@fontsource-variable/inter'
import '@fontsource-variable/jetbrains-mono'
import '@xterm/xterm/css/xterm.css'
import './style.css'
import * as api from './api.js'
import { $, confirm, curtain, icon, toast } from './dom.js'
import { Editor } from './editor.js'
import { resizablePanes } from './panes.js'
import { Preview } from './preview.js'
import { Status } from './status.js'
import { Terminals } from './terminals.js'
import { Tree } from './tree.js'

const retryMs = 1_500
/** The sandbox that the panes show. */
let shown

const editor = new Editor({ onSaved: () => preview.refresh(), onFocus: (path) => tree.select(path) })
const tree = new Tree({
  onOpen: (path) => editor.open(path),
  onRenamed: (from, to) => editor.renamed(from, to),
  onRemoved: (path) => editor.closeBelow(path),
})
const terminals = new Terminals()
const preview = new Preview()
const status = new Status()

resizablePanes(() => terminals.fit())
for (const [id, name] of Object.entries({ run: 'run', download: 'download', discard: 'restart' })) $(`#${id}`).prepend(icon(name))
$('#run').addEventListener('click', run)
$('#discard').addEventListener('click', discard)
window.addEventListener('keydown', (event) => {
  if (!(event.ctrlKey || event.metaKey)) return
  const action = { s: () => editor.save(), Enter: run }[event.key]
  if (action === undefined) return
  event.preventDefault()
  action()
})
window.addEventListener('beforeunload', (event) => {
  if (editor.hasUnsaved) event.preventDefault()
})

await begin()

/** Takes the workspace, the one from before if it lives, and shows it. */
async function begin() {
  curtain('Taking a microVM …')
  let workspace
  try {
    workspace = await api.openWorkspace()
  } catch (error) {
    // No status: the server is not there. Then it may come back; else it has said why.
    if (error.status === undefined) return again('The server does not answer. Trying again …')
    return curtain(error.message, 'Try again', begin)
  }
  // What is open here is of a microVM that has ended meanwhile.
  if (shown !== undefined && shown !== workspace.sandbox.id) return location.reload()
  shown = workspace.sandbox.id
  listen()
  status.show(workspace.sandbox)
  preview.template = workspace.preview
  await tree.refresh()
  if (editor.isEmpty) await editor.open('public/index.html').catch(() => {})
  curtain()
  await terminals.show(workspace.terminals)
  if (workspace.terminals.some(({ title }) => title === 'run')) preview.show()
}

function again(text) {
  curtain(text)
  setTimeout(begin, retryMs)
}

/** What the server tells without being asked. */
function listen() {
  const events = api.socket('/events')
  let ended = false
  events.addEventListener('message', ({ data }) => {
    const event = JSON.parse(data)
    if (event.type === 'usage') status.usage(event.usage)
    if (event.type === 'file') {
      tree.changed(event)
      editor.changed(event)
    }
    if (event.type === 'ended') {
      ended = true
      status.ended(event.reason)
      const why = {
        idle: 'Nothing happened in it for a while.',
        crash: 'It has crashed.',
        'pool-closed': 'The server was shut down.',
      }
      curtain(`Your microVM has ended. ${why[event.reason] ?? ''}`, 'Take a new one', () => location.reload())
    }
  })
  events.addEventListener('close', () => {
    if (!ended) again('The connection was lost. Trying again …')
  })
}

async function run() {
  await editor.saveAll()
  await terminals.run()
  preview.show()
}

async function discard() {
  if (!(await confirm('End this microVM? Its files are lost.', 'End it'))) return
  await api.endWorkspace().catch((error) => toast(error.message))
}
