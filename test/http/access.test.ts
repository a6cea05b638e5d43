import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scopes } from '../../src/access/principal.ts'
import type { Route } from '../../src/api/route.ts'
import { routes } from '../../src/api/routes.ts'
import { type Served, aContract, aVkey, artifactDigest, declaration, run, serve } from './serve.ts'

/**
 * The access matrix: every route with every kind of credential. An example request is needed for each route, so a new route without one
 * fails here.
 */
const examples: Record<string, { path: string; body?: string; status: number }> = {
  declareRun: { path: `/v1/runs/${run}`, body: JSON.stringify(declaration), status: 201 },
  putInventory: { path: `/v1/runs/${run}/inventory`, body: '{"path":"a","blob":"b"}\n', status: 201 },
  putLineMaps: {
    path: `/v1/runs/${run}/line-maps?from=${'a'.repeat(40)}&to=${'b'.repeat(40)}&definition=git.patience@1`,
    body: '\n',
    status: 201,
  },
  putPart: { path: `/v1/runs/${run}/parts?name=lcov.info`, body: 'TN:\n', status: 201 },
  sealRun: { path: `/v1/runs/${run}/seal`, body: '{"outcome":"completed","tests":null}', status: 201 },
  pushRun: {
    path: `/v1/push?run=${run}&name=lcov.info&${new URLSearchParams(declaration).toString()}`,
    body: 'TN:\n',
    status: 201,
  },
  putContract: {
    path: '/v1/contracts',
    body: JSON.stringify({ repository: aContract.repository, text: aContract.text, parent: 0 }),
    status: 201,
  },
  listContracts: { path: `/v1/contracts?repository=${aContract.repository}`, status: 200 },
  getContract: { path: `/v1/contracts/${aContract.contract}`, status: 200 },
  diffContracts: { path: `/v1/contracts/${aContract.contract}/difference?to=${aContract.contract}`, status: 200 },
  decideGate: {
    path: '/v1/gates',
    body: JSON.stringify({ repository: aContract.repository, commit: 'a'.repeat(40) }),
    status: 201,
  },
  overrideGate: {
    path: '/v1/gates/main.changes-9-0123456789abcdef/override',
    body: '{"reason":"urgent","ticket":"T-1"}',
    status: 201,
  },
  listGates: { path: `/v1/gates?repository=${aContract.repository}`, status: 200 },
  putDeployment: {
    path: '/v1/deployments/d1',
    body: JSON.stringify({ repository: aContract.repository, environment: 'production', commit: 'a'.repeat(40) }),
    status: 201,
  },
  listDeployments: { path: `/v1/deployments?repository=${aContract.repository}`, status: 200 },
  dispose: {
    path: '/v1/dispositions',
    body: JSON.stringify({
      repository: aContract.repository,
      target: { kind: 'file', path: 'src/a.ts' },
      note: 'known',
    }),
    status: 201,
  },
  listDispositions: { path: `/v1/dispositions?repository=${aContract.repository}`, status: 200 },
  readFeed: { path: '/v1/feed/unit?cursor=earliest', status: 200 },
  listDays: { path: '/v1/feed/unit/days', status: 200 },
  getDayFile: { path: '/v1/feed/unit/days/2028-02-29/manifest.json', status: 200 },
  lineHistory: { path: '/v1/history/lines?repository=github.com/acme/payments&path=a&line=1', status: 404 },
  recordLineage: { path: '/v1/lineage/record/ID', status: 404 },
  runLineage: { path: '/v1/lineage/run/local.1.api.unit', status: 404 },
  buildLineage: { path: '/v1/lineage/build/b-1', status: 404 },
  commitLineage: { path: `/v1/lineage/commit/${'a'.repeat(40)}`, status: 404 },
  deploymentLineage: { path: '/v1/lineage/deployment/d-1', status: 404 },
  attemptLineage: { path: '/v1/lineage/attempt/siem:main%2Funit:0:1', status: 404 },
  fileHistory: { path: '/v1/history/files?repository=github.com/acme/payments&path=a', status: 404 },
  getReport: { path: `/v1/reports/${artifactDigest}`, status: 200 },
  issueReport: {
    path: '/v1/reports',
    body: JSON.stringify({ repository: 'github.com/acme/payments', commit: 'a'.repeat(40) }),
    status: 404,
  },
  coverageReport: {
    path: `/v1/reports/coverage?repository=github.com/acme/payments&commit=${'a'.repeat(40)}`,
    status: 404,
  },
  gaps: { path: '/v1/gaps?repository=github.com/acme/payments', status: 404 },
  repositories: { path: '/v1/repositories', status: 404 },
  difference: { path: '/v1/reports/difference?repository=github.com/acme/payments&a=commit:a&b=commit:b', status: 404 },
  getArchive: { path: '/v1/archive', status: 200 },
  runArchive: { path: '/v1/archive/run', body: '{"what":"archive"}', status: 200 },
  listHolds: { path: '/v1/holds', status: 200 },
  addHold: { path: '/v1/holds', body: '{"repository":"acme","reason":"litigation","ticket":"LEGAL-1"}', status: 201 },
  releaseHold: { path: '/v1/holds/hold-1/release', body: '{"reason":"settled"}', status: 200 },
  getRecord: { path: '/v1/records/ID', status: 200 },
  getProof: { path: '/v1/records/ID/proof', status: 200 },
  getArtifact: { path: `/v1/artifacts/${artifactDigest}`, status: 200 },
  makeEvidence: { path: '/v1/evidence', body: '{"from":"2026-11-01T00:00:00Z"}', status: 200 },
  getCheckpoint: { path: '/log/main/unit/checkpoint', status: 200 },
  getEntries: { path: '/log/main/unit/tile/entries/000.p/2', status: 200 },
  getLaterCheckpoint: { path: '/log/main/unit/2/checkpoint', status: 200 },
  getLaterEntries: { path: '/log/main/unit/2/tile/entries/000.p/2', status: 200 },
  getLaterTile: { path: '/log/main/unit/2/tile/0/000.p/2', status: 200 },
  getTile: { path: '/log/main/unit/tile/0/000.p/2', status: 200 },
  listConsumers: { path: '/v1/consumers', status: 200 },
  getStatus: { path: '/v1/status', status: 200 },
  listDestinations: { path: '/v1/destinations', status: 200 },
  listDeadLetters: { path: '/v1/dead-letters', status: 200 },
  reconcileDestination: { path: '/v1/destinations/splunk/reconcile', status: 200 },
  listReconciliations: { path: '/v1/reconciliations', status: 200 },
  listAlerts: { path: '/v1/alerts', status: 200 },
  acknowledgeAlert: { path: '/v1/alerts/disk_low:data/acknowledge', body: '{"reason":"on it"}', status: 200 },
  drillDestination: { path: '/v1/destinations/siem/drill', body: '{"reason":"practice"}', status: 200 },
  listDrills: { path: '/v1/drills', status: 200 },
  pauseDestination: { path: '/v1/destinations/siem/pause', body: '{"reason":"maintenance"}', status: 200 },
  resumeDestination: { path: '/v1/destinations/siem/resume', body: '{"reason":"over"}', status: 200 },
  setUpDestination: { path: '/v1/destinations/siem/setup', body: '{}', status: 200 },
  checkDestination: { path: '/v1/destinations/siem/check', body: '{}', status: 200 },
  retryDeadLetters: {
    path: '/v1/dead-letters/retry',
    body: '{"destination":"siem","reason":"put right"}',
    status: 200,
  },
  discardDeadLetters: { path: '/v1/dead-letters/discard', body: '{"letters":["a"],"reason":"a test"}', status: 200 },
  redeliverDestination: {
    path: '/v1/destinations/siem/redeliver',
    body: '{"missing":true,"reason":"restored"}',
    status: 200,
  },
  lookUpDestination: { path: '/v1/destinations/siem/lookup', status: 200 },
  settleDestination: { path: '/v1/destinations/siem/settle', body: 'proofline_id,count\n', status: 200 },
  estimateDestination: { path: '/v1/destinations/siem/estimate', status: 200 },
  moveDestination: { path: '/v1/destinations/siem/moved', body: '{"reason":"new name"}', status: 200 },
  listKeys: { path: '/v1/keys', status: 200 },
  rotateKey: { path: '/v1/keys/unit/rotate', body: `{"replaces":"${aVkey}","reason":"old"}`, status: 200 },
  retireKey: { path: '/v1/keys/unit/retire', body: `{"vkey":"${aVkey}","reason":"known to all"}`, status: 200 },
  // Where nobody signs in; test/http/login.test.ts has the rest.
  login: { path: '/login', status: 404 },
  finishLogin: { path: '/login/callback', status: 404 },
  logout: { path: '/logout', status: 404 },
  getMe: { path: '/v1/me', status: 200 },
  getHealth: { path: '/healthz', status: 200 },
  getReadiness: { path: '/readyz', status: 200 },
  getMetrics: { path: '/metrics', status: 200 },
  getPage: { path: '/', status: 200 },
}

let closed: Served
let published: Served
beforeAll(async () => {
  closed = await serve()
  published = await serve({ logPublic: true })
  for (const served of [closed, published]) served.reader.add(3)
})
afterAll(async () => {
  await closed.close()
  await published.close()
})

async function ask(
  served: Served,
  route: Route,
  token: string | undefined,
  more: Record<string, string> = {},
): Promise<Response> {
  const example = examples[route.name]
  if (example === undefined) throw new Error(`the access matrix has no example of ${route.name}`)
  const record = (await served.reader.readBatch('main/unit', 0)).records[0]!
  const type = { 'content-type': route.body.kind === 'json' ? 'application/json' : 'application/octet-stream' }
  const init = {
    method: route.method,
    headers: { ...type, ...more },
    ...(example.body === undefined ? {} : { body: example.body }),
  }
  return served.fetch(example.path.replace('ID', record.id), token === undefined ? init : { ...init, token })
}

describe.each(routes.map((route) => [route.name, route] as const))('%s', (_name, route) => {
  const { status } = examples[route.name] ?? { status: 0 }
  // The test is on this machine, so only a forwarded request shows what others get.
  const far = { 'x-forwarded-for': '203.0.113.7' }

  it('without a credential', async () => {
    const answer = await ask(closed, route, undefined, far)
    expect(answer.status).toBe(route.open === 'always' ? status : 401)
    if (answer.status === 401) expect(answer.headers.get('www-authenticate')).toContain('Bearer')
    if (route.open === 'loopback') expect((await ask(closed, route, undefined)).status).toBe(status)
    if (route.open === 'published_log') expect((await ask(published, route, undefined, far)).status).toBe(status)
    else if (route.open === 'never') expect((await ask(published, route, undefined)).status).toBe(401)
  })

  it('with a credential that is unknown or has expired', async () => {
    expect((await ask(closed, route, 'expired', far)).status).toBe(route.open === 'always' ? status : 401)
    if (route.open === 'published_log') expect((await ask(published, route, 'expired')).status).toBe(401)
  })

  it.each(scopes)('with the scope %s', async (scope) => {
    const allowed = route.open === 'always' || route.scope.includes(scope)
    const answer = await ask(closed, route, scope, far)
    expect(answer.status).toBe(allowed ? status : 403)
    if (!allowed) expect(await answer.json()).toMatchObject({ code: 'forbidden' })
  })

  it('bound to a repository, shows nothing about others', async () => {
    if (route.open === 'always' || route.name === 'getMetrics' || route.scope.includes('push')) return // admission decides on pushes
    for (const scope of route.scope) {
      expect([403, 404]).toContain((await ask(closed, route, `${scope}@github.com/acme/other`, far)).status)
    }
  })
})

it('puts uses on record as the routes say, and refuses what cannot be recorded', async () => {
  closed.uses.length = 0
  const artifact = routes.find(({ name }) => name === 'getArtifact')!
  await ask(closed, artifact, 'audit')
  await ask(
    closed,
    routes.find(({ name }) => name === 'getRecord')!,
    'audit',
  )
  await ask(
    closed,
    routes.find(({ name }) => name === 'readFeed')!,
    'feed',
  )
  await ask(closed, artifact, 'push')
  expect(closed.uses).toMatchObject([
    { route: 'getArtifact', records: 'before', params: { sha256: artifactDigest }, who: { id: 'token:audit' } },
    { route: 'getRecord', records: 'summed', repository: 'github.com/acme/payments' },
  ])
  let opened = false
  const unable = await serve({
    recordUse: () => Promise.reject(new Error('recording is down')),
    openArtifact: async () => {
      opened = true
      return undefined
    },
  })
  expect((await ask(Object.assign(unable, { reader: closed.reader }), artifact, 'audit')).status).toBe(500)
  expect(opened).toBe(false)
  await unable.close()
})
