import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { elasticFolder, printElasticFiles } from './elastic-files.ts'

/** `npm run deploy`: writes again what of deploy/ is printed from src/. */
for (const flavour of ['elasticsearch', 'opensearch'])
  rmSync(join(elasticFolder, flavour), { recursive: true, force: true })
for (const [name, text] of printElasticFiles()) {
  const path = join(elasticFolder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
