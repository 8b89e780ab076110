// aedes on loopback with the accounts of accounts.json: `node aedes.mjs PORT`, until SIGTERM.
import { readFileSync } from 'node:fs'
import net from 'node:net'
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
net.createServer(broker.handle).listen(Number(process.argv[2]), '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
