import {
  type Coverage,
  type CoverageMeasure,
  type ResourceDescriptor,
  type TestResult,
  commitSubject,
  coveragePredicate,
  printStatement,
  testResultPredicate,
} from '../log/in-toto.ts'
import type { PackRecord } from './pack-account.ts'

/**
 * The in-toto statements of one sealed run. They say what its seal and parts say, in the words of in-toto, and nothing beside: whoever has
 * the records makes the same bytes.
 */
export function attestationsOf(seal: PackRecord, parts: readonly PackRecord[], origin: string): Uint8Array[] {
  const { fields } = seal
  const subject = [commitSubject(textOf(fields['repository']), textOf(fields['commit']))]
  const tests = testsOf(fields['tests'])
  const url = typeof fields['url'] === 'string' ? fields['url'] : undefined
  const configuration = fields['configuration']
  const testResult: TestResult = {
    result: tests === null || fields['outcome'] !== 'completed' ? 'WARNED' : tests.failed > 0 ? 'FAILED' : 'PASSED',
    configuration: typeof configuration === 'string' ? [{ name: 'configuration', digest: { sha256: configuration } }] : [], // oxfmt-ignore
    url,
  }
  const coverage: Coverage = {
    testType: fields['test_type'] === 'integration' ? 'integration' : 'unit',
    suite: textOf(fields['suite']),
    run: textOf(fields['run']),
    ref: optional(fields['ref']),
    build: optional(fields['build']),
    outcome: textOf(fields['outcome']),
    tests,
    admitted: fields['admitted'] === true,
    reasons: Array.isArray(fields['reasons']) ? fields['reasons'].map(textOf) : [],
    measures: Array.isArray(fields['totals']) ? fields['totals'].map(measureOf) : [],
    artifacts: artifactsOf(parts),
    log: {
      origin,
      record: seal.id,
      seq: seal.seq,
      recordedAt: seal.recorded_at,
      runRoot: textOf(fields['root']),
    },
  }
  return [
    printStatement(subject, { predicateType: testResultPredicate, predicate: testResult }),
    printStatement(subject, { predicateType: coveragePredicate, predicate: coverage }),
  ]
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value ?? null))
const optional = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

function testsOf(value: unknown): Coverage['tests'] {
  if (typeof value !== 'object' || value === null) return null
  const { total, passed, failed, skipped } = value as Partial<Record<string, unknown>>
  const numbers = [total, passed, failed, skipped].map((one) => (typeof one === 'number' ? one : 0))
  const [t = 0, p = 0, f = 0, s = 0] = numbers
  return { total: t, passed: p, failed: f, skipped: s }
}

function measureOf(value: unknown): CoverageMeasure {
  const { metric, definition, tool, parts, files, declared: _declared, ...counts } = value as Record<string, unknown>
  return {
    metric: textOf(metric),
    definition: textOf(definition),
    tool: toolOf(tool),
    parts: Number(parts),
    files: Number(files),
    counts,
  }
}

/** What the report does not name is unknown, and said so. */
function toolOf(value: unknown): CoverageMeasure['tool'] {
  if (typeof value !== 'object' || value === null || !('name' in value)) return { name: 'unknown' }
  const version = 'version' in value ? optional(value.version) : undefined
  return { name: textOf(value.name), ...(version === undefined ? {} : { version }) }
}

function artifactsOf(parts: readonly PackRecord[]): ResourceDescriptor[] {
  return parts.map(({ fields }) => ({
    name: textOf(fields['part']),
    digest: { sha256: textOf(fields['artifact_sha256']) },
  }))
}
