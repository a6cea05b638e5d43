import type { LocalCommand } from '../watch/local-commands.ts'

/** As it goes on record: who runs it is told by number, never by name. */
export function localCommand(command: LocalCommand['command'], fields: LocalCommand['fields']): LocalCommand {
  return { command, fields, by: `uid:${process.getuid?.() ?? 'unknown'}`, at: Date.now() * 1000 }
}
