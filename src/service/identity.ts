import { readFile } from 'node:fs/promises'
import { createAuthenticator } from '../access/authenticate.ts'
import { keySetOf } from '../access/fetch-keys.ts'
import type { IssuerSettings } from '../access/identity-settings.ts'
import { type IssuerKeys, createIssuerKeys } from '../access/issuer-keys.ts'
import { createOidcVerifier } from '../access/oidc.ts'
import type { Principal } from '../access/principal.ts'
import { createProducers } from '../access/producers.ts'
import { createTokens } from '../access/tokens.ts'
import { type Config, ConfigError } from '../config.ts'
import type { Queryable } from '../database/database.ts'
import { openIssuerDoor, parseJson } from './issuer-door.ts'
import { issuerUnreachable } from './issuer-findings.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Finding } from '../watch/alerts.ts'

/** Every way to say who one is, and the issuers whose keys are looked after in the background: a push waits for none that is slow. */
export interface OpenIdentity {
  authenticate: (authorization: string | undefined) => Promise<Principal | undefined>
  /** Issuers that do not give their keys. */
  findings(): Finding[]
  close(): Promise<void>
}

export async function openIdentity(config: Config, db: Queryable, log: Logger): Promise<OpenIdentity> {
  const { issuers, audience, cooldown_ms: cooldownMs, refresh_ms: refreshMs, keep_ms: keepMs } = config.identity
  const getters: { close(): Promise<void> }[] = []
  const open: { settings: IssuerSettings; audience: string; keys: IssuerKeys }[] = []
  for (const settings of issuers) {
    let fetch: () => Promise<unknown>
    if (settings.keys_file === undefined) {
      const getter = await openIssuerDoor(settings.jwks_uri ?? settings.issuer, settings.ca_file, config.identity)
      getters.push(getter)
      fetch = keySetOf(settings, getter.get)
    } else fetch = await fileOf(settings.keys_file)
    const keys = createIssuerKeys({ fetch, cooldownMs, refreshMs, keepMs, nowMs: () => performance.now() })
    open.push({ settings, audience: settings.audience ?? audience ?? '', keys }) // one of the two, or the start was refused
  }
  const refresh = async (): Promise<void> => {
    for (const { settings, keys } of open) {
      await keys.refresh()
      const trouble = keys.trouble()
      if (trouble !== undefined) log.warn('issuer.unreachable', { issuer: settings.issuer, detail: trouble.detail })
    }
  }
  void refresh()
  const timer = setInterval(() => void refresh(), cooldownMs)
  return {
    authenticate: createAuthenticator({
      org: config.org,
      tokens: createTokens(db),
      producers: createProducers(db),
      oidc: createOidcVerifier({ org: config.org, issuers: open }),
    }),
    findings: () =>
      open.flatMap(({ settings, keys }) => {
        const trouble = keys.trouble()
        return trouble === undefined ? [] : [issuerUnreachable(settings.issuer, 'no keys', trouble)]
      }),
    async close() {
      clearInterval(timer)
      await Promise.all(getters.map((getter) => getter.close()))
    },
  }
}

async function fileOf(file: string): Promise<() => Promise<unknown>> {
  const read = async (): Promise<unknown> => parseJson(await readFile(file, 'utf8'), file)
  await read().catch((error: unknown) => {
    throw new ConfigError(`identity.issuers: keys_file: ${error instanceof Error ? error.message : String(error)}`)
  })
  return read
}
