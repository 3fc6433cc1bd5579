import type { Decision, Toksta } from './index.js'
import type { GuardOptions } from './guard.js'

/** A plugin that lets only admitted calls pass: app.register(requireKey(toksta)). A handler finds the decision in request.toksta. */
export function requireKey(toksta: Toksta, options?: GuardOptions<any>): (app: any) => Promise<void>

/** A request of Fastify with the decision on it: request as typeof request & Decided. */
export interface Decided {
  toksta: Decision
}
