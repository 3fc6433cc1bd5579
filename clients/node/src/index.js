export { Toksta } from './client.js'
export { TokstaError, WebhookError } from './errors.js'
export { verifyWebhook } from './webhook.js'
