import { LogError } from '../log/log-error.ts'
import { openStatement, statementKeyId } from '../log/statement.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import { sha256Hex } from '../record/sha256.ts'
import type { Check } from './verify.ts'

/** The saved envelope of an issued report: who signed it, and which report. */

export const reportPayloadType = 'application/vnd.proofline.report+json'

/** As envelopes are spelled; whether it is a good one is found out by opening it. */
export const isEnvelope = (text: string): boolean => text.startsWith('{"payloadType":')

export async function verifyReport(envelope: string, keys: readonly TrustedKey[]): Promise<Check[]> {
  try {
    const { payloadType, payload, keys: by, isRetired } = await openStatement(envelope.trimEnd(), keys)
    if (payloadType !== reportPayloadType) throw new LogError('malformed', `it is a statement of type ${payloadType}`)
    const { repository, as_of: asOf, rules } = JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>
    const retired = isRetired ? '; its key is retired: the record that names it has to be older than that' : ''
    return [
      { check: 'signature', verdict: 'ok', detail: `signed by ${by.map(statementKeyId).join(', ')}${retired}` },
      { check: 'report', verdict: 'ok', detail: `${sha256Hex(payload)}: ${String(repository)} as of ${String(asOf)} by ${String(rules)}` },
    ] // oxfmt-ignore
  } catch (error) {
    if (!(error instanceof LogError) && !(error instanceof SyntaxError)) throw error
    return [{ check: 'signature', verdict: 'differs', detail: error.message }]
  }
}
