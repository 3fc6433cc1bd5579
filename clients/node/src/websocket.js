import { STATUS_CODES } from 'node:http'
import { Guard, body, headers } from './guard.js'
import { checkRequest, lines, replaceIdentity } from './node-request.js'

/**
 * requireKey returns a listener for the event upgrade of a server of node:http, which calls handler(req, socket, head)
 * only for admitted requests. An upgrade that is not to WebSocket alone is 400. Middleware does not see these requests.
 */
export function requireKey(toksta, handler, options) {
  const guard = new Guard(toksta, options)
  return async (req, socket, head) => {
    socket.on('error', () => socket.destroy()) // a client that disconnects during the decision
    const protocols = lines(req)('upgrade')
    if (protocols.length !== 1 || protocols[0].toLowerCase() !== 'websocket') { // h2c could carry requests without a decision
      socket.once('finish', () => socket.destroy())
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      return
    }
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
