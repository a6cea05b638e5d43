import { describe, expect, it } from 'vitest'
import { clientConfig, describeAddress } from '../../src/database/connection.ts'
import {
  DatabaseFailure,
  isConnectionLoss,
  isFalseAck,
  isWorthReconnecting,
  isWorthRepeating,
} from '../../src/database/failure.ts'

const broken = (code: string): Error => Object.assign(new Error(code), { code })

describe('classification of failures', () => {
  it('reconnects after a refused or missing socket and after a time-out, not after a wrong certificate', () => {
    for (const code of ['ECONNREFUSED', 'ENOENT', 'ECONNRESET']) expect(isWorthReconnecting(broken(code))).toBe(true)
    expect(isWorthReconnecting(new Error('timeout expired'))).toBe(true)
    expect(isWorthReconnecting(new Error('Connection terminated due to connection timeout'))).toBe(true)
    expect(isWorthReconnecting(broken('SELF_SIGNED_CERT_IN_CHAIN'))).toBe(false)
  })

  it('never repeats after a time-out or a false acknowledgement', () => {
    expect(isWorthRepeating(new DatabaseFailure('timeout', 'unknown', ''))).toBe(false)
    expect(isWorthRepeating(new DatabaseFailure('not_replicated', 'unknown', ''))).toBe(false)
    expect(isWorthRepeating(new DatabaseFailure('lost', 'unknown', ''))).toBe(true)
  })

  it('takes a programming error for no lost connection', () => {
    expect(isConnectionLoss(new TypeError('Converting circular structure to JSON'))).toBe(false)
  })

  it('knows a cancelled wait for the standby in any language', () => {
    expect(
      isFalseAck({ code: '01000', message: 'canceling wait for synchronous replication due to user request' }),
    ).toBe(true)
    expect(
      isFalseAck({
        code: '01000',
        message: 'storniere Warten auf synchrone Replikation',
        routine: 'SyncRepWaitForLSN',
      }),
    ).toBe(true)
    expect(isFalseAck({ code: '01000', message: 'there is something else' })).toBe(false)
  })
})

describe('database URLs', () => {
  it.each([
    ['postgresql://u:p@db.example:6432/proofline', 'db.example:6432, database proofline'],
    ['postgresql://u:p@/proofline?host=%2Frun%2Fpostgresql', '/run/postgresql, database proofline'],
    ['postgresql://u@%2Frun%2Fpostgresql/proofline', '/run/postgresql, database proofline'],
    ['socket:/run/postgresql?db=proofline', '/run/postgresql, database proofline'],
  ])('%s leads to %s, without a password in the text', (url, address) => {
    expect(describeAddress(clientConfig({ url }))).toBe(address)
  })

  it('keeps the options of the URL beside its own', () => {
    const { connectionString } = clientConfig({ url: 'postgresql://u@h/d?options=-c%20work_mem%3D8MB&sslmode=disable' })
    const options = new URL(connectionString ?? '').searchParams.get('options')
    expect(options).toBe('-c work_mem=8MB -c role=proofline_runtime -c search_path=proofline,proofline_derived')
    expect(connectionString).toContain('sslmode=disable')
  })

  it('refuses a role that is more than a name', () => {
    expect(() => clientConfig({ url: 'postgresql://h/d', role: 'x -c fsync=off' })).toThrow('no plain name')
  })
})
