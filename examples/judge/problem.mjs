// The problem: read how many numbers follow, then the numbers; print their sum. With its tests and its limits.

const many = Array.from({ length: 1_000 }, (_, index) => index * 1_000_003)
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0)
const test = (numbers) => ({ input: `${numbers.length}\n${numbers.join(' ')}\n`, output: `${sum(numbers)}\n` })

export const problem = {
  tests: [test([1, 2, 3]), test([]), test(many)],
  timeMsMax: 1_000,
  memoryMibMax: 96,
}
