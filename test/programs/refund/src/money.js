'use strict'

const digits = { EUR: 2, JPY: 0, KWD: 3 }

/** "12.30" EUR -> 1230; throws on what is no amount. */
function parse(text, currency) {
  const places = digits[currency]
  if (places === undefined) throw new Error(`unknown currency ${currency}`)
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text)
  if (!match) throw new Error(`not an amount: ${text}`)
  const fraction = match[2] ?? ''
  if (fraction.length > places) throw new Error(`too many digits for ${currency}: ${text}`)
  return Number(match[1] + fraction.padEnd(places, '0'))
}

function print(minor, currency) {
  const places = digits[currency]
  if (places === 0) return `${minor} ${currency}`
  const text = String(minor).padStart(places + 1, '0')
  return `${text.slice(0, -places)}.${text.slice(-places)} ${currency}`
}

module.exports = { parse, print }
