import { Guard, body, headers, merged } from './guard.js'
import { checkRequest, replaceIdentity } from './node-request.js'

/**
 * requireKey returns middleware for Express, and for every server whose handlers take (req, res, next) of node:http.
 * The decision is made on the target as sent, also in a mounted router.
 */
export function requireKey(toksta, options) {
  const guard = new Guard(toksta, options)
  return async (req, res, next) => {
    try {
      const decision = await checkRequest(guard, req, req.originalUrl ?? req.url, req)
      for (const [name, value] of headers(decision)) res.setHeader(name, merged(name, value, res.getHeader(name)))
      if (!decision.admitted) return reject(res, decision)
      replaceIdentity(req, guard, decision)
      req.toksta = decision
    } catch (error) {
      return next(error)
    }
    next()
  }
}

/** reject ends the response to a call that is not admitted. */
function reject(res, decision) {
  const bytes = body(decision)
  res.statusCode = decision.response.status
  res.setHeader('Content-Length', bytes.length)
  res.end(bytes)
}
