/** The two disciplines, job by job. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Agenda } from '../../simulate/agenda.ts'
import { Fifo } from '../../simulate/serve/fifo.ts'
import type { Servers } from '../../simulate/serve/servers.ts'
import { Sharing } from '../../simulate/serve/sharing.ts'

function site(discipline: 'fifo' | 'sharing', capacity: number, speed = 1) {
  const agenda = new Agenda()
  const jobs = { work: new Float64Array(20), next: new Int32Array(20), givenUp: new Uint8Array(20) }
  const dropped: number[] = []
  const sizes = [Float64Array.of(1, capacity), Float64Array.of(1, speed)] as const
  const servers: Servers =
    discipline === 'fifo'
      ? new Fifo(agenda, 0, jobs, ...sizes, (job) => dropped.push(job))
      : new Sharing(agenda, 0, jobs, ...sizes)
  const done: string[] = []
  const until = (time: number): void => {
    while (agenda.next <= time) {
      const now = agenda.next
      agenda.take()
      const job = servers.due(agenda.subject, agenda.stamp, now)
      if (job !== -1) done.push(`${job}@${Math.round(now * 1000) / 1000}`)
    }
  }
  const enter = (job: number, work: number, now: number): void => {
    until(now)
    jobs.work[job] = work
    servers.enter(job, 1, now)
  }
  const setSpeed = (to: number, now: number): void => {
    until(now)
    servers.setSpeed(1, to, now)
  }
  return { servers, jobs, dropped, done, until, enter, setSpeed }
}

describe('first come, first served', () => {
  it('works on as many as it has servers, the rest waits in line', () => {
    const { enter, until, done, servers } = site('fifo', 2)
    enter(0, 10, 0)
    enter(1, 4, 1)
    enter(2, 3, 2)
    enter(3, 1, 3)
    assert.equal(servers.present[1], 4)
    assert.equal(servers.busy(1), 2)
    until(100)
    assert.deepEqual(done, ['1@5', '2@8', '3@9', '0@10'])
    assert.equal(servers.present[1], 0)
  })

  it('what is under way goes on at the new speed', () => {
    const { enter, setSpeed, until, done } = site('fifo', 2)
    enter(0, 10, 0)
    enter(1, 20, 0)
    setSpeed(0.5, 4)
    setSpeed(2, 8)
    until(100)
    // 4 done, then 2 in 4 ms; the other 4 take 2 ms.
    assert.deepEqual(done, ['0@10', '1@15'])
  })

  it('stands still while it is frozen, and then goes on where it was', () => {
    const { enter, setSpeed, until, done } = site('fifo', 1)
    enter(0, 10, 0)
    setSpeed(0, 4)
    enter(1, 5, 5)
    until(50)
    assert.deepEqual(done, [])
    setSpeed(1, 100)
    until(1000)
    assert.deepEqual(done, ['0@106', '1@111'])
  })

  it('begins nothing that nobody waits for, and finishes what it has begun', () => {
    const { enter, until, done, dropped, jobs, servers } = site('fifo', 1)
    for (const job of [0, 1, 2]) enter(job, 10, 0)
    jobs.givenUp[0] = 1
    jobs.givenUp[1] = 1
    until(100)
    assert.deepEqual(done, ['0@10', '2@20'])
    assert.deepEqual(dropped, [1])
    assert.equal(servers.present[1], 0)
  })
})

describe('processor sharing', () => {
  it('gives each its share, up to a server', () => {
    const { enter, until, done } = site('sharing', 1)
    enter(0, 10, 0)
    enter(1, 2, 4)
    until(100)
    // Both at half speed from 4 on: the second is done at 8, and the first has 4 left.
    assert.deepEqual(done, ['1@8', '0@12'])
  })

  it('with two servers two run at full speed, and three at two thirds', () => {
    const { enter, until, done, servers } = site('sharing', 2)
    for (const job of [0, 1]) enter(job, 6, 0)
    enter(2, 6, 3)
    assert.equal(servers.busy(1), 2)
    until(100)
    // The first two have 3 left at 3, which takes 4.5 ms; the third has had 3 by then, and 3 are left.
    assert.deepEqual(done, ['0@7.5', '1@7.5', '2@10.5'])
  })

  it('goes on at the new speed, and stands still at none', () => {
    const { enter, setSpeed, until, done } = site('sharing', 1)
    enter(0, 10, 0)
    setSpeed(0, 4)
    setSpeed(0.5, 20)
    until(100)
    assert.deepEqual(done, ['0@32'])
  })
})

for (const discipline of ['fifo', 'sharing'] as const) {
  it(`${discipline}: loses all that it has, and works again`, () => {
    const { enter, until, done, servers } = site(discipline, 2)
    for (const job of [0, 1, 2, 3]) enter(job, 10, 0)
    const lost: number[] = []
    servers.lose(1, 5, (job) => lost.push(job))
    assert.deepEqual(lost.toSorted(), [0, 1, 2, 3])
    assert.equal(servers.present[1], 0)
    assert.equal(servers.busy(1), 0)
    enter(4, 3, 6)
    until(100)
    assert.deepEqual(done, ['4@9'])
    // 2 servers for 5 ms, 1 for 3.
    assert.deepEqual([...servers.spent(100)], [0, 13])
  })
}
