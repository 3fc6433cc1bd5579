import assert from 'node:assert/strict'
import test from 'node:test'
import { WebhookError, verifyWebhook } from '../src/index.js'

// The test vector that all libraries of Standard Webhooks share.
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const other = 'whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY='
const body = '{"test": 2432232314}'
const at = 1614265330
const good = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
const headers = (change) => ({ 'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek', 'webhook-timestamp': String(at), 'webhook-signature': good, ...change })
const verify = ({ change, text = body, late = 0, secrets = secret }) => verifyWebhook(headers(change), text, secrets, new Date((at + late) * 1000))

// Guarantee: the function accepts every webhook that the sender signed, with either of two secrets, within five minutes.
test('accepts', () => {
  for (const [name, c] of Object.entries({
    'the vector': {},
    'one secret of two': { secrets: [other, secret] },
    'one signature of 3': { change: { 'webhook-signature': `v1,AAAA v1a,AAAA ${good}` } },
    'five minutes old': { late: 300 },
    'five minutes ahead': { late: -300 },
    bytes: { text: new TextEncoder().encode(body) },
    'an ArrayBuffer': { text: new TextEncoder().encode(body).buffer },
  })) {
    assert.equal(verify(c).id, 'msg_p5jXN8AQM9LWM0D4loKWxJek', name)
  }
  assert.equal(verifyWebhook(new Headers(headers()), body, secret, new Date(at * 1000)).id, 'msg_p5jXN8AQM9LWM0D4loKWxJek')
})

// Guarantee: a webhook without the secret or a replayed one is rejected, and no error shows a secret.
test('rejects', () => {
  for (const [name, c] of Object.entries({
    'another body': { text: body + ' ' },
    'another id': { change: { 'webhook-id': 'msg_other' } },
    'no id': { change: { 'webhook-id': undefined } },
    'another time': { change: { 'webhook-timestamp': String(at + 1) } },
    'a time with signs': { change: { 'webhook-timestamp': `+${at}` } },
    'no time': { change: { 'webhook-timestamp': '' } },
    'a moved dot': { change: { 'webhook-id': `msg_p5jXN8AQM9LWM0D4loKWxJek.${at}` } },
    'no signature': { change: { 'webhook-signature': '' } },
    'the other scheme': { change: { 'webhook-signature': good.replace('v1,', 'v1a,') } },
    'a prefix': { change: { 'webhook-signature': 'v1,g0hM9SsE' } },
    'too old': { late: 301 },
    'too new': { late: -301 },
    'another secret': { secrets: other },
    'no secret': { secrets: [] },
  })) {
    assert.throws(() => verify(c), (e) => e instanceof WebhookError && !e.message.includes(secret.slice(6)), name)
  }
  for (const malformed of ['hush', 'whsec_', 'whsec_AAAA', 'whsec_!' + secret.slice(7), null]) {
    assert.throws(() => verify({ secrets: malformed }), (e) => e instanceof TypeError && !e.message.includes('hush'), String(malformed))
  }
  assert.throws(() => verify({ text: { test: 2432232314 } }), TypeError, 'a parsed body')
})
