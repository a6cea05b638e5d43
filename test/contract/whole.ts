/** A contract with every key. */
export const whole = `
version: 1
repository: github.com/acme/payments
mode: enforce
refs: [refs/heads/main, 'refs/heads/release/*']
production:
  include: ['src/**']
  exclude:
    - glob: src/generated/**
      reason: written by protoc
suites:
  - name: api
    test_type: unit
    stage: test
    tool: nyc@17.1
    definition: [lcov.da@1, istanbul.statement@1]
    cadence: 24h
    owner: team-payments
    thresholds: { lines: 80.5, changed_lines: 90 }
  - { name: api, test_type: integration, required: false }
thresholds:
  unit: { lines: 75 }
configuration: ${'ab'.repeat(32)}
late: 7d
`
