/**
 * A failed call of the operator API. It never holds the operator key.
 * See index.d.ts for its fields.
 */
export class TokstaError extends Error {
  name = 'TokstaError'

  /** @param {{code: string, message: string, reason?: string, hint?: string, status?: number, requestId?: string, details?: Record<string, unknown>}} of */
  constructor({ code, message, reason = '', hint = '', status = 0, requestId = '', details = {} }) {
    super(message)
    Object.assign(this, { code, reason, hint, status, requestId, details })
  }
}

/** An invalid webhook: respond with 401. */
export class WebhookError extends Error {
  name = 'WebhookError'
}

/** unavailable returns the error of a call without a response of Toksta. */
export function unavailable(reason, message) {
  return new TokstaError({ code: 'UNAVAILABLE', reason, message })
}
