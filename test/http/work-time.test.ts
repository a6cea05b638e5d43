import { Readable } from 'node:stream'
import { afterEach, expect, it } from 'vitest'
import { withinTime } from '../../src/http/work-time.ts'
import { type Served, artifactDigest, serve } from './serve.ts'

let served: Served | undefined
afterEach(() => served?.close())

it('a question that is worked on for too long is answered 503, and its work is told to stop', async () => {
  const stream = Readable.from(['TN:\n'])
  let finish: ((body: Readable) => void) | undefined
  const openArtifact = () => new Promise<Readable>((resolve) => (finish = resolve))
  served = await serve({ limits: { work_ms: 100 }, openArtifact })
  const answer = await served.fetch(`/v1/artifacts/${artifactDigest}`, { token: 'audit' })
  expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'unavailable' }])
  finish?.(stream)
  await expect.poll(() => stream.destroyed).toBe(true)
})

it('what is late is told so once; what fails later fails for nobody', async () => {
  let told = 0
  let fail: ((error: Error) => void) | undefined
  const work = new Promise<{ body: string }>((_, reject) => (fail = reject))
  await expect(withinTime(work, 20, () => (told += 1))).rejects.toMatchObject({ code: 'unavailable' })
  fail?.(new Error('too late'))
  expect(await withinTime(Promise.resolve({ body: 'in time' }), 20, () => (told += 1))).toEqual({ body: 'in time' })
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(told).toBe(1)
})
