// What somebody, or some model, has typed into a notebook.

export const cells = [
  { source: "print('hello from a notebook')\n6 * 7" },
  { source: 'import pandas as pd\nwaves = pd.DataFrame({"x": [i / 50 for i in range(500)]})\nlen(waves)' },
  {
    source: `import math
import matplotlib.pyplot as plt
for step in (1, 2, 3):
    waves[f"sin {step}x"] = [math.sin(step * x) / step for x in waves.x]
waves.plot(x="x", figsize=(6, 3), title="Three waves");`,
  },
  { source: 'waves.describe().round(2)' },
  { source: 'waves.nothing' },
  // A time limit interrupts the code: what it has made until then stays.
  { source: 'turns = 0\nwhile True: turns += 1', timeoutMs: 1_000 },
  { source: 'turns > 0' },
  // Another context has other variables.
  { source: "'waves' in globals()", context: 'elsewhere' },
]
