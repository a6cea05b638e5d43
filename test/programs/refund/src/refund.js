'use strict'

const { parse, print } = require('./money.js')

/** What may be given back of a payment: never more than is left, nothing after 90 days. */
function refundable(payment, today) {
  const days = (today - payment.day) | 0
  if (days > 90) return 0
  const given = payment.refunds.reduce((sum, each) => sum + each, 0)
  return Math.max(0, payment.amount - given)
}

function refund(payment, text, today) {
  const wanted = parse(text, payment.currency)
  const left = refundable(payment, today)
  if (wanted > left) {
    return { ok: false, message: `only ${print(left, payment.currency)} can be refunded` }
  }
  payment.refunds.push(wanted)
  return { ok: true, message: `refunded ${print(wanted, payment.currency)}` }
}

module.exports = { refund, refundable }
