// mosca on loopback with the accounts of accounts.json: `node mosca.cjs PORT`, until SIGTERM.
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const mosca = require('mosca')

const accounts = JSON.parse(readFileSync(join(__dirname, 'accounts.json')))
const matches = (filters, topic) =>
  filters.some((one) => one === topic || one === '#' ||
    (one.endsWith('/#') && topic.startsWith(one.slice(0, -1))))
const of = (client) => accounts.find((one) => one.user === client.account)

const server = new mosca.Server({
  port: Number(process.argv[2]),
  host: '127.0.0.1',
  // With 1024, as it comes, it closes a subscriber with a session in a burst.
  maxInflightMessages: 100000,
  persistence: { factory: mosca.persistence.Memory }
})
server.authenticate = (client, user, password, done) => {
  const found = accounts.find((one) => one.user === user && one.password === String(password))
  client.account = found?.user
  done(null, Boolean(found))
}
server.authorizePublish = (client, topic, payload, done) =>
  done(null, matches(of(client)?.publish ?? [], topic))
server.authorizeSubscribe = (client, topic, done) =>
  done(null, matches(of(client)?.subscribe ?? [], topic))
process.on('SIGTERM', () => process.exit(0))
