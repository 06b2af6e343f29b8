import fp from 'fastify-plugin'
import { OutlierDetector } from './detector.ts'

export default fp(
  async (app) => {
    const enabled = Object.entries(app.gateway.upstreams)
      .map(([name, { outlierDetection }]) => [name, outlierDetection] as const)
      .filter(([, { enabled }]) => enabled)
    if (enabled.length === 0) return
    const context = { now: () => performance.now(), random: () => Math.random() }
    const detector = new OutlierDetector(app.upstreams, new Map(enabled), context)
    app.upstreams.addHealthSource(detector)
    app.upstreams.onEvent((event) => detector.heard(event))
    app.upstreams.onTargetChange(({ target }) => detector.targetsChanged(target.upstream))

    let timer: NodeJS.Timeout | undefined
    const arm = (): void => {
      clearTimeout(timer)
      const run = (): void => {
        detector.run(context.now())
        arm()
      }
      timer = setTimeout(run, Math.max(1, Math.ceil(detector.nextDue() - context.now()))).unref()
    }
    app.addHook('onReady', async () => {
      detector.sooner = arm
      arm()
    })
    app.addHook('onClose', async () => {
      detector.sooner = () => {}
      clearTimeout(timer)
    })
  },
  { name: 'outlier-detection', dependencies: ['config', 'upstreams'] },
)
