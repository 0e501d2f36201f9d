// The page, bundled when the server starts, so that nothing comes from anybody else's server.
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const at = (name) => fileURLToPath(new URL(`page/${name}`, import.meta.url))
const types = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  woff2: 'font/woff2',
}

/** Each file by the path it is asked for. */
export async function bundlePage() {
  const { outputFiles } = await build({
    entryPoints: [at('main.js')],
    outdir: '/',
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2022',
    loader: { '.woff2': 'file' },
  })
  const page = new Map([['/', { type: 'text/html; charset=utf-8', content: await readFile(at('index.html')) }]])
  for (const { path, contents } of outputFiles) {
    page.set(`/${basename(path)}`, { type: types[path.split('.').pop()], content: contents })
  }
  return page
}
