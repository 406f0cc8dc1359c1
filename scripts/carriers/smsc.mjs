// An SMSC by npm's `smpp`, told what to do by lines of JSON, and saying what it hears in such lines:
//   node smsc.mjs PORT [KEY CERT [FIRST]]     by TLS where KEY is not empty; its ids begin with the number FIRST
// Modes of answering a submit_sm: normal, early (the receipt comes before the answer), dropping (hangs up instead),
// throttling (ESME_RTHROTTLED so many times, then normal), half (answers so many, without receipts, then hangs up), mute
// (says nothing at all any more).
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import smpp from 'smpp'

const [port, key, cert, first] = process.argv.slice(2)
const options = key ? { key: readFileSync(key), cert: readFileSync(cert) } : {}
const state = { mode: 'normal', receipts: 'text', password: 'secret', quiet: false, throttle: 0, half: 0, count: 0, began: 0, last: 0, next: Number(first ?? 0xa0) }
const sessions = new Set()
const say = (told) => console.log(JSON.stringify(told))

// what answers carry; receipts spell it as `receipts` says
const idOf = (number) => number.toString(16).toUpperCase().padStart(8, '0')

function receipt(number, submitted, stat, style) {
  const id = style === 'decimal' ? String(number) : style === 'short' ? number.toString(16) : idOf(number)
  const base = {
    esm_class: 0x04,
    source_addr_ton: 1,
    source_addr_npi: 1,
    source_addr: submitted.destination_addr,
    dest_addr_ton: submitted.source_addr_ton,
    dest_addr_npi: submitted.source_addr_npi,
    destination_addr: submitted.source_addr,
  }
  const state = { DELIVRD: 2, UNDELIV: 5, REJECTD: 8 }[stat]
  if (style === 'tlv') return { ...base, receipted_message_id: id, message_state: state, short_message: '' }
  const text = `id:${id} sub:001 dlvrd:001 submit date:2601010000 done date:260101000000 stat:${stat} err:000 text:x`
  return { ...base, short_message: text }
}

function receiver() {
  const all = [...sessions].filter((session) => session.receives)
  return all[all.length - 1]
}

function deliver(pdu, tag) {
  const session = receiver()
  if (!session) return say({ not_delivered: tag })
  session.deliver_sm(pdu, (answer) => say({ delivered: tag, status: answer.command_status }))
}

function submitted(session, pdu) {
  const number = state.next++
  state.count++
  state.last = performance.now()
  const message = pdu.short_message ?? {}
  const payload = pdu.message_payload
  if (!state.quiet) say({
    submit: idOf(number),
    number,
    from: pdu.source_addr,
    to: pdu.destination_addr,
    text: String(message.message ?? '') || String(payload?.message ?? payload ?? ''),
    udh: (message.udh ?? []).map((element) => element.toString('hex')),
    sar: pdu.sar_total_segments ? [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum] : null,
    data_coding: pdu.data_coding,
    registered_delivery: pdu.registered_delivery,
    validity: pdu.validity_period,
    mode: state.mode,
  })
  if (state.mode === 'mute') return
  if (state.mode === 'dropping') return session.destroy()
  if (state.mode === 'half') {
    if (state.half-- > 0) session.send(pdu.response({ message_id: idOf(number) }))
    else session.destroy()
    return
  }
  if (state.mode === 'throttling' && state.throttle-- > 0) {
    return session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }))
  }
  const answer = () => session.send(pdu.response({ message_id: idOf(number) }))
  const report = () => deliver(receipt(number, pdu, 'DELIVRD', state.receipts), `receipt ${idOf(number)}`)
  const wants = pdu.registered_delivery & 1 && state.receipts !== 'none'
  if (state.mode === 'early' && wants) report()
  answer()
  if (state.mode !== 'early' && wants) report()
}

function bound(session, pdu) {
  const way = pdu.command.slice('bind_'.length)
  const { system_id, interface_version } = pdu
  if (pdu.password !== state.password) {
    say({ refused: way, system_id })
    return session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }))
  }
  session.receives = way !== 'transmitter'
  sessions.add(session)
  session.send(pdu.response({ system_id: 'smsc' }))
  say({ bound: way, system_id, interface_version, secure: Boolean(session.socket.encrypted) })
}

const server = smpp.createServer(options, (session) => {
  session.on('error', () => session.destroy())
  session.on('close', () => {
    if (sessions.delete(session)) say({ closed: true })
  })
  session.on('pdu', (pdu) => {
    if (state.mode === 'mute' && !pdu.command.startsWith('bind')) {
      if (pdu.command === 'submit_sm') submitted(session, pdu)
      return
    }
    if (pdu.command.startsWith('bind') && !pdu.isResponse()) bound(session, pdu)
    else if (pdu.command === 'submit_sm') submitted(session, pdu)
    else if (pdu.command === 'enquire_link') session.send(pdu.response())
    else if (pdu.command === 'unbind') {
      say({ unbind: true })
      session.send(pdu.response())
      session.close()
    } else if (pdu.command === 'generic_nack') say({ nack: pdu.command_status })
  })
})
// a client that does not trust us is its own affair
server.on('tlsClientError', (error) => say({ tls: error.code ?? 'failed' }))
server.listen(Number(port), '127.0.0.1', () => say({ listening: true }))

const doings = {
  // settings of the state: mode, receipts, password, throttle, half, quiet (submissions are not told)
  set: (values) => Object.assign(state, values),
  // a deliver_sm; texts as node-smpp writes them, or octets in hex
  deliver: ({ tag, hex, udh, ...pdu }) => {
    const message = hex === undefined ? pdu.short_message : Buffer.from(hex, 'hex')
    const text = udh ? { udh: Buffer.from(udh, 'hex'), message } : message
    deliver({ source_addr_ton: 1, source_addr_npi: 1, dest_addr_ton: 1, dest_addr_npi: 1, ...pdu, short_message: text }, tag)
  },
  receipt: ({ number, from, to, stat, style, tag }) =>
    deliver(receipt(number, { source_addr: from, destination_addr: to, source_addr_ton: 1, source_addr_npi: 1 }, stat, style), tag),
  // counts submissions anew; says how many came since, and within how many seconds
  count: () => Object.assign(state, { count: 0, began: performance.now() }),
  counted: () => say({ counted: state.count, seconds: (state.last - state.began) / 1000 }),
  // octets as they are
  raw: (hex) => receiver()?.socket.write(Buffer.from(hex, 'hex')),
  hang_up: () => sessions.forEach((session) => session.destroy()),
}
for await (const line of createInterface({ input: process.stdin })) {
  for (const [doing, with_] of Object.entries(JSON.parse(line))) doings[doing](with_)
  say({ done: true })
}
process.exit(0)
