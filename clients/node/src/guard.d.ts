import type { VerifyRequest } from './index.js'

/** Options of requireKey. Context is the request, or the context, of the framework. */
export interface GuardOptions<Context> {
  /** Operation of a configured route, instead of the method and the target of the request. */
  operation?: string | ((context: Context) => string | undefined)
  /** Credits to charge, instead of the price of the route. */
  credits?: number | ((context: Context) => number | undefined)
  /** Reserves the credits for a job, to be settled later. */
  hold?: (context: Context) => VerifyRequest['hold']
  /** Networks of the proxies whose X-Forwarded-For is believed, for example ["10.0.0.0/8"]. Default: none. */
  proxies?: string[]
  /** Returns the client's address, instead of proxies. */
  address?: (context: Context) => string | undefined
  /** Leaves the Authorization field, and the customer's secret in it, in the request. Default: false. */
  keepAuthorization?: boolean
  /** Called when Toksta could not decide, and the client got 503. Default: one line a second on standard error. */
  onError?: (error: unknown) => void
}
