import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { inspect } from 'node:util'
import { Toksta, TokstaError } from '../src/index.js'
import { operations } from '../src/operations.js'
import { admitted, data, serve } from './server.js'

const key = 'tk_op_0123456789abcdef0123456789abcdef0123456789abcdef'

// Guarantee: a call posts its fields with the key, and returns the data of the envelope.
test('call', async (t) => {
  const { url, requests } = await serve(t, (req, res) => data(res, { id: 'acc_1' }))
  const toksta = new Toksta({ url: url + '/base/', key })
  assert.deepEqual(await toksta.accounts.show({ account: 'acme' }), { id: 'acc_1' })
  assert.deepEqual(await toksta.call('nodes'), { id: 'acc_1' })
  const [first, second] = requests
  assert.equal(first.path, '/base/operator/v1/accounts/show')
  assert.equal(first.headers.authorization, `Bearer ${key}`)
  assert.equal(first.headers['content-type'], 'application/json')
  assert.deepEqual([first.body, second.body], [{ account: 'acme' }, {}])
  for (let i = 0; i < 8; i++) await toksta.call('nodes')
  const sockets = new Set(requests.map((r) => r.socket)).size
  assert.ok(sockets < 4, `${requests.length} calls used ${sockets} connections`)
})

// Guarantee: an error of the server is a TokstaError with all its fields.
test('errors', async (t) => {
  const { url } = await serve(t, (req, res) => {
    res.writeHead(409, { 'content-type': 'application/json' })
    res.end(JSON.stringify({ success: false, error: { code: 'CONFLICT', message: 'No.', details: { reason: 'r', hint: 'h' } }, meta: { request_id: 'req_9' } }))
  })
  await assert.rejects(new Toksta({ url, key }).keys.revoke({ key: 'x' }), (e) => {
    assert.ok(e instanceof TokstaError)
    assert.deepEqual([e.code, e.reason, e.message, e.hint, e.status, e.requestId], ['CONFLICT', 'r', 'No.', 'h', 409, 'req_9'])
    return true
  })
})

// Guarantee: an operator key that Toksta rejects is an error that says what to do.
test('a rejected operator key', async (t) => {
  const { url } = await serve(t, (req, res) => {
    res.writeHead(401, { 'content-type': 'application/json' })
    res.end(JSON.stringify({ success: false, error: { code: 'UNAUTHORIZED', message: 'No.' }, meta: { request_id: 'req_9' } }))
  })
  await assert.rejects(new Toksta({ url, key }).call('nodes'), (e) => e.code === 'UNAUTHORIZED' && e.hint.includes('use another one'))
})

// Guarantee: no value of the package shows the key, also when a call fails.
test('the key is hidden', async () => {
  const toksta = new Toksta({ url: 'http://127.0.0.1:1', key })
  const error = await toksta.verify({ operation: 'x' }).catch((e) => e)
  assert.deepEqual([error.code, error.reason, error.status], ['UNAVAILABLE', 'unreachable', 0])
  for (const shown of [inspect(toksta, { depth: 9, showHidden: true, getters: true }), JSON.stringify(toksta), inspect(error, { depth: 9, showHidden: true }), error.stack]) {
    assert.ok(!shown.includes(key.slice(6)), shown)
  }
  for (const bad of ['tk_op_1\n2', 'tk_op é', '', 7]) {
    assert.throws(() => new Toksta({ url: 'https://t.test', key: bad }), (e) => e instanceof TypeError && !e.message.includes('tk_op_1') && !e.message.includes('é'))
  }
})

// Guarantee: the key is never sent in clear text to another machine, nor to another server by a redirect.
test('where the key goes', async (t) => {
  for (const url of ['http://toksta.internal', 'http://127.0.0.1.evil.test', 'http://[::2]', 'ftp://h', 'https://u:p@h', 'https://h?x', 'https://h#x', 'h']) {
    assert.throws(() => new Toksta({ url, key }), TypeError, url)
  }
  for (const url of ['https://toksta.internal', 'http://localhost:1', 'http://127.9.0.1', 'http://[::1]:8']) new Toksta({ url, key })
  new Toksta({ url: 'http://toksta.internal', key, insecureHttp: true })
  assert.throws(() => new Toksta({ url: 'https://t.test' }), TypeError)
  assert.throws(() => new Toksta({ key }), TypeError)
  assert.throws(() => new Toksta({ url: 'https://t.test', socket: '/x', key }), TypeError)

  const other = await serve(t, (req, res) => data(res, {}))
  const { url } = await serve(t, (req, res) => res.writeHead(307, { location: other.url + req.url }).end())
  await assert.rejects(new Toksta({ url, key }).call('nodes'), { code: 'UNAVAILABLE' })
  assert.equal(other.requests.length, 0)
})

// Guarantee: a call ends at its timeout, also if the server sends its response slowly.
test('timeout', async (t) => {
  const timers = []
  t.after(() => timers.forEach(clearInterval))
  const { url } = await serve(t, (req, res) => {
    res.writeHead(200, { 'content-type': 'application/json' })
    timers.push(setInterval(() => res.write(' '), 5))
  })
  await assert.rejects(new Toksta({ url, key, timeout: 60 }).verify({ operation: 'x' }), { code: 'UNAVAILABLE', reason: 'timeout' })
})

// Guarantee: only a complete decision admits a call.
test('malformed decisions', async (t) => {
  const answers = ['', 'null', '{}', '{"success":true}', '[]', '<html>',
    ...[{}, null, { admitted: 'true', response: { headers: {} } }, { admitted: 1, response: { headers: {} } }, { admitted: true }, { admitted: true, response: {} }, { admitted: true, response: { headers: {} } },
      { admitted: true, public: true, principal: { account_id: 'acc_1' }, response: { headers: {} } },
      { admitted: false, response: { headers: {} } }, { admitted: false, response: { status: 200, headers: {} } }].map((d) => JSON.stringify({ success: true, data: d }))]
  for (const answer of answers) {
    const { url } = await serve(t, (req, res) => res.setHeader('content-type', 'application/json').end(answer))
    await assert.rejects(new Toksta({ url, key }).verify({ operation: 'x' }), { code: 'UNAVAILABLE', reason: 'malformed_response' }, answer)
  }
  const { url } = await serve(t, (req, res) => data(res, { decisions: [admitted] }))
  await assert.rejects(new Toksta({ url, key }).verifyBatch([{}, {}]), { reason: 'malformed_response' })
})

// Guarantee: a key file that was replaced is used after a 401, once; a file with the rejected key is not tried again.
test('a rotated key file', async (t) => {
  const { url, requests } = await serve(t, (req, res) => {
    if (req.headers.authorization === 'Bearer tk_op_new') return data(res, admitted)
    res.writeHead(401, { 'content-type': 'application/json' })
    res.end(JSON.stringify({ success: false, error: { code: 'UNAUTHORIZED', message: 'No.' }, meta: {} }))
  })
  const keyFile = join(mkdtempSync(join(tmpdir(), 'toksta')), 'key')
  writeFileSync(keyFile, 'tk_op_old\n')
  const toksta = new Toksta({ url, keyFile })
  await assert.rejects(toksta.verify({ operation: 'x' }), { code: 'UNAUTHORIZED', status: 401 })
  assert.equal(requests.length, 1)
  writeFileSync(keyFile, 'tk_op_new\n')
  assert.equal((await toksta.verify({ operation: 'x' })).admitted, true)
  assert.equal(requests.length, 3)
})

// Guarantee: a burst of decisions uses few connections, and one that waits too long for its turn is never sent.
test('a burst', async (t) => {
  let open = 0
  let most = 0
  const held = []
  const { url } = await serve(t, (req, res) => {
    most = Math.max(most, ++open)
    held.push(() => (open--, data(res, admitted)))
  })
  const toksta = new Toksta({ url, key, timeout: 20_000 })
  const all = Promise.all(Array.from({ length: 200 }, () => toksta.verify({ operation: 'x' })))
  const pulse = setInterval(() => held.splice(0).forEach((release) => release()), 20)
  t.after(() => clearInterval(pulse))
  assert.equal((await all).filter((d) => d.admitted).length, 200)
  assert.ok(most <= 64, `${most} at the same time`)

  const silent = await serve(t, () => {})
  const slow = new Toksta({ url: silent.url, key, timeout: 200 })
  const results = await Promise.allSettled(Array.from({ length: 100 }, () => slow.verify({ operation: 'x' })))
  assert.deepEqual(new Set(results.map((r) => r.reason?.reason)), new Set(['timeout']))
  assert.ok(silent.requests.length <= 64, `${silent.requests.length} were sent`)
})

// Guarantee: the types name every method, and the name of an operation cannot leave the path of the API.
test('operations', async () => {
  const types = readFileSync(new URL('../src/index.d.ts', import.meta.url), 'utf8')
  const toksta = new Toksta({ url: 'https://t.test', key })
  for (const [noun, verbs] of Object.entries(operations)) {
    const names = new RegExp(`readonly ${noun}: Readonly<Record<(.*), Operation>>`).exec(types)?.[1].split(' | ').map((n) => n.slice(1, -1))
    assert.deepEqual(names, Object.keys(verbs), noun)
    assert.deepEqual(Object.keys(toksta[noun]), names)
  }
  for (const name of ['../x', 'keys/', '/keys', 'keys?x', 'Keys/x', 'keys/../x']) {
    await assert.rejects(toksta.call(name), TypeError, name)
  }
})
