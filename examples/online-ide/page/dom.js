// Making elements, icons and small dialogs.

const paths = {
  file: '<path d="M4 1.5h5l3.5 3.5v9.5h-8.5z"/><path d="M9 1.5v3.5h3.5"/>',
  folder: '<path d="M1.5 13V3h4.5l1.5 2h7v8z"/>',
  chevron: '<path d="m6 4 4 4-4 4"/>',
  newFile: '<path d="M8 14.500H4v-13h5l3.500 3.500v3"/><path d="M9 1.500v3.500h3.500M12 10v5M9.500 12.500h5"/>',
  newFolder: '<path d="M8.500 13h-7v-10h4.500l1.500 2h7v4M12.500 9.500v5M10 12h5"/>',
  plus: '<path d="M8 3v10M3 8h10"/>',
  close: '<path d="m4.500 4.500 7 7m0-7-7 7"/>',
  rename: '<path d="m10.500 3 2.500 2.500-7.500 7.500H3v-2.500z"/>',
  remove: '<path d="M3 4.500h10M6 4.500v-2h4v2M4.500 4.500l.5 9h6l.5-9"/>',
  reload: '<path d="M13 8a5 5 0 1 1-1.500-3.500M13 2v3h-3"/>',
  open: '<path d="M9 2.500h4.500v4.500M13.500 2.500 7.500 8.500M11.500 9.500v4h-9v-9h4"/>',
  run: '<path d="M4.500 2.800v10.400l8.500-5.200z" fill="currentColor" stroke-linejoin="round"/>',
  download: '<path d="M8 2v8M4.800 7 8 10.200 11.200 7M2.500 13.500h11"/>',
  restart: '<path d="M3 8a5 5 0 1 0 1.500-3.500M3 2v3h3"/>',
  terminal: '<path d="m3 4.500 3.500 3.500L3 11.500M8.500 12H13"/>',
}

export const $ = (selector) => document.querySelector(selector)

/** `element('li', { class: 'x', onclick }, child, 'text')` */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value)
    else if (value !== undefined && value !== false) made.setAttribute(key, value === true ? '' : value)
  }
  made.append(...children.filter((child) => child !== undefined))
  return made
}

export function icon(name) {
  const holder = element('span', { class: 'glyph', 'aria-hidden': 'true' })
  holder.innerHTML = `<svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.3">${paths[name]}</svg>`
  return holder
}

export function iconButton(name, title, onclick) {
  return element('button', { type: 'button', class: 'icon', title, 'aria-label': title, onclick }, icon(name))
}

/** A message that goes by itself. */
export function toast(text) {
  const note = element('div', { class: 'toast' }, text)
  $('#toasts').append(note)
  setTimeout(() => note.remove(), 6_000)
}

/** Resolves with whether the answer was yes. */
export function confirm(question, yes) {
  const dialog = $('#dialog')
  dialog.querySelector('p').textContent = question
  dialog.querySelector('[value=yes]').textContent = yes
  dialog.returnValue = ''
  dialog.showModal()
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }))
}

/** Covers the page while there is no workspace: with what is going on, and what one can do. */
export function curtain(text, button, onclick) {
  const card = $('#curtain .card')
  $('#curtain').hidden = text === undefined
  if (text === undefined) return
  const action = button && element('button', { type: 'button', class: 'primary', onclick }, button)
  card.replaceChildren(element('div', { class: button ? 'rest' : 'spinner' }), element('p', {}, text), action ?? '')
  action?.focus()
}
