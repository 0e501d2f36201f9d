/** A home on every disk, for programs of images that name no user: they run without privileges, and need a place to write to. */

import { type Attributes, Directory, impliedAttributes } from '../layers/index.ts'

/** Of whom a microVM runs programs as where nobody is named. */
export const userHome = { guestPath: '/home/user', userId: 1_000 } as const

const homeAttributes: Attributes = { ...impliedAttributes, uid: userHome.userId, gid: userHome.userId }

/** Adds it, unless the image has something there, or no directory on the way. */
export function addHome(root: Directory): void {
  const [, above = '', name = ''] = userHome.guestPath.split('/')
  const home = root.children.get(above) ?? added(root, above, impliedAttributes)
  if (home.kind === 'directory' && !home.children.has(name)) added(home, name, homeAttributes)
}

function added(parent: Directory, name: string, said: Attributes): Directory {
  const directory = new Directory(parent, name, parent.layer, said)
  parent.children.set(name, directory)
  return directory
}
