/** Marks what is yet to be built. */

export class UnimplementedError extends Error {}
