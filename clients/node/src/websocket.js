import { STATUS_CODES } from 'node:http'
import { Guard, body, headers } from './guard.js'
import { checkRequest, replaceIdentity } from './node-request.js'

/**
 * requireKey returns a listener for the event upgrade of a server of node:http, which calls handler(req, socket, head)
 * only for admitted requests. Middleware does not see these requests.
 */
export function requireKey(toksta, handler, options) {
  const guard = new Guard(toksta, options)
  return async (req, socket, head) => {
    socket.on('error', () => socket.destroy()) // a client that disconnects during the decision
    const decision = await checkRequest(guard, req, req.url, req)
    if (!decision.admitted) {
      socket.once('finish', () => socket.destroy()) // do not wait for the client to close its side
      socket.end(rejection(decision))
      return
    }
    replaceIdentity(req, guard, decision)
    req.toksta = decision
    handler(req, socket, head)
  }
}

/** rejection returns the bytes of the response to a request that is not admitted. */
function rejection(decision) {
  const { status } = decision.response
  const bytes = body(decision)
  const fields = [...headers(decision), ['Connection', 'close'], ['Content-Length', bytes.length]]
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Rejected'}`, ...fields.map(([name, value]) => `${name}: ${value}`), '', '']
  return Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), bytes])
}
