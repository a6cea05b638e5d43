/**
 * The condition that a column of ledger names is of one org, `$n`: several orgs may share a database, and whatever lists lanes or ledgers
 * of which none is named asks for its own. A range, so that a primary key that begins with the ledger serves it: `0` follows `/`.
 */
export const ofOrg = (column: string, n: number): string => `${column} > $${n} || '/' and ${column} < $${n} || '0'`
