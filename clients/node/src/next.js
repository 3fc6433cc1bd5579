import { Guard } from './guard.js'
import { checkFetch, identified, rejection, withFields } from './fetch-request.js'

/**
 * requireKey wraps a route handler of Next, or any function from a Request to a Response:
 * export const GET = requireKey(toksta, handler). The handler gets the decision as request.toksta.
 */
export function requireKey(toksta, handler, options) {
  const guard = new Guard(toksta, options)
  return async (request, context) => {
    const decision = await checkFetch(guard, request, request)
    if (!decision.admitted) return rejection(decision, request.method)
    const admitted = identified(guard, request, decision, request.constructor)
    admitted.toksta = decision
    return withFields(await handler(admitted, context), decision)
  }
}
