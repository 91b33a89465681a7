// pg-boss on the other side of `deed-bench queue`. One command a line on standard input, one JSON
// answer a line on standard output. The connection comes from PGHOST, PGPORT and so on.
import { createInterface } from 'node:readline'
import { PgBoss } from 'pg-boss'

const QUEUE = 'noop'
const CHUNK = 5000
const boss = new PgBoss({
  host: process.env.PGHOST,
  port: Number(process.env.PGPORT),
  database: process.env.PGDATABASE,
  user: process.env.PGUSER,
  password: process.env.PGPASSWORD,
  max: 20
})
boss.on('error', error => console.error(error.message))
await boss.start()
await boss.createQueue(QUEUE)

async function fill (jobs) {
  for (let at = 0; at < jobs; at += CHUNK) {
    const size = Math.min(CHUNK, jobs - at)
    await boss.insert(QUEUE, Array.from({ length: size }, () => ({ data: {} })))
  }
}

async function open () {
  const { rows } = await boss.getDb().executeSql(
    "SELECT count(*)::int AS n FROM pgboss.job WHERE name = $1 AND state < 'completed'", [QUEUE])
  return rows[0].n
}

// As the documentation has it: workers that fetch again at once while their batches come back full.
async function work (jobs, batchSize, workers) {
  let seen = 0
  let all
  const enough = new Promise(resolve => { all = resolve })
  const started = performance.now()
  await boss.work(QUEUE, {
    batchSize, localConcurrency: workers, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5
  }, async batch => {
    seen += batch.length
    if (seen >= jobs) all()
  })
  await enough
  while (await open() > 0) { /* the last completions */ }
  const ms = performance.now() - started
  await boss.offWork(QUEUE)
  return ms
}

// Without its worker loop: fetch and complete by hand, in as many loops.
async function fetch (jobs, batchSize, workers) {
  const started = performance.now()
  let seen = 0
  const loop = async () => {
    for (;;) {
      const batch = await boss.fetch(QUEUE, { batchSize })
      if (batch.length === 0) return
      await boss.complete(QUEUE, batch.map(job => job.id))
      seen += batch.length
    }
  }
  await Promise.all(Array.from({ length: workers }, loop))
  const ms = performance.now() - started
  if (seen !== jobs || await open() > 0) throw new Error(`${seen} of ${jobs} jobs were done`)
  return ms
}

const answer = value => process.stdout.write(JSON.stringify(value) + '\n')
answer({ ready: true, node: process.version })
for await (const line of createInterface({ input: process.stdin })) {
  const { command, jobs, mode, batchSize, workers } = JSON.parse(line)
  if (command === 'fill') {
    await fill(jobs)
    answer({ filled: await open() })
  } else {
    answer({ ms: await (mode === 'work' ? work : fetch)(jobs, batchSize, workers) })
  }
}
await boss.stop({ graceful: false })
