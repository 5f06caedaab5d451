import { createMetrics } from '@skirmish/observability';
import { eventually } from '@skirmish/testing';
import { describe, expect, it } from 'vitest';

import { createLaneProducer } from '../src/index.ts';
import { actOf, openLanes, turnOf } from './_lanes.ts';

describe('the metrics of a queue', () => {
  it('count pushes, steps and the dead, and hold no key of a lane', async () => {
    await using lanes = await openLanes();
    const metrics = createMetrics({ process: 'test', runtime: false });
    const producer = createLaneProducer({ redis: lanes.redis, realm: lanes.realm, queue: 'combat', metrics });
    const seen: number[] = [];
    await lanes.work(
      async (command) => {
        if (turnOf(command) === 2) throw new Error('poison');
        seen.push(turnOf(command));
      },
      { metrics, sweep: { intervalMs: 50 } },
    );
    for (const turn of [1, 2, 3]) await producer.push({ key: 'secret-lane', kind: 'combat.act', body: actOf(turn) });
    await eventually(() => seen.length === 2, { timeoutMs: 15_000 });
    const text = await eventually(async () => {
      const rendered = await metrics.render();
      return rendered.includes('skirmish_lane_dead_commands{queue="combat",process="test"} 1') && rendered;
    });
    expect(text).toContain('skirmish_lane_pushes_total{queue="combat",kind="combat.act",outcome="pushed",process="test"} 3');
    expect(text).toContain('skirmish_lane_steps_total{queue="combat",kind="combat.act",outcome="done",process="test"} 2');
    expect(text).toContain('skirmish_lane_steps_total{queue="combat",kind="combat.act",outcome="rule-error",process="test"} 3');
    expect(text).toContain('skirmish_lane_steps_total{queue="combat",kind="combat.act",outcome="dead",process="test"} 1');
    expect(text).toContain('skirmish_lane_wait_seconds_count{process="test",queue="combat",kind="combat.act"} 3');
    expect(text).not.toContain('secret-lane');
    await producer.close();
  });
});
