import { checkFetch, identified, rejection } from './fetch-request.js'
import { Guard, headers, merged } from './guard.js'
import { lines } from './node-request.js'

/**
 * requireKey returns middleware for Hono. With @hono/node-server it reads target, peer and header lines of the request as
 * sent; on other servers those of the Request, and the address from options.address.
 */
export function requireKey(toksta, options) {
  const guard = new Guard(toksta, options)
  return async (c, next) => {
    const incoming = c.env?.incoming
    const decision = await checkFetch(guard, c.req.raw, c, incoming?.rawHeaders === undefined ? {} : {
      target: incoming.url, peer: incoming.socket?.remoteAddress, lines: lines(incoming),
    })
    if (!decision.admitted) return rejection(decision, c.req.method)
    c.req.raw = identified(guard, c.req.raw, decision)
    c.set('toksta', decision)
    await next()
    for (const [name, value] of headers(decision)) c.header(name, merged(name, value, c.res.headers.get(name)))
  }
}
