/** Modules in code that is no module: `import` at the beginning of a line, and `import()` anywhere, from where the code runs. */
'use strict'

const { createRequire } = require('node:module')
const { join, resolve } = require('node:path')
const { pathToFileURL } = require('node:url')
const vm = require('node:vm')

/** The name that `import(` is given, for V8 has no way to resolve it in code that a console evaluates. */
const importName = '__import'

const statement =
  /^import(?:\s+([A-Za-z_$][\w$]*))?\s*,?\s*(?:\*\s*as\s+([A-Za-z_$][\w$]*)|\{([^}]*)\})?\s*(from\s*)?(["'])([^"'\n]+)\5[ \t]*;?/gm

/** The source with every import made a call. Lines stay where they are. */
function withoutImports(source) {
  if (!source.includes('import')) return source
  const statements = source.replace(statement, (whole, name, namespace, names, from, _quote, specifier) => {
    const call = `await ${importName}(${JSON.stringify(specifier)})`
    if (from === undefined) return name || namespace || names !== undefined ? whole : `${call};`
    const parts = []
    if (name) parts.push(`default: ${name}`)
    if (names !== undefined) parts.push(names.replace(/\s+as\s+/g, ': '))
    const bindings = parts.length > 0 ? `const { ${parts.join(', ')} } = ${namespace ? namespace : call};` : ''
    return namespace ? `const ${namespace} = ${call}; ${bindings}` : bindings
  })
  return withoutCalls(statements)
}

/** What is neither text nor a comment, piece by piece. A regular expression counts as code: one that holds a quote may hide what follows it. */
const pieces =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<![\w$.])import(?=\s*\()/g

function withoutCalls(source) {
  return source.replace(pieces, (piece) => {
    if (piece === 'import') return importName
    // What a template computes is code.
    return piece.startsWith('`') ? piece.replace(/(?<![\w$.])import(?=\s*\()/g, importName) : piece
  })
}

/** Imports as a file in the working directory would. */
function importFromHere(specifier) {
  const here = vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER
  const importModuleDynamically = here ?? ((wanted) => import(located(wanted)))
  const filename = join(process.cwd(), 'cell')
  // Node warns once that this is young; what the code prints is the code's.
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    const script = new vm.Script('(specifier) => import(specifier)', { filename, importModuleDynamically })
    return script.runInThisContext()(String(specifier))
  } finally {
    process.emitWarning = emitWarning
  }
}

/** Before Node 20.10 a script cannot be told to resolve by itself. */
function located(specifier) {
  if (/^\.{0,2}\//.test(specifier)) return pathToFileURL(resolve(specifier)).href
  if (/^[a-z][a-z0-9+.-]*:/i.test(specifier)) return specifier
  const found = requireFromHere().resolve(specifier)
  return found.startsWith('/') ? pathToFileURL(found).href : found
}

function requireFromHere() {
  return createRequire(join(process.cwd(), 'cell'))
}

module.exports = { importFromHere, importName, requireFromHere, withoutImports }
