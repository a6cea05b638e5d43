import { csvLine } from '../verify/csv.ts'

/** Which file of a pack shows what of a regime, in the regime's own numbers. Only what a pack does show; whether that is enough is the auditor's to say. */
const controls: readonly (readonly [regime: string, clause: string, asks: string, shown: string, where: string])[] = [
  ['PCI DSS 4.0', '10.3.2', 'audit log files are protected from modification', 'each record is a leaf of a signed, append-only log; a change of any byte breaks the proof', 'log/*/checkpoint; samples/*/*.tlog-proof'],
  ['PCI DSS 4.0', '10.3.4', 'change detection on audit logs raises alerts', 'alerts of the service about its own log, opened and closed', 'population/alerts.csv'],
  ['PCI DSS 4.0', '10.2.1.3', 'access to audit logs is logged', 'who read records and asked for packs, by token', 'population/access.csv'],
  ['PCI DSS 4.0', '10.5.1', 'twelve months of history are kept', 'records of the period, by seq without a gap', 'completeness.json; population/records'],
  ['PCI DSS 4.0', '10.6', 'times are consistent', 'recorded_at is the service\'s and grows with seq; time-stamps of others where they are configured', 'population/records; log/*/stamp-*.tst'],
  ['SEC 17a-4', '(f)(2)(i)(A)', 'an audit trail of modifications and deletions, with time and person', 'nothing is modified: what corrects is a further record', 'population/records; population/commands.csv'],
  ['SEC 17a-4', '(f)(2)(ii)', 'completeness and accuracy of storing are verified', 'sizes, roots and gaps add up and lead to the signed root', 'completeness.json; log/*/gaps.ndjson'],
  ['SEC 17a-4', '(f)(2)(iv)', 'a human-readable and a reasonably usable electronic form', 'one page to read and print; records as they are', 'report.html; population'],
  ['21 CFR 11.10', '(a)', 'altered records are discerned', 'verification without the service', 'README.md; manifest.json'],
  ['21 CFR 11.10', '(b)', 'accurate and complete copies, readable and electronic', 'one page to read and print; records as they are', 'report.html; population'],
  ['21 CFR 11.10', '(e)', 'computer-generated, time-stamped audit trail; changes do not obscure what was recorded', 'records only follow one another', 'population/records; log/*/consistency.*'],
  ['ISO/IEC 27001:2022', 'A.8.15', 'logs are produced, stored, protected and analysed', 'records, proofs, alerts and their dispositions', 'population; exceptions.csv'],
  ['ISO/IEC 27001:2022', 'A.8.17', 'clocks are synchronised', 'alerts about the clock; time-stamps of others where they are configured', 'population/alerts.csv; log/*/stamp-*.tst'],
  ['SOC 2', 'CC8.1', 'changes are tested', 'each run with its commit, suite, outcome and test totals; each gate with its verdict, each deployment with the decision that stood', 'population/runs.csv; population/gates.csv; population/deployments.csv; exceptions.csv; samples'],
  ['SOC 2', 'CC8.1', 'changes are authorised; what departs from the rule is approved', 'overrides with reason, ticket and person; deployments without pass with the note that stands', 'population/gates.csv; population/dispositions.csv; exceptions.csv'],
  ['SOC 2', 'IPE', 'information produced by the entity is complete and accurate', 'population by seq without a gap; a sample that neither side chose', 'completeness.json; samples/samples.json'],
  ['DO-178C', 'Table A-7, 5 to 7', 'structural coverage is measured', 'coverage by measure (line, branch, MC/DC where the format has it) with tool and version; different measures are never added', 'population/parts.csv; samples'],
  ['ISO 26262-6', '9.4.5', 'structural coverage at unit level', 'a ledger of its own for unit tests', 'population/records/unit.ndjson'],
  ['ISO 26262-6', '10.4.6', 'structural coverage at integration level', 'a ledger of its own for integration tests', 'population/records/integration.ndjson'],
  ['NIST SSDF 1.1', 'PW.8.2', 'executable code is tested and the results are documented', 'test totals and outcome of each run, exceptions with dispositions', 'population/runs.csv; exceptions.csv'],
  ['NIST SSDF 1.1', 'PO.3.3', 'tools generate artifacts of what they did', 'reports as the tools wrote them, by digest; in-toto attestations', 'artifacts; samples/*/attestations.intoto.jsonl'],
] // oxfmt-ignore

export const printControls = (): string =>
  [['regime', 'clause', 'asks', 'what the pack shows', 'where'], ...controls].map(csvLine).join('')
