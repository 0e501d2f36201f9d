// Two tenants work on one data set, each in a clone that has it in memory already; what one changes the other never sees.
//
//   WARMCELL_ISOLATION=emulated node examples/data-science/main.mjs
//
// IMAGE names an image with Python and pandas in place of the one that is made of Debian's packages.
import { createPool } from 'warmcell'
import sales from './template.mjs'

const questions = {
  alice: [
    'import sales\nsales.by_region',
    'sales.orders.loc[sales.orders.drink == "tea", "price"] = 9\nsales.orders.price.max()',
  ],
  bob: ['from sales import orders\norders.groupby("drink", observed=True).pieces.sum()', 'orders.price.max()'],
}

const pool = await createPool({ templates: { sales: sales() } })
try {
  await pool.ready({ template: 'sales' })
  await Promise.all(
    Object.entries(questions).map(async ([tenant, sources]) => {
      const sandbox = await pool.createSandbox({ template: 'sales', tenant })
      const { origin, createMs } = sandbox.info()
      console.log(`${tenant}: ${origin}, after ${Math.round(createMs)} ms`)
      for (const source of sources) {
        const { text, error, results, durationMs } = await sandbox.runCode(source)
        if (error !== undefined) throw new Error(error.traceback)
        const forms = results.map(({ mime }) => mime).join(', ')
        console.log(
          `\n${tenant} asks\n${indented(source)}\nand gets, after ${Math.round(durationMs)} ms, as ${forms}\n${indented(text ?? '')}`,
        )
      }
    }),
  )
} finally {
  await pool.close()
}

function indented(text) {
  return text.replace(/^/gm, '  ')
}
