/** What a test asks a real node directly, beside the code that is tested. */

export const nodeUrl = (): string => {
  const url = process.env['TEST_OPENSEARCH_URL']
  if (url === undefined) throw new Error('TEST_OPENSEARCH_URL is not set: run npm run conformance')
  return url
}

export interface NodeAnswer {
  status: number
  body: Record<string, unknown>
}

export async function askNode(method: string, path: string, body?: object | string): Promise<NodeAnswer> {
  const lines = typeof body === 'string'
  const answer = await fetch(`${nodeUrl()}${path}`, {
    method,
    headers: { 'content-type': lines ? 'application/x-ndjson' : 'application/json' },
    ...(body === undefined ? {} : { body: lines ? body : JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {} }
}

/** Throws unless it was done. */
export async function changeNode(method: string, path: string, body?: object | string): Promise<void> {
  const answer = await askNode(method, path, body)
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
}

export interface Hit {
  _index: string
  _id: string
  _version: number
  _source: { event: Record<string, unknown>; proofline: Record<string, unknown> } & Record<string, unknown>
}

/** Every document that a query finds, after a refresh. */
export async function hitsOf(indices: string, query: object = { match_all: {} }): Promise<Hit[]> {
  await askNode('POST', `/${indices}/_refresh`)
  const { body } = await askNode('POST', `/${indices}/_search`, { size: 10_000, version: true, query })
  return (body as unknown as { hits: { hits: Hit[] } }).hits.hits
}
