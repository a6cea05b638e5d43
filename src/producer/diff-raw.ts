/** The part of git's output before the patches: one entry a file, fields and names ended by NUL, so no name can be mistaken. */

export interface RawEntry {
  /** M, R097, A, D, T and others. */
  status: string
  /** Undefined where the name is no UTF-8, which JSON cannot carry. */
  from: string | undefined
  to: string | undefined
  fromBlob: string
  toBlob: string
  /** Regular files on both sides: no symbolic link, no submodule, nothing added or deleted. */
  isRegular: boolean
}

export interface RawReader {
  /** Undefined until all entries were read; then what follows them in these bytes. */
  take(bytes: Buffer): Buffer | undefined
  /** Throws an Error when the last entry is not whole. */
  end(): RawEntry[]
}

/** Names of more than this are none; git's own limit is 4,096. */
const maxFieldBytes = 65_536
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function createRawReader(): RawReader {
  const entries: RawEntry[] = []
  let rest: Buffer = Buffer.alloc(0)
  let meta: string | undefined
  let names: Buffer[] = []

  /** False for the empty field that ends the entries. */
  const takeField = (field: Buffer): boolean => {
    if (meta === undefined) {
      if (field.length === 0) return false
      meta = field.toString('latin1')
      return true
    }
    names.push(Buffer.from(field))
    const isPair = /[RC]\d*$/.test(meta)
    if (names.length < (isPair ? 2 : 1)) return true
    entries.push(toEntry(meta, names))
    meta = undefined
    names = []
    return true
  }

  return {
    take(bytes) {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
      let start = 0
      for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0, start)) {
        const goesOn = takeField(rest.subarray(start, end))
        start = end + 1
        if (goesOn) continue
        const patches = rest.subarray(start)
        rest = Buffer.alloc(0)
        return patches
      }
      rest = rest.subarray(start)
      if (rest.length > maxFieldBytes) throw new Error('the output of git is no raw diff')
      return undefined
    },
    end() {
      if (meta !== undefined || rest.length > 0) throw new Error('the output of git ends within a file name')
      return entries
    },
  }
}

function toEntry(meta: string, names: readonly Buffer[]): RawEntry {
  const match = /^:(\d{6}) (\d{6}) ([0-9a-f]{40,64}) ([0-9a-f]{40,64}) ([A-Z]\d*)$/.exec(meta)
  if (match === null) throw new Error(`git printed an entry of another form: ${meta.slice(0, 60)}`)
  const [, fromMode = '', toMode = '', fromBlob = '', toBlob = '', status = ''] = match
  const [from, to] = names.map(toName)
  const isRegular = fromMode.startsWith('100') && toMode.startsWith('100')
  return { status, from, to: names.length === 1 ? from : to, fromBlob, toBlob, isRegular }
}

function toName(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}
