// The same as text_as_application.py by Twilio's SDK for Node; arguments in its spelling.
import readline from "node:readline";
import twilio from "twilio";

const shown = (m) => ({
  sid: m.sid, account_sid: m.accountSid, api_version: m.apiVersion, body: m.body, direction: m.direction, from_: m.from,
  to: m.to, status: m.status, error_code: m.errorCode, num_segments: m.numSegments, num_media: m.numMedia, uri: m.uri,
  price_unit: m.priceUnit, date_created: m.dateCreated.toISOString(), date_sent: m.dateSent && m.dateSent.toISOString(),
});

async function done(asked) {
  const client = twilio(asked.account, asked.token);
  client.api.baseUrl = process.argv[2];
  if (asked.do === "create") return shown(await client.messages.create(asked.ask));
  if (asked.do === "fetch") return shown(await client.messages(asked.sid).fetch());
  return (await client.messages.list(asked.ask)).map(shown);
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  let said;
  try {
    said = { ok: await done(JSON.parse(line)) };
  } catch (refused) {
    said = { error: { status: refused.status, code: refused.code } };
  }
  console.log(JSON.stringify(said));
}
