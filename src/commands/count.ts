/** `1 file`, `2 files`. */
export const count = (n: number, what: string, plural = `${what}s`): string => `${n} ${n === 1 ? what : plural}`
