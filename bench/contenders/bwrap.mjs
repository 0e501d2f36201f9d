// Namespaces of its own on the host's kernel, made by bubblewrap.

/** @type {import('./contender.mjs').Recipe} */
export const bwrap = {
  name: 'bwrap',
  what: 'bwrap --unshare-all, a busybox root',
  debianPackage: 'bubblewrap',
  program: 'bwrap',
  command: ({ hostRootPath }) => [
    'bwrap',
    ['--unshare-all', '--die-with-parent', '--ro-bind', hostRootPath, '/', '--proc', '/proc', '--dev', '/dev', '/bin/true'],
  ],
}
