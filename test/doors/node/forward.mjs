// Sends admitted requests to the back end of the test, as a proxy written in each framework would.
import http from 'node:http'
import net from 'node:net'
import { Readable } from 'node:stream'

const backend = new URL(process.env.BACKEND)
// Upgrade passes, so that the back end shows whether the middleware removed it.
const hop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'host'])

/** ask sends a request with the header that a handler got, and returns the response of the back end. */
function ask(method, target, fields, body) {
  return new Promise((resolve, reject) => {
    const headers = Object.fromEntries(Object.entries(fields).filter(([name]) => !hop.has(name)))
    const out = http.request({ host: backend.hostname, port: backend.port, method, path: target, headers }, resolve)
    out.on('error', reject)
    if (body === undefined || body === null) out.end()
    else body.pipe(out)
  })
}

/** kept returns the header of a response for the client. */
function kept(response) {
  return Object.fromEntries(Object.entries(response.headers).filter(([name]) => !hop.has(name) && name !== 'date'))
}

/** forward is a handler of node:http, for Express. */
export async function forward(req, res) {
  const response = await ask(req.method, req.originalUrl, req.headers, req)
  for (const [name, value] of Object.entries(kept(response))) res.setHeader(name, value)
  res.statusCode = response.statusCode
  res.flushHeaders()
  response.pipe(res)
}

/** reply is a handler of Fastify. */
export async function reply(request, reply) {
  const response = await ask(request.method, request.originalUrl, request.headers, request.body)
  return reply.code(response.statusCode).headers(kept(response)).send(response)
}

/** respond is a handler of Hono. Its response to OPTIONS is one of fetch, whose header cannot be changed. */
export async function respond(c) {
  const body = c.req.raw.body
  if (c.req.method === 'OPTIONS') return fetch(new URL(c.env.incoming.url, backend), { method: 'OPTIONS', headers: c.req.raw.headers })
  const response = await ask(c.req.method, c.env.incoming.url, Object.fromEntries(c.req.raw.headers), body && Readable.fromWeb(body))
  return new Response(c.req.method === 'HEAD' ? null : Readable.toWeb(response), { status: response.statusCode, headers: kept(response) })
}

/** tunnel handles the event upgrade: it connects a client with the back end. */
export function tunnel(req, socket, head) {
  const out = net.connect(backend.port, backend.hostname, () => {
    const fields = []
    for (let i = 0; i < req.rawHeaders.length; i += 2) fields.push(`${req.rawHeaders[i]}: ${req.rawHeaders[i + 1]}\r\n`)
    out.write(`${req.method} ${req.url} HTTP/1.1\r\n${fields.join('')}\r\n`)
    out.write(head)
    out.pipe(socket).pipe(out)
  })
  out.on('error', () => socket.destroy())
}
