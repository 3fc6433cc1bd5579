// Compiled by a test, never run: the types of the package fit the frameworks, and reject wrong uses.
import { createServer } from 'node:http'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { Toksta, TokstaError, verifyWebhook, type Decision } from '@toksta/toksta'
import { requireKey as forExpress } from '@toksta/toksta/express'
import { requireKey as forFastify, type Decided } from '@toksta/toksta/fastify'
import { requireKey as forHono, type TokstaVariables } from '@toksta/toksta/hono'
import { requireKey as forNext } from '@toksta/toksta/next'
import { requireKey as forWebSocket } from '@toksta/toksta/websocket'

const toksta = new Toksta({ url: 'https://toksta.internal', keyFile: '/run/secrets/toksta', timeout: 500 })

const app = express()
app.use(forExpress(toksta))
app.use('/v1', forExpress<express.Request>(toksta, { proxies: ['10.0.0.0/8'], operation: (req) => req.baseUrl }))
app.get('/', (req, res) => void res.json(req.toksta?.principal?.account_id))

const fastify = Fastify()
fastify.register(forFastify(toksta, { credits: 2 }))
fastify.get('/', async (request) => (request as typeof request & Decided).toksta.principal?.plan)

const hono = new Hono<{ Variables: TokstaVariables }>()
hono.use(forHono(toksta, { hold: () => ({ job: 'j', expires_in_seconds: 60 }) }))
hono.get('/', (c) => c.json(c.get('toksta').rate?.remaining))

export const GET = forNext(toksta, async (request: Request & { toksta: Decision }, { params }: { params: Promise<{ id: string }> }) => {
  return Response.json({ ...(await params), account: request.toksta.principal?.account_id })
})

createServer().on('upgrade', forWebSocket(toksta, (req, socket) => void socket.write(req.toksta.principal?.plan ?? ''), { proxies: ['::1'] }))

export async function calls(): Promise<number> {
  const decision = await toksta.verify({ authorization: 'Bearer x', method: 'GET', target: '/' })
  const [first] = await toksta.verifyBatch([{ key: 'x', operation: 'y', credits: 3 }])
  await toksta.keys.revoke({ key: first?.principal?.key_id })
  await toksta.call('accounts/show', { account: 'a' }).catch((e: unknown) => (e instanceof TokstaError ? e.requestId : ''))
  const webhook = verifyWebhook(new Headers(), new Uint8Array(), ['whsec_x'])
  return (decision.response.status ?? 0) + webhook.id.length
}

// @ts-expect-error a name that is no option
new Toksta({ uri: 'x' })
// @ts-expect-error a name that is no operation
toksta.keys.destroy({})
// @ts-expect-error a list is needed
forExpress(toksta, { proxies: '10.0.0.0/8' })
