import type { Decision, Toksta } from './index.js'
import type { GuardOptions } from './guard.js'

/** The variables that requireKey sets: new Hono<{ Variables: TokstaVariables }>(). */
export interface TokstaVariables {
  toksta: Decision
}

/** Middleware that lets only admitted calls pass. A handler finds the decision with c.get('toksta'). */
export function requireKey(toksta: Toksta, options?: GuardOptions<any>): (c: any, next: () => Promise<void>) => Promise<Response | void>
