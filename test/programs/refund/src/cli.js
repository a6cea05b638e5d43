'use strict'

const { refund } = require('./refund.js')

/** refund <amount> <currency> <day> <today> <wanted> */
function main(args) {
  if (args.length !== 5) {
    process.stderr.write('usage: refund <amount> <currency> <day> <today> <wanted>\n')
    return 2
  }
  const [amount, currency, day, today, wanted] = args
  const payment = { amount: Number(amount), currency, day: Number(day), refunds: [] }
  try {
    const { ok, message } = refund(payment, wanted, Number(today))
    process.stdout.write(`${message}\n`)
    return ok ? 0 : 1
  } catch (error) {
    process.stderr.write(`${error.message}\n`)
    return 2
  }
}

process.exitCode = main(process.argv.slice(2))
