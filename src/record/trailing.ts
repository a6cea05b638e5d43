/**
 * The text without any of these characters at its end. `/\/+$/` does the same and, where slashes stand within the text, tries each run of them
 * again from each of its slashes.
 */
export function withoutTrailing(text: string, characters: string): string {
  let end = text.length
  while (end > 0 && characters.includes(text[end - 1] ?? '')) end--
  return text.slice(0, end)
}
