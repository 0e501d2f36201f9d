/** A template with what its container image says: where its disk is, and whatever the spec leaves to the image. */

import { type ImageConfig, type ImageEvent, type RootImage, type RootImages, userHome } from '../image/index.ts'
import type { BuildEvent } from './snapshot.ts'
import { isImage, type Template, unprivilegedUser } from './template.ts'

export interface RootingOptions {
  readonly signal?: AbortSignal
  readonly onEvent?: (event: BuildEvent) => void
}

/**
 * Pulls the template's image and makes a disk of it, where that has not been done. One that has no image is as it was.
 *
 * @throws `IMAGE`, `INVALID_ARGUMENT`, `HOST_UNSUPPORTED` when this host lacks the program that makes disks; the signal's reason.
 */
export async function rooted(template: Template, images: RootImages, options: RootingOptions = {}): Promise<Template> {
  const { root } = template
  if (!isImage(root)) return template
  const { signal, onEvent } = options
  const image = await images.root(root.oci, {
    policy: root.pull,
    ...(signal && { signal }),
    ...(onEvent && { onEvent: (event: ImageEvent) => onEvent(told(event)) }),
  })
  return withImage(template, image)
}

/** What the spec says goes before what the image says. */
export function withImage(
  template: Template,
  { hostPath, key, config }: Pick<RootImage, 'hostPath' | 'key' | 'config'>,
): Template {
  const { user, cwd, env, start, sharing } = template
  const unknown = user === '' && config.user === ''
  // Every disk that is made from an image has it.
  const home = userHome.guestPath
  // Where every sandbox boots by itself, nothing is started before.
  const command = sharing === 'none' ? [] : [...config.entrypoint, ...config.command]
  const started = start ?? command
  return {
    ...template,
    root: { hostPath, key },
    env: { ...(unknown && { HOME: home, USER: 'user', LOGNAME: 'user' }), ...variablesOf(config), ...env },
    user: user || config.user || unprivilegedUser,
    cwd: cwd || config.workingDirectory || (unknown ? home : ''),
    start: started.length > 0 ? started : undefined,
  }
}

/** A later one of the same name holds; what is no variable is left out, as engines do. */
function variablesOf({ env }: ImageConfig): Record<string, string> {
  const pairs = env.map((line): [string, string] => {
    const at = line.indexOf('=')
    return at < 0 ? ['', ''] : [line.slice(0, at), line.slice(at + 1)]
  })
  return Object.fromEntries(pairs.filter(([name]) => name !== ''))
}

function told(event: ImageEvent): BuildEvent {
  if (event.type === 'pull') {
    const megabytes = (event.bytes / 1e6).toFixed(1)
    const missing = event.layers === 0 ? 'all of it is here' : `${event.layers} layers to pull, ${megabytes} MB`
    return { type: 'step', step: 'pull', detail: `${event.reference}, ${missing}` }
  }
  const { doneBytes, totalBytes } = event
  if (event.type === 'disk' && doneBytes === 0) return { type: 'step', step: 'disk', detail: `of ${event.reference}` }
  return { type: 'progress', step: event.type === 'transfer' ? 'pull' : 'disk', doneBytes, totalBytes }
}
