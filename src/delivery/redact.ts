import type { Answer } from './destination.ts'
import type { Outgoing } from './outgoing.ts'

/**
 * Takes what we authorised ourselves with out of answers before anybody reads them: a proxy or an error page sends back what it was sent,
 * and reasons are kept for ever in rows that nobody can change. Tokens and keys are long enough (secret.ts) to be no word of an answer.
 */
export function withoutCredentials(outgoing: Outgoing): Outgoing {
  return {
    ...outgoing,
    async request(wanted, signal) {
      const answer = await outgoing.request(wanted, signal)
      const { authorization = '' } = wanted.headers
      const secret = authorization.slice(authorization.indexOf(' ') + 1)
      return secret === '' ? answer : redact(answer, secret)
    },
  }
}

export function redact(answer: Answer, secret: string): Answer {
  const clean = (text: string): string => (text.includes(secret) ? text.replaceAll(secret, '[secret]') : text)
  if (answer.kind === 'failure') return { ...answer, message: clean(answer.message) }
  if (answer.kind !== 'answer') return answer
  const isEchoed = answer.body.includes(secret) || Object.values(answer.headers).some((text) => text.includes(secret))
  if (!isEchoed) return answer
  const headers = Object.fromEntries(Object.entries(answer.headers).map(([name, text]) => [name, clean(text)]))
  return { ...answer, headers, body: clean(answer.body) }
}
