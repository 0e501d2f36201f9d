// The file tree: one list per open directory, kept as the guest says it is.
import * as api from './api.js'
import { $, confirm, element, icon, iconButton, toast } from './dom.js'

const settleMs = 120
const parentOf = (path) => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '')
const join = (directory, name) => (directory === '' ? name : `${directory}/${name}`)

export class Tree {
  #root = $('#tree')
  #on
  /** What each open directory holds, by its path; '' is the project. */
  #listings = new Map()
  #open = new Set(['', 'public'])
  #selected = ''
  /** The name that is being typed, if any: { directory, type, path? }. */
  #naming
  #stale = new Set()
  #timer

  constructor(on) {
    this.#on = on
    $('#new-file').append(icon('newFile'))
    $('#new-folder').append(icon('newFolder'))
    $('#new-file').addEventListener('click', () => this.#name({ type: 'file', directory: this.#directory() }))
    $('#new-folder').addEventListener('click', () => this.#name({ type: 'directory', directory: this.#directory() }))
    this.#root.addEventListener('keydown', (event) => this.#key(event))
    this.#acceptDrops()
  }

  async refresh() {
    await Promise.all([...this.#open].map((directory) => this.#list(directory)))
    this.#draw()
  }

  select(path) {
    this.#selected = path
    this.#draw()
  }

  /** Something has changed in the guest. A burst of changes is looked at once. */
  changed({ change, path, from }) {
    if (change === 'overflow') for (const directory of this.#open) this.#stale.add(directory)
    for (const one of [path, from]) if (one !== undefined) this.#stale.add(parentOf(one))
    this.#timer ??= setTimeout(async () => {
      this.#timer = undefined
      const stale = [...this.#stale].filter((directory) => this.#open.has(directory))
      this.#stale.clear()
      await Promise.all(stale.map((directory) => this.#list(directory)))
      this.#draw()
    }, settleMs)
  }

  async #list(directory) {
    try {
      const entries = await api.list(directory)
      const rank = ({ type }) => (type === 'directory' ? 0 : 1)
      entries.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
      this.#listings.set(directory, entries)
    } catch (error) {
      this.#listings.delete(directory)
      if (directory !== '') this.#open.delete(directory)
      if (error.status !== 404 && error.status !== 410) toast(error.message)
    }
  }

  async #toggle(directory) {
    if (this.#open.delete(directory)) return this.#draw()
    this.#open.add(directory)
    await this.#list(directory)
    this.#draw()
  }

  /** Where something new goes: the selected directory, or that of the selected file. */
  #directory() {
    return this.#open.has(this.#selected) ? this.#selected : parentOf(this.#selected)
  }

  // ── drawing ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #draw() {
    // While a name is typed, the row stays what it is.
    if (this.#naming?.input?.isConnected && document.activeElement === this.#naming.input) return
    this.#root.replaceChildren(...this.#rows('', 0))
    this.#naming?.input?.focus()
  }

  #rows(directory, depth) {
    const rows = (this.#listings.get(directory) ?? []).flatMap(({ name, type }) => {
      const path = join(directory, name)
      if (this.#naming?.path === path) return [this.#namingRow(depth, name)]
      const row = this.#row(path, name, type, depth)
      return type === 'directory' && this.#open.has(path) ? [row, ...this.#rows(path, depth + 1)] : [row]
    })
    if (this.#naming && this.#naming.path === undefined && this.#naming.directory === directory)
      rows.unshift(this.#namingRow(depth, ''))
    return rows
  }

  #row(path, name, type, depth) {
    const isDirectory = type === 'directory'
    const isOpen = isDirectory && this.#open.has(path)
    const mark = isDirectory ? icon('chevron') : icon('file')
    mark.classList.add(isDirectory ? 'chevron' : kindOf(name))
    return element(
      'div',
      {
        class: `row ${type}${isOpen ? ' open' : ''}${path === this.#selected ? ' selected' : ''}`,
        role: 'treeitem',
        'data-path': path,
        'aria-expanded': isDirectory ? String(isOpen) : undefined,
        style: `--depth: ${depth}`,
        onclick: () => this.#activate(path, isDirectory),
      },
      mark,
      element('span', { class: 'name' }, name),
      iconButton('rename', `Rename ${name}`, (event) => this.#startRename(event, path, type)),
      iconButton('remove', `Delete ${name}`, (event) => this.#remove(event, path)),
    )
  }

  #activate(path, isDirectory) {
    this.#selected = path
    if (isDirectory) return this.#toggle(path)
    this.#draw()
    this.#on.onOpen(path).catch((error) => toast(error.message))
  }

  #key(event) {
    if (event.target !== this.#root || this.#selected === '') return
    const rows = [...this.#root.querySelectorAll('.row')]
    const at = rows.findIndex(({ dataset }) => dataset.path === this.#selected)
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step) this.select(rows[Math.min(Math.max(at + step, 0), rows.length - 1)]?.dataset.path ?? this.#selected)
    else if (event.key === 'Enter') rows[at]?.click()
    else if (event.key === 'F2')
      this.#startRename(event, this.#selected, rows[at]?.classList.contains('directory') ? 'directory' : 'file')
    else if (event.key === 'Delete') this.#remove(event, this.#selected)
    else return
    event.preventDefault()
  }

  // ── changes ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #startRename(event, path, type) {
    event.stopPropagation()
    this.#name({ type, path, directory: parentOf(path) })
  }

  #name(naming) {
    this.#naming = naming
    this.#open.add(naming.directory)
    this.#draw()
  }

  #namingRow(depth, name) {
    const input = element('input', {
      class: 'naming',
      value: name,
      'aria-label': 'Name',
      spellcheck: 'false',
      autocomplete: 'off',
    })
    const finish = async (accepted) => {
      if (this.#naming?.input !== input) return
      const { type, path, directory } = this.#naming
      this.#naming = undefined
      const given = input.value.trim()
      if (accepted && given !== '' && given !== name)
        await this.#apply(type, path, join(directory, given)).catch((error) => toast(error.message))
      this.#draw()
    }
    input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') finish(true)
      if (event.key === 'Escape') finish(false)
    })
    input.addEventListener('blur', () => finish(true))
    this.#naming.input = input
    return element(
      'div',
      { class: 'row', style: `--depth: ${depth}` },
      icon(this.#naming.type === 'directory' ? 'folder' : 'file'),
      input,
    )
  }

  async #apply(type, from, to) {
    if (from !== undefined) {
      await api.rename(from, to)
      this.#on.onRenamed(from, to)
    } else if (type === 'directory') {
      await api.makeDirectory(to)
    } else {
      await api.write(to, '')
      await this.#on.onOpen(to)
    }
    this.#selected = to
    for (const path of [from, to]) if (path !== undefined) this.changed({ path })
  }

  async #remove(event, path) {
    event.stopPropagation()
    if (!(await confirm(`Delete ${path}?`, 'Delete'))) return
    try {
      await api.remove(path)
      this.#on.onRemoved(path)
      this.changed({ path })
    } catch (error) {
      toast(error.message)
    }
  }

  /** Files dropped on the tree go to the directory they were dropped on. */
  #acceptDrops() {
    this.#root.addEventListener('dragover', (event) => {
      event.preventDefault()
      this.#root.classList.add('dropping')
    })
    this.#root.addEventListener('dragleave', () => this.#root.classList.remove('dropping'))
    this.#root.addEventListener('drop', async (event) => {
      event.preventDefault()
      this.#root.classList.remove('dropping')
      const row = event.target.closest('.row')
      const directory = row === null ? '' : row.classList.contains('directory') ? row.dataset.path : parentOf(row.dataset.path)
      for (const file of event.dataTransfer.files) {
        const path = join(directory, file.name)
        await api.write(path, file).then(
          () => this.changed({ path }),
          (error) => toast(`${file.name}: ${error.message}`),
        )
      }
    })
  }
}

/** What colour its icon has. */
function kindOf(name) {
  const ending = name.includes('.') ? name.split('.').pop() : 'program'
  return `kind-${ending.replace(/[^a-z0-9]/gi, '')}`
}
