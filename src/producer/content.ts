/** What is to be known of a report's text before it is sent, found in passing: it is never held whole. */
export interface Content {
  take(chunk: Buffer): void
  found(): { mentions: boolean; embedsSource: string | undefined }
}

/** What only a format that embeds sources writes. Line formats and XML reports name files, and never hold them. */
const marks: readonly { by: string; texts: readonly string[] }[] = [
  { by: 'the source maps of an Istanbul report', texts: ['"sourcesContent"'] },
  { by: 'a mutation testing report', texts: ['"mutants"', '"source"'] },
]

/** `needle`: a text whose occurrence is asked for; empty for none. */
export function createContent(needle: string): Content {
  const asked = createSeeker(needle)
  const sought = marks.map(({ by, texts }) => ({ by, seekers: texts.map(createSeeker) }))
  let isJson: boolean | undefined
  return {
    take(chunk) {
      asked.take(chunk)
      isJson ??= /^\s*[[{]/.test(chunk.toString('utf8', 0, 64).replace('\uFEFF', ''))
      if (isJson) for (const { seekers } of sought) for (const seeker of seekers) seeker.take(chunk)
    },
    found: () => ({
      mentions: asked.found(),
      embedsSource: sought.find(({ seekers }) => seekers.every((seeker) => seeker.found()))?.by,
    }),
  }
}

interface Seeker {
  take(chunk: Buffer): void
  found(): boolean
}

function createSeeker(text: string): Seeker {
  const sought = Buffer.from(text)
  let tail: Buffer = Buffer.alloc(0) // what a text that began in the last chunk may need
  let found = false
  return {
    take(chunk) {
      if (sought.length === 0 || found) return
      found = chunk.includes(sought) || Buffer.concat([tail, chunk.subarray(0, sought.length)]).includes(sought)
      tail = Buffer.concat([tail, chunk.subarray(-sought.length)]).subarray(-sought.length)
    },
    found: () => found,
  }
}
