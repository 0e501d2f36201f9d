/** A home on every disk, for programs of images that name no user: they run without privileges, and need a place to write to. */

import { type Attributes, Directory, impliedAttributes } from '../layers/index.ts'

/** Whom a microVM runs programs as where nobody is named. */
const userId = 1_000

const homeAttributes: Attributes = { ...impliedAttributes, uid: userId, gid: userId }

/** `/home/user`, unless the image has something there, or no directory on the way. */
export function addHome(root: Directory): void {
  const home = root.children.get('home') ?? added(root, 'home', impliedAttributes)
  if (home.kind === 'directory' && !home.children.has('user')) added(home, 'user', homeAttributes)
}

function added(parent: Directory, name: string, said: Attributes): Directory {
  const directory = new Directory(parent, name, parent.layer, said)
  parent.children.set(name, directory)
  return directory
}
