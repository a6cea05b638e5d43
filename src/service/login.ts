import { ensureSecret } from '../access/first-token.ts'
import { keySetOf } from '../access/fetch-keys.ts'
import { createIssuerKeys } from '../access/issuer-keys.ts'
import { createSessions } from '../access/sessions.ts'
import { createSignIn } from '../access/sign-in.ts'
import type { Config } from '../config.ts'
import type { Queryable } from '../database/database.ts'
import { secretOf } from '../delivery/wire.ts'
import type { Login } from '../http/login.ts'
import { createCookies } from '../http/session-cookie.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Finding } from '../watch/alerts.ts'
import { openIssuerDoor } from './issuer-door.ts'
import { issuerUnreachable } from './issuer-findings.ts'

export interface OpenLogin {
  /** Undefined where nobody signs in here. */
  login: Login | undefined
  /** That nobody can sign in, and why. */
  findings(): Finding[]
  close(): Promise<void>
}

/** The issuer's keys are looked after in the background, so that its absence shows before somebody needs it: a start does not wait. */
export async function openLogin(
  config: Config,
  db: Queryable,
  recordUse: Login['recordUse'],
  log: Logger,
): Promise<OpenLogin> {
  const { login: settings, org, identity, http } = config
  if (settings === undefined) return { login: undefined, findings: () => [], close: async () => {} }
  const secret = await secretOf('login.client_secret', settings.client_secret, settings.client_secret_file)
  const door = await openIssuerDoor(settings.issuer, settings.ca_file, settings)
  const keys = createIssuerKeys({
    fetch: keySetOf({ issuer: settings.issuer, jwks_uri: undefined }, door.get),
    cooldownMs: identity.cooldown_ms,
    refreshMs: identity.refresh_ms,
    keepMs: identity.keep_ms,
    nowMs: () => performance.now(),
  })
  const publicUrl = http.public_url ?? '' // or the start was refused
  const sessions = createSessions(db, { org, issuer: settings.issuer, hours: settings.session_hours })
  const sealKey = await ensureSecret(db, `login.${org}`)
  const refresh = async (): Promise<void> => {
    await keys.refresh()
    const trouble = keys.trouble()
    if (trouble !== undefined) log.warn('issuer.unreachable', { issuer: settings.issuer, detail: trouble.detail })
  }
  void refresh()
  const timer = setInterval(() => void refresh(), identity.cooldown_ms)
  const signIn = createSignIn({
    settings,
    redirectUri: `${publicUrl}/login/callback`,
    secret: async () => (await secret?.read())?.reveal(),
    keys,
    get: door.get,
    post: door.post,
    onTrouble: (detail) => log.warn('login.unavailable', { issuer: settings.issuer, detail }),
  })
  return {
    login: {
      issuer: settings.issuer,
      signIn,
      sessions,
      roles: settings.roles,
      sessionHours: settings.session_hours,
      sealKey,
      recordUse,
      cookies: createCookies(publicUrl.startsWith('https:')),
      ownOrigin: new URL(publicUrl).origin,
      find: sessions.find,
    },
    findings() {
      const subject = `login ${settings.issuer}`
      const away = keys.trouble()
      if (away !== undefined) return [issuerUnreachable(subject, 'no keys', away)]
      const refusing = signIn.trouble()
      return refusing === undefined ? [] : [issuerUnreachable(subject, 'it refuses this client', refusing)]
    },
    async close() {
      clearInterval(timer)
      await door.close()
    },
  }
}
