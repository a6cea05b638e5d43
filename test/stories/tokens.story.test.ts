import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTokens } from '../../src/access/tokens.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { cleanEnvironment, runCli, temporaryFolder } from '../support/service.ts'

let test: TestDatabase
let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  test = await createTestDatabase()
  folder = await temporaryFolder('tokens')
})
afterAll(async () => {
  await folder.remove()
  await test.drop()
})
const cli = (...args: string[]) =>
  runCli(['token', ...args, '--data-dir', folder.path], { env: cleanEnvironment(folder.path, { DATABASE_URL: test.url }) }) // oxfmt-ignore

describe('proofline token', () => {
  it('shows a token once, and in the list what it may do, for how long, and how it stands', async () => {
    const made = await cli('create', 'indexer', '--scope', 'feed,audit', '--repository', 'github.com/acme/*', '--days', '30') // oxfmt-ignore
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^pl_[0-9a-f]{16}_[\w-]{43}\n$/) as string })
    const id = made.stdout.slice(3, 19)
    const long = createTokens(test.db, { now: () => new Date(Date.now() - 3 * 86_400_000) })
    const over = await long.create({ org: 'main', label: 'old', scopes: ['operate'], days: 2 })
    const { stdout } = await cli('list')
    expect(stdout).toMatch(new RegExp(`^${id} +indexer +feed,audit +github\\.com/acme/\\* +20\\S+Z +valid *$`, 'm'))
    expect(stdout).toMatch(new RegExp(`^${over.issued.id} +old +operate +all +20\\S+Z +expired *$`, 'm'))
    expect(stdout).not.toContain(made.stdout.trim().slice(20))
    expect(await cli('revoke', id)).toMatchObject({ code: 0, stdout: `${id} is revoked\n` })
    expect(await cli('revoke', id)).toMatchObject({ code: 1, stdout: `there is no valid token ${id}\n` })
    const { tokens } = JSON.parse((await cli('list', '--json')).stdout) as { tokens: Record<string, string>[] }
    expect(tokens.map(({ id: one, state }) => [one, state])).toEqual([[over.issued.id, 'expired'], [id, 'revoked']]) // oxfmt-ignore
  })

  it.each([
    [['create', 'x'], /say what the token may do: --scope/],
    [['create', 'x', '--scope', 'root'], /there is no scope root/],
    [['create', 'x', '--scope', 'feed', '--days', '401'], /at most 400 days/],
    [['create', 'x', '--scope', 'feed', '--days', '0'], /a whole number of days/],
    [['create', 'x', '--scope', 'feed', '--days', 'ten'], /a number/],
    [['create', 'x', '--scope', 'feed', '--repository', '/*'], /a repository needs a name/],
    [
      ['create', 'x', '--scope', 'feed', '--repository', 'https://github.com/acme/x'],
      /is an address: name the repository as records do/,
    ],
    [['create', 'x', '--scope', 'feed', '--repository', 'acme/*/x'], /is no name of a repository/],
    [['create', 'x', '--scope', 'feed', '--repository', 'github.com/acme/'], /is no name of a repository/],
    [['revoke'], /missing required argument 'id'/],
  ])('refuses %j with what is wrong with it', async (args, why) => {
    const { code, stdout, stderr } = await cli(...args)
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(why)])
  })
})
