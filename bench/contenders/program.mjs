// Runs one program to its end, as cheaply as Node can, and keeps what it said for when it fails.
import { execFile, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, truncateSync } from 'node:fs'
import { promisify } from 'node:util'

const promisedExecFile = promisify(execFile)

/** A program that hangs is a failure too. */
const deadlineMs = 60_000

/** Enough to see why it failed. */
const complaintCharsMax = 2_000

/**
 * A program to time. Its stderr goes to a file rather than a pipe: that costs its run nothing.
 *
 * @param {string} hostLogPath
 */
export function timedProgram(hostLogPath) {
  const log = openSync(hostLogPath, 'a')
  return {
    /** @returns {Promise<void>} when it has ended with 0 */
    run: (command, args = [], options = {}) =>
      new Promise((resolve, reject) => {
        const child = spawn(command, args, { stdio: ['ignore', 'ignore', log], timeout: deadlineMs, ...options })
        child.once('error', reject)
        child.once('exit', (code, signal) => {
          if (code === 0) resolve()
          else reject(new Error(`${command} ended with ${signal ?? code}: ${complaint(hostLogPath)}`))
        })
      }),
    close: () => closeSync(log),
  }
}

function complaint(hostLogPath) {
  const text = readFileSync(hostLogPath, 'utf8').trim().slice(-complaintCharsMax)
  truncateSync(hostLogPath)
  return text || 'no word on stderr'
}

/** What a program prints; undefined when it is not there or fails. */
export async function outputOf(command, args = []) {
  try {
    return (await promisedExecFile(command, args, { timeout: deadlineMs })).stdout.trim()
  } catch {
    return undefined
  }
}

/** Runs what is not timed. @throws with the program's stderr */
export async function runUntimed(command, args, options = {}) {
  try {
    return (await promisedExecFile(command, args, { timeout: deadlineMs, ...options })).stdout.trim()
  } catch (error) {
    throw new Error(`${command} ${args[0] ?? ''}: ${(error.stderr || error.message).trim().slice(-complaintCharsMax)}`)
  }
}
