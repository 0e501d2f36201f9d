export { openImages } from './images.ts'
export { createPool, createSandbox } from './pool.ts'
export { doctor, listMicrovms, reap } from './supervise.ts'
export { openTemplates } from './templates.ts'
