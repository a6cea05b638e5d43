/** A key of an object is lower-case words with slashes between; none climbs, hides, or meets what storages keep for themselves. */
export function checkKey(key: string): string {
  const isKey =
    /^[a-z0-9._-]+(\/[a-z0-9._-]+)*$/.test(key) &&
    !key.split('/').some((part) => part.startsWith('.')) &&
    !key.startsWith('tmp/')
  if (!isKey) throw new Error(`"${key}" is no key of an object`)
  return key
}
