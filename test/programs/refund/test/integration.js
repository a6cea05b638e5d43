'use strict'

const { test } = require('node:test')
const assert = require('node:assert')
const { spawnSync } = require('node:child_process')
const { join } = require('node:path')

const run = (...args) => spawnSync(process.execPath, [join(__dirname, '../src/cli.js'), ...args], { encoding: 'utf8' })

test('a refund is printed', () => assert.equal(run('1000', 'EUR', '1', '2', '4').stdout, 'refunded 4.00 EUR\n'))
test('more than was paid is refused', () => assert.equal(run('1000', 'JPY', '1', '2', '4000').status, 1))
test('an unknown currency is an error', () => assert.match(run('1', 'XXX', '1', '2', '1').stderr, /unknown currency/))
