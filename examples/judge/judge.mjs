// One submission: compiled, run on one test after the other, and what is to be said of it. It gets a sandbox that nobody else ever has.

const compileMsMax = 10_000
const compilerTextBytesMax = 16 * 1024
const outputBytesMax = 1024 * 1024

/** An emulated processor is some 30 times slower, and so are honest programs: they get more time, and the README more sense. */
const patienceWhenEmulated = 6

/** @returns {Promise<{ verdict: string, detail: string }>} */
export async function judge(pool, { tests, timeMsMax, memoryMibMax }, source) {
  const sandbox = await pool.createSandbox({
    template: 'c',
    files: { 'main.c': source },
    // All that its programs may hold together, the compiler first, then the submission.
    resources: { memoryMib: memoryMibMax, pids: 32 },
  })
  try {
    const patience = sandbox.info().isolation === 'emulated' ? patienceWhenEmulated : 1
    const compiled = await sandbox.exec(['gcc', '-std=c17', '-O2', '-o', 'main', 'main.c', '-lm'], {
      timeoutMs: compileMsMax * patience,
      maxBufferBytes: compilerTextBytesMax,
      retain: 'head',
    })
    if (!compiled.ok)
      return { verdict: 'compile error', detail: compiled.stderr.split('\n').find((line) => line.includes('error')) ?? '' }

    let slowestMs = 0
    for (const [index, { input, output }] of tests.entries()) {
      // The answer stays here: what is not in the sandbox cannot be read there.
      const run = await sandbox.exec(['./main'], {
        stdin: input,
        timeoutMs: timeMsMax * patience,
        killGraceMs: 0,
        maxBufferBytes: outputBytesMax,
      })
      slowestMs = Math.max(slowestMs, run.durationMs)
      const failed = failureOf(run, output)
      const by = failed === 'runtime error' ? `, ${run.signal ?? `exit code ${run.exitCode}`}` : ''
      if (failed) return { verdict: failed, detail: `test ${index + 1}${by}` }
    }
    return { verdict: 'accepted', detail: `${tests.length} tests, the slowest ${Math.round(slowestMs)} ms` }
  } finally {
    await sandbox.destroy()
  }
}

/** Any exit code and any signal is a result; which of them it was is read in this order. */
function failureOf({ timedOut, oomKilled, ok, stdout, truncated }, expected) {
  if (timedOut) return 'time limit'
  if (oomKilled) return 'memory limit'
  if (!ok) return 'runtime error'
  return truncated || withoutBlanks(stdout) !== withoutBlanks(expected) ? 'wrong answer' : undefined
}

/** Blanks at the end of a line, and lines at the end, are nobody's fault. */
function withoutBlanks(text) {
  return text.trimEnd().replace(/[ \t\r]+$/gm, '')
}
