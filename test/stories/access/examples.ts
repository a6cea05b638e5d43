import { type Facts, shared } from './orgs.ts'

/**
 * One request for each route. A new route without one fails the matrix, which works out from the route's own declaration what each kind of
 * credential is answered; what differs from that stands here with its reason.
 */

export interface Example {
  path: (facts: Facts) => string
  body?: (facts: Facts) => string
  /** What whoever may call it is answered: more than one where a repeat is answered otherwise. */
  status: readonly number[]
  /**
   * What a credential is answered that is bound to the repository that is asked about, and one that is bound to another, where that is not
   * what follows from the route: the status above and 403 where it takes a repository, 403 and 403 where it takes none.
   */
  bound?: { own: readonly number[]; other: readonly number[]; why: string }
}

const { repository, commit, deployment, destination, matrixRun, matrixCommit } = shared
const of = `repository=${repository}`
const declaration = { repository, test_type: 'unit', suite: 'api', commit: matrixCommit }
const lcov = 'TN:\nSF:src/a.ts\nDA:1,1\nend_of_record\n'
const at = `/v1/destinations/${destination}`
const json = (value: unknown) => (): string => JSON.stringify(value)

const hidden = 'what is not there and what may not be seen look the same'
const byId = (status: readonly number[] = [200]) => ({ status, bound: { own: status, other: [404], why: hidden } })
const filtered = { status: [200], bound: { own: [200], other: [200], why: 'it lists what the credential may see' } }
const ofRun = (status: readonly number[]) => ({ status, bound: { own: status, other: [403], why: 'the run says which repository it is of' } }) // oxfmt-ignore
const reasoned = json({ reason: 'matrix' })

export const examples: Readonly<Record<string, Example>> = {
  declareRun: { path: () => `/v1/runs/${matrixRun}`, body: json(declaration), status: [201, 200] },
  putInventory: { path: () => `/v1/runs/${matrixRun}/inventory`, body: () => `{"path":"src/a.ts","blob":"${'b'.repeat(40)}"}\n`, ...ofRun([201, 200]) },
  putLineMaps: { path: () => `/v1/runs/${matrixRun}/line-maps?from=${commit}&to=${matrixCommit}&definition=git.patience@1`, body: () => '\n', ...ofRun([409]) },
  putPart: { path: () => `/v1/runs/${matrixRun}/parts?name=lcov.info`, body: () => lcov, ...ofRun([201, 200]) },
  sealRun: { path: () => `/v1/runs/${matrixRun}/seal`, body: json({ outcome: 'completed', tests: null }), ...ofRun([201, 200]) },
  pushRun: { path: () => `/v1/push?run=local.pushed-1.api.unit&name=lcov.info&${new URLSearchParams(declaration).toString()}`, body: () => lcov, status: [201, 200] },
  putContract: { path: () => '/v1/contracts', body: json({ repository, text: 'version: 1\nrefs: [refs/heads/main]\n', parent: 7, ref: shared.ref, commit }), status: [409] },
  listContracts: { path: () => `/v1/contracts?${of}`, status: [200] },
  getContract: { path: ({ contract }) => `/v1/contracts/${contract}`, ...byId() },
  diffContracts: { path: ({ contract }) => `/v1/contracts/${contract}/difference?to=${contract}`, ...byId() },
  decideGate: { path: () => '/v1/gates', body: json({ repository, commit }), status: [200, 201] },
  overrideGate: { path: ({ gate }) => `/v1/gates/${gate}/override`, body: json({ reason: 'urgent', ticket: 'T-1' }), ...byId([201, 200]) },
  listGates: { path: () => '/v1/gates', ...filtered },
  putDeployment: { path: () => '/v1/deployments/d-matrix', body: json({ repository, environment: 'production', commit }), status: [201, 200] },
  listDeployments: { path: () => '/v1/deployments', ...filtered },
  dispose: { path: () => '/v1/dispositions', body: json({ repository, target: { kind: 'deployment', id: deployment }, note: 'known' }), status: [201, 200] },
  listDispositions: { path: () => '/v1/dispositions', ...filtered },
  readFeed: { path: () => `/v1/feed/unit?cursor=earliest&${of}`, status: [200] },
  listDays: { path: () => '/v1/feed/unit/days', status: [200] },
  getDayFile: { path: ({ day }) => `/v1/feed/unit/days/${day}/manifest.json`, status: [200] },
  lineHistory: { path: () => `/v1/history/lines?${of}&path=src/a.ts&line=1`, status: [200, 404] },
  fileHistory: { path: () => `/v1/history/files?${of}&path=src/a.ts`, status: [200, 404] },
  recordLineage: { path: ({ record }) => `/v1/lineage/record/${record}`, ...byId() },
  runLineage: { path: ({ run }) => `/v1/lineage/run/${run}`, ...byId() },
  buildLineage: { path: () => `/v1/lineage/build/${shared.build}?${of}`, ...byId() },
  commitLineage: { path: () => `/v1/lineage/commit/${commit}?${of}`, ...byId() },
  deploymentLineage: { path: () => `/v1/lineage/deployment/${deployment}?${of}`, ...byId() },
  attemptLineage: { path: ({ attempt }) => `/v1/lineage/attempt/${encodeURIComponent(attempt)}`, ...byId() },
  getReport: { path: ({ report }) => `/v1/reports/${report}`, ...byId() },
  issueReport: { path: () => '/v1/reports', body: json({ repository, commit }), status: [201, 200] },
  coverageReport: { path: () => `/v1/reports/coverage?${of}&commit=${commit}`, status: [200] },
  gaps: { path: () => `/v1/gaps?${of}`, status: [200] },
  repositories: { path: () => '/v1/repositories', ...filtered },
  difference: { path: () => `/v1/reports/difference?${of}&a=commit:${commit}&b=commit:${matrixCommit}`, status: [200, 404] },
  getArchive: { path: () => '/v1/archive', status: [200] },
  runArchive: { path: () => '/v1/archive/run', body: json({ what: 'archive' }), status: [200] },
  listHolds: { path: () => '/v1/holds', status: [200] },
  addHold: {
    path: () => '/v1/holds', body: json({ repository, reason: 'litigation', ticket: 'LEGAL-1' }), status: [201],
    bound: { own: [403], other: [403], why: 'a hold keeps whole days, which are about all repositories' },
  },
  releaseHold: { path: ({ hold }) => `/v1/holds/${hold}/release`, body: reasoned, status: [200] },
  getRecord: { path: ({ record }) => `/v1/records/${record}`, ...byId() },
  getProof: { path: ({ record }) => `/v1/records/${record}/proof`, ...byId() },
  getArtifact: { path: ({ artifact }) => `/v1/artifacts/${artifact}`, status: [200] },
  makeEvidence: { path: () => '/v1/evidence', body: json({ from: '2026-01-01T00:00:00Z', repository }), status: [200] },
  getCheckpoint: { path: ({ org }) => `/log/${org}/unit/checkpoint`, status: [200] },
  getEntries: { path: ({ org }) => `/log/${org}/unit/tile/entries/000.p/2`, status: [200] },
  getTile: { path: ({ org }) => `/log/${org}/unit/tile/0/000.p/2`, status: [200] },
  getLaterCheckpoint: { path: ({ org }) => `/log/${org}/integration/2/checkpoint`, status: [200] },
  getLaterEntries: { path: ({ org }) => `/log/${org}/integration/2/tile/entries/000.p/1`, status: [200] },
  getLaterTile: { path: ({ org }) => `/log/${org}/integration/2/tile/0/000.p/1`, status: [200] },
  listConsumers: { path: () => '/v1/consumers', status: [200] },
  forgetConsumer: { path: () => '/v1/consumers/nobody/forget', body: reasoned, status: [404] },
  getStatus: { path: () => '/v1/status', status: [200] },
  listDestinations: { path: () => '/v1/destinations', status: [200] },
  listDeadLetters: { path: () => '/v1/dead-letters', status: [200] },
  reconcileDestination: { path: () => `${at}/reconcile`, status: [200] },
  listReconciliations: { path: () => '/v1/reconciliations', status: [200] },
  listAlerts: { path: () => '/v1/alerts?all=true', status: [200] },
  acknowledgeAlert: { path: ({ alert }) => `/v1/alerts/${encodeURIComponent(alert)}/acknowledge`, body: reasoned, status: [200] },
  drillDestination: { path: () => `${at}/drill`, body: json({ reason: 'matrix', ledger: 'changes', for_s: 10 }), status: [200, 409] },
  listDrills: { path: () => '/v1/drills', status: [200] },
  pauseDestination: { path: () => `${at}/pause`, body: reasoned, status: [200] },
  resumeDestination: { path: () => `${at}/resume`, body: reasoned, status: [200] },
  setUpDestination: { path: () => `${at}/setup`, body: json({ dry_run: true }), status: [200] },
  checkDestination: { path: () => `${at}/check`, body: json({ wait_s: 1 }), status: [200] },
  retryDeadLetters: { path: () => '/v1/dead-letters/retry', body: ({ letter }) => JSON.stringify({ letters: [letter], reason: 'matrix' }), status: [200, 404] },
  discardDeadLetters: { path: () => '/v1/dead-letters/discard', body: ({ letter }) => JSON.stringify({ letters: [letter], reason: 'matrix' }), status: [200, 404] },
  redeliverDestination: { path: () => `${at}/redeliver`, body: json({ missing: true, reason: 'matrix' }), status: [200] },
  lookUpDestination: { path: () => `${at}/lookup`, status: [400] },
  settleDestination: { path: () => `${at}/settle?reason=matrix`, body: () => 'proofline_id,count\n', status: [400] },
  estimateDestination: { path: () => `${at}/estimate`, status: [200] },
  moveDestination: { path: () => `${at}/moved`, body: reasoned, status: [200] },
  listKeys: { path: () => '/v1/keys', status: [200] },
  rotateKey: { path: () => '/v1/keys/unit/rotate', body: ({ vkey }) => JSON.stringify({ replaces: vkey, reason: 'matrix' }), status: [200, 409] },
  retireKey: { path: () => '/v1/keys/unit/retire', body: ({ vkey }) => JSON.stringify({ vkey, until: 0, reason: 'matrix' }), status: [200, 409, 400] },
  // Where nobody signs in; test/http/login.db.test.ts has sessions.
  login: { path: () => '/login', status: [404] },
  finishLogin: { path: () => '/login/callback', status: [404] },
  logout: { path: () => '/logout', status: [404] },
  getMe: { path: () => '/v1/me', status: [200], bound: { own: [200], other: [200], why: 'it is about the caller' } },
  getHealth: { path: () => '/healthz', status: [200] },
  getReadiness: { path: () => '/readyz', status: [200] },
  getMetrics: { path: () => '/metrics', status: [200] },
  getPage: { path: () => '/', status: [200] },
} // oxfmt-ignore
