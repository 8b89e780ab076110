// aedes on loopback with the accounts of accounts.json, until SIGTERM: `node aedes.mjs PORT [CERTS]`,
// where CERTS is a folder with server.crt and server.key.
import { readFileSync } from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'
import { Aedes } from 'aedes'

const accounts = JSON.parse(readFileSync(new URL('accounts.json', import.meta.url)))
const matches = (filters, topic) =>
  filters.some((one) => one === topic || one === '#' ||
    (one.endsWith('/#') && topic.startsWith(one.slice(0, -1))))
const of = (client) => accounts.find((one) => one.user === client?.account)

const broker = await Aedes.createBroker()
broker.authenticate = (client, user, password, done) => {
  const found = accounts.find((one) => one.user === user && one.password === String(password))
  client.account = found?.user
  done(null, Boolean(found))
}
// An error closes the connection: the library leaves no other way to refuse a message.
broker.authorizePublish = (client, packet, done) => {
  const allowed = !client || matches(of(client)?.publish ?? [], packet.topic)
  done(allowed ? null : new Error('not allowed'))
}
// null in the place of a subscription is answered with 0x80.
broker.authorizeSubscribe = (client, subscription, done) => {
  const allowed = !client || matches(of(client)?.subscribe ?? [], subscription.topic)
  done(null, allowed ? subscription : null)
}
const [port, certs] = process.argv.slice(2)
const file = (name) => readFileSync(`${certs}/${name}`)
const server = certs
  ? tls.createServer({ cert: file('server.crt'), key: file('server.key') }, broker.handle)
  : net.createServer(broker.handle)
server.listen(Number(port), '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
