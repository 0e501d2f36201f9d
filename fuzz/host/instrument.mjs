// Counters at every branch of the sources, so that a run tells which way it took: `__edges[n]++` wherever one of several ways begins.
import { readFile } from 'node:fs/promises'
import ts from 'typescript'

const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 }

/** A plugin of esbuild. `edges.count` says afterwards how many there are. Only what is fuzzed is counted: src/. */
export function instrumenting(edges) {
  return {
    name: 'instrumenting',
    setup({ onLoad }) {
      onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path: fileName }) => {
        const source = await readFile(fileName, 'utf8')
        const transformers = { before: [(context) => (file) => ts.visitNode(file, visitor(context, edges))] }
        return { contents: ts.transpileModule(source, { fileName, compilerOptions, transformers }).outputText, loader: 'js' }
      })
    },
  }
}

const chooses = new Set([ts.SyntaxKind.AmpersandAmpersandToken, ts.SyntaxKind.BarBarToken, ts.SyntaxKind.QuestionQuestionToken])

function visitor(context, edges) {
  const { factory } = context
  const count = () =>
    factory.createPostfixIncrement(factory.createElementAccessExpression(factory.createIdentifier('__edges'), edges.count++))
  const counted = (statements) => [factory.createExpressionStatement(count()), ...statements]
  const counting = (expression) => factory.createParenthesizedExpression(factory.createComma(count(), expression))
  const block = (statement) => (ts.isBlock(statement) ? statement : factory.createBlock(counted([statement])))
  const visit = (original) => {
    const node = ts.visitEachChild(original, visit, context)
    if (ts.isBlock(node)) return factory.updateBlock(node, counted(node.statements))
    if (ts.isIfStatement(node)) {
      const otherwise = node.elseStatement ? block(node.elseStatement) : factory.createBlock(counted([]))
      return factory.updateIfStatement(node, node.expression, block(node.thenStatement), otherwise)
    }
    if (ts.isForStatement(node))
      return factory.updateForStatement(node, node.initializer, node.condition, node.incrementor, block(node.statement))
    if (ts.isForOfStatement(node))
      return factory.updateForOfStatement(node, node.awaitModifier, node.initializer, node.expression, block(node.statement))
    if (ts.isWhileStatement(node)) return factory.updateWhileStatement(node, node.expression, block(node.statement))
    if (ts.isCaseClause(node)) return factory.updateCaseClause(node, node.expression, counted(node.statements))
    if (ts.isDefaultClause(node)) return factory.updateDefaultClause(node, counted(node.statements))
    if (ts.isConditionalExpression(node))
      return factory.updateConditionalExpression(
        node,
        node.condition,
        node.questionToken,
        counting(node.whenTrue),
        node.colonToken,
        counting(node.whenFalse),
      )
    if (ts.isBinaryExpression(node) && chooses.has(node.operatorToken.kind))
      return factory.updateBinaryExpression(node, node.left, node.operatorToken, counting(node.right))
    return node
  }
  return visit
}
