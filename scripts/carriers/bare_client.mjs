// npm's `smpp` as a client that does nothing but submit: node bare_client.mjs PORT TEXTS WINDOW TEXT
// Prints texts a second, from the first submission to the last answer.
import smpp from 'smpp'

const [port, texts, window] = process.argv.slice(2, 5).map(Number)
const text = process.argv[5]
const session = smpp.connect({ url: `smpp://127.0.0.1:${port}` }, () => {
  session.bind_transmitter({ system_id: 'bare', password: 'secret' }, (bound) => {
    if (bound.command_status !== 0) process.exit(1)
    const began = performance.now()
    let [asked, answered] = [0, 0]
    const submit = () => {
      const nth = asked++ % 1000
      const destination_addr = `1555${String(nth).padStart(7, '0')}`
      session.submit_sm({ source_addr: '15550100001', destination_addr, registered_delivery: 1, short_message: text }, (answer) => {
        if (answer.command_status !== 0) process.exit(1)
        if (asked < texts) submit()
        if (++answered < texts) return
        console.log((texts / (performance.now() - began)) * 1000)
        session.unbind(() => process.exit(0))
      })
    }
    for (let n = 0; n < window; n++) submit()
  })
})
