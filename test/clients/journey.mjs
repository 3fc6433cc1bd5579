// Uses the package for Node with a running server: SOCKET is its operator socket, OPERATOR the URL of its operator listener
// and KEY an operator key with the role verify.
import assert from 'node:assert/strict'
import { Toksta } from '../../clients/node/src/index.js'

const { SOCKET, OPERATOR, KEY } = process.env
const admin = new Toksta({ socket: SOCKET, operator: 'journey' })
const remote = new Toksta({ url: OPERATOR, key: KEY })

const { account } = await admin.accounts.create({ name: 'Node', plan: 'API_PAYG' })
await admin.credits.topUp({ account: account.id, credits: 50, idempotency_key: 'node' })
const { key, secret } = await admin.keys.create({ account: account.id, name: 'CI' })

const decision = await remote.verify({ key: secret, method: 'POST', target: '/v1/creators/search' })
assert.equal(decision.admitted, true)
assert.deepEqual([decision.principal.account_id, decision.credits.charged, decision.operation], [account.id, 1, 'searchCreators'])
assert.equal(decision.response.headers['X-Toksta-Credit-Cost'], '1')

const [first, second, third] = await remote.verifyBatch([{ key: secret, operation: 'getCreator' }, { operation: 'getCreator' }, { key: 7 }])
assert.deepEqual([first.admitted, second.reason, third.code], [true, 'key_missing', 'BAD_REQUEST'])

const held = await remote.verify({ key: secret, operation: 'searchCreators', credits: 20, hold: { job: 'j1', expires_in_seconds: 60 } })
const settled = await remote.credits.settle({ account: account.id, reservation: held.credits.reservation.id, credits: 5, idempotency_key: 'j1-done' })
assert.deepEqual([settled.reservation.state, settled.reservation.charged.total], ['settled', 5])

await assert.rejects(remote.keys.revoke({ key: key.id }), { name: 'TokstaError', status: 403, code: 'FORBIDDEN' })
await assert.rejects(admin.accounts.show({ account: 'none' }), { name: 'TokstaError', status: 404, code: 'NOT_FOUND' })
await admin.keys.revoke({ key: key.id })
const revoked = await remote.verify({ authorization: `Bearer ${secret}`, operation: 'getCreator' })
assert.deepEqual([revoked.admitted, revoked.reason, revoked.response.status, revoked.response.body.error.code], [false, 'key_revoked', 401, 'UNAUTHORIZED'])

const { changes } = await admin.server.audit({ account: account.id })
assert.equal(changes[0].actor.name, 'journey')
const csv = await admin.usage.table({ from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' })
assert.match(csv, /^[a-z_]+,/)
assert.equal((await remote.server.whoami()).name, 'journeys')
console.log('done')
