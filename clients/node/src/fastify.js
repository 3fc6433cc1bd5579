import { Guard, body, headers, merged } from './guard.js'
import { checkRequest, replaceIdentity } from './node-request.js'

/**
 * requireKey returns a plugin for Fastify: app.register(requireKey(toksta)). It decides in onRequest, before the body is
 * read, on every route of the instance that registers it and its children, also on requests without a route.
 */
export function requireKey(toksta, options) {
  const guard = new Guard(toksta, options)
  const plugin = async (app) => {
    if (!app.hasRequestDecorator('toksta')) app.decorateRequest('toksta', null)
    app.addHook('onRequest', async (request, reply) => {
      const decision = await checkRequest(guard, request.raw, request.originalUrl, request)
      for (const [name, value] of headers(decision)) reply.header(name, merged(name, value, reply.getHeader(name)))
      if (!decision.admitted) return reply.code(decision.response.status).send(body(decision))
      replaceIdentity(request.raw, guard, decision)
      request.toksta = decision
    })
  }
  // Fastify applies the hook to the instance itself, not to a child of it.
  plugin[Symbol.for('skip-override')] = true
  return plugin
}
