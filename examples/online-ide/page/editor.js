// The open files: one editor, one state per file, a tab each.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, syntaxHighlighting } from '@codemirror/language'
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search'
import { EditorState } from '@codemirror/state'
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from '@codemirror/view'
import * as api from './api.js'
import { $, confirm, element, icon, iconButton, toast } from './dom.js'
import { highlighting, languageOf } from './languages.js'

export class Editor {
  #on
  /** By path, in the order of the tabs: { state, saved }, where `saved` is the text as the guest has it. */
  #files = new Map()
  #current
  #view
  #tabs = $('#editor-tabs')

  constructor(on) {
    this.#on = on
    this.#view = new EditorView({
      parent: $('#editor'),
      dispatchTransactions: (transactions, view) => {
        view.update(transactions)
        const file = this.#files.get(this.#current)
        if (file) file.state = view.state
        if (transactions.some(({ docChanged }) => docChanged)) this.#draw()
      },
    })
    this.#draw()
  }

  get isEmpty() {
    return this.#files.size === 0
  }

  get hasUnsaved() {
    return [...this.#files.keys()].some((path) => this.#isDirty(path))
  }

  async open(path) {
    if (!this.#files.has(path)) {
      const text = decode(await api.read(path))
      if (text === undefined) return toast(`${path} is not text.`)
      this.#files.set(path, { state: this.#stateOf(path, text), saved: text })
    }
    this.#show(path)
    this.#view.focus()
  }

  async save(path = this.#current) {
    const file = this.#files.get(path)
    if (file === undefined) return
    const text = file.state.doc.toString()
    try {
      await api.write(path, text)
      file.saved = text
      file.changedOutside = false
      this.#draw()
      this.#on.onSaved(path)
    } catch (error) {
      toast(`Not saved: ${error.message}`)
    }
  }

  async saveAll() {
    for (const path of this.#files.keys()) if (this.#isDirty(path)) await this.save(path)
  }

  /** Changed in the guest, by whomever. What is not being edited follows; what is, is marked. */
  async changed({ change, path, from }) {
    if (from !== undefined) this.renamed(from, path)
    const file = this.#files.get(path)
    if (file === undefined || change === 'remove') return
    const text = await api.read(path).then(decode, () => undefined)
    if (text === undefined || text === file.saved) return
    file.changedOutside = this.#isDirty(path)
    if (!file.changedOutside) {
      file.saved = text
      file.state = file.state.update({ changes: { from: 0, to: file.state.doc.length, insert: text } }).state
      if (path === this.#current) this.#view.setState(file.state)
    }
    this.#draw()
  }

  renamed(from, to) {
    const moved = (path) => (path === from ? to : path.startsWith(`${from}/`) ? to + path.slice(from.length) : path)
    this.#files = new Map([...this.#files].map(([path, file]) => [moved(path), file]))
    this.#current = this.#current && moved(this.#current)
    this.#draw()
  }

  /** The file, or all files of the directory, have been deleted. */
  closeBelow(path) {
    for (const one of [...this.#files.keys()]) if (one === path || one.startsWith(`${path}/`)) this.#forget(one)
  }

  async #close(path) {
    if (this.#isDirty(path) && !(await confirm(`${path} has not been saved.`, 'Close it anyway'))) return
    this.#forget(path)
  }

  #forget(path) {
    const paths = [...this.#files.keys()]
    const next = paths[paths.indexOf(path) + 1] ?? paths[paths.indexOf(path) - 1]
    this.#files.delete(path)
    if (path === this.#current) this.#show(next)
    else this.#draw()
  }

  #show(path) {
    this.#current = path
    if (path !== undefined) this.#view.setState(this.#files.get(path).state)
    this.#draw()
    this.#on.onFocus(path ?? '')
  }

  #isDirty(path) {
    const { state, saved } = this.#files.get(path)
    return state.doc.toString() !== saved
  }

  #stateOf(path, text) {
    return EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        foldGutter({ markerDOM: (open) => element('span', { class: open ? 'fold' : 'fold closed' }, icon('chevron')) }),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        highlightSpecialChars(),
        highlightSelectionMatches(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        autocompletion(),
        search({ top: true }),
        syntaxHighlighting(highlighting),
        languageOf(path, text.slice(0, 100)),
        keymap.of([
          ...closeBracketsKeymap,
          ...defaultKeymap,
          ...searchKeymap,
          ...historyKeymap,
          ...foldKeymap,
          ...completionKeymap,
          indentWithTab,
        ]),
      ],
    })
  }

  #draw() {
    $('#editor').classList.toggle('empty', this.isEmpty)
    this.#tabs.replaceChildren(
      ...[...this.#files].map(([path, { changedOutside }]) => {
        const dirty = this.#isDirty(path)
        return element(
          'div',
          {
            class: `tab${path === this.#current ? ' current' : ''}${dirty ? ' dirty' : ''}${changedOutside ? ' outside' : ''}`,
            role: 'tab',
            'aria-selected': String(path === this.#current),
            title: changedOutside ? `${path}: changed by a program, too` : path,
            'data-path': path,
            onclick: () => this.#show(path),
            onauxclick: () => this.#close(path),
          },
          element('span', {}, path.split('/').pop()),
          iconButton('close', `Close ${path}`, (event) => {
            event.stopPropagation()
            this.#close(path)
          }),
        )
      }),
    )
  }
}

/** As text, or undefined where it is none. */
function decode(bytes) {
  if (bytes.subarray(0, 8_000).includes(0)) return undefined
  return new TextDecoder().decode(bytes)
}
