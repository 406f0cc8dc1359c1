// A phone on the simulated network: what it texts is said as by a carrier, what it gets is read from the network's record.
const asked = new URLSearchParams(location.search)
const at = (id) => document.getElementById(id)
const [mine, theirs, texts, trouble, text] = ['mine', 'theirs', 'texts', 'trouble', 'text'].map(at)
const own = () => `+1555010${String(1000 + Math.floor(Math.random() * 9000))}`
// of the network's record, how much was read; null: nothing is on the screen yet
let read = null
let looks = 0

mine.value = asked.get('from') ?? sessionStorage.getItem('mine') ?? own()
const numbers = asked.getAll('to')
theirs.value = sessionStorage.getItem('theirs') ?? numbers[0] ?? ''
at('numbers').append(...numbers.map((number) => new Option(number, number)))

const kept = () => JSON.parse(sessionStorage.getItem(`texts ${mine.value}`) ?? '[]')
const keep = (all) => sessionStorage.setItem(`texts ${mine.value}`, JSON.stringify(all))

function show(line) {
  const item = document.createElement('li')
  item.className = line.is_mine ? 'mine' : 'theirs'
  const time = document.createElement('time')
  time.dateTime = line.at
  time.textContent = `${line.is_mine ? 'to' : 'from'} ${line.number} · ${new Date(line.at).toLocaleTimeString()}`
  item.append(line.text, time)
  texts.append(item)
  texts.scrollTop = texts.scrollHeight
}

// the numbers changed, or the page is new: everything again, in its order
function begin() {
  sessionStorage.setItem('mine', mine.value)
  sessionStorage.setItem('theirs', theirs.value)
  texts.replaceChildren()
  read = null
  looks++
  look(looks)
}

async function look(turn) {
  let wait = 1000
  try {
    const answer = await fetch(`record?since=${read ?? 0}&to=${encodeURIComponent(mine.value)}`)
    const { submissions, total } = await answer.json()
    if (turn !== looks) return
    const got = submissions.map(({ at, from, text }) => ({ at, number: from, text }))
    if (read === null) got.push(...kept().map((line) => ({ ...line, is_mine: true })))
    got.sort((a, b) => a.at.localeCompare(b.at)).forEach(show)
    read = total
    trouble.textContent = ''
  } catch {
    trouble.textContent = 'The simulated network does not answer; still trying.'
    wait = 3000
  }
  if (turn === looks) setTimeout(look, wait, turn)
}

at('composer').addEventListener('submit', async (event) => {
  event.preventDefault()
  const line = { at: new Date().toISOString(), number: theirs.value.trim(), text: text.value }
  if (!line.text.trim()) return
  const body = JSON.stringify({ from: mine.value.trim(), to: line.number, text: line.text })
  try {
    const answer = await fetch('inbound', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    if (!answer.ok) throw new Error((await answer.json()).message)
    show({ ...line, is_mine: true })
    keep([...kept(), line])
    text.value = ''
    trouble.textContent = ''
  } catch (error) {
    trouble.textContent = `Not sent: ${error.message}`
  }
})
text.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  at('composer').requestSubmit()
})
for (const input of [mine, theirs]) input.addEventListener('change', begin)
begin()
