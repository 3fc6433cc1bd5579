import assert from 'node:assert/strict'
import http from 'node:http'
import net from 'node:net'
import test from 'node:test'
import { Proxies } from '../src/address.js'
import { requireKey } from '../src/express.js'
import { Guard } from '../src/guard.js'
import { requireKey as forNext } from '../src/next.js'
import { requireKey as forWebSocket } from '../src/websocket.js'
import { Toksta } from '../src/index.js'
import { admitted, data, serve } from './server.js'

const key = 'tk_op_0'

/** run serves one middleware and returns a function that sends raw bytes to it and returns the response. */
async function run(t, middleware, handler = (req, res) => res.end(JSON.stringify({ raw: req.rawHeaders, headers: req.headers, distinct: req.headersDistinct }))) {
  const server = http.createServer((req, res) => middleware(req, res, () => handler(req, res)))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return (lines, target = '/v1/x') => new Promise((resolve, reject) => {
    const socket = net.connect(server.address().port, '127.0.0.1', () => socket.write(Buffer.from([`GET ${target} HTTP/1.1`, 'Host: h', 'Connection: close', ...lines, '', ''].join('\r\n'), 'latin1')))
    let text = ''
    socket.on('data', (chunk) => (text += chunk)).on('error', reject).on('end', () => {
      const [head, body] = text.split(/\r\n\r\n(.*)/s)
      resolve({ status: Number(head.split(' ')[1]), head, body: body.replace(/^[0-9a-f]+\r\n(.*?)\r\n0\r\n\r\n$/s, '$1') })
    })
  })
}

// Guarantee: the decision is asked for the request as sent: target, every Authorization line, and the peer's address.
test('the request as sent', async (t) => {
  const { url, requests } = await serve(t, (req, res) => data(res, admitted))
  const send = await run(t, requireKey(new Toksta({ url, key })))
  await send(['Authorization: Bearer a', 'authorization: Bearer b', 'X-Forwarded-For: 203.0.113.9', 'User-Agent: Bj\xc3\xb6rk'], '/a/../b%2F?q=1')
  assert.deepEqual(requests[0].body, { method: 'GET', target: '/a/../b%2F?q=1', authorization: 'Bearer a, Bearer b', address: '127.0.0.1', agent: 'Björk' })
})

// Guarantee: no identity, id or override of a client reaches the handler, in any spelling; the verified ones do.
test('spoofed fields', async (t) => {
  const { url } = await serve(t, (req, res) => data(res, admitted))
  const send = await run(t, requireKey(new Toksta({ url, key })))
  const spoofed = ['X-Toksta-Account-Id', 'x_toksta_account_id', 'X-TOKSTA-Account_Id', 'x.toksta.key.id', 'X-Acme-Plan', 'x_acme_plan', 'X-Original-URI', 'X-Rewrite-Url', 'X-HTTP-Method-Override', 'SCRIPT_NAME', 'Path-Info', 'Daphne-Root-Path', 'X_Request_Id', 'Traceparent', 'Tracestate']
  const { status, body } = await send(['Authorization: Bearer a', 'X-Kept: yes', 'Connection: X-Acme-Account-Id, x_toksta_plan, X-Kept', ...spoofed.map((name) => `${name}: spoofed`)])
  assert.equal(status, 200)
  assert.ok(!body.includes('spoofed') && !body.includes('Bearer'), body)
  const got = JSON.parse(body)
  assert.equal(got.headers['x-acme-account-id'], 'acc_1')
  assert.deepEqual(got.distinct['x-acme-account-id'], ['acc_1'])
  assert.equal(got.headers.connection, 'close, X-Kept')
  assert.equal(got.headers['x-kept'], 'yes')
})

// Guarantee: the client's Tracestate reaches the handler only with its own Traceparent.
test('Tracestate', async (t) => {
  const { url } = await serve(t, (req, res) => data(res, { ...admitted, identity: { Traceparent: 'tp-1' } }))
  const send = await run(t, requireKey(new Toksta({ url, key })))
  assert.ok((await send(['Traceparent: tp-1', 'Tracestate: mine'])).body.includes('mine'))
  assert.ok(!(await send(['Traceparent: tp-2', 'Tracestate: mine'])).body.includes('mine'))
})

// Guarantee: a rejection is sent exactly as Toksta states it, and the handler does not run.
test('a rejection', async (t) => {
  const body = { success: false, error: { code: 'RATE_LIMITED', message: 'a <b> & c', details: { reason: 'rate_limited' } }, meta: { request_id: 'req_1' } }
  const { url } = await serve(t, (req, res) => data(res, { admitted: false, response: { status: 429, headers: { 'Content-Type': 'application/json', 'Retry-After': '7', 'Content-Length': '3' }, body } }))
  const send = await run(t, requireKey(new Toksta({ url, key })), () => assert.fail('the handler ran'))
  const got = await send([])
  assert.equal(got.status, 429)
  assert.equal(got.body, JSON.stringify(body).replace('<', '\\u003c').replace('>', '\\u003e').replace('&', '\\u0026'))
  assert.match(got.head, /\r\nRetry-After: 7\r\n/)
  assert.match(got.head, new RegExp(`\\r\\nContent-Length: ${got.body.length}\\r\\n`))
})

// Guarantee: without a decision the call is rejected with 503, whatever the failure is, and the failure is reported.
test('fails closed', async (t) => {
  const silent = await serve(t, () => {})
  const broken = await serve(t, (req, res) => data(res, { admitted: 'yes' }))
  const denied = await serve(t, (req, res) => res.writeHead(401, { 'content-type': 'application/json' }).end('{"success":false,"error":{"code":"UNAUTHORIZED","message":"No."},"meta":{}}'))
  const good = await serve(t, (req, res) => data(res, admitted))
  const thrower = () => { throw new Error('the option failed') }
  for (const [url, options, expected] of [['http://127.0.0.1:1', {}, 'unreachable'], [silent.url, {}, 'timeout'], [broken.url, {}, 'malformed_response'], [denied.url, {}, ''],
    [good.url, { operation: thrower }, undefined], [good.url, { address: thrower }, undefined], [good.url, { hold: thrower }, undefined]]) {
    const errors = []
    const send = await run(t, requireKey(new Toksta({ url, key, timeout: url === silent.url ? 50 : 5000 }), { ...options, onError: (e) => { errors.push(e); throw e } }), () => assert.fail('the handler ran'))
    const got = await send([])
    assert.equal(got.status, 503, url)
    assert.match(got.head, /\r\nRetry-After: 1\r\n/)
    assert.match(got.head, /\r\nCache-Control: no-store\r\n/)
    assert.match(got.body, /^\{"success":false,"error":\{"code":"UNAVAILABLE","message":"[^"]+"\},"meta":\{"request_id":"req_[0-9A-Z]{26}"\}\}$/)
    assert.deepEqual(errors.map((e) => e.reason), [expected])
  }
})

// Guarantee: a WebSocket is decided as well, a rejection is a whole response, and a client that disconnects meanwhile is no error.
test('WebSockets', async (t) => {
  const asked = []
  const { url, requests } = await serve(t, (req, res, all) => (all.length === 1 ? data(res, admitted) : asked.shift()?.(res)))
  const server = http.createServer()
  server.on('upgrade', forWebSocket(new Toksta({ url, key }), (req, socket) => socket.end(`HTTP/1.1 101 Switching Protocols\r\n\r\n${req.toksta.admitted} ${req.headers['x-acme-account-id']}`)))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const connect = () => net.connect(server.address().port, '127.0.0.1').end('GET /v1/ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Acme-Account-Id: spoofed\r\n\r\n')
  const read = async (socket) => {
    let text = ''
    for await (const chunk of socket) text += chunk
    return text
  }
  assert.match(await read(connect()), /^HTTP\/1\.1 101 .*\r\n\r\ntrue acc_1$/s)
  assert.equal(requests[0].body.target, '/v1/ws')
  asked.push((res) => data(res, { admitted: false, response: { status: 401, headers: { 'WWW-Authenticate': 'Bearer' }, body: {} } }))
  assert.equal(await read(connect()), 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}')
  await new Promise((resolve) => {
    const gone = connect().on('error', () => {})
    asked.push((res) => gone.resetAndDestroy().once('close', () => resolve(data(res, { admitted: false, response: { status: 401, headers: {}, body: {} } }))))
  })
})

// Guarantee: X-Forwarded-For counts only behind a listed proxy, and its last untrusted element decides.
test('addresses', () => {
  const proxies = new Proxies(['10.0.0.0/8', 'fd00::/8', '192.0.2.1'])
  for (const [peer, lines, want] of [
    ['203.0.113.1', ['198.51.100.1'], '203.0.113.1'],
    ['10.0.0.1', [], '10.0.0.1'],
    ['10.0.0.1', ['198.51.100.1'], '198.51.100.1'],
    ['::ffff:10.0.0.1', ['198.51.100.1, 198.51.100.2', ' , 10.9.9.9'], '198.51.100.2'],
    ['10.0.0.1', ['forged, 198.51.100.2:55'], '198.51.100.2'],
    ['fd00::1', ['[2001:db8::1]:443'], '2001:db8::1'],
    ['192.0.2.1', ['[2001:db8::2]'], '2001:db8::2'],
    ['192.0.2.1', ['fe80::1%eth0'], 'fe80::1'],
    ['10.0.0.1', ['198.51.100.1, unknown'], undefined],
    ['10.0.0.1', ['198.51.100.1, 300.1.1.1'], undefined],
    ['10.0.0.1', ['[198.51.100.1]'], undefined],
    [undefined, ['198.51.100.1'], ''],
  ]) {
    assert.equal(proxies.address(peer, lines), want, `${peer} ${lines}`)
  }
  for (const bad of ['10.0.0.0/33', 'x', '10.0.0.0/8/8', '::/129', '10.0.0.0/', '']) assert.throws(() => new Proxies([bad]), TypeError, bad)
})

// Guarantee: a deciding address that is malformed is a 400 before Toksta is asked.
test('a malformed address', async (t) => {
  const { url, requests } = await serve(t, (req, res) => data(res, admitted))
  const send = await run(t, requireKey(new Toksta({ url, key }), { proxies: ['127.0.0.1'] }))
  assert.equal((await send(['X-Forwarded-For: unknown'])).status, 400)
  assert.equal((await send(['X-Forwarded-For: 198.51.100.7'])).status, 200)
  assert.deepEqual(requests.map((r) => r.body.address), ['198.51.100.7'])
})

// Guarantee: wrong options are errors at the start, not at the first request.
test('options', () => {
  const toksta = new Toksta({ url: 'https://t.test', key })
  for (const bad of [{ address: '1.2.3.4' }, { proxies: ['x'] }, { hold: {} }, { proxies: ['::/0'], address: () => '' }]) assert.throws(() => new Guard(toksta, bad), TypeError)
  assert.throws(() => new Guard({}), TypeError)
})

// Guarantee: a route handler of Next gets the decision and the verified fields, and its response the fields of the decision.
test('Next', async (t) => {
  const { url, requests } = await serve(t, (req, res, all) => data(res, all.length === 1 ? admitted : { admitted: false, response: { status: 401, headers: { 'WWW-Authenticate': 'Bearer' }, body: {} } }))
  const GET = forNext(new Toksta({ url, key }), async (request, { params }) => {
    assert.equal(request.headers.get('authorization'), null)
    return Response.json({ id: (await params).id, account: request.headers.get('x-acme-account-id'), same: request.toksta.admitted, body: await request.text() }, { status: 201, headers: { 'X-Own': '1' } })
  }, { address: () => '198.51.100.7' })
  const request = () => new Request('http://h/v1/x?q=1', { method: 'POST', body: 'text', headers: { authorization: 'Bearer a', 'x-acme-account-id': 'spoofed' } })
  const got = await GET(request(), { params: Promise.resolve({ id: '7' }) })
  assert.deepEqual([got.status, got.headers.get('x-own'), got.headers.get('x-request-id')], [201, '1', 'req_1'])
  assert.deepEqual(await got.json(), { id: '7', account: 'acc_1', same: true, body: 'text' })
  assert.deepEqual(requests[0].body, { method: 'POST', target: '/v1/x?q=1', authorization: 'Bearer a', address: '198.51.100.7' })
  const rejected = await GET(request(), {})
  assert.deepEqual([rejected.status, rejected.headers.get('www-authenticate'), await rejected.text()], [401, 'Bearer', '{}'])
})
