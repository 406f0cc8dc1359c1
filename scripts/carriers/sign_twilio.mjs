// The same as sign_twilio.py, signed by Twilio's SDK for Node.
import { createInterface } from 'node:readline'
import twilio from 'twilio'

function form(parameters) {
  const values = {}
  for (const [name, value] of parameters) (values[name] ??= []).push(value)
  return values
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line)
  let signature = twilio.getExpectedTwilioSignature(asked.token, asked.signed_url ?? asked.url, form(asked.parameters))
  if (asked.forged) signature = signature.slice(0, 4) + (signature[4] === 'A' ? 'B' : 'A') + signature.slice(5)
  const answer = await fetch(asked.url, {
    method: 'POST',
    headers: { 'X-Twilio-Signature': signature, 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(asked.parameters),
  })
  console.log(answer.status)
}
