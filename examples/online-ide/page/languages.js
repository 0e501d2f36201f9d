// How source is read and coloured: the language by a file's name, the colours from the style sheet.
import { css } from '@codemirror/lang-css'
import { html } from '@codemirror/lang-html'
import { javascript } from '@codemirror/lang-javascript'
import { markdown } from '@codemirror/lang-markdown'
import { HighlightStyle, StreamLanguage } from '@codemirror/language'
import { shell } from '@codemirror/legacy-modes/mode/shell'
import { tags } from '@lezer/highlight'

const byEnding = {
  html,
  htm: html,
  svg: html,
  css,
  js: javascript,
  mjs: javascript,
  json: javascript,
  ts: () => javascript({ typescript: true }),
  md: markdown,
}
const sh = () => StreamLanguage.define(shell)

/** `head` is the beginning of the file: a script need not have an ending. */
export function languageOf(path, head) {
  const make = byEnding[path.split('.').pop()] ?? (path.endsWith('.sh') || /^#!.*sh\b/.test(head) ? sh : undefined)
  return make === undefined ? [] : make()
}

const color = (name) => `var(--code-${name})`

export const highlighting = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword, tags.definitionKeyword], color: color('keyword') },
  { tag: [tags.string, tags.special(tags.string), tags.attributeValue], color: color('string') },
  { tag: [tags.comment, tags.meta, tags.processingInstruction], color: color('comment'), fontStyle: 'italic' },
  { tag: [tags.number, tags.bool, tags.atom, tags.unit, tags.color], color: color('number') },
  { tag: [tags.tagName, tags.typeName, tags.className, tags.labelName], color: color('tag') },
  { tag: [tags.attributeName, tags.propertyName, tags.definition(tags.propertyName)], color: color('property') },
  {
    tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.standard(tags.variableName)],
    color: color('function'),
  },
  { tag: [tags.angleBracket, tags.punctuation, tags.operator], color: color('punctuation') },
  { tag: tags.heading, color: color('tag'), fontWeight: '600' },
  { tag: tags.strong, fontWeight: '600' },
  { tag: tags.emphasis, fontStyle: 'italic' },
  { tag: [tags.link, tags.url], color: color('function') },
  { tag: tags.monospace, color: color('string') },
])
