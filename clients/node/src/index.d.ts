/** Options of {@link Toksta}. */
export interface TokstaOptions {
  /** Address of the operator listener (`listen.operator`), for example https://toksta.internal:8443. */
  url?: string
  /** Path of the operator socket, on the machine of the server. Instead of url; it needs no key. */
  socket?: string
  /** An operator key (`tk_op_…`) with the roles of the calls: `verify` for middleware, `sessions` for `sessions.create`. */
  key?: string
  /** A file with the operator key. It is read again after a 401, so that a rotated key needs no restart. */
  keyFile?: string
  /** Longest time of a decision, in milliseconds. Default: 2000. */
  timeout?: number
  /** Longest time of every other call, in milliseconds: a change waits for all nodes. Default: 30000. */
  changeTimeout?: number
  /** Name for the audit trail. It counts on the socket only; over the network it is the key's name. */
  operator?: string
  /** Allows a http URL of another machine, over which the key is readable. */
  insecureHttp?: boolean
  /** Replaces the global fetch, for example for a certificate authority of your own. */
  fetch?: typeof globalThis.fetch
}

/** One call to decide: exactly one of key and authorization, or neither for a call without a credential. */
export interface VerifyRequest {
  key?: string
  /** The value of the Authorization field; several field lines joined with ", ", which is then rejected. */
  authorization?: string
  /** Operation of a configured route. Instead of method and target. */
  operation?: string
  method?: string
  /** The request target as it was sent, with its query. */
  target?: string
  /** Address of the client. Without it, a key that is limited to networks is rejected. */
  address?: string
  agent?: string
  request_id?: string
  traceparent?: string
  trace_id?: string
  /** Credits to charge, instead of the price of the route. */
  credits?: number
  /** Reserves the credits for a job, to be settled later with credits.settle. */
  hold?: { job: string; expires_in_seconds?: number }
}

/** The decision on a call. The fields are those of the verify API. */
export interface Decision {
  admitted: boolean
  /** The route needs no key. */
  public?: boolean
  code?: string
  /** The full reason of a rejection, for the vendor. Do not show it: response has all that a client may see. */
  reason?: string
  message?: string
  operation?: string
  family?: string
  principal?: Principal
  rate?: { limit: number; remaining: number; reset: number }
  credits?: { charged: number; reservation?: Record<string, unknown> }
  /** The response for the client. For an admitted call only headers is set: add them to the response of the handler. */
  response: { status?: number; headers: Record<string, string>; body?: unknown }
  /** Header fields that state the verified caller to a back end. */
  identity?: Record<string, string>
  /** The vendor's prefix of header fields, such as "X-Toksta-", of an admitted call. */
  identity_prefix?: string
}

/** The account and the key of a known key, also of a rejected one. */
export interface Principal {
  account_id: string
  key_id: string
  plan: string
  scopes?: string[]
}

/** A call of an operation. The operator API documents the fields of requests and responses. */
export type Operation = (request?: Record<string, unknown>) => Promise<any>

/** A client of the operator API. It keeps connections open, repeats no call, and asks for at most 64 decisions at the same time. */
export class Toksta {
  constructor(options: TokstaOptions)
  /** Decides on one call, which is counted and charged. A rejection is a decision with admitted: false, not an error. */
  verify(request: VerifyRequest): Promise<Decision>
  /** Decides on up to 1,000 calls, each on its own. The decisions are in the order of the calls. */
  verifyBatch(calls: VerifyRequest[]): Promise<Decision[]>
  /** Calls any operation by its name, such as "keys/revoke". A change has returned once all nodes enforce it. */
  call(operation: string, request?: Record<string, unknown>): Promise<any>
  readonly accounts: Readonly<Record<'create' | 'list' | 'show' | 'rename' | 'setPlan' | 'setStatus' | 'setEntitlement' | 'setExternalId' | 'setMetadata' | 'close' | 'reopen' | 'erase' | 'invite' | 'addMember' | 'setPassword', Operation>>
  readonly members: Readonly<Record<'list' | 'invite' | 'setRole' | 'disable' | 'enable' | 'remove' | 'resetFactors' | 'sessions' | 'endSessions' | 'erase', Operation>>
  readonly invitations: Readonly<Record<'list' | 'revoke', Operation>>
  readonly keys: Readonly<Record<'create' | 'list' | 'show' | 'rename' | 'setLimits' | 'setExternalId' | 'setMetadata' | 'rotate' | 'revoke' | 'revokeMany' | 'import', Operation>>
  readonly sessions: Readonly<Record<'create', Operation>>
  readonly operatorKeys: Readonly<Record<'create' | 'list' | 'show' | 'rotate' | 'revoke', Operation>>
  readonly credits: Readonly<Record<'reserve' | 'settle' | 'refund' | 'topUp' | 'adjust' | 'entries' | 'reservations' | 'verify', Operation>>
  readonly usage: Readonly<Record<'show' | 'by' | 'table', Operation>>
  readonly events: Readonly<Record<'list' | 'show' | 'replay' | 'test', Operation>>
  readonly server: Readonly<Record<'whoami' | 'audit' | 'nodes' | 'health' | 'exportStatus' | 'testMail', Operation>>
}

/** A failed call. It never holds the operator key. */
export class TokstaError extends Error {
  /** The code of the envelope, for example NOT_FOUND; UNAVAILABLE if there was no response. */
  code: string
  /** The cause within the code, "" if there is none; unreachable, timeout or malformed_response without a response. */
  reason: string
  /** The next step for an operator, or "". */
  hint: string
  /** The HTTP status, 0 if there was no response. */
  status: number
  requestId: string
  details: Record<string, unknown>
}

/** A verified webhook. */
export interface Webhook {
  /** The id of the event, the same for every attempt: process an id only once. */
  id: string
  type: string
  /** Time of the event, RFC 3339. */
  timestamp: string
  data: any
}

/** An invalid webhook: respond with 401. */
export class WebhookError extends Error {}

/**
 * Verifies a webhook and returns its content. The body must be as received: turn off the JSON parser of the route. One
 * signature must match one secret ("whsec_…"), and the timestamp may differ from the clock by 5 minutes. Throws a
 * WebhookError for an invalid webhook, and a TypeError for a malformed secret or body.
 */
export function verifyWebhook(
  headers: Headers | Record<string, string | string[] | undefined>,
  rawBody: string | Uint8Array | ArrayBuffer,
  secrets: string | string[],
  now?: Date,
): Webhook
