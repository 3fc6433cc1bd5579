import { createHmac, timingSafeEqual } from 'node:crypto'
import { WebhookError } from './errors.js'

const tolerance = 300 // seconds, in either direction

/** See index.d.ts. The rules are those of Standard Webhooks and of the Go package sdk/client. */
export function verifyWebhook(headers, rawBody, secrets, now = new Date()) {
  const body = bytes(rawBody)
  const id = field(headers, 'webhook-id')
  const timestamp = field(headers, 'webhook-timestamp')
  const keys = (Array.isArray(secrets) ? secrets : [secrets]).map(signingKey)
  if (id === '' || id.includes('.') || !/^(?:0|-?[1-9][0-9]{0,14})$/.test(timestamp)) {
    throw new WebhookError('The id or the timestamp of the webhook is missing or malformed.')
  }
  const off = Math.abs(now.getTime() / 1000 - Number(timestamp))
  if (!(off <= tolerance)) throw new WebhookError(`The timestamp of the webhook differs from the clock by ${Math.round(off)} s.`)
  let signed = false
  for (const key of keys) {
    const want = Buffer.from('v1,' + createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64'))
    for (const text of field(headers, 'webhook-signature').split(' ')) {
      const got = Buffer.from(text)
      signed = (got.length === want.length && timingSafeEqual(got, want)) || signed
    }
  }
  if (!signed) throw new WebhookError('No signature of the webhook matches a secret.')
  const event = parse(body)
  return { id, type: event.type ?? '', timestamp: event.timestamp ?? '', data: event.data }
}

/** parse returns the object in the body. */
function parse(body) {
  let event
  try {
    event = JSON.parse(body.toString('utf8'))
  } catch {
    event = undefined
  }
  if (event === null || typeof event !== 'object' || Array.isArray(event)) throw new WebhookError('The body of the webhook is not a JSON object.')
  return event
}

/** bytes returns the body as received. A parsed body is rejected: it cannot be verified. */
function bytes(body) {
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body)
  if (body instanceof ArrayBuffer) return Buffer.from(new Uint8Array(body))
  throw new TypeError('verifyWebhook needs the body as received, a string or bytes. Turn off the JSON parser for this route.')
}

/** field returns the first value of a field of Headers or of the headers of node:http, "" if there is none. */
function field(headers, name) {
  const value = typeof headers?.get === 'function' ? headers.get(name) : headers?.[name]
  return (Array.isArray(value) ? value[0] : value) ?? ''
}

/** signingKey parses "whsec_" and a key of 24 to 64 bytes in base64. Its error holds no part of the text. */
function signingKey(text) {
  const encoded = typeof text === 'string' && text.startsWith('whsec_') ? text.slice(6) : ''
  const key = Buffer.from(encoded, 'base64')
  if (key.length < 24 || key.length > 64 || key.toString('base64') !== encoded) {
    throw new TypeError('A signing secret is whsec_ and 24 to 64 bytes in base64.')
  }
  return key
}
