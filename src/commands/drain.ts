import { problems, Problem } from '../record/problem.ts'
import { listSpool, readSpool, removeSpool } from '../producer/spool.ts'
import { mayPass, upload, type UploadOptions } from '../producer/upload.ts'
import { connect } from './connect.ts'
import { signingOf } from './sign-requests.ts'
import { printReceipt } from './receipt.ts'
import type { ExitCode, Terminal } from './terminal.ts'

/**
 * `push --drain`: sends every spooled run with the time at which it happened, flagged late. One that is refused stays where it is and does
 * not stop the others; an unreachable service does.
 */
export async function drain(
  folder: string,
  statement: string | undefined,
  terminal: Terminal,
  options: UploadOptions,
): Promise<ExitCode> {
  const spooled = await listSpool(folder)
  if (spooled.length === 0) terminal.say(`nothing is spooled in ${folder}`)
  const shared = statement === undefined ? await connect(undefined, { say: terminal.say }) : undefined
  let worst: ExitCode = 0
  try {
    for (const one of spooled) {
      try {
        const plan = await readSpool(one)
        const client = shared ?? (await connect(undefined, { signing: signingOf(statement ?? '', plan) }))
        const uploaded = await upload(
          { ...plan, declaration: { ...plan.declaration, late: true } },
          client,
          options,
        ).finally(() => client !== shared && client.close())
        await removeSpool(one)
        terminal.print({ run: plan.run, repeated: uploaded.repeated, drained: one }, () => printReceipt(uploaded))
      } catch (error) {
        if (mayPass(error) || !(error instanceof Problem)) throw error
        terminal.say(`${one} stays: ${error.message} [${error.code}]`)
        terminal.say('  put right what is wrong and push it again, then delete this folder: it is refused every time')
        worst = problems[error.code].exit
      }
    }
  } finally {
    shared?.close()
  }
  return worst
}
