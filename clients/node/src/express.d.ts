import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Decision, Toksta } from './index.js'
import type { GuardOptions } from './guard.js'

declare global {
  namespace Express {
    interface Request {
      /** The decision on the call, set by requireKey. */
      toksta?: Decision
    }
  }
}

/** Middleware that lets only admitted calls pass. The handler finds the decision in req.toksta. */
export function requireKey<Req extends IncomingMessage = IncomingMessage>(
  toksta: Toksta,
  options?: GuardOptions<Req>,
): (req: Req, res: ServerResponse, next: (error?: any) => void) => Promise<void>
