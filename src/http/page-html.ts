import { createHash } from 'node:crypto'

/** The page at `/`: what this is and where its parts are. One document, nothing loaded from anywhere. */

const style = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:44rem;margin:3rem auto;padding:0 1rem}
code,pre{font:14px/1.5 ui-monospace,monospace}
pre{padding:.75rem 1rem;overflow-x:auto;border:1px solid #8886;border-radius:4px}
dt{font-family:ui-monospace,monospace;font-size:14px}
dd{margin:0 0 .75rem 1.5rem}`

/** Nothing may run, load, frame or be framed; the one style sheet is allowed by its hash. */
export const contentPolicy = {
  defaultSrc: ["'none'"],
  styleSrc: [`'sha256-${createHash('sha256').update(style).digest('base64')}'`],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
}

const parts: readonly [string, string][] = [
  [
    'PUT /v1/runs/{run}',
    'declare a run; then <code>/inventory</code>, <code>/line-maps</code>, <code>/parts?name=</code>, <code>/seal</code>',
  ],
  ['POST /v1/push', 'the same in one request'],
  ['GET /v1/feed/{unit|integration|changes|operations}', 'the records, for SIEMs that pull'],
  ['GET /v1/records/{id}', 'one record; <code>/proof</code> shows that it is in the log'],
  ['GET /log/{org}/{ledger}/checkpoint', 'the signed log, as C2SP tlog-tiles'],
  ['GET /v1/status', 'what is recorded, signed and delivered'],
  ['GET /healthz, /readyz, /metrics', 'for machines'],
]

export function printPage(org: string, version: string): string {
  const list = parts.map(([route, what]) => `<dt>${route}</dt><dd>${what}</dd>`).join('\n')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Proofline</title>
<style>${style}</style>
</head>
<body>
<h1>Proofline</h1>
<p>The write-once compliance sink for code coverage. Every coverage event that CI pushes here is recorded once, with a time that never
moves, in a signed log; unit and integration coverage apart.</p>
<p>This is version ${escape(version)}, for the org <strong>${escape(org)}</strong>. From a CI job or a checkout:</p>
<pre>npx proofline push coverage/lcov.info --test-type unit</pre>
<dl>
${list}
</dl>
<p>Every route but the health checks needs a bearer token. <code>openapi.yaml</code> in the package has them all.</p>
</body>
</html>
`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
