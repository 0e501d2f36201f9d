// The result as a file to keep and to compare: rounded to what was measured.

/** More digits than a clock of a busy machine is good for. */
const digits = 6

export function toJson(result) {
  const rounded = (_, value) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(digits)) : value
  return `${JSON.stringify(result, rounded, 2)}\n`
}
