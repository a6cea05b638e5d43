/** What zod says of a value, in our words: a key that is not there is missing, whatever type it should have had. */
export const plainReason = (message: string): string =>
  message.endsWith(', received undefined') ? 'is missing' : message.replace(/^Invalid (?:input|option): /, '')
