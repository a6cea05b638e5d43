export interface Tag {
  name: string
  /** 1 of the root. */
  depth: number
  /** Undefined when it is not there. */
  text(attribute: string): string | undefined
  /** At most nine digits; -1 for all else, and when it is not there. */
  number(attribute: string): number
  attributes(): string[]
}

export interface TagHandler {
  /** `tag` is valid until it returns. */
  open(tag: Tag): void
  /** `text` is that of an element of `textOf`, without its children's; else empty. Also called for `<x/>`. */
  close?(name: string, depth: number, text: string): void
  textOf?: ReadonlySet<string>
  /** What stands in a comment, at most its first 300 characters: tools sign with one. */
  comment?(text: string): void
}

/** Which elements are open, and what the handler is told about them. */
export interface Elements {
  /** Sets the depth of `tag`. `at` is where it stands, for the message. */
  open(tag: Tag, at: number): void
  close(name: string, at: number): void
  /** Of the innermost element. */
  text(text: string): void
  wantsText(): boolean
  depth(): number
  hasRoot(): boolean
  end(): void
}

export const xmlLimits = { maxDepth: 100, maxAttributes: 100, maxTokenBytes: 1_048_576 }

export function createElements(handler: TagHandler, fail: (what: string, at?: number) => never): Elements {
  const stack: string[] = []
  let hasRoot = false
  /** Text of the open elements, of those whose text is wanted. */
  const texts: (string | undefined)[] = []
  return {
    depth: () => stack.length,
    hasRoot: () => hasRoot,
    wantsText: () => texts[stack.length - 1] !== undefined,
    open(tag, at) {
      if (stack.length === 0 && hasRoot) fail('a second root element', at)
      hasRoot = true
      if (stack.push(tag.name) > xmlLimits.maxDepth) fail(`more than ${xmlLimits.maxDepth} levels`, at)
      texts[stack.length - 1] = handler.textOf?.has(tag.name) === true ? '' : undefined
      tag.depth = stack.length
      handler.open(tag)
    },
    close(name, at) {
      const depth = stack.length
      const expected = stack.pop()
      if (expected !== name)
        fail(`</${name}> where ${expected === undefined ? 'nothing' : `<${expected}>`} is open`, at)
      handler.close?.(name, depth, texts[depth - 1] ?? '')
    },
    text(text) {
      const all = (texts[stack.length - 1] ?? '') + text
      if (all.length > xmlLimits.maxTokenBytes) fail(`a text longer than ${xmlLimits.maxTokenBytes} bytes`)
      texts[stack.length - 1] = all
    },
    end() {
      if (!hasRoot) fail('there is no element')
      const inner = stack.at(-1)
      if (inner !== undefined) fail(`it ends within <${inner}>: it is cut off`)
    },
  }
}
