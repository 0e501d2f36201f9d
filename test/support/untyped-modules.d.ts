/** Benchmarks and their like are JavaScript without types of their own; what tests import of them is `any`. */
declare module '*.mjs'
