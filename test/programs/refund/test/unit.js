'use strict'

const { test } = require('node:test')
const assert = require('node:assert')
const { parse, print } = require('../src/money.js')
const { refundable } = require('../src/refund.js')

test('an amount is read in minor units', () => assert.equal(parse('12.3', 'EUR'), 1230))
test('too many digits are refused', () => assert.throws(() => parse('1.5', 'JPY'), /too many digits/))
test('an amount is printed with its currency', () => assert.equal(print(5, 'EUR'), '0.05 EUR'))
test('nothing can be refunded after 90 days', () =>
  assert.equal(refundable({ amount: 100, day: 1, refunds: [] }, 100), 0))
test('what was refunded before counts', () =>
  assert.equal(refundable({ amount: 100, day: 1, refunds: [30, 20] }, 2), 50))
