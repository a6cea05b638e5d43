import { createHash } from 'node:crypto'

/** The page at `/`: what this is and where its parts are. One document, nothing loaded from anywhere. */

const style = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:44rem;margin:3rem auto;padding:0 1rem}
code,pre{font:14px/1.5 ui-monospace,monospace}
pre{padding:.75rem 1rem;overflow-x:auto;border:1px solid #8886;border-radius:4px}
dt{font-family:ui-monospace,monospace;font-size:14px}
dd{margin:0 0 .75rem 1.5rem}`

/** Nothing may run, load, frame or be framed; the one style sheet is allowed by its hash. */
export function contentPolicy(hasLogin: boolean) {
  return {
    defaultSrc: ["'none'"],
    styleSrc: [`'sha256-${createHash('sha256').update(style).digest('base64')}'`],
    baseUri: ["'none'"],
    // One form: to sign out.
    formAction: [hasLogin ? "'self'" : "'none'"],
    frameAncestors: ["'none'"],
  }
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

/** Who looks at the page: undefined where nobody can sign in, `nobody` who has not. */
export type Visitor = { id: string; scopes: readonly string[] } | 'nobody' | undefined

export function printPage(org: string, version: string, visitor: Visitor): string {
  const list = parts.map(([route, what]) => `<dt>${route}</dt><dd>${what}</dd>`).join('\n')
  return printDocument(`<h1>Proofline</h1>
${printVisitor(visitor)}<p>The write-once compliance sink for code coverage. Every coverage event that CI pushes here is recorded once, with a time that never
moves, in a signed log; unit and integration coverage apart.</p>
<p>This is version ${escape(version)}, for the org <strong>${escape(org)}</strong>. From a CI job or a checkout:</p>
<pre>npx proofline push coverage/lcov.info --test-type unit</pre>
<dl>
${list}
</dl>
<p>Every route but the health checks needs a bearer token${visitor === undefined ? '' : ' or a session'}. <code>openapi.yaml</code> in the package has them all.</p>`)
}

/** What went wrong, for a browser. With `from`, the path that was asked for, whoever is not signed in may do so and come back to it. */
export function printProblem(title: string, detail: string, code: string, from: string | undefined): string {
  const signIn = from === undefined ? '' : `<a href="/login?return=${encodeURIComponent(from)}">Sign in</a> · `
  return printDocument(`<h1>${escape(title)}</h1>
<p>${escape(detail)}</p>
<p>${signIn}<a href="/">Proofline</a> · <code>${escape(code)}</code></p>`)
}

/** Goes on by itself, as a page of this service. */
export function printGoOn(path: string, why: string): string {
  const refresh = `<meta http-equiv="refresh" content="0;url=${escape(path)}">\n`
  return printDocument(`<p>${why} <a href="${escape(path)}">Go on</a></p>`, refresh)
}

function printVisitor(visitor: Visitor): string {
  if (visitor === undefined) return ''
  if (visitor === 'nobody') return '<p><a href="/login">Sign in</a></p>\n'
  const { id, scopes } = visitor
  return `<form method="post" action="/logout"><p>Signed in as <code>${escape(id)}</code> (${escape(scopes.join(', '))}) <button>Sign out</button></p></form>\n`
}

function printDocument(body: string, head = ''): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
${head}<title>Proofline</title>
<style>${style}</style>
</head>
<body>
${body}
</body>
</html>
`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
