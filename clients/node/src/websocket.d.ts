import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Decision, Toksta } from './index.js'
import type { GuardOptions } from './guard.js'

/**
 * Returns a listener for the event upgrade of a server, which calls the handler only for admitted requests:
 * server.on('upgrade', requireKey(toksta, (req, socket, head) => …)). The handler finds the decision in req.toksta.
 */
export function requireKey(
  toksta: Toksta,
  handler: (req: IncomingMessage & { toksta: Decision }, socket: Duplex, head: Buffer) => void,
  options?: GuardOptions<IncomingMessage>,
): (req: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>
