import type { Decision, Toksta } from './index.js'
import type { GuardOptions } from './guard.js'

/**
 * Wraps a route handler, so that it runs only for admitted calls: export const GET = requireKey(toksta, handler). The handler
 * finds the decision in request.toksta. Next does not show the address of the peer: set options.address if keys have networks.
 */
export function requireKey<R extends Request = Request, Context = unknown>(
  toksta: Toksta,
  handler: (request: R & { toksta: Decision }, context: Context) => Response | Promise<Response>,
  options?: GuardOptions<R>,
): (request: R, context: Context) => Promise<Response>
