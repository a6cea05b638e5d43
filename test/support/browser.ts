import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

/** A real browser: the system's Chromium. Undefined where there is none, and what needs it says that it was skipped. */
export const browserFile = (process.env['PATH'] ?? '')
  .split(delimiter)
  .flatMap((folder) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(folder, name)))
  .find((file) => existsSync(file))

/** It asks nobody but whom a test sends it to. */
export const browserFlags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'] // oxfmt-ignore

/** `hosts` has names that are addresses of this machine: a name and a port for each, as a resolver and a proxy would lead there. */
export function startBrowser(hosts: Readonly<Record<string, number>>): Promise<Browser> {
  const rules = Object.entries(hosts).map(([name, port]) => `MAP ${name} 127.0.0.1:${port}`)
  return chromium.launch({
    executablePath: browserFile ?? '',
    args: [...browserFlags, `--host-resolver-rules=${rules.join(', ')}`],
    // Pages that the back button finds as they were are part of what people have.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  })
}
