import { describe, expect, it } from 'vitest'
import { runId } from '../../src/api/shapes.ts'
import { isRunId, localRunName, printRunId, toPartName, toRepository } from '../../src/producer/run-identity.ts'

describe('toRepository', () => {
  it.each([
    ['https://github.com/acme/payments.git', 'github.com/acme/payments'],
    ['https://user:p%40ss@GitHub.com:443/acme/payments/', 'github.com/acme/payments'],
    ['https://x-access-token:ghs_1@github.com/acme/payments?a=b#c', 'github.com/acme/payments'],
    ['git@github.com:acme/payments.git', 'github.com/acme/payments'],
    ['ssh://git@git.example:2222/acme/payments.git', 'git.example/acme/payments'],
    ['git://git.example/acme/payments', 'git.example/acme/payments'],
    ['https://acme@dev.azure.com/acme/shop/_git/payments', 'dev.azure.com/acme/shop/_git/payments'],
    ['git@ssh.dev.azure.com:v3/acme/shop/payments', 'dev.azure.com/acme/shop/_git/payments'],
    ['/srv/git/payments.git', undefined],
    ['../payments', undefined],
    ['C:\\git\\payments', undefined],
    ['C:/git/payments', undefined],
    ['file:///srv/git/payments', undefined],
    ['', undefined],
  ])('%s is %s', (remote, repository) => expect(toRepository(remote)).toBe(repository))
})

describe('isRunId', () => {
  it.each([
    ['s1.default.unit', true],
    ['github.7~2.api.integration', true],
    ['github.7~2', false],
    ['nightly', false],
    ['nightly.unit', false],
    ['s1.default.units', false],
    ['s 1.default.unit', false],
    [`${'a'.repeat(200)}.default.unit`, false],
  ])('tells the id of a run from a name: %s', (text, is) => {
    expect(isRunId(text)).toBe(is)
  })
})

describe('printRunId', () => {
  it.each([
    ['github.7351001~2', 'api', 'github.7351001~2.api.unit'],
    ['nightly', 'default', 'nightly.default.unit'],
    ['nightly.default.unit', 'default', 'nightly.default.unit'],
    ['a b/c', 'my suite', 'a-b-c.my-suite.unit'],
    ['..x..y..', 'default', 'x.y.default.unit'],
    [
      localRunName('4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b', '0123456789abcdef'),
      'default',
      'local.4f2d9b8c1e7a-0123456789ab.default.unit',
    ],
  ])('%s with suite %s is %s, which the routes take', (name, suite, id) => {
    expect(printRunId({ name, suite, testType: 'unit' })).toBe(id)
    expect(runId.parse(id)).toBe(id)
  })

  it.each([
    ['', 'default'],
    ['///', 'default'],
    ['run', '...'],
    ['x'.repeat(200), 'default'],
  ])('throws for %s with suite %s', (name, suite) => {
    expect(() => printRunId({ name, suite, testType: 'unit' })).toThrow()
  })
})

describe('toPartName', () => {
  it.each([
    ['coverage/lcov.info', 'coverage/lcov.info'],
    ['./coverage/lcov.info', 'coverage/lcov.info'],
    ['..\\x\\lcov.info', 'lcov.info'],
    ['../../tmp/lcov.info', 'lcov.info'],
    ['C:\\x\\lcov.info', 'lcov.info'],
  ])('%s is %s', (path, name) => expect(toPartName(path)).toBe(name))
})
