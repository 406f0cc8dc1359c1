// Whether a message of SNS is signed by a certificate, as the npm package sns-validator sees it: yes or no. It reads
// {"said": …, "pem": …}; the package would fetch the certificate, which is handed to it here instead.
import https from 'node:https'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import MessageValidator from 'sns-validator'

const { said, pem } = JSON.parse(await text(process.stdin))
https.get = (_, heard) => {
  const answer = new PassThrough()
  answer.statusCode = 200
  heard(answer)
  answer.end(pem)
  return { on() {} }
}
const there = 'https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem'
new MessageValidator().validate({ ...said, SigningCertURL: there }, (error) => console.log(error ? 'no' : 'yes'))
