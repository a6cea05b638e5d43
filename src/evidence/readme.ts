import { type PackScope, kindOf } from '../verify/pack-format.ts'

/** README.md of a pack: what is in it, and how it is checked with other people's tools. A test runs every command in it. */
export function printReadme({ question, org, ledgers }: PackScope): string {
  const first = ledgers.find(({ size }) => size > 0)
  const folder = first === undefined ? 'unit' : kindOf(first.ledger)
  const origin = first?.origin ?? ''
  return `# Evidence of code coverage: ${org}, ${question.from} to ${question.to}

| file | what |
|---|---|
| report.html | the whole on one page |
| scope.json | the question, who asked, the ledger sizes that fix the answer |
| completeness.json | size at the start + records of the period = size at the end, per ledger |
| population/ | runs.csv: each run counted, or why not; a table for each kind of record; records/: the records themselves, one a line |
| samples/ | runs drawn by samples.json: records, proofs, in-toto attestations; their reports lie in artifacts/ by SHA-256 |
| lines/ | where the question names a file: its history, run by run, with proofs where it changes |
| exceptions.csv | what was refused, abandoned, not counted, or is open; gates that did not pass, overrides, deployments without pass; each with the note that stands |
| controls.csv | which file shows what of PCI DSS, SEC 17a-4, 21 CFR 11, ISO 27001, SOC 2, DO-178C, ISO 26262, SSDF |
| limits.md | what is not proved |
| log/ | checkpoints, consistency proofs, hashes between the records shown, keys |
| manifest.json | SHA-256 and size of every file; manifest.dsse.json is the same, signed |

Trust begins outside of this pack: with verifier keys that you were given by the operator at another time, by another way, or that witnesses know. \`log/keys.txt\`
shows the keys that the pack itself names; compare them, and believe yours.

## With the proofline program

    proofline verify pack.zip --policy policy.txt

No network, no service; one line per check; exit code 0 when all is proved, 1 when something differs, 3 when something could not be checked.

## With other tools

In a folder where the pack was unpacked. First: no file was changed, and the list itself is signed.

\`\`\`sh
sha256sum --check --quiet SHA256SUMS
\`\`\`

The manifest's signature (DSSE, Ed25519) with OpenSSL 3. Put your own copy of the statement key in place of the first line.

\`\`\`sh
vkey=$(grep '/statement+' log/keys.txt | tail -n 1)
(printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'
 printf %s "$vkey" | sed -E 's/^[^+]*\\+[0-9a-f]{8}\\+//' | base64 -d | tail -c 32) > /tmp/statement.der
sed -E 's/.*"payload":"([^"]*)".*/\\1/' manifest.dsse.json | base64 -d > /tmp/payload
sed -E 's/.*"sig":"([^"]*)".*/\\1/' manifest.dsse.json | base64 -d > /tmp/sig
type=$(sed -E 's/.*"payloadType":"([^"]*)".*/\\1/' manifest.dsse.json)
(printf 'DSSEv1 %d %s %d ' "\${#type}" "$type" "$(wc -c < /tmp/payload)"; cat /tmp/payload) > /tmp/pae
openssl pkeyutl -verify -pubin -keyform DER -inkey /tmp/statement.der -rawin -in /tmp/pae -sigfile /tmp/sig
cmp /tmp/payload manifest.json
\`\`\`

A checkpoint's signature (C2SP signed-note), again with your own copy of the key. Go programs take it with golang.org/x/mod/sumdb/note.

\`\`\`sh
vkey=$(grep -F '${origin}+' log/keys.txt | tail -n 1)
(printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'
 printf %s "$vkey" | sed -E 's/^[^+]*\\+[0-9a-f]{8}\\+//' | base64 -d | tail -c 32) > /tmp/log.der
sed '/^$/,$d' log/${folder}/checkpoint > /tmp/text
grep -F ' ${origin} ' log/${folder}/checkpoint | head -n 1 | sed 's/.* //' | base64 -d | tail -c 64 > /tmp/sig
openssl pkeyutl -verify -pubin -keyform DER -inkey /tmp/log.der -rawin -in /tmp/text -sigfile /tmp/sig
\`\`\`

A record's place in the log (C2SP tlog-proof, RFC 6962) with nothing but Python's standard library: prints the size and root of the
checkpoint that the proof leads to, which is the text checked above.

\`\`\`sh
cat > /tmp/inclusion.py <<'END'
import base64, hashlib, sys
record, proof = open(sys.argv[1], 'rb').read(), open(sys.argv[2], encoding='utf-8').read()
head, note = proof.split('\\n\\n', 1)
lines = head.split('\\n')
index = int(next(l for l in lines if l.startswith('index '))[6:])
path = [base64.b64decode(l) for l in lines if len(l) == 44 and ' ' not in l]
origin, size, root = note.split('\\n')[:3]
h, fn, sn = hashlib.sha256(b'\\0' + record).digest(), index, int(size) - 1
for p in path:
    left = fn % 2 == 1 or fn == sn
    h = hashlib.sha256(b'\\1' + (p + h if left else h + p)).digest()
    while left and fn % 2 == 0 and fn: fn //= 2; sn //= 2
    fn //= 2; sn //= 2
assert sn == 0 and base64.b64encode(h).decode() == root, 'the record is not in this log'
print(index, 'is in', origin, size, root)
END
for record in samples/*/seal.json log/keys/*.json; do
  [ ! -f "$record" ] || python3 /tmp/inclusion.py "$record" "\${record%.json}.tlog-proof"
done
\`\`\`

The reports that a sample rests on are the bytes that the tools wrote; their names are their digests.

\`\`\`sh
for artifact in artifacts/*; do
  [ ! -f "$artifact" ] || [ "$(sha256sum < "$artifact" | cut -c 1-64)" = "$(basename "$artifact")" ]
done
\`\`\`

Time-stamps of an outside authority, where there are any. Bring the authority's root certificates as \`/tmp/ca.pem\`.

\`\`\`sh
for token in log/*/stamp-*.tst; do
  [ ! -f "$token" ] || openssl ts -verify -token_in -in "$token" -data "\${token%.tst}.note" -CAfile /tmp/ca.pem
done
\`\`\`

The sample is drawn anew as samples.json says; the attestations are DSSE envelopes as above, one a line, payloadType application/vnd.in-toto+json.
`
}
