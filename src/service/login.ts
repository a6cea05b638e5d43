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
import { openIssuerDoor } from './issuer-door.ts'

export interface OpenLogin {
  /** Undefined where nobody signs in here. */
  login: Login | undefined
  close(): Promise<void>
}

/** The issuer is asked when somebody signs in: a start does not wait for it. */
export async function openLogin(
  config: Config,
  db: Queryable,
  recordUse: Login['recordUse'],
  log: Logger,
): Promise<OpenLogin> {
  const { login: settings, org, identity, http } = config
  if (settings === undefined) return { login: undefined, close: async () => {} }
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
  return {
    login: {
      issuer: settings.issuer,
      signIn: createSignIn({
        settings,
        redirectUri: `${publicUrl}/login/callback`,
        secret: async () => (await secret?.read())?.reveal(),
        keys,
        get: door.get,
        post: door.post,
        onTrouble: (detail) => log.warn('login.unavailable', { issuer: settings.issuer, detail }),
      }),
      sessions,
      roles: settings.roles,
      sessionHours: settings.session_hours,
      sealKey: await ensureSecret(db, `login.${org}`),
      recordUse,
      cookies: createCookies(publicUrl.startsWith('https:')),
      ownOrigin: new URL(publicUrl).origin,
      find: sessions.find,
    },
    close: door.close,
  }
}
