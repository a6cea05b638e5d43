import { describe, expect, it } from 'vitest'
import { isPathOf } from '../../src/http/route-path.ts'

describe('isPathOf', () => {
  it.each([
    ['/v1/runs/{run}', '/v1/runs/a', true],
    ['/v1/runs/{run}', '/v1/runs/', false],
    ['/v1/runs/{run}', '/v1/runs/a/b', false],
    ['/v1/runs/{run}/seal', '/v1/runs/a/seal', true],
    ['/v1/runs/{run}/seal', '/v1/runs/a/seals', false],
    ['/v1/status', '/v1/statusx', false],
    ['/log/{org}/tile/{tile*}', '/log/o/tile/x001/234.p/5', true],
    ['/log/{org}/tile/{tile*}', '/log/o/tile/', false],
    ['/log/{org}/tile/{tile*}', '/log/o/tile', false],
  ])('of %s and %s says %s', (route, path, expected) => {
    expect(isPathOf(route, path)).toBe(expected)
  })
})
