/**
 * A share for display only: cut to two decimals, never rounded up, so that 100.00 % is said of nothing but all lines. Of no lines there is no share:
 * neither all of them were executed nor none.
 */
export function printPercent(executed: number, found: number): string {
  if (found === 0) return 'no lines'
  return `${(Math.floor((executed * 10_000) / found) / 100).toFixed(2)} %`
}
