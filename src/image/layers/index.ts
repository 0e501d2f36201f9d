export { defaultLayerLimits, type LayerLimits } from './limits.ts'
export { contentsOf, type ReadOptions, readTree } from './read.ts'
export { type Attributes, Directory, impliedAttributes, Leaf, pathOf } from './tree.ts'
