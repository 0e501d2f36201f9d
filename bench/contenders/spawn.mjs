// A process of the host's own and no isolation at all: the measure of this machine at this moment.

/** @type {import('./contender.mjs').Recipe} */
export const spawn = {
  name: 'spawn',
  what: "Node's own spawn('/bin/true'): no isolation",
  command: () => ['/bin/true', []],
}
