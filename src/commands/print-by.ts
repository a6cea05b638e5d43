/** Who it was, as it was verified: the subject, behind how that is known where it does not say so itself. */
export function printBy({ method, subject }: { method: string; subject: string }): string {
  return subject.startsWith(method) ? subject : `${method} ${subject}`
}
