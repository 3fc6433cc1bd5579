// A server that answers as a test says, for the responses that no real server gives.
import http from 'node:http'

/** serve runs a server until the test ends and returns its URL and the requests that it received. */
export async function serve(t, handler) {
  const requests = []
  const server = http.createServer((req, res) => {
    let body = ''
    req.on('data', (chunk) => (body += chunk)).on('end', () => {
      requests.push({ path: req.url, headers: req.headers, body: JSON.parse(body), socket: req.socket })
      handler(req, res, requests)
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${server.address().port}`, requests }
}

/** data responds with the envelope of a success. */
export function data(res, value) {
  res.setHeader('content-type', 'application/json')
  res.end(JSON.stringify({ success: true, data: value, meta: { request_id: 'req_1' } }))
}

export const admitted = { admitted: true, response: { headers: { 'X-Request-Id': 'req_1' } }, identity: { 'X-Acme-Account-Id': 'acc_1', 'X-Request-Id': 'req_1' }, identity_prefix: 'X-Acme-', principal: { account_id: 'acc_1', key_id: 'key_1', plan: 'PRO', scopes: ['data'] } }
